"""What one stack of setup.py has written, the other reads: run folders, .keras files and exports.

tests/support/make_run_of_stack.py says how the files were made. Whichever stack runs, one of them
is another's.
"""

import tarfile

import keras
import numpy as np
import pytest
import rounding
from make_earlier_run import EXPORT, SONG_SEEDS
from make_run_of_stack import STACKS

import neurovocal_tf
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.server.loaded_version import LoadedVersion


@pytest.fixture(scope="module", params=["tensorflow_2_17", "tensorflow_2_21"])
def folder(request):
    """What a stack has left."""
    return STACKS / request.param


@pytest.fixture(scope="module")
def answers(folder):
    """What that stack answered, by name."""
    with np.load(folder / "answers.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def trained(folder):
    """Its run."""
    return neurovocal_tf.load_trained(folder)


@pytest.fixture(scope="module")
def version(folder, tmp_path_factory):
    """Folder of its export."""
    unpacked = tmp_path_factory.mktemp("models")
    with tarfile.open(folder / EXPORT) as archive:
        archive.extractall(unpacked, filter="data")
    return unpacked / "1"


@pytest.fixture(scope="module")
def served(version):
    """Its export as the server answers with it."""
    loaded = LoadedVersion(version, num_batch_threads=1)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def is_close(answers):
    """Asserts that an answer is the one of the other stack, which adds in another order."""

    def check(found, name):
        expected = answers[name]
        if expected.dtype.kind != "f":
            np.testing.assert_array_equal(found, expected, err_msg=name)
            return
        tolerance = rounding.tolerance_of(answers, expected, answers["song"].shape[1])
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=name)

    return check


def rows(num_frames):
    return {
        "seed": np.array(SONG_SEEDS, np.int64),
        "num_frames": np.full(len(SONG_SEEDS), num_frames, np.int32),
        "temperature": np.ones(len(SONG_SEEDS), np.float32),
    }


def test_the_weights_of_a_run_and_of_a_keras_file_are_the_same_bit_for_bit(
    folder, trained, answers
):
    assert neurovocal_tf.RNNRBM  # whose import tells Keras of the class
    for model in (trained.model, keras.models.load_model(folder / "model.keras")):
        assert len(model.variables) == len(answers["paths"])
        for i, variable in enumerate(model.variables):
            np.testing.assert_array_equal(np.asarray(variable), answers[f"weight_{i:02}"])


def test_a_run_predicts_and_sings_as_on_its_own_stack(trained, answers, is_close):
    song = answers["song"]
    is_close(trained.model.predict(song, verbose=0), "prediction")
    asked = rows(song.shape[1])
    sung = Singer(trained, song.shape[1]).generate(
        asked["seed"], asked["num_frames"], asked["temperature"]
    )
    is_close(sung["spectrogram"], "song")


def test_an_export_is_served_as_on_its_own_stack(served, answers, is_close):
    song = answers["song"]
    is_close(served.predict("generate", rows(song.shape[1]))["spectrogram"], "song")
    heard = {"spectrogram": song, "lengths": np.full(len(song), song.shape[1], np.int32)}
    for name in ("encode", "score"):
        for key, found in served.predict(name, heard).items():
            is_close(found, f"{name}_{key}")


def test_an_export_sings_the_same_bits_whatever_else_is_in_the_batch(served, answers):
    asked = rows(answers["song"].shape[1])
    together = served.predict("generate", asked)["spectrogram"]
    for i, song in enumerate(together):
        alone = served.predict("generate", {name: x[i : i + 1] for name, x in asked.items()})
        np.testing.assert_array_equal(alone["spectrogram"][0], song)
