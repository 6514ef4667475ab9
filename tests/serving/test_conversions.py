"""Recordings said by other voices on request, each row as it would be alone, and as in Python."""

from unittest import mock

import numpy as np
import pytest
import simulated_voice
import tensorflow as tf
from wire import Wire

from neurovocal_tf import Client
from neurovocal_tf.audio import wav
from neurovocal_tf.audio.spectrogram import FrameScale, power_spectrogram
from neurovocal_tf.client import transports
from neurovocal_tf.conditions import Conditions
from neurovocal_tf.discovery import phone_units
from neurovocal_tf.generation import voice_conversion
from neurovocal_tf.labels import Labels
from neurovocal_tf.runs.trained import Trained, build_model
from neurovocal_tf.serving.endpoints import Endpoints
from neurovocal_tf.serving.warmup import requests
from neurovocal_tf.status import Status

RATE, VOICES = simulated_voice.SAMPLE_RATE, Conditions.of({"speaker": ["ada", "bob"]})
NOTHING = ("", 0.0)
MOST_FRAMES = 40


def spoken(vowels, hz=160.0):
    rng = np.random.default_rng(0)
    said = [simulated_voice.say(np.full(700, hz), vowel, rng) for vowel in vowels]
    return np.concatenate([*said, np.zeros(300)]).astype(np.float32)


def file_of(samples):
    return wav.encode(samples, RATE).numpy()


@pytest.fixture(scope="module")
def units(tiny_config):
    power = power_spectrogram(spoken("aiai"), RATE, tiny_config.spectrogram).numpy()
    return phone_units.fit([phone_units.measure(power, RATE)], ["ada"], 3)


@pytest.fixture(scope="module")
def endpoints(tiny_config, units):
    config = tiny_config.replace(num_gibbs_steps=1, guidance=1.5)
    model = build_model(config, None, VOICES, Labels.of(units.names))
    rng = np.random.default_rng(2)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(weight.shape[0]))
    return Endpoints(Trained(model, config, FrameScale(), RATE, 0), MOST_FRAMES, units=units)


def converted(endpoints, files, said):
    """`said`: of each file (text, share) of each value."""
    count = len(files)
    found = endpoints.convert_audio(
        tf.constant(files),
        tf.zeros([count], tf.int64),
        tf.ones([count]),
        tf.constant([[text for text, _ in row] for row in said]),
        tf.zeros([count, len(said[0])], tf.int32),
        tf.constant([[share for _, share in row] for row in said], tf.float32),
        tf.fill([count], len(said[0])),
    )
    return {name: value.numpy() for name, value in found.items()}


def test_rows_are_what_they_are_alone_and_what_python_says(endpoints, units):
    files = [file_of(spoken("ai")), file_of(spoken("iai")), file_of(spoken("ai"))]
    said = [
        [("speaker=ada", 0.0), NOTHING],
        [NOTHING, ("speaker=bob", 1.0)],
        [("speaker=ada", 0.25), ("speaker=bob", 0.75)],
    ]
    together = converted(endpoints, files, said)
    assert together["status"].tolist() == [Status.FINE] * 3
    for row in range(3):
        one = slice(row, row + 1)
        alone = converted(endpoints, files[one], said[one])
        num_frames, num_samples = alone["lengths"][0], alone["num_samples"][0]
        for name, size in (("spectrogram", num_frames), ("waveform", num_samples)):
            np.testing.assert_array_equal(together[name][row, :size], alone[name][0])
    samples = np.round(spoken("ai") * 32768).clip(-32768, 32767).astype(np.float32) / 32768
    source = voice_conversion.hear(samples, endpoints.singer, units)
    blend = VOICES.blend_of("speaker=ada:0.25,bob:0.75")
    song, _ = voice_conversion.convert(endpoints.singer, units, source, blend)
    mixed = together["spectrogram"][2, : len(song.decibels)]
    np.testing.assert_allclose(mixed, song.decibels, atol=1e-2)
    with mock.patch.object(transports, "connect", lambda *_: Wire(endpoints)):
        client = Client()
    for row, to in ((1, {"speaker": "bob"}), (2, "speaker=ada:0.25,bob:0.75")):
        answer = client.convert_audio(files[row], to)
        num_samples = together["num_samples"][row]
        np.testing.assert_array_equal(
            answer["waveform"], together["waveform"][row, :num_samples], strict=True
        )
    with pytest.raises(ValueError, match="could not answer: a condition that the model does not"):
        client.convert_audio(files[0], "speaker=eve")
    with pytest.raises(ValueError, match="`to` must be NAME=VALUE, such as .* to=ada"):
        client.convert_audio(files[0], "ada")


@pytest.mark.parametrize(
    "samples, said, status",
    [
        (spoken("ai"), [("speaker=eve", 0)], Status.UNKNOWN_CONDITION),
        (spoken("a")[:20], [("speaker=ada", 0)], Status.TOO_SHORT),
        (np.zeros(500, np.float32), [("speaker=ada", 0)], Status.NO_SOUND),
        (spoken("aiaia"), [("speaker=ada", 0)], Status.TOO_LONG),
    ],
)
def test_what_cannot_be_said_has_a_status_and_no_frames(endpoints, samples, said, status):
    found = converted(endpoints, [file_of(samples)], [said])
    assert found["status"].tolist() == [status]
    assert found["lengths"].tolist() == [0] and found["num_samples"].tolist() == [0]


def test_a_server_warms_it_up_and_a_model_without_units_has_it_not(endpoints):
    asked = dict(requests(endpoints, [1]))
    assert asked["convert_audio"]["shares"].tolist() == [[0]]
    assert "convert_audio" in endpoints.signatures
    trained = Trained(endpoints.model, endpoints.config, endpoints.scale, RATE, 0)
    assert "convert_audio" not in Endpoints(trained, MOST_FRAMES).signatures
