"""A run that begins with the weights of another: where they come from, what is kept of them, and
what cannot be begun with.
"""

import json
import shutil
import types

import keras
import numpy as np
import pytest

from neurovocal_tf.conditions import Conditions
from neurovocal_tf.config import Config
from neurovocal_tf.data.survey import survey
from neurovocal_tf.labels import Labels
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import build_model, load_trained
from neurovocal_tf.training import starting, trainer


def weights_of(model):
    return [np.asarray(variable) for variable in model.variables]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_its_keras_model_and_its_export_give_the_same_weights(trained_run, export_dir):
    expected = load_trained(trained_run)
    found = [starting.read(str(p)) for p in (trained_run, trained_run / "model.keras", export_dir)]
    for start in found:
        assert_same(weights_of(start.model), weights_of(expected.model))
    assert len({start.told["weights"] for start in found}) == 1
    assert [start.sample_rate for start in found] == [expected.sample_rate, 0, expected.sample_rate]


@pytest.mark.parametrize(
    "name, contents, told",
    [
        (
            "gone",
            None,
            "`start_from` must be a run folder, its model.keras, or an export. .*nothing",
        ),
        ("folder", "", "or an export. Received: start_from=.*folder, something else"),
        ("model.keras", b"no model", "a file that Keras cannot read"),
    ],
)
def test_what_is_no_model_is_told_in_a_line(name, contents, told, tmp_path):
    path = tmp_path / name
    if contents == "":
        path.mkdir()
    elif contents is not None:
        path.write_bytes(contents)
    with pytest.raises(ValueError, match=told) as error:
        starting.read(str(path))
    assert "\n" not in str(error.value)


def test_another_keras_model_is_told_in_a_line(tmp_path):
    path = tmp_path / "other.keras"
    keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(ValueError, match="other.keras, a Sequential"):
        starting.read(str(path))


@pytest.mark.parametrize(
    "settings, told",
    [
        (dict(freeze="rbm"), "`freeze` must be none unless `start_from` gives what is to stay"),
        (dict(start_from="a", freeze="encoder", l1=0.1), "`l1` must be 0 for weights that stay"),
        (dict(start_from="a", freeze="encoder", l2=0.1), "`l2` must be 0 for weights that stay"),
    ],
)
def test_settings_that_contradict_each_other_are_told_in_a_line(settings, told):
    with pytest.raises(ValueError, match=told):
        Config().replace(**settings)


def test_recordings_are_brought_to_the_rate_of_what_is_begun_with(
    simulated_recordings, tiny_config
):
    found = survey(simulated_recordings, tiny_config, default_rate=12_000)
    assert found.training.sample_rate == 12_000
    assert "5 of 5 recordings are resampled from 16000 Hz to 12000 Hz" in found.notes
    config = tiny_config.replace(sample_rate=16_000)
    assert survey(simulated_recordings, config, default_rate=12_000).training.sample_rate == 16_000


def test_a_model_of_other_bins_leaves_no_run_behind(trained_run, simulated_recordings, tmp_path):
    config = Config().replace(start_from=str(trained_run), n_fft=256, hop_length=64)
    with pytest.raises(ValueError, match="`start_from` must be a model of 129 bins.*one of 65"):
        trainer.train(config, simulated_recordings, tmp_path / "run", pictures=False)
    assert not RunFolder(tmp_path / "run").has_run()


@pytest.mark.parametrize(
    "size, of_labels, of_values",
    [
        (3, "1 of 2 labels are new and begin as the mean of those", "as the unknown"),
        (4, "it has vectors of labels of another size: all 2 are new", "without an effect"),
    ],
)
def test_what_is_new_is_told_as_what_it_begins_as(size, of_labels, of_values, tiny_config):
    lines, config = [], tiny_config.replace(start_from="a", start_with="all")
    before, after = (config.replace(condition_size=n, label_size=n) for n in (3, size))
    source, model = (
        build_model(settings, None, Conditions.of({"voice": voices}), Labels.of(labels))
        for settings, voices, labels in ((before, "ab", "xy"), (after, "bc", "yz"))
    )
    data = types.SimpleNamespace(moments=(), summary=types.SimpleNamespace(sample_rate=0))
    start = starting.Start(source, before, 0, {"path": "a"})
    starting.begin(model, start, data, after, lines.append)
    count = 1 if size == 3 else 2
    assert lines[0] == "starting from a" and lines[1].startswith(of_labels)
    assert lines[2:] == [f"{count} of 2 values of voice are new and begin {of_values}"]


def test_it_keeps_what_is_frozen_learns_new_voices_and_does_not_start_again(
    trained_run, simulated_recordings, tiny_config, tmp_path, quick_training
):
    source, lines = tmp_path / "source", []
    shutil.copytree(trained_run, source)
    config = tiny_config.replace(
        start_from=str(source),
        freeze="encoder",
        condition_from="name_part:2",
        batch_size=64,
        epochs=1,
    )
    trainer.train(config, simulated_recordings, tmp_path / "run", lines.append, pictures=False)
    assert f"starting from {source}" in lines
    assert "4 of 4 values of name_part are new and begin without an effect" in lines
    told = json.loads((tmp_path / "run" / "data.json").read_text())["started_from"]
    before, after = load_trained(source), load_trained(tmp_path / "run")
    assert told["path"] == str(source) and told["epoch"] == before.epoch
    inner, kept = after.model.encoder.encoder, before.model.encoder
    size = after.model.encoder.vector_size
    np.testing.assert_array_equal(inner.kernels[0][size:], kept.kernels[0])
    np.testing.assert_array_equal(inner.recurrent_kernels[0], kept.recurrent_kernels[0])
    assert not np.array_equal(after.model.conditional_rbm.W, before.model.conditional_rbm.W)
    # Gone, and not asked for.
    shutil.rmtree(source)
    lines.clear()
    trainer.train(config, simulated_recordings, tmp_path / "run", lines.append, pictures=False)
    assert "going on after epoch 1" in lines and not any("starting" in line for line in lines)
