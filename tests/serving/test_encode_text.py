"""Texts and sounds as an export gives them: the same bits whatever else is in the batch."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf import Model
from neurovocal_tf.audio import wav
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.model.joint_space import JointSpace, num_features
from neurovocal_tf.runs import exported
from neurovocal_tf.runs.trained import Trained, build_model
from neurovocal_tf.serving import export
from neurovocal_tf.serving.endpoints import Endpoints
from neurovocal_tf.serving.warmup import requests
from neurovocal_tf.status import Status

RATE = 16_000


@pytest.fixture(scope="module")
def trained(tiny_config):
    config = tiny_config.replace(num_gibbs_steps=1, n_fft=32, hop_length=16)
    model, rng = build_model(config), np.random.default_rng(2)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(weight.shape[0]))
    space = JointSpace(num_features(model), ("seven", "six"), size=6, num_units=8, seed=5)
    return Trained(model, config, FrameScale(), RATE, 3, space)


@pytest.fixture(scope="module")
def endpoints(trained):
    return Endpoints(trained, 60)


def test_texts_are_unit_vectors_and_what_cannot_be_read_says_so(endpoints):
    texts = ["seven", "", "nine", "x", " six ", "\x00", "x" * 61]
    found = endpoints.encode_text(tf.constant(texts))
    # n, i, e and x are letters of seven and six.
    assert found["status"].numpy().tolist() == [0, 12, 0, 0, 0, 13, Status.TOO_LONG]
    norms = np.linalg.norm(found["joint_embedding"], axis=1)
    np.testing.assert_allclose(norms, [1, 0, 1, 1, 1, 0, 0], rtol=1e-6)
    for row, text in enumerate(texts):
        alone = endpoints.encode_text(tf.constant([text]))["joint_embedding"]
        np.testing.assert_array_equal(alone[0], found["joint_embedding"][row])


def test_texts_are_the_same_bits_in_python(trained, endpoints):
    fields = {field.name: getattr(trained, field.name) for field in dataclasses.fields(trained)}
    of_model = Model(**fields).encode_text("vex").filter(like="joint_embedding_")
    served = endpoints.encode_text(tf.constant(["vex"]))["joint_embedding"]
    np.testing.assert_array_equal(of_model.to_numpy(), served)


def test_a_recording_is_the_same_point_whatever_is_heard_beside_it(endpoints, rng):
    sounds = [rng.uniform(-0.5, 0.5, size).astype(np.float32) for size in (700, 40, 303, 20)]
    files = [wav.encode(sound, RATE).numpy() for sound in sounds]
    found = endpoints.encode_audio(tf.constant(files))
    assert found["status"].numpy().tolist() == [0, 0, 0, int(Status.TOO_SHORT)]
    norms = np.linalg.norm(found["joint_embedding"], axis=1)
    np.testing.assert_allclose(norms, [1, 1, 1, 0], rtol=1e-6)
    for row, file in enumerate(files):
        alone = endpoints.encode_audio(tf.constant([file]))["joint_embedding"]
        np.testing.assert_array_equal(alone[0], found["joint_embedding"][row])


def test_an_export_has_what_a_model_of_it_needs(trained, endpoints, tmp_path):
    # As a SavedModel has them, whose graphs take long to make.
    carrier = tf.train.Checkpoint(root=export._carrier(endpoints))
    carrier.write(str(tmp_path / "variables" / "variables"))
    told = export.metadata(endpoints)
    (tmp_path / export.METADATA).parent.mkdir()
    (tmp_path / export.METADATA).write_text(json.dumps(told | {"epoch": 3}))
    read = exported.read(str(tmp_path))
    assert read.space.texts == trained.space.texts and "seven" in read.space.texts
    texts = tf.constant(["vee", "six"])
    np.testing.assert_array_equal(read.space.read(texts), trained.space.read(texts))
    assert told["texts"] == ["seven", "six"] and told["letters"] == "einsvx"
    asked = [(name, sorted(inputs)) for name, inputs in requests(endpoints, [1])]
    assert ("encode_text", ["text"]) in asked
