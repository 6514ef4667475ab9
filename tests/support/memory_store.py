"""A store as Apache Beam's file systems are, and as a bucket is: mem://bucket/path lies in a local
folder, flat, without folders of its own. Where Beam is not installed, `alone` stands for all.
"""

import os
import typing
import urllib.parse

try:
    from apache_beam.io.filesystem import FileMetadata, FileSystem
except ImportError:
    FileSystem = object

    class FileMetadata(typing.NamedTuple):
        path: str
        size_in_bytes: int
        last_updated_in_seconds: float


#: What a workers' processes find it by.
VARIABLE = "NEUROVOCAL_TF_TEST_STORE"


class MemoryStore(FileSystem):
    """Objects by name; those whose name has `unreachable` in it are listed, and cannot be read."""

    def __init__(self, pipeline_options=None):
        pass

    @classmethod
    def scheme(cls):
        return "mem"

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        return tuple(path.rsplit("/", 1))

    def mkdirs(self, path):
        pass

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        for name in sorted(os.listdir(_folder())):
            path = urllib.parse.unquote(name)
            if path.startswith(dir_or_prefix):
                told = os.stat(os.path.join(_folder(), name))
                yield FileMetadata(path, told.st_size, told.st_mtime)

    def create(self, path, mime_type="", compression_type=None):
        return open(_place(path), "wb")

    def open(self, path, mime_type="", compression_type=None):
        if "unreachable" in path:
            raise OSError("503: the store is busy")
        return open(_place(path), "rb")

    def copy(self, source_file_names, destination_file_names):
        raise NotImplementedError

    def rename(self, source_file_names, destination_file_names):
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            if self.exists(target):
                # As HDFS does.
                raise OSError(f"{target} is there")
            os.rename(_place(source), _place(target))

    def exists(self, path):
        return os.path.exists(_place(path))

    def size(self, path):
        return os.path.getsize(_place(path))

    def last_updated(self, path):
        return os.path.getmtime(_place(path))

    def checksum(self, path):
        raise NotImplementedError

    def metadata(self, path):
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths):
        for path in paths:
            os.unlink(_place(path))


def alone(folder, monkeypatch):
    """Has `stores` take this store, in a folder, for all that there are, without Beam."""
    from neurovocal_tf.archive import stores

    store = MemoryStore()
    store.get_filesystem = lambda path: store
    monkeypatch.setenv(VARIABLE, str(folder))
    monkeypatch.setattr(stores, "_systems", lambda: store)
    monkeypatch.setattr(stores, "_plain", lambda: None)
    return store


def put(path, content):
    """Puts bytes into the store."""
    with open(_place(path), "wb") as file:
        file.write(content)


def _folder():
    return os.environ[VARIABLE]


def _place(path):
    return os.path.join(_folder(), urllib.parse.quote(path, safe=""))
