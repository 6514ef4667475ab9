"""Recordings -> batches, against plain NumPy and loops."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import plain_detector
import pytest
import reference
import soundfile
import tensorflow as tf

from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import Config
from neurovocal_tf.config_sections import SEQUENCES
from neurovocal_tf.data import pipeline, simulated_song
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sources import Source, stretch_of

SAMPLE_RATE = 16_000
SCALE = FrameScale(reference_power=1e-6)
# No band-pass: the oracle of the detector has none.
CONFIG = Config().replace(
    n_fft=128,
    hop_length=64,
    low_hz=0.0,
    high_hz=0.0,
    bout_gap_s=0.03,
    window_frames=40,
    batch_size=8,
)
# float32 spectra are right to some 1e-7 of their loudest cell, here 60 dB above the floor: 10
# log10(1 + 0.1) at the very worst, and 100 times less where rounding errors do not all add up.
TOLERANCE_DB = 0.01


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Paths of three recordings of the simulated bird, 1.2 s each."""
    return simulated_song.write_recordings(tmp_path_factory.mktemp("recordings"), 3, 1.2, seed=2)


@pytest.fixture(scope="module")
def sources(recordings):
    return [
        Source(path, decoder)
        for path, decoder in zip(
            recordings, ("tensorflow_io", "libsndfile", "libsndfile"), strict=True
        )
    ]


def data_of(sources, config, scale=SCALE):
    return Recordings(tuple(sources), SAMPLE_RATE, scale, config)


def found(sources, config, scale=SCALE):
    return [
        (frames, bool(is_start))
        for frames, is_start in data_of(sources, config, scale).sequences().as_numpy_iterator()
    ]


def lengths_of(sources, config):
    return [len(frames) for frames, _ in found(sources, config)]


def epochs_of(sources, config, lengths, *epochs):
    """The batches of some epochs, of one dataset, each epoch from an iteration of its own."""
    variable = tf.Variable(0, dtype=tf.int64)
    dataset = pipeline.training_dataset(data_of(sources, config), config, variable, lengths)
    assert_static(dataset)
    for epoch in epochs:
        variable.assign(epoch)
        yield list(dataset.take(pipeline.num_batches(lengths, config)).as_numpy_iterator())


def windows_in(batches):
    """(frames without padding, is_start) of every window that has any."""
    rows = [row for batch in batches for row in zip(*batch, strict=True)]
    return [
        (frames[: int(mask.sum())], bool(is_start)) for frames, mask, is_start in rows if mask.any()
    ]


def assert_equal(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def assert_static(dataset):
    """One shape for all batches."""
    batch, window, _ = shape = dataset.element_spec[0].shape.as_list()
    assert [spec.shape.as_list() for spec in dataset.element_spec] == [
        shape,
        [batch, window],
        [batch],
    ] and None not in shape
    assert [spec.dtype for spec in dataset.element_spec] == [tf.float32, tf.float32, tf.bool]


# --- sequences


def oracle_spans(samples, config):
    if config.data.sequence == "recording":
        return [(0, len(samples))]
    buffer = int(config.segmentation.buffer_ms * SAMPLE_RATE / 1000)
    segments = [
        (max(onset - buffer, 0), min(offset + buffer, len(samples)))
        for onset, offset in plain_detector.detect(
            samples, SAMPLE_RATE, config.segmentation, envelope=fast_envelope
        )
    ]
    if config.data.sequence != "bout":
        return segments
    bouts = []
    for onset, offset in segments:
        if bouts and onset - bouts[-1][1] <= config.data.bout_gap_s * SAMPLE_RATE:
            bouts[-1] = (bouts[-1][0], offset)
        else:
            bouts.append((onset, offset))
    margin = int(config.data.bout_gap_s * SAMPLE_RATE / 2)
    return [(max(onset - margin, 0), min(offset + margin, len(samples))) for onset, offset in bouts]


def fast_envelope(samples, length):
    padded = np.pad(np.abs(samples.astype(np.float64)), length // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, length).mean(axis=-1)


def oracle_sequences(samples, config, frames_of):
    spans = oracle_spans(samples, config)
    spectrograms = [
        reference.power_spectrogram(samples[a:b], SAMPLE_RATE, config.spectrogram) for a, b in spans
    ]
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
        at_least = {"recording": 1, "packed": 1, "bout": 1, "segment": 4}[sequence]
        assert len(actual) == len(expected) >= at_least
        for (frames, is_start), frames_of_oracle in zip(actual, expected, strict=True):
            assert frames.dtype == np.float32 and is_start
            np.testing.assert_allclose(frames, frames_of_oracle, rtol=0, atol=TOLERANCE_DB)


@pytest.mark.parametrize("sequence", ["segment", "packed"])
def test_max_power_divides_each_segment_by_its_own_maximum_before_packing(sequence, sources):
    config = CONFIG.replace(sequence=sequence, scaling="max_power")
    expected = oracle_sequences(
        soundfile.read(sources[0].path)[0], config, lambda power: power / power.max()
    )
    actual = found(sources[:1], config, FrameScale(scaling="max_power"))
    assert (
        len(actual)
        == len(expected)
        == (
            1
            if sequence == "packed"
            else len(oracle_spans(soundfile.read(sources[0].path)[0], config))
        )
    )
    for (frames, _), frames_of_oracle in zip(actual, expected, strict=True):
        np.testing.assert_allclose(frames, frames_of_oracle, rtol=0, atol=1e-6)


def test_stretches_part_a_recording_without_overlap_or_loss(rng):
    samples = rng.normal(size=1001)
    parts = [stretch_of(samples, begin, end) for begin, end in ((0.0, 0.3), (0.3, 0.8), (0.8, 1.0))]
    np.testing.assert_array_equal(np.concatenate(parts), samples)
    assert [len(part) for part in parts] == [300, 501, 200]


def test_a_stretch_inside_a_recording_is_no_true_start_but_a_segment_in_it_is(recordings):
    sources = [
        Source(recordings[0], "libsndfile", begin, end) for begin, end in ((0.0, 0.5), (0.5, 1.0))
    ]
    first, second = found(sources, CONFIG)
    assert (first[1], second[1]) == (True, False)
    samples = soundfile.read(recordings[0])[0]
    for (frames, _), part in ((first, samples[:9600]), (second, samples[9600:])):
        expected = oracle_decibels(
            reference.power_spectrogram(part, SAMPLE_RATE, CONFIG.spectrogram)
        )
        np.testing.assert_allclose(frames, expected, rtol=0, atol=TOLERANCE_DB)
    segments = found(sources[1:], CONFIG.replace(sequence="segment"))
    assert segments and all(is_start for _, is_start in segments)


def test_a_recording_without_a_vocalization_has_no_sequence(tmp_path, sources):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), SAMPLE_RATE)
    silent = Source(str(tmp_path / "silent.wav"), "libsndfile")
    config = CONFIG.replace(sequence="packed")
    assert_equal(found([silent, sources[0]], config), found([sources[0]], config))


@pytest.mark.parametrize("sequence", ["bout", "segment", "packed"])
def test_recordings_read_again_have_the_sequences_of_the_first_time_whatever_their_order(
    sequence, sources
):
    data, order = data_of(sources, CONFIG.replace(sequence=sequence)), [2, 0, 1]
    first, again = (
        list(data.sequences(order).as_numpy_iterator()) for order in (None, tf.constant(order))
    )
    assert_equal(first, found(sources, data.config))
    assert_equal(again, found([sources[i] for i in order], data.config))


# --- annotations

# Overlapping, nested, shorter than a window, touching the end,
# and of the same recording parted at 9600 samples.
SEGMENTS = (
    (0.1, 0.2, "a"),
    (0.15, 0.3, "b"),
    (0.41, 0.412, "c"),
    (0.5, 0.7, "d"),
    (0.55, 0.6, "é"),
    (0.75, 1.0, "f"),
    (1.1, 1.3, "g"),
)


def oracle_annotated(samples, begin, end, config):
    """Spans in samples of the recording, one list a sequence."""
    first, last = round(begin * len(samples)), round(end * len(samples))
    spans = [
        (max(round(a * SAMPLE_RATE), first), min(round(b * SAMPLE_RATE), last))
        for a, b, _ in SEGMENTS
    ]
    spans = [(a, b) for a, b in spans if a < b]
    if config.data.sequence != "bout":
        return [[span] for span in spans] if config.data.sequence == "segment" else [spans]
    bouts = [list(spans[0])]
    for a, b in spans[1:]:
        if a - bouts[-1][1] <= config.data.bout_gap_s * SAMPLE_RATE:
            bouts[-1][1] = max(bouts[-1][1], b)
        else:
            bouts.append([a, b])
    margin = int(config.data.bout_gap_s * SAMPLE_RATE / 2)
    return [[(max(a - margin, first), min(b + margin, last))] for a, b in bouts]


@pytest.mark.parametrize(
    "sequence, begin, end",
    [
        ("segment", 0.0, 1.0),
        ("segment", 0.5, 1.0),
        ("packed", 0.0, 0.5),
        ("bout", 0.0, 1.0),
        ("bout", 0.5, 1.0),
    ],
)
def test_annotations_cut_in_the_detectors_place_and_their_labels_stay_with_the_frames(
    sequence, begin, end, recordings
):
    config = CONFIG.replace(sequence=sequence, bout_gap_s=0.06)
    samples = soundfile.read(recordings[0])[0]
    source = Source(recordings[0], "libsndfile", begin, end, SEGMENTS)
    actual = list(data_of([source], config).labelled_sequences().as_numpy_iterator())
    expected = []
    for spans in oracle_annotated(samples, begin, end, config):
        power = [
            reference.power_spectrogram(samples[a:b], SAMPLE_RATE, config.spectrogram)
            for a, b in spans
            if b - a >= 128
        ]
        middles = [a + 64 * frame + 64 for a, b in spans for frame in range((b - a - 64) // 64)]
        if power:
            expected.append(
                (
                    oracle_decibels(np.concatenate(power)),
                    [reference.label_at(m / SAMPLE_RATE, SEGMENTS) for m in middles],
                )
            )
    assert len(actual) == len(expected) >= 1
    for (frames, is_start, labels), (frames_of_oracle, labels_of_oracle) in zip(
        actual, expected, strict=True
    ):
        assert is_start
        np.testing.assert_allclose(frames, frames_of_oracle, rtol=0, atol=TOLERANCE_DB)
        assert [label.decode() for label in labels] == labels_of_oracle


def test_sources_may_have_any_number_of_annotations_and_come_in_any_order(recordings):
    config = CONFIG.replace(sequence="segment")
    sources = [
        Source(path, "libsndfile", segments=SEGMENTS[:n])
        for path, n in zip(recordings, (0, 5, 1), strict=True)
    ]
    alone = [found([source], config) for source in sources]
    assert [len(some) for some in alone] == [0, 4, 1]
    order = tf.constant([2, 0, 1])
    together = list(data_of(sources, config).labelled_sequences(order).as_numpy_iterator())
    assert [labels[0].decode() for _, _, labels in together] == ["a", "a", "b", "d", "é"]
    assert_equal([row[:2] for row in together], alone[2] + alone[1])


def test_frames_that_the_detector_cut_have_no_labels(sources):
    for frames, _, labels in data_of(sources[:1], CONFIG).labelled_sequences().as_numpy_iterator():
        assert labels.tolist() == [b""] * len(frames)


# --- windows


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(
    num_frames=st.integers(1, 400),
    window_frames=st.integers(2, 60),
    seed=st.integers(0, 2**31),
    epoch=st.integers(0, 500),
)
def test_windows_hold_every_frame_and_none_reaches_over_an_end(
    num_frames, window_frames, seed, epoch
):
    onsets = pipeline.random_onsets(
        tf.constant(num_frames, tf.int64), window_frames, tf.constant([seed, epoch], tf.int64)
    ).numpy()
    assert len(onsets) == pipeline.num_windows(num_frames, window_frames)
    assert (
        onsets[0] == 0 and onsets.min() == 0 and onsets.max() == max(num_frames - window_frames, 0)
    )
    held = {frame for onset in onsets.tolist() for frame in range(onset, onset + window_frames)}
    assert held >= set(range(num_frames))
    # At least half a window is to spare, so that windows can begin elsewhere;
    # more than one and a half would be waste.
    if num_frames > window_frames:
        assert window_frames / 2 <= len(onsets) * window_frames - num_frames < 1.5 * window_frames


def test_windows_of_a_long_sequence_begin_anywhere_over_the_epochs():
    onsets = [
        pipeline.random_onsets(
            tf.constant(1000, tf.int64), 10, tf.constant([0, epoch], tf.int64)
        ).numpy()
        for epoch in range(300)
    ]
    middle = np.array(onsets)[:, 50]
    # Six values are common to all spares of half a window and more; each is missed with a
    # probability of (5 / 6)^300.
    assert len(np.unique(middle)) >= 6
    # No window is left out: the step between neighbours is a whole window but at the two ends.
    assert (np.diff(onsets, axis=1)[:, 2:-2] == 10).all()


def test_windows_are_cut_padded_masked_and_marked(rng):
    frames = rng.normal(size=(7, 3)).astype(np.float32)
    for is_start in (True, False):
        cut = pipeline.windows_of(
            tf.constant(frames), tf.constant(is_start), tf.constant([0, 4], tf.int64), 5
        ).as_numpy_iterator()
        (first, first_mask, first_start), (last, last_mask, last_start) = cut
        np.testing.assert_array_equal(first, frames[:5])
        np.testing.assert_array_equal(
            last, np.concatenate([frames[4:], np.zeros((2, 3), np.float32)])
        )
        assert first_mask.tolist() == [1, 1, 1, 1, 1] and last_mask.tolist() == [1, 1, 1, 0, 0]
        assert (first_start, last_start) == (is_start, False)


# --- training


@pytest.mark.parametrize("cache_mb, sequence", [(64, "recording"), (0, "segment")])
def test_an_epoch_is_a_pure_function_of_seed_and_epoch(cache_mb, sequence, sources):
    config = CONFIG.replace(cache_mb=cache_mb, sequence=sequence, window_frames=9)
    lengths = lengths_of(sources, config)
    once, other_epoch = epochs_of(sources, config, lengths, 4, 5)
    (again,) = epochs_of(sources, config, lengths, 4)
    (other_seed,) = epochs_of(sources, config.replace(seed=1), lengths, 4)
    assert_equal(once, again)
    contents = [
        {frames.tobytes() for frames, _ in windows_in(batches)}
        for batches in (once, other_epoch, other_seed)
    ]
    # A sequence's first window and its last lie where they must,
    # and short sequences are one window.
    fixed = sum(min(pipeline.num_windows(length, 9), 2) for length in lengths)
    # All others begin elsewhere, but for a sequence that happens to be shifted as before.
    for other in contents[1:]:
        assert len(contents[0] & other) - fixed < 0.5 * (len(other) - fixed)
    for other in (other_epoch, other_seed):
        assert not np.array_equal(once[0][0], other[0][0])


@pytest.mark.parametrize(
    "cache_mb, sequence",
    [(64, "recording"), (0, "recording"), (0, "bout"), (64, "segment"), (0, "packed")],
)
def test_an_epoch_holds_every_frame_marks_true_starts_and_has_the_promised_shapes(
    cache_mb, sequence, recordings
):
    sources = [
        Source(path, "libsndfile", begin)
        for path, begin in zip(recordings, (0.0, 0.25, 0.0), strict=True)
    ]
    config = CONFIG.replace(cache_mb=cache_mb, sequence=sequence, batch_size=5, window_frames=23)
    # Noise makes every frame one of its kind, by which its place is known.
    sequences = found(sources, config)
    lengths = [len(frames) for frames, _ in sequences]
    places = {
        frame.tobytes(): (i, t, is_start)
        for i, (frames, is_start) in enumerate(sequences)
        for t, frame in enumerate(frames)
    }
    (batches,) = epochs_of(sources, config, lengths, 3)
    assert len(batches) == pipeline.num_batches(lengths, config)
    held = set()
    for frames, mask, is_start in batches:
        assert (frames.shape, mask.shape, is_start.shape) == ((5, 23, 65), (5, 23), (5,))
        assert not frames[mask == 0].any()
        for row, row_mask, row_is_start in zip(frames, mask, is_start, strict=True):
            num_frames = int(row_mask.sum())
            assert row_mask.tolist() == [1] * num_frames + [0] * (23 - num_frames)
            if not num_frames:
                assert not row_is_start  # an empty row fills up the last batch
                continue
            found_places = [places[frame.tobytes()] for frame in row[:num_frames]]
            sequence_index, onset, sequence_is_start = found_places[0]
            assert found_places == [
                (sequence_index, onset + t, sequence_is_start) for t in range(num_frames)
            ]
            assert row_is_start == (sequence_is_start and onset == 0)
            held |= {place[:2] for place in found_places}
    assert held == {place[:2] for place in places.values()}


def test_what_is_cached_is_read_once(tmp_path):
    paths = simulated_song.write_recordings(tmp_path, 2, 1.0)
    sources = [Source(path, "tensorflow_io") for path in paths]
    epochs = epochs_of(sources, CONFIG, lengths_of(sources, CONFIG), 0, 1, 0)
    first = next(epochs)
    for path in paths:
        tmp_path.joinpath(path).unlink()
    second, third = epochs
    assert not np.array_equal(first[0][0], second[0][0])
    assert_equal(first, third)


@pytest.mark.parametrize("cache_mb", [0, 64])
def test_epochs_follow_one_another_and_each_is_what_it_is_alone(cache_mb, sources):
    config = CONFIG.replace(cache_mb=cache_mb, window_frames=9)
    lengths = lengths_of(sources, config)
    num_batches = pipeline.num_batches(lengths, config)
    going_on = pipeline.training_dataset(
        data_of(sources, config), config, tf.Variable(4, dtype=tf.int64), lengths
    )
    batches = list(going_on.take(3 * num_batches).as_numpy_iterator())
    for i, alone in enumerate(epochs_of(sources, config, lengths, 4, 5, 6)):
        assert_equal(batches[i * num_batches : (i + 1) * num_batches], alone)


def test_an_epoch_with_fewer_windows_than_promised_is_an_error(sources):
    config = CONFIG.replace(cache_mb=0, window_frames=9)
    lengths = lengths_of(sources, config)
    of_fewer = pipeline.training_dataset(
        data_of(sources[1:], config), config, tf.constant(0), lengths
    )
    with pytest.raises(tf.errors.FailedPreconditionError, match="expected to contain"):
        list(of_fewer.take(pipeline.num_batches(lengths, config)))


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=20),
    window_frames=st.integers(2, 100),
    batch_size=st.integers(1, 9),
)
def test_the_number_of_batches_is_that_of_the_windows_rounded_up(
    lengths, window_frames, batch_size
):
    config = Config().replace(window_frames=window_frames, batch_size=batch_size)
    windows = 0
    for length in lengths:
        windows += (
            1
            if length <= window_frames
            else next(n for n in range(999) if n * window_frames >= length + window_frames / 2)
        )
    assert pipeline.num_batches(lengths, config) == -(-windows // batch_size)


# --- validation


@pytest.mark.parametrize("cache_mb", [0, 64])
def test_validation_windows_are_fixed_and_hold_each_frame_once(cache_mb, sources):
    sequences = [frames for frames, _ in found(sources, CONFIG)]
    lengths = [len(frames) for frames in sequences]
    config = CONFIG.replace(cache_mb=cache_mb)
    dataset = pipeline.validation_dataset(data_of(sources, config), config, lengths)
    first = list(dataset.as_numpy_iterator())
    assert_equal(first, list(dataset.as_numpy_iterator()))
    windows = windows_in(first)
    np.testing.assert_array_equal(
        np.concatenate([frames for frames, _ in windows]), np.concatenate(sequences)
    )
    begins = np.cumsum([0] + [-(-length // 40) for length in lengths])[:-1]
    assert [i for i, (_, is_start) in enumerate(windows) if is_start] == begins.tolist()
    assert_static(dataset)
    assert int(dataset.cardinality()) == len(first)
