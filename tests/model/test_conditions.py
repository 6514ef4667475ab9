"""A model under conditions: what they change, that rows do not mix them up, what is unknown, and
what it learns of them.
"""

import keras
import numpy as np
import pytest
import reference
import scipy.special
import tensorflow as tf
from random_models import fresh_model, make_model, singer

from neurovocal_tf.conditions import Conditions
from neurovocal_tf.model import scoring
from neurovocal_tf.rbm import energy
from neurovocal_tf.rbm.noise import BatchStream

BIRDS = Conditions.of({"individual": ["a", "b"], "context": ["alone"]})
EVERY = [(i, c) for i in range(3) for c in range(2)]


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(5)
    return make_model(rng, (13, 9, 7), num_direct_frames=2, conditions=BIRDS, coupling_gain=True)


def firsts(model, conditions):
    """States before the first frame, a row for each of some conditions."""
    return model.first_states(tf.ones([len(conditions)], tf.bool), tf.constant(conditions))


def vectors(model):
    """Of every pair of values, in plain NumPy."""
    tables = [np.asarray(table) for table in model.encoder.tables]
    return np.array([np.concatenate([tables[0][i], tables[1][c]]) for i, c in EVERY])


def test_a_first_frame_is_as_likely_as_by_counting_with_its_conditions_biases(rng):
    model = make_model(rng, (4, 3, 3), "bernoulli", conditions=BIRDS, num_direct_frames=1)
    states = tf.constant(reference.binary_states(4)[:, np.newaxis], tf.float32)
    rbm = model.conditional_rbm
    names = ("W", "bv", "bh", "Wuv", "Wuh")
    W, bv, bh, Wuv, Wuh = (np.asarray(getattr(rbm, name), np.float64) for name in names)
    # The state before a first frame: of the layer, and of the direct frame beside the vector.
    first = np.asarray(model.encoder.encoder.first_state, np.float64)
    e, size = vectors(model), model.encoder.vector_size
    for condition in ((0, 0), (2, 1)):
        u = np.concatenate([e[EVERY.index(condition)], first[:3], first[3 + size :]])
        p = reference.joint(W, bv + u @ Wuv, bh + u @ Wuh).sum(axis=1)
        machine = model(states, condition=tf.constant(condition))
        energies = energy.free_energy(machine, states)[:, 0]
        np.testing.assert_allclose(scipy.special.softmax(-energies), p, rtol=1e-4)


def test_rows_of_different_conditions_sound_as_alone_and_go_on_under_their_own(model, rng):
    sing = singer(model, num_gibbs_steps=3, emission_noise=0.5)
    numbers = rng.permutation(np.repeat(np.arange(len(EVERY)), 3))[:11]
    states = firsts(model, [EVERY[number] for number in numbers])
    seeds, temperature = np.full(11, 7), np.ones(11)
    together, ends, _ = sing(seeds, [8] * 11, temperature, states)
    for rows in ([4], [9, 0, 5]):
        alone = firsts(model, [EVERY[number] for number in numbers[rows]])
        found = sing(seeds[rows], [8] * len(rows), temperature[rows], alone)
        np.testing.assert_array_equal(found[0], together[rows])
        np.testing.assert_array_equal(found[1], ends[rows])
    # Of one seed, so that nothing else tells them apart.
    assert len(np.unique(together, axis=0)) == len(set(numbers.tolist()))
    begun, state, next_frame = sing(seeds, [5] * 11, temperature, states)
    rest, _, _ = sing(seeds, [3] * 11, temperature, state, next_frame)
    np.testing.assert_array_equal(np.concatenate([begun, rest], axis=1), together)
    np.testing.assert_array_equal(ends[:, :4], vectors(model)[numbers])


def test_gain_noise_and_a_latent_variable_see_them_too(rng):
    model = make_model(
        rng, (5, 4, 3), conditions=BIRDS, coupling_gain=True, noise_context=1.0, num_latent=2
    )
    frames = tf.repeat(tf.constant(rng.normal(size=(1, 2, 5)), tf.float32), 2, axis=0)
    rbm = model(frames, condition=tf.constant([[0, 0], [1, 0]]))
    u = model.contexts(frames, condition=tf.constant([[0, 0], [1, 0]]))
    for values in (rbm.gain, rbm.bv, rbm.bh, rbm.units.log_sigma, *model.latent.prior(u)):
        assert (np.abs(values[0] - values[1]) > 1e-6).all()


def test_what_is_not_said_not_known_or_dropped_is_unknown(rng):
    model = make_model(rng, (5, 4, 3), conditions=BIRDS, unknown_share=0.5)
    every = np.array(EVERY * 60)
    unknown = model.first_states(tf.ones([len(every)], tf.bool)).numpy()
    for numbers in ((0, 0), (3, 2), (-1, 9)):
        np.testing.assert_array_equal(firsts(model, [numbers] * len(every)), unknown)
    stream = BatchStream(tf.constant(1), tf.constant(2))
    dropped = model.first_states(tf.ones([len(every)], tf.bool), tf.constant(every), stream).numpy()
    kept = firsts(model, every).numpy()
    for columns in (slice(0, 2), slice(2, 4)):
        is_dropped = (dropped[:, columns] == unknown[:, columns]).all(axis=1)
        is_kept = (dropped[:, columns] == kept[:, columns]).all(axis=1)
        assert (is_dropped | is_kept).all()
        known = ~(kept[:, columns] == unknown[:, columns]).all(axis=1)
        # A share of one half, of so many, within four standard deviations.
        assert abs(is_dropped[known].mean() - 0.5) < 2 / np.sqrt(known.sum())
    # What a part of a batch drops is what the whole does.
    rest = model.first_states(
        tf.ones([len(every) - 7], tf.bool),
        tf.constant(every[7:]),
        stream._replace(first_row=tf.constant(7)),
    )
    np.testing.assert_array_equal(rest, dropped[7:])


def batch(rng, num_rows=6, num_frames=5):
    """Two birds whose frames differ in their means alone."""
    numbers = np.tile([[1, 0], [2, 1]], [num_rows // 2, 1]).astype(np.int32)
    frames = rng.normal(size=(num_rows, num_frames, 4)) + 2.0 * (2 * numbers[:, :1, None] - 3)
    mask = np.ones((num_rows, num_frames), np.float32)
    return frames.astype(np.float32), mask, np.ones(num_rows, bool), numbers


def test_it_learns_whose_frames_are_whose_and_keeps_it_when_it_is_saved(rng, tmp_path):
    model = fresh_model(4, 3, 3, conditions=BIRDS, unknown_share=0.2)
    frames, mask, is_start, numbers = batch(rng)
    model.adapt(frames)
    model.compile(keras.optimizers.Adam(0.05))
    data = tf.data.Dataset.from_tensors((frames, mask, is_start, numbers)).repeat()
    model.fit(data, steps_per_epoch=60, epochs=1, verbose=0, shuffle=False)

    def first_errors(model, numbers):
        told = model.predict_step((frames, mask, is_start, numbers)).numpy()
        return np.abs(told - frames)[:, 0].mean()

    right, wrong = first_errors(model, numbers), first_errors(model, numbers[::-1].copy())
    unknown = first_errors(model, np.zeros_like(numbers))
    assert right < 0.7 * unknown < wrong
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path)
    assert again.conditions == BIRDS
    assert first_errors(again, numbers) == right


def test_a_recording_is_scored_and_read_under_a_condition(model, rng):
    frames, lengths = tf.constant(rng.normal(size=(2, 6, 13)), tf.float32), tf.constant([6, 4])
    condition = tf.constant([1, 1])
    read = scoring.embed(model, frames, lengths, condition)
    np.testing.assert_array_equal(read.state[:4], vectors(model)[EVERY.index((1, 1))])
    nothing = scoring.embed(model, frames[:, :0], tf.constant([0, 0]), condition)
    np.testing.assert_array_equal(nothing.state, firsts(model, [(1, 1)])[0])
    under = [
        scoring.score(model, frames, lengths, num_gibbs_steps=2, condition=given)
        for given in (condition, None, tf.constant([0, 0]))
    ]
    assert abs(under[0].score - under[1].score) > 1e-4
    np.testing.assert_array_equal(under[1].frame_score, under[2].frame_score)


@pytest.mark.parametrize(
    "known, condition, told",
    [
        (None, [[0, 0]], "the model's 0 conditions"),
        (BIRDS, [[0, 0, 0]], "the model's 2 conditions"),
        (BIRDS, [[0.0, 0.0]], "or these and condition int"),
    ],
)
def test_a_batch_of_other_conditions_is_refused_in_a_line(known, condition, told):
    model = fresh_model(4, 3, 3, conditions=known)
    data = np.zeros((1, 2, 4), np.float32), np.ones((1, 2)), np.ones(1, bool), np.array(condition)
    with pytest.raises(ValueError, match=told):
        model.predict_step(data)
