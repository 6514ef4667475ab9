"""The optimisers against NumPy, through bad gradients, saving, compiling and averaging."""

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from neurovocal_tf.training.optimizers import GuardedAdam, GuardedRMSprop, PhasedLearningRate, Phases, averaged_weights, swap_averages

# Steps are sums and quotients of a handful of float32 operations on numbers near 1.
ONE_STEP = dict(rtol=0, atol=1e-6)
SHAPES = ((3, 4), (5,), (4, 3))
PATHS = ("gated_recurrent_encoder/kernel", "conditional_rbm/bv", "gated_recurrent_encoder/recurrent_kernel")
BOTH = pytest.mark.parametrize("kind, oracle", [(GuardedRMSprop, reference.rmsprop), (GuardedAdam, reference.adam)])


def make_variables(values):
    variables = []
    for value, path in zip(values, PATHS):
        scope, name = path.split("/")
        with keras.name_scope(scope):
            variables.append(keras.Variable(value.astype(np.float32), name=name))
    return variables


def draw(rng, num_batches):
    values = [rng.normal(size=s).astype(np.float32) for s in SHAPES]
    return values, [[rng.normal(size=s).astype(np.float32) for s in SHAPES] for _ in range(num_batches)]


def run(optimizer, variables, batches, jit_compile=None):
    """Applies all batches; `jit_compile` None: eagerly."""

    def step(gradients):
        optimizer.apply(gradients, variables)

    if jit_compile is not None:
        step = tf.function(step, jit_compile=jit_compile)
    for gradients in batches:
        step([tf.constant(g) for g in gradients])
    return [np.array(v) for v in variables]


def assert_equal(result, expected):
    for a, b in zip(result, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_close(result, expected, **tolerance):
    for a, b in zip(result, expected, strict=True):
        np.testing.assert_allclose(a, b, **(tolerance or ONE_STEP))


@BOTH
@pytest.mark.parametrize("num_batches", [1, 5])
def test_steps_equal_the_reference(kind, oracle, num_batches, rng):
    values, batches = draw(rng, num_batches)
    result = run(kind(0.01), make_variables(values), batches)
    assert_close(result, oracle(values, batches, 0.01), rtol=0, atol=1e-6 * num_batches)


@BOTH
def test_clipping_and_decay_equal_the_reference_and_keep_to_their_paths(kind, oracle, rng):
    values, batches = draw(rng, 1)
    result = run(kind(0.01, clip_norm=0.5, l1=0.3, l2=0.2), make_variables(values), batches)
    assert_close(result, oracle(values, batches, 0.01, clip_norm=0.5, l1=(0.3, 0.0, 0.3), l2=(0.0, 0.0, 0.2)))


@settings(max_examples=10, deadline=None)
@given(bad=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.sampled_from([np.nan, np.inf, -np.inf])), min_size=1))
def test_a_bad_batch_leaves_every_weight_finite_and_equal_to_the_reference(bad):
    for kind, oracle in ((GuardedRMSprop, reference.rmsprop), (GuardedAdam, reference.adam)):
        values, batches = draw(np.random.default_rng(1), 3)
        for tensor, entry, value in bad:
            batches[1][tensor].flat[entry] = value
        optimizer = kind(0.01, clip_norm=1.0, l1=1e-2)
        result = run(optimizer, make_variables(values), batches)
        assert all(np.isfinite(r).all() for r in result)
        assert_close(result, oracle(values, batches, 0.01, clip_norm=1.0, l1=(1e-2, 0.0, 1e-2)), rtol=0, atol=3e-6)
        assert int(optimizer.num_bad_steps) == 1


def test_clipping_comes_after_the_guard(rng):
    """The other way round one NaN would make the norm NaN, and with it every gradient."""
    values, batches = draw(rng, 1)
    batches[0][0][0, 0] = np.nan
    result = run(GuardedRMSprop(0.01, clip_norm=0.1), make_variables(values), batches)
    assert_close(result, reference.rmsprop(values, batches, 0.01, clip_norm=0.1))


@BOTH
def test_a_gradient_whose_square_overflows_counts_as_bad(kind, oracle, rng):
    values, batches = draw(rng, 3)
    batches[1][2][0, 0] = 1e30
    optimizer = kind(0.01)
    result = run(optimizer, make_variables(values), batches)
    batches[1][2][0, 0] = np.inf
    assert_close(result, oracle(values, batches, 0.01), rtol=0, atol=3e-6)
    assert int(optimizer.num_bad_steps) == 1


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_a_skipped_step_of_adam_leaves_all_as_it_was(jit_compile, rng):
    values, batches = draw(rng, 2)
    variables, optimizer = make_variables(values), GuardedAdam(0.01, l1=0.1, l2=0.1, clip_norm=1.0, use_ema=True)
    run(optimizer, variables, batches, jit_compile)
    watched = variables + [v for v in optimizer.variables if v.name not in ("iteration", "num_bad_steps")]
    before = [np.array(v) for v in watched]
    batches[0][1][2] = np.nan
    run(optimizer, variables, batches[:1], jit_compile)
    assert_equal([np.array(v) for v in watched], before)
    assert int(optimizer.num_bad_steps) == 1 and int(optimizer.iterations) == 3


def test_adam_goes_on_after_a_skipped_step_as_if_there_had_been_none(rng):
    values, batches = draw(rng, 3)
    bad = [np.full_like(g, np.nan) for g in batches[0]]
    undisturbed = run(GuardedAdam(0.01, use_ema=True), make_variables(values), batches)
    assert_equal(run(GuardedAdam(0.01, use_ema=True), make_variables(values), [bad, batches[0], bad, *batches[1:]]), undisturbed)


@BOTH
def test_eager_graph_and_xla_agree(kind, oracle, rng):
    values, batches = draw(rng, 4)
    batches[2][0][1, 1] = np.inf
    settings_ = dict(clip_norm=1.0, l1=0.1, l2=0.1, use_ema=True)
    results = []
    for jit_compile in (None, False, True):
        optimizer = kind(0.01, **settings_)
        weights = run(optimizer, make_variables(values), batches, jit_compile)
        results.append([*weights, *(np.array(v) for v in optimizer.variables)])
    assert_close(results[1], results[0], rtol=1e-5, atol=1e-6)
    assert_close(results[2], results[0], rtol=1e-5, atol=1e-6)


@BOTH
def test_averages_are_the_moving_average_of_the_weights_from_their_initial_values(kind, oracle, rng):
    values, batches = draw(rng, 3)
    variables, optimizer = make_variables(values), kind(0.1, use_ema=True, ema_momentum=0.5)
    expected = list(values)
    for batch in batches:
        weights = run(optimizer, variables, [batch])
        expected = [0.5 * e + 0.5 * w for e, w in zip(expected, weights)]
    with averaged_weights(optimizer, variables):
        assert_close([np.array(v) for v in variables], expected)
    assert_equal([np.array(v) for v in variables], weights)


def test_averages_start_at_the_weights_even_if_the_first_trace_builds_the_optimizer(rng):
    values, batches = draw(rng, 2)
    variables, optimizer = make_variables(values), GuardedAdam(0.1, use_ema=True, ema_momentum=1.0)
    run(optimizer, variables, batches, jit_compile=False)
    with averaged_weights(optimizer, variables):
        assert_equal([np.array(v) for v in variables], values)


def test_swapping_twice_changes_nothing_and_an_error_in_the_context_swaps_back(rng):
    values, batches = draw(rng, 2)
    variables, optimizer = make_variables(values), GuardedAdam(0.1, use_ema=True)
    run(optimizer, variables, batches)
    before = [np.array(v) for v in (*variables, *optimizer.variables)]
    swap_averages(optimizer, variables)
    assert any((np.array(v) != b).any() for v, b in zip(variables, before))
    swap_averages(optimizer, variables)
    assert_equal([np.array(v) for v in (*variables, *optimizer.variables)], before)
    with pytest.raises(KeyboardInterrupt), averaged_weights(optimizer, variables):
        raise KeyboardInterrupt
    assert_equal([np.array(v) for v in (*variables, *optimizer.variables)], before)


def test_without_averages_the_context_changes_nothing(rng):
    values, batches = draw(rng, 1)
    variables, optimizer = make_variables(values), GuardedAdam(0.1)
    weights = run(optimizer, variables, batches)
    with averaged_weights(optimizer, variables):
        assert_equal([np.array(v) for v in variables], weights)


def tiny_model(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4, name="gated_recurrent_encoder"), keras.layers.Dense(1)])
    model.compile(optimizer, loss="mse")
    return model


def everything(model):
    return [np.array(v) for v in (*model.variables, *model.optimizer.variables)]


@BOTH
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_saved_and_loaded_model_goes_on_bit_for_bit(kind, oracle, jit_compile, tmp_path, rng):
    x, y = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(8, 1)).astype(np.float32)
    bad = np.full_like(x, np.nan)
    model = tiny_model(kind(0.01, use_ema=True, clip_norm=1.0, l1=1e-3))
    model.jit_compile = jit_compile
    for batch in (x, bad, x):
        model.train_on_batch(batch, y)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.jit_compile = jit_compile
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert int(loaded.optimizer.num_bad_steps) == 1
    for batch in (x, bad, x):
        model.train_on_batch(batch, y)
        loaded.train_on_batch(batch, y)
    assert_equal(everything(loaded), everything(model))


def test_fit_ends_with_the_weights_as_trained(rng):
    """Keras would put the averages in their place, and a resumed run would go on from them."""
    x, y = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(8, 1)).astype(np.float32)
    plain, averaged = tiny_model(GuardedAdam(0.1)), tiny_model(GuardedAdam(0.1, use_ema=True))
    for model in (plain, averaged):
        model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    assert_equal(averaged.get_weights(), plain.get_weights())


@pytest.mark.parametrize("kind", [GuardedRMSprop, GuardedAdam])
def test_configuration_round_trip(kind):
    optimizer = kind(0.25, clip_norm=2.0, l1=0.5, l2=0.125, l1_path="a", l2_path="b", use_ema=True, ema_momentum=0.75, name="mine")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(copy) is kind and copy.get_config() == optimizer.get_config()


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_decay_that_would_apply_to_nothing_is_refused(name, rng):
    values, batches = draw(rng, 1)
    with pytest.raises(ValueError, match=f"`{name}_path` must be part of some variable's path. Received: {name}_path=lstm"):
        run(GuardedAdam(**{name: 0.1, f"{name}_path": "lstm"}), make_variables(values), batches)


def test_averages_are_those_of_constrained_weights(rng):
    constraint = keras.constraints.NonNeg()
    with keras.name_scope("conditional_rbm"):
        variable = keras.Variable(np.full(3, 0.01, np.float32), name="log_sigma")
    variable.constraint = constraint
    optimizer = GuardedAdam(0.1, use_ema=True, ema_momentum=0.0)
    optimizer.apply([tf.ones(3)], [variable])
    with averaged_weights(optimizer, [variable]):
        assert_equal([np.array(variable)], [np.zeros(3)])


@pytest.mark.parametrize("name", ["clip_norm", "l1", "l2"])
@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 0. Received: {name}="):
        GuardedAdam(**{name: value})


def test_phases_hold_for_their_epochs_and_the_last_for_ever():
    phases = Phases((3.0, 2.0, 1.0), (2, 1, 3))
    assert [phases.at(e) for e in range(9)] == [3.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert phases.num_epochs == 6


def test_one_number_serves_all_phases():
    assert Phases((3.0, 2.0), 4).num_epochs == Phases((3.0, 2.0), (4,)).num_epochs == 8
    assert [Phases((3.0, 2.0), 4).at(e) for e in (3, 4)] == [3.0, 2.0]
    assert [Phases(15, (1, 2)).at(e) for e in (0, 1, 5)] == [15, 15, 15]


def test_phases_round_trip():
    phases = Phases((1, 5, 15), (2, 3, 4))
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(phases))
    assert copy.get_config() == phases.get_config() and isinstance(copy.at(0), int)


@pytest.mark.parametrize("values, epochs", [((1, 2), (1, 2, 3)), ((1, 2, 3), (1, 2)), ((1, 2), (0, 1)), ((), (1, 2)), ((1, 2), (1.5, 1))])
def test_phases_that_do_not_fit_are_refused(values, epochs):
    with pytest.raises(ValueError, match="must"):
        Phases(values, epochs)


def test_phased_learning_rate_sets_the_rate_of_every_epoch_also_when_training_goes_on(rng):
    x, y = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(8, 1)).astype(np.float32)
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(float(model.optimizer.learning_rate)))
    callback = PhasedLearningRate(Phases((0.5, 0.25), (1, 2)))
    callback = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(callback))
    model = tiny_model(GuardedAdam(0.1))
    model.fit(x, y, epochs=2, verbose=0, callbacks=[callback, watch])
    model.fit(x, y, epochs=4, initial_epoch=2, verbose=0, callbacks=[callback, watch])
    assert seen == [0.5, 0.25, 0.25, 0.25]
