"""Recordings in shares and rows by worker: whoever takes them, a batch is the same, and each file
is one worker's.
"""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import Config
from neurovocal_tf.data import pipeline, shares, simulated_song
from neurovocal_tf.data.frame_sequences import FrameSplit
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sources import Source

CONFIG = Config().replace(window_frames=5, batch_size=8)


def split_of(lengths, rng):
    frames = rng.normal(size=(sum(lengths), 3)).astype(np.float32)
    return FrameSplit(frames, np.asarray(lengths, np.int64))


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=15), num_shares=st.integers(1, 9)
)
def test_each_sequence_is_in_one_share_and_no_share_is_longer_by_more_than_one_of_them(
    lengths, num_shares
):
    data = split_of(lengths, np.random.default_rng(0))
    parts = shares.split(data, num_shares)
    assert len(parts) == num_shares
    found = np.concatenate([part.frames for part in parts])
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(data.frames, axis=0))
    sums = [sum(part.sizes) for part in parts]
    assert sum(map(len, parts)) == len(lengths)
    # The last that the longest was given went where there was least.
    assert max(sums) - min(sums) <= max(lengths)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    num_workers=st.sampled_from([1, 2, 3, 4, 6, 12]),
    num_shares=st.sampled_from([1, 2, 3, 4, 6, 12]),
)
def test_all_workers_together_take_every_row_once(num_workers, num_shares):
    rows = [
        part.share * part.num_rows + row
        for index in range(num_workers)
        for part in shares.parts_of(shares.Place(index, num_workers), 12, num_shares)
        for row in range(*part.rows)
    ]
    assert rows == list(range(12))


def batches(data, config, frames, counts, place, kind):
    if kind == "training":
        dataset = pipeline.training_dataset(
            data, config, 3, frames, num_sequences=counts, place=place
        ).take(place.num_replicas * pipeline.num_batches(frames, config, counts))
    else:
        dataset = pipeline.validation_dataset(data, config, frames, counts, place)
    return list(dataset.as_numpy_iterator())


def joined(of_places):
    """Batches of several places as one batch each."""
    return [
        tuple(map(np.concatenate, zip(*rows, strict=True))) for rows in zip(*of_places, strict=True)
    ]


@pytest.mark.parametrize("kind", ["training", "validation"])
@pytest.mark.parametrize("num_shares", [1, 2, 4])
def test_a_batch_is_the_same_however_many_take_its_rows(kind, num_shares, rng):
    config = CONFIG.replace(num_shares=num_shares)
    # Of four shares one is three times as long as another; and there may be one of nothing.
    data = split_of([30, 11, 9, 2] if kind == "training" else [30, 11, 9], rng)
    parts = shares.split(data, num_shares)
    frames = [length for part in parts for length in part.sizes]
    counts = None if num_shares == 1 else tuple(map(len, parts))
    whole = batches(data, config, frames, counts, shares.WHOLE, kind)
    count = {"training": pipeline.num_batches, "validation": pipeline.num_validation_batches}[kind]
    assert len(whole) == count(frames, config, counts)
    for num_workers, num_replicas in ((2, 1), (4, 1), (2, 2)):
        places = [shares.Place(index, num_workers, num_replicas) for index in range(num_workers)]
        found = [batches(data, config, frames, counts, place, kind) for place in places]
        # Of a worker's replicas one after another.
        found = [joined([one[i::num_replicas] for i in range(num_replicas)]) for one in found]
        for ours, theirs in zip(joined(found), whole, strict=True):
            assert [column.shape for column in ours] == [(8, 5, 3), (8, 5), (8,)]
            for column, expected in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(column, expected)
    # Each frame of what trains is there, whatever share it came from.
    held = {frame.tobytes() for rows, mask, _ in whole for frame in rows[mask == 1]}
    assert held == {frame.tobytes() for frame in data.frames}


def test_the_windows_of_one_share_follow_the_seed_and_the_epoch_alone(rng):
    data, config = split_of([30, 11, 9, 2], rng), CONFIG.replace(num_shares=2)
    parts = shares.split(data, 2)
    frames = [length for part in parts for length in part.sizes]
    counts = tuple(map(len, parts))

    def epoch(number, seed=0):
        dataset = pipeline.training_dataset(
            data, config.replace(seed=seed), number, frames, num_sequences=counts
        )
        return [rows.tobytes() for rows, _, _ in dataset.take(2).as_numpy_iterator()]

    assert epoch(1) == epoch(1)
    assert len({tuple(found) for found in (epoch(1), epoch(2), epoch(1, seed=1))}) == 3


def test_a_worker_opens_no_recording_of_another_share(tmp_path):
    paths = simulated_song.write_recordings(tmp_path, 4, 1.0)
    config = CONFIG.replace(n_fft=128, hop_length=64, cache_mb=0, num_shares=2)
    sources = tuple(Source(str(tmp_path / path), "libsndfile") for path in paths)
    data = Recordings(sources, 16000, FrameScale(), config)
    parts = shares.split(data, 2)
    lengths = [[len(f) for f, _ in part.sequences().as_numpy_iterator()] for part in parts]
    frames, counts = sum(lengths, []), tuple(map(len, lengths))
    for index in range(2):
        hidden = [source.path for source in parts[1 - index].sources]
        for path in hidden:
            tf.io.gfile.rename(path, f"{path}.hidden")
        found = batches(data, config, frames, counts, shares.Place(index, 2), "training")
        assert sum(mask.sum() for _, mask, _ in found) >= sum(lengths[index])
        for path in hidden:
            tf.io.gfile.rename(f"{path}.hidden", path)
