"""What lies in a store is listed whatever its name is, and replaced without anything being lost."""

import pathlib

import memory_store
import pytest

from neurovocal_tf.archive import calls, catalogue, stores
from neurovocal_tf.config import Config


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store without Beam, which does not rename over what is there."""
    return memory_store.alone(tmp_path, monkeypatch)


def test_names_with_the_characters_of_a_pattern_are_listed_as_they_are(store):
    for name in ("day [1]/a*.wav", "day [1]/night?/b.wav", "day 1/c.wav"):
        memory_store.put(f"mem://birds/{name}", b"RIFF")
    found = stores.below("mem://birds/day [1]/")
    folder = "mem://birds/day [1]"
    assert [one.path for one in found] == [f"{folder}/a*.wav", f"{folder}/night?/b.wav"]
    assert stores.names_in("mem://birds/day [1]/") == ["a*.wav"]


def test_paths_that_no_table_keeps_apart_are_skipped_with_a_reason(store):
    for name in ("a.wav", "/a.wav", "./b.wav", "//notes.txt"):
        memory_store.put(f"mem://birds/data/{name}", b"RIFF")
    found = catalogue.of("mem://birds/data", "mem://birds/out")
    assert [entry.path for entry in found.entries.values()] == ["mem://birds/data/a.wav"]
    assert found.skipped.keys() == {"a.wav", "b.wav"}
    assert "its path holds a folder without a name" in found.skipped["b.wav"]


def test_a_file_takes_the_place_of_another_where_renaming_does_not(store):
    for content in (b"one", b"other"):
        stores.write_whole("mem://birds/out/part.jsonl", content)
    assert stores.read_bytes("mem://birds/out/part.jsonl") == b"other"
    assert [one.path for one in stores.below("mem://birds")] == ["mem://birds/out/part.jsonl"]


def test_what_people_have_changed_is_there_by_its_new_name_before_its_old_one_is_taken(store):
    for name in ("annotations.csv", "files.csv", "written.csv"):
        memory_store.put(f"mem://birds/out/{name}", b"by hand")
    rename, placed = store.rename, []

    def noticed(sources, targets):
        rename(sources, targets)
        placed.extend(targets)

    store.rename = noticed
    with stores.written_through("mem://birds/out", first="written.csv") as here:
        (pathlib.Path(here) / "annotations.csv").rename(pathlib.Path(here) / "changed.csv")
        for name in ("annotations.csv", "written.csv"):
            (pathlib.Path(here) / name).write_bytes(b"new")
    names = ["written.csv", "changed.csv", "annotations.csv"]
    assert placed == [f"mem://birds/out/{name}" for name in names]
    told = {name: stores.read_bytes(f"mem://birds/out/{name}") for name in [*names, "files.csv"]}
    assert told == dict(zip(names, (b"new", b"by hand", b"new"))) | {"files.csv": b"by hand"}


def test_what_is_wrong_with_a_copied_folder_names_the_folder(store):
    with pytest.raises(ValueError, match="^mem://birds/report must be a folder that holds files"):
        calls.judged_by("mem://birds/report", "", Config(), None)
    memory_store.put("mem://birds/report/notes.txt", b"none")
    with pytest.raises(ValueError, match="with call_types.json.* types=mem://birds/report$"):
        calls.judged_by("mem://birds/report", "", Config(), None)
    memory_store.put("mem://birds/report/unreachable.npz", b"none")
    with pytest.raises(ValueError, match="^mem://.*/unreachable.npz cannot be fetched: 503: "):
        calls.judged_by("mem://birds/report", "", Config(), None)
