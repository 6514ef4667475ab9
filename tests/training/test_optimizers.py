"""The optimisers against NumPy, through bad gradients, saving and compiling."""

import keras
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from stepping import assert_close, assert_equal, draw, make_variables, run, tiny_model

from neurovocal_tf.training.optimizers import GuardedAdam, GuardedRMSprop

BOTH = pytest.mark.parametrize(
    "kind, oracle", [(GuardedRMSprop, reference.rmsprop), (GuardedAdam, reference.adam)]
)


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
    assert_close(
        result, oracle(values, batches, 0.01, clip_norm=0.5, l1=(0.3, 0.0, 0.3), l2=(0.0, 0.0, 0.2))
    )


@BOTH
def test_kept_weights_go_a_share_of_the_way(kind, oracle, rng):
    values, batches = draw(rng, 1)
    variables = make_variables(values)
    fresh = variables[1].path
    whole, slow = (
        run(kind(0.01, kept_rate=rate, fresh_paths=[fresh]), make_variables(values), batches)
        for rate in (1.0, 0.25)
    )
    for name, value, far, near in zip(
        [v.path for v in variables], values, whole, slow, strict=True
    ):
        share = 1.0 if name == fresh else 0.25
        np.testing.assert_allclose(near - value, share * (far - value), rtol=0, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(
    bad=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 4), st.sampled_from([np.nan, np.inf, -np.inf])),
        min_size=1,
    )
)
def test_a_bad_batch_leaves_every_weight_finite_and_equal_to_the_reference(bad):
    for kind, oracle in ((GuardedRMSprop, reference.rmsprop), (GuardedAdam, reference.adam)):
        values, batches = draw(np.random.default_rng(1), 3)
        for tensor, entry, value in bad:
            batches[1][tensor].flat[entry] = value
        optimizer = kind(0.01, clip_norm=1.0, l1=1e-2)
        result = run(optimizer, make_variables(values), batches)
        assert all(np.isfinite(r).all() for r in result)
        assert_close(
            result,
            oracle(values, batches, 0.01, clip_norm=1.0, l1=(1e-2, 0.0, 1e-2)),
            rtol=0,
            atol=3e-6,
        )
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
    variables, optimizer = (
        make_variables(values),
        GuardedAdam(0.01, l1=0.1, l2=0.1, clip_norm=1.0, use_ema=True),
    )
    run(optimizer, variables, batches, jit_compile)
    watched = variables + [
        v for v in optimizer.variables if v.name not in ("iteration", "num_bad_steps")
    ]
    before = [np.array(v) for v in watched]
    batches[0][1][2] = np.nan
    run(optimizer, variables, batches[:1], jit_compile)
    assert_equal([np.array(v) for v in watched], before)
    assert int(optimizer.num_bad_steps) == 1 and int(optimizer.iterations) == 3


def test_adam_goes_on_after_a_skipped_step_as_if_there_had_been_none(rng):
    values, batches = draw(rng, 3)
    bad = [np.full_like(g, np.nan) for g in batches[0]]
    undisturbed = run(GuardedAdam(0.01, use_ema=True), make_variables(values), batches)
    assert_equal(
        run(
            GuardedAdam(0.01, use_ema=True),
            make_variables(values),
            [bad, batches[0], bad, *batches[1:]],
        ),
        undisturbed,
    )


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


@pytest.mark.parametrize("kind", [GuardedRMSprop, GuardedAdam])
def test_configuration_round_trip(kind):
    optimizer = kind(
        0.25,
        clip_norm=2.0,
        l1=0.5,
        l2=0.125,
        l1_path="a",
        l2_path="b",
        use_ema=True,
        ema_momentum=0.75,
        name="mine",
    )
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(copy) is kind and copy.get_config() == optimizer.get_config()


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_decay_that_would_apply_to_nothing_is_refused(name, rng):
    values, batches = draw(rng, 1)
    with pytest.raises(
        ValueError,
        match=f"`{name}_path` must be part of some variable's path. Received: {name}_path=lstm",
    ):
        run(GuardedAdam(**{name: 0.1, f"{name}_path": "lstm"}), make_variables(values), batches)


@pytest.mark.parametrize("name", ["clip_norm", "l1", "l2"])
@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 0. Received: {name}="):
        GuardedAdam(**{name: value})
