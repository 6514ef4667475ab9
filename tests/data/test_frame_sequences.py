"""Files of frame sequences: what is read, what is refused and in which words,
and that they train as recordings do.
"""

import io
import json
import pickle
import re
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.audio.spectrogram import OwnUnit, PianoKeys
from neurovocal_tf.config import Config
from neurovocal_tf.data import frame_sequences, pipeline
from neurovocal_tf.data.survey import survey
from neurovocal_tf.generation import songs
from neurovocal_tf.model.adaptation import Moments, start_from_data
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import build_model, load_trained
from neurovocal_tf.serving.endpoints import Endpoints
from neurovocal_tf.training import pictures, trainer

LENGTHS = {"train": [5, 1, 9, 12, 3, 8], "valid": [4, 7], "test": [6, 2]}
NUM_VISIBLE = 7


def arrays(rng):
    """The arrays of a small binary file."""
    frames = {
        name: (rng.random((sum(lengths), NUM_VISIBLE)) < 0.4).astype(np.uint8)
        for name, lengths in LENGTHS.items()
    }
    return frames | {
        f"{name}_lengths": np.array(lengths, np.int32) for name, lengths in LENGTHS.items()
    }


def arrays_of(split):
    return [frames for frames, _ in split.sequences().as_numpy_iterator()]


@pytest.fixture(scope="module")
def frame_file(tmp_path_factory):
    """A small file of binary sequences, with an array that nobody asked for."""
    path = tmp_path_factory.mktemp("frames") / "rolls.npz"
    np.savez(path, **arrays(np.random.default_rng(5)), source=np.array("made here"))
    return path


def test_sequences_are_read_one_after_another(frame_file):
    splits = frame_sequences.read_frames(frame_file)
    for name, expected in LENGTHS.items():
        sequences = arrays_of(splits[name])
        assert [len(sequence) for sequence in sequences] == expected and len(splits[name]) == len(
            expected
        )
        assert splits[name].num_visible == NUM_VISIBLE
        with np.load(frame_file) as file:
            np.testing.assert_array_equal(np.concatenate(sequences), file[name])


@pytest.mark.parametrize("order", [None, [3, 0, 5, 1, 2, 4]])
def test_the_dataset_holds_every_sequence_from_its_beginning_and_in_the_order_asked_for(
    frame_file, order
):
    split = frame_sequences.read_frames(frame_file)["train"]
    found = list(split.sequences(None if order is None else tf.constant(order)).as_numpy_iterator())
    expected = arrays_of(split)
    for (frames, is_start), index in zip(found, order or range(6), strict=True):
        np.testing.assert_array_equal(frames, expected[index])
        assert is_start and frames.dtype == np.float32


def test_flags_and_real_numbers_of_any_size_are_read_as_float32(tmp_path, rng):
    for dtype in (bool, np.int16, np.float16, np.float64):
        values = arrays(rng)
        values["train"] = values["train"].astype(dtype)
        np.savez(tmp_path / "x.npz", **values)
        for frames in arrays_of(frame_sequences.read_frames(tmp_path / "x.npz")["train"]):
            assert frames.dtype == np.float32 and set(np.unique(frames)) <= {0.0, 1.0}


# --- what is refused


def changed(**changes):
    return lambda values: {**values, **changes}


def without(name):
    return lambda values: {key: value for key, value in values.items() if key != name}


def spoiled(name, value):
    def spoil(values):
        frames = values[name].astype(np.float32)
        frames[2, 1] = value
        return {**values, name: frames}

    return spoil


REFUSED = {
    "no test split": (without("test"), "an array 'test'. Received: train, valid, "),
    "no lengths": (without("valid_lengths"), "an array 'valid_lengths'"),
    "an empty split": (
        changed(test=np.zeros((0, 7)), test_lengths=np.zeros(0, int)),
        "one frame under 'test'. Received: an empty split",
    ),
    "lengths that do not add up": (
        changed(valid_lengths=np.array([4, 6])),
        "2 lengths, the shortest 4, which add up to 10 of 11 frames",
    ),
    "a length of nothing": (
        changed(valid_lengths=np.array([0, 11])),
        "at least 1 that add up .* the shortest 0",
    ),
    "lengths that are no whole numbers": (
        changed(valid_lengths=np.array([4.0, 7.0])),
        "whole numbers .*'valid_lengths'. Received: float64",
    ),
    "frames of three dimensions": (
        changed(train=np.zeros((38, 7, 1))),
        r"numbers \[frames, V\] under 'train'. Received: .* \[38, 7, 1\]",
    ),
    "text": (changed(train=np.full((38, 7), "a")), "numbers .* under 'train'. Received: <U1"),
    "splits of different widths": (
        changed(test=np.zeros((8, 6))),
        "train of 7 units, valid of 7 units, test of 6 units",
    ),
    "NaN": (
        spoiled("train", np.nan),
        "finite numbers under 'train'. Received: NaN or infinity in frame 2",
    ),
    "infinity": (spoiled("test", np.inf), "finite numbers under 'test'"),
    "pickled arrays": (
        changed(train=np.array([None] * 38, object)),
        "under 'train'. Received: pickled objects, which are never loaded",
    ),
    "fractions for binary units": (
        spoiled("valid", 0.5),
        "zeros and ones for visible_units=bernoulli. Received: 0.5",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_file_of_frames_is_refused_in_one_line_that_names_it(name, tmp_path, rng):
    spoil, message = REFUSED[name]
    path = tmp_path / "bad.npz"
    np.savez(path, **spoil(arrays(rng)))
    with pytest.raises(ValueError, match=message) as refused:
        survey(path, Config().replace(visible_units="bernoulli"))
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "must be an .npz file, and there is none"),
        (b"", "Received: a damaged file"),
        (b"PK\x03\x04 and no more", "Received: a damaged file"),
        (pickle.dumps([1, 2]), "Received: pickled objects, which are never loaded"),
    ],
    ids=["no file", "an empty file", "half a file", "a pickle"],
)
def test_a_file_that_is_no_npz_is_refused(content, message, tmp_path):
    path = tmp_path / "bad.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        frame_sequences.read_frames(path)


@pytest.mark.parametrize("claimed", [(5 * 2**40, 4), (39, 7), (-38, 7)])
def test_frames_that_claim_more_than_the_file_has_are_refused_by_their_header(
    claimed, tmp_path, rng
):
    """Twenty TiB would be asked of the memory before anything is read."""
    path, header = tmp_path / "bad.npz", io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": claimed}
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays(rng).items():
            member = io.BytesIO()
            np.save(member, array)
            content = member.getvalue()
            if name == "train":
                content = header.getvalue() + array.astype("<f4").tobytes()
            archive.writestr(f"{name}.npy", content)
    with pytest.raises(ValueError, match=f"under 'train'. Received: .*frames={path}") as refused:
        frame_sequences.read_frames(path)
    assert re.search("claims .* bytes|negative length", str(refused.value))


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(3))
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    with pytest.raises(
        ValueError, match="several arrays, as numpy.savez writes them. Received: a single one"
    ):
        frame_sequences.read_frames(tmp_path / "x.npz")


def test_frames_of_88_zeros_and_ones_are_piano_keys_unless_the_file_says_otherwise(tmp_path, rng):
    path = tmp_path / "x.npz"
    rolls = {
        name: (rng.random((len(value), 88)) < 0.1).astype(np.uint8) if value.ndim == 2 else value
        for name, value in arrays(rng).items()
    }

    def scale(values, **said):
        np.savez(path, **values, **said)
        return frame_sequences.read_frames(path)["test"].scale

    assert scale(rolls) == PianoKeys() == scale(rolls, frames_are=np.array("piano keys"))
    assert scale(rolls, frames_are=np.array("neurons")) == OwnUnit() == scale(arrays(rng))
    assert scale({**rolls, "train": rolls["train"] * 0.5}) == OwnUnit()
    with pytest.raises(ValueError, match="88 zeros and ones .* Received: 7 units"):
        scale(arrays(rng), frames_are=np.array("piano keys"))
    with pytest.raises(ValueError, match="a word under 'frames_are'. Received: int64"):
        scale(rolls, frames_are=np.array([1]))


def test_values_beyond_probabilities_are_refused_for_mean_field_units_and_fractions_are_not(
    tmp_path, rng
):
    path = tmp_path / "x.npz"
    np.savez(path, **spoiled("train", 0.5)(arrays(rng)))
    config = Config().replace(visible_units="mean_field")
    assert survey(path, config).training.num_visible == NUM_VISIBLE
    np.savez(path, **spoiled("train", 1.5)(arrays(rng)))
    with pytest.raises(
        ValueError, match="values between 0 and 1 for visible_units=mean_field. Received: 0 to 1.5"
    ):
        survey(path, config)


def test_folds_of_a_file_that_says_what_validates_are_refused(frame_file):
    with pytest.raises(ValueError, match="`folds` must be 0 for frame sequences"):
        survey(frame_file, Config(), fold=(0, 2))


# --- training


CONFIG = Config().replace(
    visible_units="bernoulli",
    num_layers=1,
    num_direct_frames=1,
    window_frames=4,
    batch_size=4,
    learning_rates=(1e-2,),
    epochs_per_rate=(2,),
    cd_steps=(1,),
    compiled=False,
)


def test_batches_hold_every_frame_of_a_file_once_and_know_what_begins(frame_file):
    found = survey(frame_file, CONFIG)
    batches = pipeline.validation_dataset(
        found.validation, CONFIG, found.validation.lengths.tolist()
    )
    frames, starts = [], 0
    for some, mask, is_start in batches.as_numpy_iterator():
        assert some.shape == (4, 4, NUM_VISIBLE)
        frames.append(some[mask > 0])
        starts += is_start.sum()
    np.testing.assert_array_equal(np.concatenate(frames), found.validation.frames)
    assert starts == len(LENGTHS["valid"])


@pytest.fixture(scope="module")
def frame_run(frame_file, tmp_path_factory):
    """Run folder of a training on `frame_file`, and what `train` returned."""
    workdir = tmp_path_factory.mktemp("runs") / "rolls"
    with pytest.MonkeyPatch.context() as patch:
        # Drawing takes longer than training so small a model.
        patch.setattr(pictures, "_PICTURE_FRAMES", 5)
        patch.setattr(trainer, "_NUM_PICTURES", 1)
        return workdir, trainer.train(CONFIG, frame_file, workdir)


def test_frame_sequences_train_and_the_run_folder_knows_their_width(frame_run, frame_file):
    workdir, result = frame_run
    trained = load_trained(workdir)
    assert (trained.model.num_visible, trained.scale, trained.sample_rate) == (
        NUM_VISIBLE,
        OwnUnit(),
        0,
    )
    assert result["epoch"] == trained.epoch and np.isfinite(result["val_one_step_error"])
    assert {"curves.png", "samples_epoch_2.png", "model.keras"} <= {
        path.name for path in workdir.iterdir()
    }
    assert json.loads((workdir / "data.json").read_text())["data_dir"] == str(frame_file)


def test_a_model_of_frames_gives_frames_in_their_own_unit_each_by_its_seed_alone(frame_run):
    endpoints = Endpoints(load_trained(frame_run[0]), max_frames=9)
    generated = dict(songs.generate_frames(endpoints.singer, [5, 6, 7], 6))
    for frames in generated.values():
        assert frames.shape == (6, NUM_VISIBLE) and frames.min() >= 0 and frames.max() <= 1
    ((_, alone),) = songs.generate_frames(endpoints.singer, [6], 6)
    np.testing.assert_array_equal(alone, generated[6])
    assert not np.array_equal(generated[5], generated[6])
    rows = endpoints.generate([5, 5], [3, 6], [1.0, 1.0])
    assert not rows["spectrogram"][0, 3:].numpy().any() and rows["status"].numpy().tolist() == [
        0,
        0,
    ]


def test_the_best_epoch_of_binary_units_is_that_of_the_largest_pseudo_likelihood(frame_run):
    history = np.genfromtxt(frame_run[0] / "history.csv", delimiter=",", names=True)
    pseudo = history["val_pseudo_log_likelihood"]
    assert pseudo[0] != pseudo[1] and np.all(pseudo < 0)
    assert frame_run[1]["epoch"] == 1 + np.argmax(pseudo)


def test_a_run_goes_on_with_its_own_file_and_refuses_others(
    frame_run, frame_file, tmp_path, rng, quick_training
):
    shutil.copytree(frame_run[0], tmp_path / "run")
    shutil.copy(frame_file, tmp_path / "moved.npz")
    longer = CONFIG.replace(epochs=3)
    lines = []
    trainer.train(longer, tmp_path / "moved.npz", tmp_path / "run", lines.append, pictures=False)
    assert (
        lines[0].startswith("frame sequences train (38 frames in 6 sequences), 2 validate")
        and "going on after epoch 2" in lines
    )
    wider = {
        name: np.zeros((len(value), 8)) if value.ndim == 2 else value
        for name, value in arrays(rng).items()
    }
    np.savez(tmp_path / "wider.npz", **wider)
    with pytest.raises(
        ValueError, match="frames of 7 units, as the model has. Received: frames of 8"
    ):
        RunFolder(tmp_path / "run").data().parts_in(CONFIG, tmp_path / "wider.npz")
    np.savez(tmp_path / "other.npz", **{**arrays(rng), "train_lengths": np.array([38])})
    with pytest.raises(ValueError, match="must hold the sequences this run began with"):
        trainer.train(longer, tmp_path / "other.npz", tmp_path / "run")


def test_a_fresh_binary_model_without_couplings_predicts_the_smoothed_shares(frame_file):
    split = frame_sequences.read_frames(frame_file)["train"]
    frames = split.frames.astype(np.float64)
    frames[:, 3] = 0.0
    model = build_model(CONFIG, NUM_VISIBLE)
    model.conditional_rbm.W.assign(tf.zeros_like(model.conditional_rbm.W))
    moments = Moments(frames.mean(axis=0), frames.std(axis=0), None, len(frames), None)
    start_from_data(model, moments)
    found = 1 / (1 + np.exp(-np.asarray(model.conditional_rbm.bv)))
    np.testing.assert_allclose(found, (frames.sum(axis=0) + 0.5) / 39, rtol=1e-5)
