"""Samples -> power -> dB or model frames, against SciPy and against the inverses."""

import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import reference
import tensorflow as tf

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import SpectrogramConfig

SCALES = [FrameScale("decibel", 3e-5, 70.0), FrameScale("max_power", 3e-5, 90.0, 0.02)]


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(
    n_fft=st.sampled_from([16, 64, 256, 258]),
    hop_share=st.floats(0.01, 0.5),
    extra=st.integers(0, 2000),
    rate=st.sampled_from([8000, 32_000, 44_100, 250_000]),
    offset=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_power_equals_scipy_at_every_length_and_hop(n_fft, hop_share, extra, rate, offset, seed):
    config = SpectrogramConfig(n_fft=n_fft, hop_length=max(1, int(hop_share * n_fft)))
    samples = (offset + 0.1 * np.random.default_rng(seed).standard_normal(n_fft + extra)).astype(
        np.float32
    )
    expected = reference.power_spectrogram(samples, rate, config)
    power = spectrogram.power_spectrogram(samples, rate, config).numpy()
    assert (
        power.shape
        == expected.shape
        == (spectrogram.num_frames(len(samples), config), spectrogram.num_bins(config))
    )
    # float32 is good to 6e-8 of a frame's amplitude, and a power to twice its square root's error.
    np.testing.assert_allclose(power, expected, rtol=1e-5, atol=1e-6 * expected.max())


def test_a_batch_in_a_graph_gives_what_each_row_gives(rng):
    config = SpectrogramConfig()
    samples = rng.standard_normal((2, 3, 1000)).astype(np.float32)
    compiled = tf.function(lambda x, rate: spectrogram.power_spectrogram(x, rate, config))
    power = compiled(tf.constant(samples), tf.constant(16_000))
    assert power.dtype == tf.float32 and power.shape == [2, 3, 6, 129]
    np.testing.assert_allclose(
        power[1, 2],
        reference.power_spectrogram(samples[1, 2], 16_000, config),
        rtol=1e-5,
        atol=1e-9,
    )


def test_samples_shorter_than_a_window_have_no_frame():
    config = SpectrogramConfig()
    assert spectrogram.power_spectrogram(np.zeros(255, np.float32), 16_000, config).shape == [
        0,
        129,
    ]
    lengths = [0, 1, 127, 128, 255, 256, 383, 384]
    expected = [0, 0, 0, 0, 0, 1, 1, 2]
    assert [spectrogram.num_frames(n, config) for n in lengths] == expected
    np.testing.assert_array_equal(spectrogram.num_frames(np.array(lengths), config), expected)
    counted = spectrogram.num_frames(tf.constant(lengths, tf.int64), config)
    assert counted.dtype == tf.int64
    np.testing.assert_array_equal(counted, expected)


def test_a_span_has_the_spectrogram_it_has_alone(rng):
    config = SpectrogramConfig(n_fft=64, hop_length=20)
    samples = rng.standard_normal(1000).astype(np.float32)
    onsets, offsets = (
        tf.constant([0, 30, 500, 900], tf.int64),
        tf.constant([400, 40, 564, 1000], tf.int64),
    )
    power, lengths, frame_onsets = spectrogram.span_power_spectrograms(
        samples, onsets, offsets, 8000, config
    )
    alone = [
        spectrogram.power_spectrogram(samples[a:b], 8000, config) for a, b in zip(onsets, offsets)
    ]
    assert lengths.numpy().tolist() == [len(p) for p in alone]
    np.testing.assert_allclose(power, tf.concat(alone, 0), rtol=1e-6)
    assert frame_onsets.numpy().tolist() == [*range(0, 337, 20), 500, 900, 920]


def test_a_tone_lies_at_its_frequency_and_white_noise_has_its_variance(rng):
    config, rate = SpectrogramConfig(), 32_000
    frequencies = spectrogram.bin_frequencies_hz(rate, config)
    tone = np.sin(2 * np.pi * frequencies[40] * np.arange(rate) / rate)
    assert np.all(np.argmax(spectrogram.power_spectrogram(tone, rate, config), axis=1) == 40)
    # A density sums over frequency to the mean square;
    # 249 frames of 256 samples leave 1 % of chance.
    noise = rng.standard_normal(rate)
    total = (
        np.mean(np.sum(spectrogram.power_spectrogram(noise, rate, config), axis=1))
        * rate
        / config.n_fft
    )
    assert total == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.scaling)
def test_decibels_and_power_are_inverse_above_the_floor(scale, rng):
    floor = scale.reference_power * 10 ** (-scale.dynamic_range_db / 10)
    power = floor * 10 ** rng.uniform(1, 10, 500)
    back = spectrogram.to_power(spectrogram.to_decibels(power, scale), scale)
    # float32 dB are good to 100 * 6e-8 dB twice, which is 3e-6 of the power,
    # or 3e-5 of what is a tenth of the sum.
    np.testing.assert_allclose(back, power, rtol=1e-4)


def test_the_floor_is_soft_and_power_never_negative():
    scale = FrameScale("decibel", 2.0, 60.0)
    power = np.array([0.0, 2e-6, 2.0])
    expected = [-60.0, -60 + 10 * np.log10(2), 10 * np.log10(1 + 1e-6)]
    np.testing.assert_allclose(spectrogram.to_decibels(power, scale), expected, atol=1e-5)
    assert np.all(spectrogram.to_power([-np.inf, -200.0, -60.0, -60.0001], scale).numpy() >= 0)


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.scaling)
def test_decibels_become_model_frames_and_decibels_again(scale, rng):
    decibels = rng.uniform(-50, 20, (7, 9))
    frames = spectrogram.decibels_to_model_frames(decibels, scale)
    np.testing.assert_allclose(
        spectrogram.model_frames_to_decibels(frames, scale), decibels, atol=1e-3
    )


def test_max_power_divides_each_spectrogram_by_its_own_maximum(rng):
    power = rng.uniform(0, 5, (2, 4, 6)).astype(np.float32)
    frames = spectrogram.to_model_frames(power, SCALES[1])
    np.testing.assert_allclose(frames, power / power.max(axis=(1, 2), keepdims=True), rtol=1e-6)
    assert np.all(spectrogram.to_model_frames(np.zeros((3, 5)), SCALES[1]).numpy() == 0)
    stretched = spectrogram.spans_to_model_frames(
        power.reshape(8, 6), tf.constant([4, 4], tf.int64), SCALES[1]
    )
    np.testing.assert_allclose(stretched, frames.numpy().reshape(8, 6), rtol=1e-6)
    negative = spectrogram.model_frames_to_decibels(-np.ones((1, 1)), SCALES[1])
    np.testing.assert_allclose(negative, [[-90.0]], atol=1e-4)


def test_decibel_frames_are_decibels(rng):
    power = rng.uniform(0, 5, (4, 6))
    np.testing.assert_array_equal(
        spectrogram.to_model_frames(power, SCALES[0]), spectrogram.to_decibels(power, SCALES[0])
    )
    np.testing.assert_array_equal(
        spectrogram.model_frames_to_decibels(power, SCALES[0]), power.astype(np.float32)
    )


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.scaling)
def test_a_scale_comes_back_from_json(scale):
    assert FrameScale.from_json(scale.to_json()) == scale


def test_a_scale_that_is_none_is_refused():
    with pytest.raises(
        ValueError, match="`scaling` must be one of decibel, max_power. Received: scaling=log"
    ):
        FrameScale(scaling="log")
    with pytest.raises(
        ValueError,
        match="`reference_power` must be finite and above 0. Received: reference_power=0",
    ):
        FrameScale(reference_power=0)
    with pytest.raises(ValueError, match="must hold the fields"):
        FrameScale.from_json(json.dumps({"scaling": "decibel"}))


# --- the band of a segment
