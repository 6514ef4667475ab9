"""Shards of a folder, as the jobs of an array segment them, and what merging makes of them."""

import importlib.util
import pathlib
import re
import types

import numpy as np
import pytest
import soundfile
from forked_tools import IMPORTS_OF_FLAGS, running_tools
from hypothesis import given, settings
from hypothesis import strategies as st
from segmented_folders import OF_A_RUN

from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import folder as segment_folder
from neurovocal_tf.segmentation import segmented_file, shards
from neurovocal_tf.segmentation.folder import SegmentedFolder
from neurovocal_tf.segmentation.shards import Shard

RATE = 16_000
HAS_PARQUET = importlib.util.find_spec("pyarrow") is not None


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Eight recordings with three tones each, a silent and a broken one, in two folders."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "day 2").mkdir()
    times = np.arange(RATE) / RATE
    for number in range(8):
        rng = np.random.default_rng(number)
        samples = 1e-3 * rng.standard_normal(len(times))
        for onset in (3000, 6000, 9000 + 100 * number):
            samples[onset : onset + 1300] += np.sin(6000 * np.pi * times)[:1300]
        place = folder / "day 2" if number % 2 else folder
        soundfile.write(place / f"song {number}.wav", 0.3 * samples, RATE)
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF????WAVE")
    return folder


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    with running_tools(tmp_path_factory.mktemp("tools"), IMPORTS_OF_FLAGS) as run:
        yield run


def segmented(recordings, out, shard=None):
    """A folder's run, of one shard or of all, to its end."""
    paths = segment_folder.recordings_by_name(recordings)
    own, where = (shard.paths(paths), shard.folder(out)) if shard else (paths, out)
    run = SegmentedFolder(recordings, where, Config(), own)
    run.run(1, lambda num_bytes: None)
    return run


def opened(recordings, out):
    """The run of the whole, and all shards that there are."""
    run = SegmentedFolder(recordings, out, Config())
    return run, {shard: run.beside(shard.folder(out)) for shard in shards.begun(out)}


def tables(out):
    """Dict of name -> bytes of all that a run has written, but what no two have alike."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(pathlib.Path(out).rglob("*"))
        if path.is_file() and "shards" not in path.parts and path.name not in OF_A_RUN
    }


def test_shards_merged_are_byte_for_byte_what_one_run_writes(tool, recordings, tmp_path):
    asked = ["segment", f"--data_dir={recordings}", "--preset=auto"]
    whole, merged = tmp_path / "whole", tmp_path / "merged"
    formats = "--format=raven,audacity" + ",parquet" * HAS_PARQUET
    assert tool("neurovocal", *asked, f"--out={whole}", formats)[0] == 0
    for number in (3, 1, 2):
        code, _, told = tool("neurovocal", *asked, f"--out={merged}", f"--shard={number}/3")
        assert code == 0 and f"shard {number}/3:" in told, told
    code, told, _ = tool("neurovocal", *asked, f"--out={merged}", "--merge", formats)
    assert code == 0 and "24 segments in 8 recordings, 8.0 s; 2 skipped" in told
    assert tables(merged) == tables(whole)
    # What is merged is a folder like any other, which is done.
    _, _, told = tool("neurovocal", *asked, f"--out={merged}")
    assert "8 of 10 recordings were finished before" in told
    assert tables(merged) == tables(whole)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--shard=0/3"], "`shard` must be i/n, the i-th of n parts counted from 1"),
        (["--shard=4/3"], "Received: shard=4/3"),
        (["--shard=half"], "Received: shard=half"),
        (["--shard="], "Received: shard=$"),
        (["--shard=1/2", "--plot", "--merge"], "`shard` must be given without --merge, --plot"),
        (["--merge", "--tune"], "Received: --tune and --merge"),
        (["--merge"], "`merge` must find in .*shards the results of .*, and there are none"),
    ],
)
def test_what_cannot_be_a_shard_is_told_in_one_line(tool, recordings, tmp_path, given, told):
    out = f"--out={tmp_path / 'out'}"
    code, _, error = tool("neurovocal", "segment", f"--data_dir={recordings}", out, *given)
    assert code == 1 and error.count("\n") == 1 and re.search(told, error), error


def test_missing_shards_are_named_in_one_line_for_one_look_at_the_archive(
    recordings, tmp_path, monkeypatch
):
    segmented(recordings, tmp_path, Shard(4, 2))
    names = Shard(4, 3).paths(segment_folder.recordings_by_name(recordings))
    begun = SegmentedFolder(recordings, Shard(4, 3).folder(tmp_path), Config(), names)
    begun.save()
    looks, look_at = [], segment_folder.listing.look_at
    monkeypatch.setattr(
        segment_folder.listing, "look_at", lambda place: looks.append(place) or look_at(place)
    )
    with pytest.raises(ValueError, match="all 4 shards finished, and missing are ") as caught:
        shards.merge(*opened(recordings, tmp_path))
    assert f"1/4 (not begun), 3/4 ({len(names)} recordings left), 4/4 (not begun)" in str(
        caught.value
    )
    assert len(looks) == 1
    segmented(recordings, tmp_path, Shard(2, 1))
    with pytest.raises(ValueError, match="there are shards of 2 and of 4: remove"):
        shards.begun(tmp_path)


def test_a_shard_without_recordings_need_not_be_begun():
    (shard,) = (s for s in (Shard(4, n) for n in range(1, 5)) if s.paths({"a.wav": ""}))
    taken = []
    run = types.SimpleNamespace(paths={"a.wav": ""}, take=taken.append)
    part = types.SimpleNamespace(all_finished=["a.wav"], skipped_before={})
    shards.merge(run, {shard: part})
    assert taken == [part]


def test_a_shard_that_was_killed_goes_on_where_it_was(recordings, tmp_path, monkeypatch):
    shard, segment_file = Shard(1, 1), segmented_file.segment_file
    done = []

    def interrupted(path, *arguments):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(path)
        return segment_file(path, *arguments)

    monkeypatch.setattr(segment_folder, "segment_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        segmented(recordings, tmp_path, shard)
    monkeypatch.setattr(segment_folder, "segment_file", segment_file)
    with pytest.raises(ValueError, match=r"1/1 \(\d recordings left\)"):
        shards.merge(*opened(recordings, tmp_path))
    resumed = segmented(recordings, tmp_path, shard)
    assert resumed.num_resumed and len(resumed.results) == 8 - resumed.num_resumed
    run, parts = opened(recordings, tmp_path)
    shards.merge(run, parts)
    assert run.finished == resumed.finished and run.skipped == resumed.skipped


def test_what_people_have_changed_in_a_shard_is_not_merged_unseen(recordings, tmp_path):
    run = segmented(recordings, tmp_path, Shard(1, 1))
    table = pathlib.Path(run.out_dir) / "annotations.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(",,", ",call,"), encoding="utf-8")
    with pytest.raises(ValueError, match="annotations.csv must be as it was written, and has been"):
        shards.merge(*opened(recordings, tmp_path))


@settings(max_examples=10, deadline=None)
@given(st.sets(st.text(min_size=1), max_size=12), st.integers(1, 12))
def test_every_recording_is_in_one_shard_whatever_else_there_is(names, count):
    paths = {name: f"/data/{name}" for name in names}
    parts = [Shard(count, number + 1).paths(paths) for number in range(count)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    alone = {name: Shard(count, 1).paths({name: ""}) for name in names}
    assert {name for name, part in alone.items() if part} == parts[0].keys()
