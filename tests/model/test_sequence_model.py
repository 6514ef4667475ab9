"""A model as Keras' users use any other: what it takes, how it is compiled, what it shows."""

import io
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from random_models import fresh_model

from neurovocal_tf.training.optimizers import GuardedAdam

pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")

NUM_VISIBLE, NUM_ROWS, NUM_FRAMES, BATCH_SIZE = 4, 5, 6, 2


def frames_of(seed=0):
    return np.random.default_rng(seed).normal(size=(NUM_ROWS, NUM_FRAMES, NUM_VISIBLE))


def model_of(optimizer="sgd", run_eagerly=True, **arguments):
    """A small model; one step after another, since a trace takes longer than a few of them."""
    options = {"compiled": {}, **arguments}
    compiled = options.pop("compiled")
    model = fresh_model(NUM_VISIBLE, 3, 4, dropout=0.1, input_noise=0.1, seed=3, **options)
    model.compile(optimizer, run_eagerly=run_eagerly, **compiled)
    return model


def weights_of(model):
    return [weight.numpy() for weight in model.trainable_variables]


class Batches(keras.utils.PyDataset):
    def __init__(self, frames):
        super().__init__()
        self.frames = frames

    def __len__(self):
        return -(-len(self.frames) // BATCH_SIZE)

    def __getitem__(self, index):
        return self.frames[BATCH_SIZE * index : BATCH_SIZE * (index + 1)]


def batches(*parts):
    parts = parts if len(parts) > 1 else parts[0]
    return tf.data.Dataset.from_tensor_slices(parts).batch(BATCH_SIZE)


EVERY_FORM = {
    "dataset of frames": lambda x: (batches(x),),
    "dataset of tuples of one": lambda x: (batches((x,)),),
    "dataset of all three": lambda x: (
        batches(x, np.ones(x.shape[:2], np.float32), np.ones(len(x), bool)),
    ),
    "PyDataset": lambda x: (Batches(x),),
    "generator": lambda x: (((part,) for part in np.split(x, [2, 4])),),
    "list of sequences": lambda x: (list(x),),
    "array and mask": lambda x: (x, np.ones(x.shape[:2], bool)),
}


@pytest.fixture(scope="module")
def fitted_on_array():
    """A model that has learned from an array, as a graph; the last batch is smaller."""
    model = model_of(run_eagerly=False)
    history = model.fit(
        frames_of(),
        batch_size=BATCH_SIZE,
        shuffle=False,
        validation_data=list(frames_of(1)[:2, :4]),
        callbacks=[keras.callbacks.EarlyStopping("val_one_step_error", mode="min")],
        verbose=0,
    ).history
    return model, history


@pytest.mark.parametrize("form", EVERY_FORM)
def test_every_form_of_the_same_frames_teaches_the_same(form, fitted_on_array):
    model = model_of()
    given = EVERY_FORM[form](frames_of().astype(np.float32))
    is_batched = len(given) == 1 and not isinstance(given[0], list)
    model.fit(*given, batch_size=None if is_batched else BATCH_SIZE, shuffle=False, verbose=0)
    assert int(model.num_train_steps) == 3
    for a, b in zip(weights_of(model), weights_of(fitted_on_array[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_the_history_has_figures_of_every_epoch_on_both_parts(fitted_on_array):
    _, history = fitted_on_array
    names = {"cd_cost", "reconstruction_error"}
    assert set(history) == names | {f"val_{name}" for name in (*names, "one_step_error")}


def test_evaluation_does_not_depend_on_the_batches_but_for_their_noise():
    model, x = model_of(), frames_of()
    whole, parts = (
        model.evaluate(x, batch_size=size, return_dict=True, verbose=0)["one_step_error"]
        for size in (NUM_ROWS, 2)
    )
    # Single precision, summed in another order.
    np.testing.assert_allclose(parts, whole, rtol=1e-5)
    assert len(model.evaluate(list(x), verbose=0)) == len(model.metrics)


def test_predictions_are_those_of_every_frame_from_those_before_it():
    model, x = model_of(), frames_of().astype(np.float32)
    predicted = model.predict(x, batch_size=BATCH_SIZE, verbose=0)
    assert predicted.shape == x.shape
    np.testing.assert_allclose(predicted, model.predict_step(x), rtol=0, atol=1e-6)
    short = model.predict([x[0], x[1, :2]], verbose=0)
    np.testing.assert_allclose(short[1, :2], predicted[1, :2], rtol=0, atol=1e-6)


WRONG = {
    "one sequence": (lambda m, x: m.fit(x[0]), "`x` must be [N, T, V] with the model's 4 bins"),
    "other bins": (lambda m, x: m.predict(x[..., :3]), "array of shape (5, 6, 3)"),
    "targets": (lambda m, x: m.fit(x, x), "A batch must be frames [B, T, V], or (frames, mask"),
    "weights": (
        lambda m, x: m.fit(x, sample_weight=np.ones(5)),
        "`sample_weight` must not be given: every frame counts",
    ),
    "bins of a dataset": (
        lambda m, x: m.fit(batches(x[..., :3])),
        "Frames must have the model's 4 bins. Received: frames of shape (2, 6, 3)",
    ),
    "starts that are no bools": (
        lambda m, x: m.fit(batches(x, np.ones((5, 6)), np.ones(5))),
        "Received: ('float64', 2, 6, 4), ('float64', 2, 6), ('float64', 2)",
    ),
    "unlike sequences": (
        lambda m, x: m.fit([x[0], x[0, :, :2]]),
        "A list must be of sequences [L, V], V the same for all. Received: shapes [(6, 2), (6, 4)]",
    ),
    "a loss": (lambda m, x: m.compile("adam", loss="mse"), "`loss` must not be given. Received"),
    "no optimiser": (lambda m, x: m.compile("adamant"), "adamant"),
    "another input shape": (
        lambda m, x: m.build((None, 6, 3)),
        "`input_shape` must end in the model's 4 bins. Received: input_shape=(None, 6, 3)",
    ),
}


@pytest.fixture(scope="module")
def untrained():
    return model_of()


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_refused_in_words(name, untrained):
    call, message = WRONG[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        call(untrained, frames_of())


@pytest.mark.parametrize("optimizer", ["rmsprop", "adamw", {"class_name": "SGD", "config": {}}])
def test_any_optimiser_of_kerass_trains(optimizer):
    model = model_of(optimizer)
    before = weights_of(model)
    model.train_on_batch(frames_of().astype(np.float32))
    moved = [not np.array_equal(a, b) for a, b in zip(before, weights_of(model), strict=True)]
    assert all(moved)


# --- precision


@pytest.fixture
def mixed_float16():
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    yield
    keras.mixed_precision.set_dtype_policy("float32")


def step_of(model):
    """What one step takes from every weight."""
    before = weights_of(model)
    model.train_on_batch(frames_of().astype(np.float32))
    return [a - b for a, b in zip(before, weights_of(model), strict=True)]


def test_a_scaled_loss_teaches_what_the_loss_does(mixed_float16):
    scaled = model_of(keras.optimizers.SGD(1.0))
    assert isinstance(scaled.optimizer, keras.optimizers.LossScaleOptimizer)
    keras.mixed_precision.set_dtype_policy("float32")
    plain = model_of(keras.optimizers.SGD(1.0))
    assert isinstance(plain.optimizer, keras.optimizers.SGD)
    for a, b in zip(step_of(scaled), step_of(plain), strict=True):
        # Of products in half precision, which has 11 bits, a few frames long.
        assert np.linalg.norm(a - b) <= 2e-2 * np.linalg.norm(b) + 1e-6


def test_a_gradient_that_overflows_halves_the_scale_and_moves_nothing(mixed_float16):
    model = model_of(GuardedAdam(0.1), compiled=dict(jit_compile=True), run_eagerly=False)
    model.optimizer.dynamic_scale.assign(2.0**40)
    assert not any(np.any(change) for change in step_of(model))
    assert float(model.optimizer.dynamic_scale) == 2.0**39
    model.optimizer.dynamic_scale.assign(2.0**10)
    assert all(np.any(change) for change in step_of(model)[-3:])
    assert int(model.optimizer.inner_optimizer.num_bad_steps) == 0


# --- what it shows, and what it is after it was saved


def test_a_summary_tells_layers_shapes_and_parameters():
    text = io.StringIO()
    fresh_model(NUM_VISIBLE, 3, 5, num_direct_frames=1).summary(
        print_fn=lambda line: text.write(f"{line}\n"), line_length=80
    )
    # The encoder's is 3 x 5 (4 + 5 + 1) + its 9 of a first state.
    for shape, count in (("(None, None, 4)", 8), ("(None, None, 9)", 159), ("(None, None, 4)", 86)):
        assert re.search(rf"{re.escape(shape)}\W+{count}\W", text.getvalue()), text.getvalue()


def test_a_clone_is_a_fresh_model_of_the_same_configuration(untrained):
    clone = keras.models.clone_model(untrained)
    assert clone.get_config() == {**untrained.get_config(), "name": clone.name}
    assert clone.count_params() == untrained.count_params()


def test_a_saved_model_is_compiled_as_it_was(tmp_path, mixed_float16):
    masking = keras.layers.Masking(-1.0)
    model = model_of("rmsprop", masking=masking, compiled=dict(num_parts=2))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_compile_config() == model.get_compile_config()
    assert loaded.get_compile_config()["jit_compile"] == "auto"
    assert isinstance(loaded.optimizer, keras.optimizers.LossScaleOptimizer)
    assert isinstance(loaded.optimizer.inner_optimizer, keras.optimizers.RMSprop)
    assert loaded.masking.get_config() == masking.get_config()
