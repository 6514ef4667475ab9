"""A damaged run folder: made whole from its checkpoints, or refused with the name of the
file that is to blame.
"""

import json
import os
import pathlib
import shutil

import numpy as np
import pytest

from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.recovery import recover
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import load_trained


@pytest.fixture
def folder(trained_run, tmp_path):
    """A copy of a whole run of three epochs."""
    return RunFolder(shutil.copytree(trained_run, tmp_path / "run"))


def recovered(folder):
    """(checkpoint, lines for the user)"""
    lines = []
    return recover(folder, lines.append), lines


def flip(path, place):
    content = bytearray(bytes_of(path))
    content[place] ^= 0x10
    write(path, bytes(content))


def bytes_of(path):
    return pathlib.Path(path).read_bytes()


def text_of(path):
    return pathlib.Path(path).read_text(encoding="utf-8")


def write(path, content):
    pathlib.Path(path).write_bytes(content.encode() if isinstance(content, str) else content)


def test_a_whole_folder_and_an_empty_one_are_left_alone(folder, tmp_path):
    found, lines = recovered(folder)
    assert (found.epoch, lines) == (3, [])
    (tmp_path / "empty").mkdir()
    assert recovered(RunFolder(tmp_path / "empty")) == (None, [])


@pytest.mark.parametrize("name", ["config.json", "data.json"])
@pytest.mark.parametrize("content", [None, "", "[" * 100_000, "[]", '{"data_dir": 3}', "\x00"])
def test_settings_and_data_are_written_anew_from_the_checkpoint(name, content, folder):
    path, whole = folder.file(name), text_of(folder.file(name))
    os.unlink(path) if content is None else write(path, content)
    with pytest.raises(ValueError, match=f"{path} is .*[Cc]opy" if content else "config.json|data"):
        load_trained(folder.path)
    found, lines = recovered(folder)
    assert found.epoch == 3 and len(lines) == 1 and "written anew from the checkpoint" in lines[0]
    assert path in lines[0] and json.loads(text_of(path)) == json.loads(whole)
    stem, extension = os.path.splitext(path)
    assert os.path.exists(f"{stem}_damaged{extension}") == (content is not None)
    assert load_trained(folder.path).epoch == 3


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("config.json", '"n_fft": 128', '"n_fft": 256'),
        ("config.json", '"num_layers": 1', '"num_layers": 2'),
        ("data.json", '"sample_rate": 16000', '"sample_rate": 16001'),
        ("data.json", '"reference_power": ', '"reference_power": 1'),
    ],
)
def test_files_that_contradict_the_checkpoint_are_named(name, old, new, folder):
    path = folder.file(name)
    text = text_of(path)
    assert old in text
    write(path, text.replace(old, new, 1))
    for use in (load_trained, lambda path: recovered(RunFolder(path))):
        with pytest.raises(ValueError, match=f"{path} .*checkpoint.npz.*writes it anew"):
            use(folder.path)
    os.unlink(path)
    assert recovered(folder)[0].epoch == 3 and load_trained(folder.path).epoch == 3


def test_epochs_and_memory_may_differ_from_what_the_checkpoint_remembers(folder):
    folder.write_config(folder.config().replace(epochs=7, cache_mb=0))
    assert recovered(folder)[1] == [] and load_trained(folder.path).epoch > 0


def test_of_a_damaged_checkpoint_the_one_before_is_gone_on_from_and_the_damaged_one_is_kept(folder):
    flip(folder.checkpoint, os.path.getsize(folder.checkpoint) // 2)
    with pytest.raises(ValueError, match=r"checkpoint.npz is not a checkpoint.*_before.npz.*train"):
        load_trained(folder.path)
    found, lines = recovered(folder)
    assert found.epoch == 2 and len(lines) == 1
    assert "after epoch 2" in lines[0] and "checkpoint_damaged.npz" in lines[0]
    assert checkpoint.read(folder.checkpoint).epoch == 2
    assert recovered(folder)[1] == []
    os.unlink(folder.checkpoint)
    found, lines = recovered(folder)
    assert found.epoch == 2 and "There is no checkpoint" in lines[0]


def test_where_both_checkpoints_are_damaged_nothing_is_written_over(folder):
    before = checkpoint.path_before(folder.checkpoint)
    for path in (folder.checkpoint, before):
        write(path, b"damaged")
    with pytest.raises(ValueError, match=f"{before} is not a checkpoint.*Put back a copy"):
        recovered(folder)
    assert bytes_of(folder.checkpoint) == bytes_of(before) == b"damaged"


def test_an_earlier_versions_checkpoint_without_its_settings_is_not_written_over(folder):
    with np.load(folder.checkpoint, allow_pickle=False) as arrays:
        earlier = {name: arrays[name] for name in arrays if name not in ("memory", "checksum")}
    os.unlink(checkpoint.path_before(folder.checkpoint))
    np.savez(folder.checkpoint, **earlier)
    assert recovered(folder)[0].memory is None
    os.unlink(folder.file("config.json"))
    content = bytes_of(folder.checkpoint)
    with pytest.raises(ValueError, match="config.json is not there, and .*put back a copy"):
        recovered(folder)
    assert bytes_of(folder.checkpoint) == content


def test_any_other_content_is_told_by_the_checksum(folder, tmp_path):
    with np.load(folder.checkpoint, allow_pickle=False) as arrays:
        values = dict(arrays)
    values["model/0"] = values["model/0"] + 1
    np.savez(tmp_path / "other.npz", **values)
    with pytest.raises(ValueError, match="its checksum is another"):
        checkpoint.read(tmp_path / "other.npz")


def test_an_array_that_claims_more_than_its_file_has_is_refused_by_its_header(folder, tmp_path):
    with np.load(folder.checkpoint, allow_pickle=False) as arrays:
        values = dict(arrays)
    path = tmp_path / "claims.npz"
    np.savez(path, **values | {"meta": np.zeros(1234, np.uint8)})
    content = path.read_bytes()
    claim = b"(1234,), }"
    assert content.count(claim) == 1
    # As long as before, so that nothing else moves.
    path.write_bytes(content.replace(claim, b"(9**9,), }"[: len(claim)]))
    with pytest.raises(ValueError, match="claims.npz is not a checkpoint"):
        checkpoint.read(path)
