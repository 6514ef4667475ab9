"""A run's model: its sizes, and which of its weights are loaded."""

import json

import keras
import numpy as np
from histories import history_of

from neurovocal_tf.config import Config
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import build_model, load_trained


def test_the_published_configuration_has_the_published_sizes():
    seed = Config().replace(num_direct_frames=0)
    model = build_model(seed)
    shapes = {variable.path.split("/")[-1]: tuple(variable.shape) for variable in model.variables}
    assert shapes["W"] == (129, 219) and shapes["Wuv"] == (167, 129) and shapes["Wuh"] == (167, 219)
    assert [shapes[f"recurrent_kernel_{i}"] for i in range(3)] == [(167, 3 * 167)] * 3


def test_a_number_of_units_wins_over_its_scalar_and_0_leaves_the_choice_to_that():
    model = build_model(
        Config().replace(num_hidden=20, num_recurrent=11, hidden_scalar=9.0), num_visible=7
    )
    assert (model.conditional_rbm.num_hidden, model.encoder.num_units) == (20, 11)
    model = build_model(
        Config().replace(num_hidden=20, hidden_scalar=9.0, recurrent_scalar=0.1), num_visible=7
    )
    assert (model.conditional_rbm.num_hidden, model.encoder.num_units) == (20, 1)


def test_what_is_loaded_is_the_best_model_and_model_keras_is_the_same(trained_run, tiny_config):
    history = history_of(trained_run)
    trained = load_trained(trained_run)
    assert (
        trained.epoch
        == min(history, key=lambda row: (-row["cd_steps"], row["val_one_step_error"]))["epoch"]
    )
    assert (trained.config, trained.sample_rate) == (tiny_config, 16_000)
    assert trained.scale == RunFolder(trained_run).data().scale
    saved = keras.saving.load_model(trained_run / "model.keras")
    # As JSON has them: a shape is a list there.
    assert json.dumps(saved.get_config()) == json.dumps(
        trained.model.get_config() | {"name": saved.name}
    )
    for one, other in zip(saved.variables, trained.model.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert (
        load_trained(
            trained_run, lambda config: config.replace(num_gibbs_steps=7)
        ).config.generation.num_gibbs_steps
        == 7
    )
