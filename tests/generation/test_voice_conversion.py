"""What one voice has said is said by another, or by a mixture, with what is to be kept."""

import numpy as np
import pytest
import simulated_voice
import soundfile
import tensorflow as tf
from random_models import fresh_model

from neurovocal_tf.audio.spectrogram import FrameScale, power_spectrogram, to_power
from neurovocal_tf.conditions import Conditions
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import phone_units
from neurovocal_tf.generation import units_in_graph, voice_conversion
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.labels import LABEL, Labels
from neurovocal_tf.runs.trained import Trained

RATE = simulated_voice.SAMPLE_RATE
VOICES = Conditions.of({"speaker": ["ada", "bob"]})
CONFIG = Config().replace(n_fft=256, hop_length=128, num_gibbs_steps=1, num_iterations=2)


def spoken(hz, vowels="ai"):
    rng = np.random.default_rng(0)
    said = [simulated_voice.say(np.full(1500, hz), vowel, rng) for vowel in vowels]
    return np.concatenate(said).astype(np.float32)


@pytest.fixture(scope="module")
def units():
    heard = [
        phone_units.measure(power_spectrogram(spoken(hz), RATE, CONFIG.spectrogram).numpy(), RATE)
        for hz in (210.0, 110.0)
    ]
    return phone_units.fit(heard, ["ada", "bob"], 4)


@pytest.fixture(scope="module")
def singer(units):
    known = {"conditions": VOICES, "labels": Labels.of(units.names)}
    model = fresh_model(num_visible=129, num_hidden=4, num_recurrent=3, num_layers=1, **known)
    rng = np.random.default_rng(1)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(weight.shape[0]))
    return Singer(Trained(model, CONFIG, FrameScale(), RATE, 0))


def test_a_source_is_said_in_its_own_time_by_whoever_is_named(singer, units):
    source = voice_conversion.hear(spoken(160.0), singer, units)

    def said(to, **how):
        blend = singer.model.conditions.blend_of(to)
        return voice_conversion.convert(singer, units, source, blend, **how)[0]

    ada, bob, both = map(said, ("ada", "bob", "ada:0.5,bob:0.5"))
    assert ada.decibels.shape == source.power.shape
    assert len(ada.waveform) == 128 * (len(source.power) - 1) + 256
    np.testing.assert_array_equal(said("ada").decibels, ada.decibels)
    for other in (bob, both, said("ada", seed=1)):
        assert np.abs(other.decibels - ada.decibels).max() > 0.1


def test_a_mixture_is_the_mean_of_the_vectors_and_all_else_is_the_same_bit_for_bit(singer):
    ada, bob = (
        voice_conversion.blended_state(singer, VOICES.blend_of(name)).numpy()[0]
        for name in ("ada", "bob")
    )
    mixed = voice_conversion.blended_state(singer, VOICES.blend_of("ada:0.3,bob:0.7")).numpy()[0]
    size = singer.model.encoder.vector_size
    np.testing.assert_allclose(mixed[:size], 0.3 * ada[:size] + 0.7 * bob[:size], rtol=1e-5)
    np.testing.assert_array_equal(mixed[size:], ada[size:])


def test_the_model_is_told_the_units_frame_by_frame(units):
    labels = Labels.of(units.names)
    runs = [(1, 3, 2), (3, 4, 0), (6, 7, 2)]
    cues = voice_conversion.cues_of_units(runs, 8, units.names, labels).numpy()
    u2, u0 = labels.number("u02"), labels.number("u00")
    assert cues[:, LABEL].tolist() == [1, u2, u2, u0, 1, 1, u2, 1]


def test_energy_is_the_sources_frame_by_frame_as_far_as_it_reaches():
    rng, scale = np.random.default_rng(0), FrameScale()
    decibels = rng.uniform(-30, 0, (6, 9)).astype(np.float32)
    power = rng.uniform(0, 2, (6, 9))
    power[4] = 0
    power[5] = 1e6
    kept = to_power(voice_conversion.with_energy_of(decibels, power, scale), scale).numpy()
    np.testing.assert_allclose(kept[:5].sum(axis=1), power[:5].sum(axis=1), rtol=1e-3, atol=1e-5)
    # 20 dB more than what was sung.
    assert kept[5].sum() == pytest.approx(
        100 * to_power(decibels, scale).numpy()[5].sum(), rel=1e-3
    )


def test_other_rates_and_channels_are_heard_and_told(singer, tmp_path):
    stereo = np.stack([spoken(160.0)] * 2, axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 2 * RATE)
    samples, notes = voice_conversion.read(tmp_path / "stereo.wav", singer)
    assert len(samples) == pytest.approx(len(stereo) / 2, abs=2)
    assert notes == [
        "is resampled from 16000 to 8000 Hz",
        "has 2 channels, of which the loudest is heard",
    ]


@pytest.mark.parametrize(
    "samples, told",
    [(np.zeros(100, np.float32), "100 samples"), (np.zeros(4000, np.float32), "silence")],
)
def test_a_source_without_a_unit_is_told_in_a_line(singer, units, samples, told):
    with pytest.raises(ValueError, match=rf"`input` must have one unit at least, .*: {told}$"):
        voice_conversion.hear(samples, singer, units)


def test_a_file_that_is_no_recording_and_a_run_without_units_are_told(singer, tmp_path):
    (tmp_path / "none.wav").write_text("no sound")
    with pytest.raises(ValueError, match="`input` must be a recording. Received: input=.*none.wav"):
        voice_conversion.read(tmp_path / "none.wav", singer)
    with pytest.raises(ValueError, match="train it with --labels=units. Received: workdir="):
        voice_conversion.units_of_run(tmp_path, singer)


def test_units_in_the_graph_are_those_of_numpy(units):
    in_graph = tf.function(
        lambda power: units_in_graph.units_of(power, RATE, units),
        [tf.TensorSpec([None, 129], tf.float32)],
    )
    pause = np.zeros(1000)
    for samples in (
        spoken(210.0),
        np.concatenate([spoken(110.0, "iai"), pause, spoken(110.0, "ia")]),
        spoken(300.0, "a")[:256],
        pause,
        pause[:0],
    ):
        power = power_spectrogram(samples, RATE, CONFIG.spectrogram)
        wanted = units.units_of(phone_units.measure(power.numpy(), RATE))
        np.testing.assert_array_equal(in_graph(power), wanted)


def test_what_is_kept_is_named():
    assert voice_conversion.kept_of("") == () and voice_conversion.kept_of("energy,") == ("energy",)
    with pytest.raises(
        ValueError, match="`keep` must name some of pitch, energy. Received: keep=p"
    ):
        voice_conversion.kept_of("pich")
