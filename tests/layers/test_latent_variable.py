"""A latent variable's two normals against SciPy, and the layer in either layout."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from neurovocal_tf.layers.latent_variable import LatentVariable, Normals
from neurovocal_tf.rbm import noise

NUM_LATENT, NUM_VISIBLE, NUM_STATE = 3, 5, 4


def normals_of(rng, *shape):
    return Normals(*(tf.constant(rng.normal(size=shape), tf.float32) for _ in range(2)))


@pytest.fixture
def layer(rng):
    layer = LatentVariable(NUM_LATENT, NUM_VISIBLE)
    layer.build((None, None, NUM_STATE))
    for weight in layer.weights:
        weight.assign(0.5 * rng.normal(size=weight.shape))
    return layer


def test_density_and_divergence_are_those_of_independent_normals(rng):
    ours, other = normals_of(rng, 2, 3), normals_of(rng, 2, 3)
    z = rng.normal(size=(2, 3))
    p, q = (scipy.stats.norm(x.mean.numpy(), np.exp(x.log_sd.numpy())) for x in (ours, other))
    np.testing.assert_allclose(ours.log_density(z), p.logpdf(z).sum(axis=-1), rtol=1e-5)
    expected = np.zeros(2)
    for row, unit in np.ndindex(2, 3):
        a, b = (scipy.stats.norm(x.mean()[row, unit], x.std()[row, unit]) for x in (p, q))
        middle, width = a.mean(), 12 * a.std()
        expected[row] += scipy.integrate.quad(
            lambda x, a=a, b=b: a.pdf(x) * (a.logpdf(x) - b.logpdf(x)),
            middle - width,
            middle + width,
            points=[middle],
        )[0]
    np.testing.assert_allclose(ours.divergence(other), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.divergence(ours), 0.0, atol=1e-6)


def test_a_draw_has_the_mean_and_at_a_temperature_the_spread(rng):
    one = normals_of(rng, 1, 3)
    many = Normals(*(tf.repeat(x, 20_000, axis=0) for x in one))
    z = many.sample(noise.BatchStream(tf.constant(1), tf.constant(2)), 1.44).numpy()
    spread = 1.2 * np.exp(one.log_sd.numpy()[0])
    np.testing.assert_allclose(z.std(axis=0), spread, rtol=4 / np.sqrt(2 * 20_000))
    np.testing.assert_allclose(
        z.mean(axis=0), one.mean.numpy()[0], atol=4 * spread.max() / np.sqrt(20_000)
    )
    assert scipy.stats.kstest((z[:, 0] - z[:, 0].mean()) / z[:, 0].std(), "norm").pvalue > 1e-3


def test_the_normals_are_their_equations_in_either_layout(layer, rng):
    u, v = rng.normal(size=(7, NUM_STATE)), rng.normal(size=(7, NUM_VISIBLE))
    Wup, bp, Wuq, Wvq, bq = (np.asarray(w, np.float64) for w in layer.weights)
    u32, v32 = tf.constant(u, tf.float32), tf.constant(v, tf.float32)
    lanes = layer.prior(tf.transpose(u32), axis=0)
    for found, values in (
        (layer.prior(u32), u @ Wup + bp),
        (Normals(*map(tf.transpose, lanes)), u @ Wup + bp),
        (layer.posterior(u32, v32), u @ Wuq + v @ Wvq + bq),
    ):
        mean, log_sd = np.split(values, 2, axis=1)
        np.testing.assert_allclose(found.mean, mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.log_sd, 2 * np.tanh(log_sd / 2), rtol=1e-4, atol=1e-5)
    read = layer(u32).numpy()
    np.testing.assert_array_equal(read[:, :NUM_LATENT], layer.prior(u32).mean)
    np.testing.assert_array_equal(read[:, NUM_LATENT:], u32)


def test_compiled_as_in_training_it_is_the_same(rng):
    """In the sizes that train: XLA for processors treats large products in a way of its own."""
    layer = LatentVariable(16, 129)
    u, v = (tf.constant(rng.normal(size=(8, 64, n)), tf.float32) for n in (425, 129))
    layer.build(u.shape)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape) / 20)
    stream = noise.BatchStream(tf.constant(1), tf.constant(2))

    def learned(u, v):
        prior, posterior = layer.prior(u), layer.posterior(u, v)
        return layer.read(u, posterior.sample(stream)), posterior.divergence(prior), *prior

    compiled = tf.function(learned, jit_compile=True, autograph=False)
    for found, expected in zip(compiled(u, v), learned(u, v), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_fresh_posterior_differs_from_its_prior_by_what_the_frame_tells_alone(rng):
    layer = LatentVariable(NUM_LATENT, NUM_VISIBLE)
    u = tf.constant(rng.normal(size=(2, NUM_STATE)), tf.float32)
    layer.build(u.shape)
    v = tf.stack([tf.zeros([NUM_VISIBLE]), tf.ones([NUM_VISIBLE])])
    of_silence, of_frame = layer.posterior(u, v).divergence(layer.prior(u)).numpy()
    assert of_silence == 0 and of_frame > 0.01


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="`num_latent` and `num_visible` must be at least 1"):
        LatentVariable(0, 4)
    with pytest.raises(ValueError, match="`weight_init` must be scaled or published"):
        LatentVariable(1, 4, weight_init="other")
