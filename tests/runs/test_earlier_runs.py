"""Runs of earlier versions: today's code reads them, answers with them as those did,
and goes on with them.

tests/support/make_earlier_run.py says how the run was made,
and what is kept of what its version answered.
"""

import csv
import functools
import pathlib
import shutil

import keras
import numpy as np
import pytest
import rounding
import soundfile
import tensorflow as tf
from make_earlier_run import SETTINGS, SONG_SEEDS

import neurovocal_tf
from neurovocal_tf.serving.endpoints import Endpoints

EARLIER = pathlib.Path(__file__).resolve().parents[1] / "support" / "earlier_run"
# Of a later epoch's figures, which follow from the weights of all steps before:
# a tenth of what an epoch changes them by.
_TOLERANCE_OF_EPOCH = 3e-5


@pytest.fixture(scope="module")
def answers():
    """What the earlier version answered, by name."""
    with np.load(EARLIER / "answers.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def trained():
    """The earlier run as today's code reads it."""
    return neurovocal_tf.load_trained(EARLIER)


@pytest.fixture(scope="module")
def signatures(simulated_recordings, tmp_path_factory):
    """Signatures of an export of the earlier run by today's code: those that it answered by, since
    to trace the others takes most of an export's time.
    """
    asked = "generate", "encode", "score"
    with pytest.MonkeyPatch.context() as patch:
        signatures = property(lambda endpoints: {name: getattr(endpoints, name) for name in asked})
        patch.setattr(Endpoints, "signatures", signatures)
        version = neurovocal_tf.load_model(EARLIER).export(
            tmp_path_factory.mktemp("models"), simulated_recordings
        )
    return tf.saved_model.load(version).signatures


@pytest.fixture(scope="module")
def tolerance_of(answers):
    """How far float32 may be off an array after so many frames."""
    return functools.partial(rounding.tolerance_of, answers)


def history(path):
    """The rows of a history.csv without their times, a dict each, as earlier versions had them."""
    with open(path, encoding="utf-8", newline="") as file:
        return [
            {
                name: float(value)
                for name, value in row.items()
                if name not in ("epoch_s", "kept_epoch")
            }
            for row in csv.DictReader(file)
        ]


def weights_of(answers):
    return [values for name, values in answers.items() if name.startswith("weight_")]


def test_the_settings_of_an_earlier_run_are_read_from_its_json_and_from_its_flag_file(
    trained, settings_of
):
    assert trained.config == neurovocal_tf.Config.from_json(
        (EARLIER / "config.json").read_text(encoding="utf-8")
    )
    assert trained.config == settings_of(EARLIER / "flags.txt")
    assert (trained.config.spectrogram.n_fft, trained.config.training.epochs) == (
        SETTINGS["n_fft"],
        SETTINGS["epochs"],
    )
    assert (trained.sample_rate, trained.epoch) == (16_000, 3)


def test_the_weights_of_an_earlier_run_are_the_same_bit_for_bit(trained, answers):
    expected = weights_of(answers)
    assert len(expected) == len(trained.model.variables) == len(answers["paths"])
    for variable, values, path in zip(
        trained.model.variables, expected, answers["paths"], strict=True
    ):
        np.testing.assert_array_equal(np.asarray(variable), values, err_msg=path)


def test_an_earlier_model_is_read_by_keras_alone(answers):
    assert neurovocal_tf.RNNRBM  # whose import tells Keras of the class
    model = keras.models.load_model(EARLIER / "model.keras")
    for variable, values, path in zip(
        model.variables, weights_of(answers), answers["paths"], strict=True
    ):
        np.testing.assert_array_equal(np.asarray(variable), values, err_msg=path)


def test_an_earlier_model_predicts_as_it_did(trained, answers, tolerance_of):
    expected = answers["prediction"]
    # A prediction sees the frames before it through the encoder, which forgets;
    # one frame's rounding is what lasts.
    np.testing.assert_allclose(
        trained.model.predict(answers["song"], verbose=0),
        expected,
        rtol=0,
        atol=tolerance_of(expected, 1),
    )


def test_an_earlier_model_sings_as_it_did(signatures, answers, tolerance_of):
    song, num_songs = answers["song"], len(SONG_SEEDS)
    sung = signatures["generate"](
        seed=tf.constant(SONG_SEEDS, tf.int64),
        num_frames=tf.fill([num_songs], song.shape[1]),
        temperature=tf.ones([num_songs]),
    )
    # Every frame is fed back.
    np.testing.assert_allclose(
        sung["spectrogram"], song, rtol=0, atol=tolerance_of(song, song.shape[1])
    )


@pytest.mark.parametrize("name", ["encode", "score"])
def test_an_earlier_model_reads_songs_as_it_did(name, signatures, answers, tolerance_of):
    song = answers["song"]
    found = signatures[name](
        spectrogram=tf.constant(song), lengths=tf.fill([len(song)], song.shape[1])
    )
    expected = {
        key.removeprefix(f"{name}_"): values
        for key, values in answers.items()
        if key.startswith(f"{name}_")
    }
    assert expected.keys() <= found.keys() and len(expected) > 3
    for key, values in expected.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(
                found[key], values, rtol=0, atol=tolerance_of(values, song.shape[1]), err_msg=key
            )
        else:
            np.testing.assert_array_equal(found[key], values, err_msg=key)


def test_an_earlier_run_goes_on(simulated_recordings, trained, tmp_path):
    workdir = tmp_path / "run"
    # What a resumed run needs, and nothing else.
    workdir.mkdir()
    for name in ("config.json", "data.json", "checkpoint.npz"):
        shutil.copy(EARLIER / name, workdir)
    said = []
    # The recordings of this test session are those of the run, simulated again.
    neurovocal_tf.train(
        trained.config.replace(epochs=4), simulated_recordings, workdir, said.append, pictures=False
    )
    assert "going on after epoch 3" in said
    found, expected = history(workdir / "history.csv"), history(EARLIER / "resumed_history.csv")
    assert (
        found[:3] == expected[:3] == history(EARLIER / "history.csv")
        and len(found) == len(expected) == 4
    )
    assert found[3].keys() == expected[3].keys()
    for name, value in expected[3].items():
        assert found[3][name] == pytest.approx(value, rel=_TOLERANCE_OF_EPOCH), name


@pytest.mark.parametrize("num_samples", [9_000, 60_000])
def test_an_earlier_run_whose_recordings_are_shorter_or_longer_now_says_so_in_a_line(
    num_samples, simulated_recordings, trained, tmp_path
):
    """It knows nothing of them but the frames that they gave."""
    workdir, data = tmp_path / "run", tmp_path / "recordings"
    workdir.mkdir()
    for name in ("config.json", "data.json", "checkpoint.npz"):
        shutil.copy(EARLIER / name, workdir)
    shutil.copytree(simulated_recordings, data)
    samples = np.random.default_rng(0).normal(scale=0.05, size=num_samples)
    soundfile.write(data / "simulated_001.wav", samples, 16_000)
    with pytest.raises(ValueError, match="`data_dir` must hold the recordings this run began with"):
        neurovocal_tf.train(trained.config.replace(epochs=4), data, workdir, pictures=False)
