"""Weights, gradients and a model to take steps with."""

import keras
import numpy as np
import tensorflow as tf

# Steps are sums and quotients of a handful of float32 operations on numbers near 1.
ONE_STEP = dict(rtol=0, atol=1e-6)
SHAPES = ((3, 4), (5,), (4, 3))
PATHS = (
    "gated_recurrent_encoder/kernel",
    "conditional_rbm/bv",
    "gated_recurrent_encoder/recurrent_kernel",
)


def make_variables(values):
    variables = []
    for value, path in zip(values, PATHS):
        scope, name = path.split("/")
        with keras.name_scope(scope):
            variables.append(keras.Variable(value.astype(np.float32), name=name))
    return variables


def draw(rng, num_batches):
    values = [rng.normal(size=s).astype(np.float32) for s in SHAPES]
    return values, [
        [rng.normal(size=s).astype(np.float32) for s in SHAPES] for _ in range(num_batches)
    ]


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


def tiny_model(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.Dense(4, name="gated_recurrent_encoder"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer, loss="mse")
    return model
