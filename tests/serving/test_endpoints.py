"""The endpoints: their limits, what they say of bad rows, and that a row's answer is its own."""

import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from neurovocal_tf.audio import readers, spectrogram, wav
from neurovocal_tf.model import usual_calls
from neurovocal_tf.runs.trained import Trained, build_model, load_trained
from neurovocal_tf.segmentation import detector, sequences
from neurovocal_tf.serving import endpoints as endpoints_lib
from neurovocal_tf.status import DESCRIPTIONS, Status

MAX_FRAMES = 40
SEEDS = [7, 0, 2**62, -1, 7]
NUM_FRAMES = [25, 40, 0, 1, 99]
TEMPERATURES = [1.0, 0.5, 1.0, 2.0, 0.0]
BATCH_SIZES = (1, 2, 3, 7, 8, 9, 17, 33, 64)
BAD_RECORDING = b"not a recording"


def rows(seeds=SEEDS, num_frames=NUM_FRAMES, temperatures=TEMPERATURES):
    return (
        tf.constant(seeds, tf.int64),
        tf.constant(num_frames, tf.int32),
        tf.constant(temperatures, tf.float32),
    )


def arrays(answers):
    return {name: value.numpy() for name, value in answers.items()}


@pytest.fixture(scope="module")
def recordings(simulated_recordings):
    """Bytes of ten short stretches of recordings, each of another length."""
    stretches = []
    for i in range(10):
        samples, rate = soundfile.read(
            simulated_recordings / f"simulated_00{i % 5}.wav", dtype="float32"
        )
        begin = 9_000 if i < 5 else 14_000
        stretches.append(wav.encode(samples[begin : begin + 1_100 + 150 * i], rate).numpy())
    return stretches


# --- songs


def test_rows_have_their_lengths_and_are_silent_after_their_end(endpoints):
    song = arrays(endpoints.generate(*rows()))
    assert {name: (value.dtype.name, value.shape) for name, value in song.items()} == {
        "spectrogram": ("float32", (5, 40, 65)),
        "lengths": ("int32", (5,)),
        "state": ("float32", (5, endpoints.model.encoder.state_size)),
        "next_frame": ("int64", (5,)),
        "layout": ("int32", (5,)),
        "status": ("int32", (5,)),
    }
    # the last one asked for more than may be
    assert song["lengths"].tolist() == song["next_frame"].tolist() == [25, 40, 0, 1, 40]
    for row, length in zip(song["spectrogram"], song["lengths"], strict=True):
        assert (row[length:] == -endpoints.scale.dynamic_range_db).all() and np.isfinite(row).all()
        assert not (row[:length] == -endpoints.scale.dynamic_range_db).any()


def test_a_temperature_that_is_none_is_the_default_one_and_others_are_kept_in_bounds(endpoints):
    strange = [0.0, -1.0, np.nan, np.inf, -np.inf]
    W = endpoints.model.conditional_rbm.W
    weights = W.numpy()
    # After so short a training the hidden units hardly matter, and so their temperature does not.
    W.assign(100 * weights)
    try:
        found = endpoints.generate(
            *rows([3] * 10, [10] * 10, [1.0, *strange, 1e-30, 0.01, 3e38, 100.0])
        )["spectrogram"].numpy()
    finally:
        W.assign(weights)
    for row in found[1:6]:
        np.testing.assert_array_equal(row, found[0])
    np.testing.assert_array_equal(found[6], found[7])
    np.testing.assert_array_equal(found[8], found[9])
    assert (
        np.isfinite(found).all()
        and not np.array_equal(found[8], found[0])
        and not np.array_equal(found[7], found[0])
    )


def test_no_frames_and_no_rows_are_no_error(endpoints):
    for generate in (endpoints.generate, endpoints.generate_audio):
        none = generate(*rows([1] * 9, [0, -5] + [0] * 7, [1.0] * 9))
        assert none["spectrogram"].shape == (9, 0, 65) and not none["lengths"].numpy().any()
        empty = generate(*rows([], [], []))
        assert empty["spectrogram"].shape == (0, 0, 65) and empty["state"].shape == (
            0,
            endpoints.model.encoder.state_size,
        )
        if "waveform" in none:
            assert none["waveform"].shape == (9, 0) and not none["num_samples"].numpy().any()
            assert empty["waveform"].shape == (0, 0) and empty["wav_bytes"].shape == (0,)


def test_sound_has_the_samples_that_its_frames_span_and_is_the_waveform_as_a_file(
    endpoints, tmp_path
):
    song = arrays(endpoints.generate_audio(*rows()))
    expected = [(length - 1) * 64 + 128 if length else 0 for length in song["lengths"].tolist()]
    assert song["num_samples"].tolist() == expected and song["waveform"].shape == (5, max(expected))
    assert song["sample_rate"].tolist() == [16_000] * 5
    for row, num_samples, contents in zip(
        song["waveform"], expected, song["wav_bytes"], strict=True
    ):
        assert not row[num_samples:].any() and np.isfinite(row).all()
        assert row[:num_samples].any() or not num_samples
        assert contents == wav.encode(row[:num_samples], 16_000).numpy()
    np.testing.assert_array_equal(song["spectrogram"], endpoints.generate(*rows())["spectrogram"])


def test_frames_sound_as_they_do_when_they_are_sung_and_known_samples_stay(endpoints):
    song = arrays(endpoints.generate_audio(*rows()))
    nothing = np.zeros((5, 1), np.float32)
    found = arrays(endpoints.synthesise(song["spectrogram"], song["lengths"], nothing, [0] * 5))
    for name in ("waveform", "num_samples", "sample_rate"):
        np.testing.assert_array_equal(found[name], song[name])
    assert found["status"].tolist() == [0, 0, 2, 0, 0] and found["hop_length"].tolist() == [64] * 5
    known = np.repeat(song["waveform"][:1, :600], 5, axis=0)
    known[1, 100] = np.nan
    going_on = arrays(
        endpoints.synthesise(
            song["spectrogram"][[0] * 5], [25, 25, 25, 25, 105], known, [600, 600, -1, 9999, 0]
        )
    )
    # Up to the last hop, over which it gives way; what is known of all frames but one
    # is all that is taken.
    np.testing.assert_array_equal(going_on["waveform"][0, :537], known[0, :537])
    assert (
        going_on["status"].tolist() == [0, 1, 0, 0, 0] and np.isfinite(going_on["waveform"]).all()
    )
    assert going_on["waveform"][1, 100] == 0
    own = slice(0, song["num_samples"][0])
    np.testing.assert_array_equal(going_on["waveform"][2, own], song["waveform"][0, own])
    too_long = endpoints.synthesise(np.zeros((1, 200, 65), np.float32), [200], nothing[:1], [0])
    assert too_long["status"].numpy().tolist() == [Status.TOO_LONG] and too_long[
        "waveform"
    ].shape == (1, 0)


def test_a_song_in_parts_is_the_song_in_one_bit_for_bit(endpoints):
    seeds, temperatures = [5, 2**61, -3], [0.5, 1.0, 2.0]
    whole = arrays(endpoints.generate(*rows(seeds, [40] * 3, temperatures)))
    first = arrays(endpoints.generate(*rows(seeds, [20, 1, 0], temperatures)))
    rest = arrays(
        endpoints.generate_continue(
            *rows(seeds, [20, 39, 40], temperatures), first["next_frame"], first["state"]
        )
    )
    for i, cut in enumerate((20, 1, 0)):
        parts = np.concatenate([first["spectrogram"][i, :cut], rest["spectrogram"][i, : 40 - cut]])
        np.testing.assert_array_equal(parts, whole["spectrogram"][i])
    for name in ("state", "next_frame"):
        np.testing.assert_array_equal(rest[name], whole[name])


def test_a_state_that_is_none_is_cleaned_and_told_and_the_rows_beside_it_stay(endpoints):
    good = np.array(endpoints.generate(*rows([1], [9], [1.0]))["state"])
    bad = np.repeat(good, 4, axis=0)
    bad[1, 3], bad[2, 0], bad[3, 7] = np.nan, -np.inf, 1e30
    song = arrays(
        endpoints.generate_continue(
            *rows([1] * 4, [9] * 4, [1.0] * 4), tf.fill([4], tf.constant(9, tf.int64)), bad
        )
    )
    assert song["status"].tolist() == [Status.FINE, *[Status.CLEANED] * 3]
    assert np.isfinite(song["spectrogram"]).all() and np.isfinite(song["state"]).all()
    alone = endpoints.generate_continue(*rows([1], [9], [1.0]), tf.constant([9], tf.int64), good)
    np.testing.assert_array_equal(song["spectrogram"][0], alone["spectrogram"][0])


# --- a row's answer is its own


def test_every_answer_is_the_same_bit_for_bit_in_every_batch_and_under_any_padding(
    endpoints, recordings, rng
):
    num_rows = 10
    lengths = rng.integers(0, 31, num_rows).astype(np.int32)
    inputs = {
        "seed": rng.integers(-(2**62), 2**62, num_rows),
        "num_frames": rng.integers(0, 31, num_rows).astype(np.int32),
        "temperature": rng.uniform(0.5, 2.0, num_rows).astype(np.float32),
        "frame": rng.integers(0, 2**33, num_rows),
        "state": rng.normal(size=(num_rows, endpoints.model.encoder.state_size)).astype(np.float32),
        "spectrogram": rng.uniform(-60, 0, (num_rows, 30, 65)).astype(np.float32),
        "lengths": lengths,
        "known": rng.uniform(-0.5, 0.5, (num_rows, 300)).astype(np.float32),
        "num_known": rng.integers(-5, 310, num_rows).astype(np.int32),
        "onsets": rng.integers(-50, 300, (num_rows, 3)),
        "offsets": rng.integers(200, 900, (num_rows, 3)),
        "num_calls": rng.integers(-2, 5, num_rows).astype(np.int32),
        "audio_bytes": np.array(recordings, object),
    }
    for name, function in endpoints.signatures.items():
        names = [spec.name for spec in function.input_signature]

        def ask(some, function=function, names=names):
            return arrays(function(*(tf.constant(inputs[key][some]) for key in names)))

        alone = [ask(slice(i, i + 1)) for i in range(num_rows)]
        # The other endpoints never compute two rows together.
        for batch_size in BATCH_SIZES if name in ("generate", "generate_continue") else (9,):
            some = rng.integers(0, num_rows, batch_size)
            together = ask(some)
            for place, i in enumerate(some):
                for key, value in alone[i].items():
                    own = together[key][place]
                    # What comes after a row's own frames or samples is padding.
                    own = (
                        own[tuple(slice(0, size) for size in np.shape(value[0]))]
                        if np.shape(own)
                        else own
                    )
                    np.testing.assert_array_equal(
                        own,
                        value[0],
                        err_msg=f"{name}: {key} of row {i} at {place} of {batch_size}",
                    )


def test_a_song_in_linear_power_is_the_same_in_every_batch_too(tiny_config, rng):
    """Its decibels are a logarithm, whose last bit depends on whether its number shares a
    register with others.
    """
    config = tiny_config.replace(
        scaling="max_power", visible_units="mean_field", chain_start="zeros"
    )
    model = build_model(config)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(weight.shape[0]))
    scale = spectrogram.FrameScale("max_power", 1e-5, 70.0, 3e-5)
    trained = Trained(model, config, scale, 16_000, 0)
    generate = endpoints_lib.Endpoints(trained, MAX_FRAMES).generate
    together = generate(*rows(range(11), [7, 3] * 5 + [5], np.linspace(0.5, 2, 11)))[
        "spectrogram"
    ].numpy()
    for i in range(11):
        alone = generate(
            *rows([i], [[7, 3][i % 2] if i < 10 else 5], np.linspace(0.5, 2, 11)[i : i + 1])
        )["spectrogram"].numpy()[0]
        np.testing.assert_array_equal(alone, together[i, : len(alone)])


# --- spectrograms


def test_a_state_from_encode_is_that_of_the_song_and_primes_what_follows(endpoints):
    song = endpoints.generate(*rows([4, 5], [20, 12], [1.0, 1.0]))
    found = endpoints.encode(song["spectrogram"], song["lengths"])
    # 20 steps of float32, values up to 10, of frames that were rounded once to dB and back.
    np.testing.assert_allclose(found["state"], song["state"], atol=20 * 10 * 2.0**-22)
    top = endpoints.model.encoder.num_units
    assert found["embedding"].shape == (2, top) and found["frame_embedding"].shape == (2, 20, top)
    np.testing.assert_allclose(found["frame_embedding"][0, 19], found["state"][0, :top], atol=1e-6)
    np.testing.assert_allclose(
        found["embedding"][1], np.mean(found["frame_embedding"][1, :12], axis=0), atol=1e-6
    )
    assert not found["frame_embedding"][1, 12:].numpy().any()


def test_rows_of_bad_spectrograms_are_told_and_harm_no_other(endpoints, rng):
    decibels = np.repeat(rng.uniform(-60, 0, (1, MAX_FRAMES + 1, 65)), 7, axis=0).astype(np.float32)
    lengths = np.array([10, 10, 10, MAX_FRAMES + 1, 0, 1, -3], np.int32)
    decibels[1, 3, 4], decibels[2, 9, 0] = np.nan, np.inf
    decibels[0, 10] = np.nan  # after its end
    expected = {"encode": [0, 1, 1, 4, 2, 0, 2], "score": [0, 1, 1, 4, 2, 2, 2]}
    for name, statuses in expected.items():
        function = getattr(endpoints, name)
        found = arrays(function(decibels, lengths))
        assert found["status"].tolist() == statuses
        for key, value in found.items():
            assert np.isfinite(value).all(), key
            np.testing.assert_array_equal(
                value[0], function(decibels[:1], lengths[:1])[key][0], err_msg=key
            )
    assert not found["is_unusual"][3:].any() and not found["frame_score"][3:].any()


@pytest.mark.parametrize("length", [20, 30, 33])
def test_each_score_is_judged_by_the_range_for_so_many_frames_on_both_sides(endpoints, rng, length):
    decibels = rng.uniform(-60, 0, (6, 35, 65)).astype(np.float32)
    decibels[3:] = np.cumsum(rng.normal(size=(3, 35, 65)), axis=1) - 30
    lengths = np.full(6, length, np.int32)
    found = arrays(endpoints.score(decibels, lengths))
    verdicts = []
    for name in ("score", "order_score", "surprise"):
        lower, upper = getattr(endpoints.usual[int(lengths[0] >= 30)], name)
        np.testing.assert_array_equal(
            found[f"{name}_is_unusual"], (found[name] < lower) | (found[name] > upper)
        )
        verdicts.append(found[f"{name}_is_unusual"])
    np.testing.assert_array_equal(found["is_unusual"], np.any(verdicts, axis=0))
    assert np.any(verdicts) and not np.all(verdicts)


# --- recordings


def test_recordings_are_segmented_and_transformed_as_the_package_does_it(
    endpoints, recordings, tmp_path
):
    batch = tf.constant([*recordings[:3], BAD_RECORDING])
    segments, encoded, scored = (
        arrays(getattr(endpoints, name)(batch))
        for name in ("segment_audio", "encode_audio", "score_audio")
    )
    for i, contents in enumerate(recordings[:3]):
        (tmp_path / "x.wav").write_bytes(contents)
        samples = readers.read(tmp_path / "x.wav")
        onsets, offsets, _ = detector.detect(samples, 16_000, endpoints.config.segmentation)
        count = segments["num_segments"][i]
        # Sums taken in another order may put a boundary one sample off.
        np.testing.assert_allclose(segments["onsets"][i, :count], onsets, rtol=0, atol=1)
        np.testing.assert_allclose(segments["offsets"][i, :count], offsets, rtol=0, atol=1)
        frames, _, _ = sequences.sequence_frames(samples, 16_000, endpoints.scale, endpoints.config)
        length = len(frames)
        assert encoded["lengths"][i] == scored["lengths"][i] == length
        assert encoded["frame_onsets"][i, :length].tolist() == [64 * t for t in range(length)]
        for found, function in ((encoded, endpoints.encode), (scored, endpoints.score)):
            plain = arrays(function(frames[tf.newaxis], [length]))
            for name in plain.keys() - {"status"}:
                own = (
                    found[name][i][:length]
                    if plain[name].shape[1:2] == (length,)
                    else found[name][i]
                )
                # The recording's frames are made in another graph, and pass through a hundred
                # float32 operations each.
                np.testing.assert_allclose(own, plain[name][0], rtol=1e-4, atol=1e-4, err_msg=name)
    for found in (segments, encoded, scored):
        assert found["status"][3] == Status.NOT_WAV and found["status"][:3].max() == Status.FINE
    assert segments["num_segments"][:3].sum() > 0


def test_calls_are_scored_as_discovery_scores_them_and_judged_by_what_the_export_knows(
    trained_run, recordings, tmp_path
):
    """Detected or given, in any order, and what is no call is told."""
    from neurovocal_tf.discovery import unusual

    rng = np.random.default_rng(5)
    held_out = rng.normal(size=(200, 4)) + [0, 1, 0, 0]
    held_out[:, 3] = np.exp(held_out[:, 3] - 3)
    usual = usual_calls.calibrate(held_out, np.zeros(200, int), 1, usual_calls.CALL_SCORES)
    endpoints = endpoints_lib.Endpoints(load_trained(trained_run), 1_000, usual_calls=usual)
    path = tmp_path / "calls.wav"
    path.write_bytes(recordings[0])
    samples = readers.read(path)
    onsets, offsets = (int(share * len(samples)) for share in (0.3, 0.6))
    calls = np.array([[onsets, offsets], [40, 300], [5, 5], [-3, 80], [0, 10**9], [7, 8]])
    batch = tf.constant([recordings[0]])
    found = arrays(
        endpoints.score_calls_audio(batch, [calls[:, 0]], [calls[:, 1]], tf.constant([6]))
    )
    in_order = calls[[1, 0]]
    expected = unusual.reader(endpoints)(str(path), in_order / 16_000)
    scores = np.stack([found[name][0] for name in ("score", "order_score", "surprise")], axis=1)
    # Float32 in graphs of their own, and a call of one sample, at the margin of a frame.
    np.testing.assert_allclose(scores[[1, 0]], expected, rtol=1e-3, atol=1e-3)
    assert found["status"][0] == Status.CLEANED and not scores[2:5].any()
    assert found["p"][0, 2:5].tolist() == [1, 1, 1] and not found["is_unusual"][0, 2:5].any()
    values = np.column_stack([scores[:2], np.diff(calls[:2]) / 16_000])
    judged = usual.judge(values, np.zeros(2, int))
    np.testing.assert_allclose(found["p"][0, :2], judged.p, rtol=1e-5)
    np.testing.assert_array_equal(found["is_unusual"][0, :2], judged.is_unusual)
    named = [usual.names[fired] for fired in judged.fired]
    for call in range(2):
        assert found["fired"][0, call].decode() == (
            named[call] if found["is_unusual"][0, call] else ""
        )
    # So many calls of everything are more than an answer may take.
    many = np.tile([[0, len(samples)]], (5_000, 1))
    refused = arrays(endpoints.score_calls_audio(batch, [many[:, 0]], [many[:, 1]], [5_000]))
    assert refused["status"][0] == Status.TOO_LONG and (refused["p"] == 1).all()


def test_bad_recordings_are_told_by_their_status(endpoints, recordings):
    silence, short = (
        wav.encode(np.zeros(900, np.float32), 16_000),
        wav.encode(np.ones(127, np.float32), 16_000),
    )
    window = wav.encode(np.linspace(-0.5, 0.5, 128).astype(np.float32), 16_000)
    long = wav.encode(
        np.linspace(-0.5, 0.5, (MAX_FRAMES - 1) * 64 + 129).astype(np.float32), 16_000
    )
    other_rate = wav.encode(np.linspace(-0.5, 0.5, 900).astype(np.float32), 8_000)
    absurd = io.BytesIO()
    samples = np.append(np.zeros(900), 1e15)
    soundfile.write(absurd, samples, 16_000, format="WAV", subtype="FLOAT")
    batch = tf.stack(
        [recordings[0], silence, short, long, other_rate, b"", absurd.getvalue(), window]
    )
    expected = [
        Status.FINE,
        Status.NO_SOUND,
        Status.TOO_SHORT,
        Status.TOO_LONG,
        Status.WRONG_RATE,
        Status.NOT_WAV,
        Status.ABSURD,
    ]
    none = tf.zeros([len(batch), 0], tf.int64)
    detected = tf.fill([len(batch)], -1)
    found = arrays(endpoints.score_calls_audio(batch, none, none, detected))
    assert found["status"].tolist() == [*expected, Status.NO_SOUND]
    for name, of_one_frame in (
        ("segment_audio", Status.NO_SOUND),
        ("encode_audio", Status.FINE),
        ("score_audio", Status.TOO_SHORT),
    ):
        found = arrays(getattr(endpoints, name)(batch))
        assert found["status"].tolist() == [*expected, of_one_frame], name
        assert all(np.isfinite(value).all() for value in found.values())
    assert set(DESCRIPTIONS) == set(Status)


def test_every_sequence_of_a_recording_is_read_from_its_own_beginning(
    trained_run, simulated_recordings
):
    """Of a model of segments: the answer of a recording is that of its
    segments, one after another.
    """
    trained = load_trained(trained_run, lambda config: config.replace(sequence="segment"))
    samples, rate = soundfile.read(simulated_recordings / "simulated_001.wav", dtype="float32")
    endpoints = endpoints_lib.Endpoints(trained, 1_000)
    found = arrays(endpoints.encode_audio(tf.constant([wav.encode(samples, rate).numpy()])))
    pcm = np.round(samples * min(1, 0.99 / np.abs(samples).max()) * 32768) / np.float32(32768)
    frames, lengths, _ = sequences.sequence_frames(pcm, rate, trained.scale, trained.config)
    parts = np.split(frames, np.cumsum(lengths)[:-1])
    assert len(parts) > 2 and found["lengths"][0] == len(frames)
    padded = tf.stack([tf.pad(part, [[0, max(lengths) - len(part)], [0, 0]]) for part in parts])
    alone = arrays(endpoints.encode(padded, tf.cast(lengths, tf.int32)))
    expected = np.concatenate(
        [row[:length] for row, length in zip(alone["frame_embedding"], lengths, strict=True)]
    )
    np.testing.assert_allclose(found["frame_embedding"][0], expected, atol=1e-4)
    np.testing.assert_allclose(found["state"][0], alone["state"][-1], atol=1e-3)


# --- priming


def test_priming_is_encoding_the_recording(endpoints, simulated_recordings):
    samples, rate = soundfile.read(simulated_recordings / "simulated_000.wav")
    power = spectrogram.power_spectrogram(samples, rate, endpoints.config.spectrogram)[:60]
    frames = spectrogram.to_model_frames(power, endpoints.scale)[tf.newaxis]
    # Frame by frame, as a song advances its state.
    encoder, state = (
        endpoints.model.encoder,
        endpoints.model.encoder.initial_state(tf.ones([1], tf.bool)),
    )
    standardised = endpoints.model.standardisation(frames)
    for t in range(60):
        state = encoder.step(standardised[:, t], state)
    # 60 steps of float32 with values up to 10.
    np.testing.assert_allclose(endpoints.singer.prime(power), state, atol=60 * 10 * 2.0**-23)
