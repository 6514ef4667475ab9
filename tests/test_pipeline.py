"""Recordings -> batches, against plain NumPy and loops."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import reference
import soundfile
import tensorflow as tf

from neurovocal_tf import pipeline
from neurovocal_tf.audio import simulated_song
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import SEQUENCES, Config

SAMPLE_RATE = 16_000
SCALE = FrameScale(reference_power=1e-6)
# No band-pass: the oracle of the detector has none.
CONFIG = Config().replace(n_fft=128, hop_length=64, low_hz=0.0, high_hz=0.0, bout_gap_s=0.06, window_frames=40, batch_size=8)
# float32 spectra are right to some 1e-7 of their loudest cell, here 60 dB above the floor: 10 log10(1 + 0.1) at the very worst,
# and 100 times less where rounding errors do not all add up.
TOLERANCE_DB = 0.01


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Paths of three recordings of the simulated bird, 1.2 s each."""
    return simulated_song.write_recordings(tmp_path_factory.mktemp("recordings"), 3, 1.2, seed=2)


@pytest.fixture(scope="module")
def sources(recordings):
    return [pipeline.Source(path, decoder) for path, decoder in zip(recordings, ("tensorflow_io", "libsndfile", "libsndfile"), strict=True)]


def found(sources, config, scale=SCALE):
    return [(frames, bool(is_start)) for frames, is_start in pipeline.sequences(sources, SAMPLE_RATE, scale, config).as_numpy_iterator()]


def lengths_of(sources, config):
    return [len(frames) for frames, _ in found(sources, config)]


def training_batches(sources, config, epoch):
    lengths = lengths_of(sources, config)
    dataset = pipeline.training_dataset(sources, SAMPLE_RATE, SCALE, config, tf.constant(epoch, tf.int64), lengths)
    return list(dataset.as_numpy_iterator())


def windows_in(batches):
    """(frames without padding, is_start) of every window that has any."""
    return [
        (frames[: int(mask.sum())], bool(start))
        for batch in batches
        for frames, mask, start in zip(*batch, strict=True)
        if mask.any()
    ]


def assert_equal(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


# --- sequences


def oracle_spans(samples, config):
    if config.data.sequence == "recording":
        return [(0, len(samples))]
    segments = reference.detect(samples, SAMPLE_RATE, config.segmentation, envelope=fast_envelope)
    if config.data.sequence != "bout":
        return segments
    bouts = []
    for onset, offset in segments:
        if bouts and onset - bouts[-1][1] <= config.data.bout_gap_s * SAMPLE_RATE:
            bouts[-1] = (bouts[-1][0], offset)
        else:
            bouts.append((onset, offset))
    return bouts


def fast_envelope(samples, length):
    padded = np.pad(np.abs(samples.astype(np.float64)), length // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, length).mean(axis=-1)


def oracle_sequences(samples, config, frames_of):
    spans = oracle_spans(samples, config)
    spectrograms = [reference.power_spectrogram(samples[a:b], SAMPLE_RATE, config.spectrogram) for a, b in spans]
    sequences = [frames_of(power) for power in spectrograms if len(power)]
    return [np.concatenate(sequences)] if config.data.sequence == "packed" else sequences


def oracle_decibels(power):
    return 10 * np.log10(power / SCALE.reference_power + 10 ** (-SCALE.dynamic_range_db / 10))


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_each_kind_of_sequence_has_the_frames_of_the_oracle(sequence, sources):
    config = CONFIG.replace(sequence=sequence)
    for source in sources[:2]:  # one of each decoder
        expected = oracle_sequences(soundfile.read(source.path)[0], config, oracle_decibels)
        actual = found([source], config)
        at_least = {"recording": 1, "packed": 1, "bout": 2, "segment": 4}[sequence]
        assert len(actual) == len(expected) >= at_least
        for (frames, is_start), frames_of_oracle in zip(actual, expected, strict=True):
            assert frames.dtype == np.float32 and is_start
            np.testing.assert_allclose(frames, frames_of_oracle, rtol=0, atol=TOLERANCE_DB)


@pytest.mark.parametrize("sequence", ["segment", "packed"])
def test_max_power_divides_each_segment_by_its_own_maximum_before_packing(sequence, sources):
    config = CONFIG.replace(sequence=sequence, scaling="max_power")
    expected = oracle_sequences(soundfile.read(sources[0].path)[0], config, lambda power: power / power.max())
    actual = found(sources[:1], config, FrameScale(scaling="max_power"))
    assert len(actual) == len(expected) == (1 if sequence == "packed" else len(oracle_spans(soundfile.read(sources[0].path)[0], config)))
    for (frames, _), frames_of_oracle in zip(actual, expected, strict=True):
        np.testing.assert_allclose(frames, frames_of_oracle, rtol=0, atol=1e-6)


def test_stretches_part_a_recording_without_overlap_or_loss(rng):
    samples = rng.normal(size=1001)
    parts = [pipeline.stretch_of(samples, begin, end) for begin, end in ((0.0, 0.3), (0.3, 0.8), (0.8, 1.0))]
    np.testing.assert_array_equal(np.concatenate(parts), samples)
    assert [len(part) for part in parts] == [300, 501, 200]


def test_a_stretch_inside_a_recording_is_no_true_start_but_a_segment_in_it_is(recordings):
    sources = [pipeline.Source(recordings[0], "libsndfile", begin, end) for begin, end in ((0.0, 0.5), (0.5, 1.0))]
    first, second = found(sources, CONFIG)
    assert (first[1], second[1]) == (True, False)
    samples = soundfile.read(recordings[0])[0]
    for (frames, _), part in ((first, samples[:9600]), (second, samples[9600:])):
        expected = oracle_decibels(reference.power_spectrogram(part, SAMPLE_RATE, CONFIG.spectrogram))
        np.testing.assert_allclose(frames, expected, rtol=0, atol=TOLERANCE_DB)
    segments = found(sources[1:], CONFIG.replace(sequence="segment"))
    assert segments and all(is_start for _, is_start in segments)


def test_a_recording_without_a_vocalization_has_no_sequence(tmp_path, sources):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), SAMPLE_RATE)
    silent = pipeline.Source(str(tmp_path / "silent.wav"), "libsndfile")
    for sequence in ("bout", "segment", "packed"):
        config = CONFIG.replace(sequence=sequence)
        assert_equal(found([silent, sources[0]], config), found([sources[0]], config))


# --- windows


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(num_frames=st.integers(1, 400), window_frames=st.integers(2, 60), seed=st.integers(0, 2**31), epoch=st.integers(0, 500))
@hypothesis.example(num_frames=52, window_frames=32, seed=3, epoch=0)
def test_windows_hold_every_frame_and_none_reaches_over_an_end(num_frames, window_frames, seed, epoch):
    onsets = pipeline.random_onsets(tf.constant(num_frames, tf.int64), window_frames, tf.constant([seed, epoch], tf.int64)).numpy()
    assert len(onsets) == pipeline.num_windows(num_frames, window_frames)
    assert onsets[0] == 0 and onsets.min() == 0 and onsets.max() == max(num_frames - window_frames, 0)
    held = {frame for onset in onsets.tolist() for frame in range(onset, onset + window_frames)}
    assert held >= set(range(num_frames))
    # At least half a window is to spare, so that windows can begin elsewhere; more than one and a half would be waste.
    if num_frames > window_frames:
        assert window_frames / 2 <= len(onsets) * window_frames - num_frames < 1.5 * window_frames


def test_windows_are_cut_padded_masked_and_marked(rng):
    frames = rng.normal(size=(7, 3)).astype(np.float32)
    for is_start in (True, False):
        cut = pipeline.windows_of(tf.constant(frames), tf.constant(is_start), tf.constant([0, 4], tf.int64), 5).as_numpy_iterator()
        (first, first_mask, first_start), (last, last_mask, last_start) = cut
        np.testing.assert_array_equal(first, frames[:5])
        np.testing.assert_array_equal(last, np.concatenate([frames[4:], np.zeros((2, 3), np.float32)]))
        assert first_mask.tolist() == [1, 1, 1, 1, 1] and last_mask.tolist() == [1, 1, 1, 0, 0]
        assert (first_start, last_start) == (is_start, False)


# --- training


@pytest.mark.parametrize("cache_mb", [0, 64])
@pytest.mark.parametrize("sequence", ["recording", "segment"])
def test_an_epoch_is_a_pure_function_of_seed_and_epoch(cache_mb, sequence, sources):
    config = CONFIG.replace(cache_mb=cache_mb, sequence=sequence)
    first = training_batches(sources, config, epoch=4)
    assert_equal(first, training_batches(sources, config, epoch=4))
    for other in (training_batches(sources, config, epoch=5), training_batches(sources, config.replace(seed=1), epoch=4)):
        assert len(other) == len(first) and not all(np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))


def test_a_new_epoch_cuts_its_windows_elsewhere(sources):
    contents = [{frames.tobytes() for frames, _ in windows_in(training_batches(sources, CONFIG, epoch))} for epoch in (0, 1)]
    # The first and the last window of each recording lie where they must.
    assert len(contents[0] & contents[1]) <= 2 * len(sources) + 1


@pytest.mark.parametrize("cache_mb", [0, 64])
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_an_epoch_holds_every_frame_marks_true_starts_and_has_the_promised_shapes(cache_mb, sequence, recordings):
    sources = [pipeline.Source(path, "libsndfile", begin) for path, begin in zip(recordings, (0.0, 0.25, 0.0), strict=True)]
    config = CONFIG.replace(cache_mb=cache_mb, sequence=sequence, window_frames=23)
    # Noise makes every frame one of its kind, by which its place is known.
    places = {
        frame.tobytes(): (i, t, is_start) for i, (frames, is_start) in enumerate(found(sources, config)) for t, frame in enumerate(frames)
    }
    batches = training_batches(sources, config, epoch=3)
    assert len(batches) == pipeline.num_batches(lengths_of(sources, config), config)
    held = set()
    for frames, mask, is_start in batches:
        assert (frames.shape, mask.shape, is_start.shape) == ((8, 23, 65), (8, 23), (8,))
        assert not frames[mask == 0].any()
        for row, row_mask, row_is_start in zip(frames, mask, is_start, strict=True):
            num_frames = int(row_mask.sum())
            assert row_mask.tolist() == [1] * num_frames + [0] * (23 - num_frames)
            if not num_frames:
                assert not row_is_start  # an empty row fills up the last batch
                continue
            found_places = [places[frame.tobytes()] for frame in row[:num_frames]]
            sequence_index, onset, sequence_is_start = found_places[0]
            assert found_places == [(sequence_index, onset + t, sequence_is_start) for t in range(num_frames)]
            assert row_is_start == (sequence_is_start and onset == 0)
            held |= {place[:2] for place in found_places}
    assert held == {place[:2] for place in places.values()}


def test_batches_have_static_shapes_and_their_number_is_known_beforehand(sources):
    lengths = lengths_of(sources, CONFIG)
    for dataset in (
        pipeline.training_dataset(sources, SAMPLE_RATE, SCALE, CONFIG, tf.Variable(0, dtype=tf.int64), lengths),
        pipeline.validation_dataset(sources, SAMPLE_RATE, SCALE, CONFIG, lengths),
    ):
        assert [spec.shape.as_list() for spec in dataset.element_spec] == [[8, 40, 65], [8, 40], [8]]
        assert [spec.dtype for spec in dataset.element_spec] == [tf.float32, tf.float32, tf.bool]
        assert int(dataset.cardinality()) == len(list(dataset))


def test_one_dataset_follows_the_epoch_variable_and_reads_what_is_cached_only_once(tmp_path):
    paths = simulated_song.write_recordings(tmp_path, 2, 1.0)
    sources = [pipeline.Source(path, "tensorflow_io") for path in paths]
    epoch = tf.Variable(0, dtype=tf.int64)
    dataset = pipeline.training_dataset(sources, SAMPLE_RATE, SCALE, CONFIG, epoch, lengths_of(sources, CONFIG))
    first = list(dataset.as_numpy_iterator())
    for path in paths:
        tmp_path.joinpath(path).unlink()
    epoch.assign(1)
    second = list(dataset.as_numpy_iterator())
    assert not np.array_equal(first[0][0], second[0][0])
    epoch.assign(0)
    assert_equal(first, list(dataset.as_numpy_iterator()))


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=20), window_frames=st.integers(2, 100), batch_size=st.integers(1, 9)
)
def test_the_number_of_batches_is_that_of_the_windows_rounded_up(lengths, window_frames, batch_size):
    config = Config().replace(window_frames=window_frames, batch_size=batch_size)
    windows = 0
    for length in lengths:
        windows += 1 if length <= window_frames else next(n for n in range(999) if n * window_frames >= length + window_frames / 2)
    assert pipeline.num_batches(lengths, config) == -(-windows // batch_size)


# --- validation


def test_validation_windows_are_fixed_and_hold_each_frame_once(sources):
    lengths = lengths_of(sources, CONFIG)
    for cache_mb in (0, 64):
        dataset = pipeline.validation_dataset(sources, SAMPLE_RATE, SCALE, CONFIG.replace(cache_mb=cache_mb), lengths)
        first = list(dataset.as_numpy_iterator())
        assert_equal(first, list(dataset.as_numpy_iterator()))
        windows = windows_in(first)
        np.testing.assert_array_equal(np.concatenate([frames for frames, _ in windows]), np.concatenate([f for f, _ in found(sources, CONFIG)]))
        starts = np.cumsum([0] + [-(-length // 40) for length in lengths])[:-1]
        assert [i for i, (_, is_start) in enumerate(windows) if is_start] == starts.tolist()
