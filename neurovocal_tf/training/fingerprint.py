"""What one worker is about to do, so that it can be compared with what the others are."""

import hashlib
import importlib.metadata
import os
import pathlib
import sys

import tensorflow as tf

import neurovocal_tf
from neurovocal_tf.audio import listing
from neurovocal_tf.config import Config, settings

_LIBRARIES = ("tensorflow", "keras", "numpy")


def of(config: Config, data_dir: str | os.PathLike[str], num_folds: int = 0) -> dict[str, str]:
    """Code, libraries, devices, settings and data of this process, each by a name for the user.

    Of recordings names and sizes count, not where they lie; what is in them is compared by each
    worker for itself with what the chief has surveyed.
    """
    flags = {
        f"--{field.name}": repr(getattr(getattr(config, section), field.name))
        for section, field in settings()
    }
    return {
        "neurovocal_tf": f"{neurovocal_tf.__version__} ({_code()})",
        "Python": ".".join(map(str, sys.version_info[:2])),
        **{name: importlib.metadata.version(name) for name in _LIBRARIES},
        # TensorFlow takes it that all have as many.
        "GPUs": str(len(tf.config.list_physical_devices("GPU"))),
        **flags,
        "--folds": str(num_folds),
        "the data": _data(data_dir),
    }


def _code():
    """Digest of the package's own code."""
    package = pathlib.Path(neurovocal_tf.__file__).parent
    digest = hashlib.blake2b(digest_size=4)
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _data(data_dir):
    """Names and sizes of what is in a folder; of one file of frames its bytes too."""
    path = os.fspath(data_dir)
    if os.path.isfile(path) and path.endswith(".npz"):
        digest = hashlib.blake2b(digest_size=8)
        with open(path, "rb") as file:
            while block := file.read(2**20):
                digest.update(block)
        return digest.hexdigest()
    try:
        paths, folder = listing.list_recordings(path), listing.folder_of(path)
    except ValueError as error:
        if not os.path.isdir(path):
            # For all to be told; where all have none, the survey tells it.
            return str(error)
        paths, folder = sorted(map(os.fspath, pathlib.Path(path).rglob("*.*"))), path
    digest, num_bytes = hashlib.blake2b(digest_size=4), 0
    for name in paths:
        # A link that leads nowhere is skipped by the survey.
        size = os.path.getsize(name) if os.path.exists(name) else 0
        num_bytes += size
        digest.update(f"{os.path.relpath(name, folder)} {size}\n".encode())
    return f"{len(paths)} files of {num_bytes} bytes ({digest.hexdigest()})"
