"""A model that is told of labels along time: what a frame's machine knows, that rows do not mix
them up, what is unknown, and what it learns of them.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from random_models import fresh_model, make_model

from neurovocal_tf.conditions import Conditions
from neurovocal_tf.labels import CUE_SIZE, Labels
from neurovocal_tf.model.tiling import Layout
from neurovocal_tf.rbm.noise import BatchStream

SYLLABLES = Labels.of("abc")
BIRDS = Conditions.of({"individual": ["a", "b"]})
NUM_FRAMES = 7


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(5)
    return make_model(rng, (13, 9, 7), num_direct_frames=2, conditions=BIRDS, labels=SYLLABLES)


def random_cues(rng, num_rows, num_frames=NUM_FRAMES + 1):
    numbers = rng.integers(0, 5, (num_rows, num_frames, 2))
    places = rng.integers(0, 9, (num_rows, num_frames, 2))
    return np.concatenate([numbers, places], axis=2).astype(np.int32)


def singer(model):
    """`generate` of whole rows as one graph: (frames, state, next frame), as arrays."""
    run = tf.function(
        lambda *rows: model.generate(
            rows[0],
            rows[1],
            tf.ones(tf.shape(rows[0])),
            *rows[2:4],
            cues=rows[4],
            num_gibbs_steps=3,
            emission_noise=0.5,
            guidance=1.5,
        ),
        autograph=False,
        input_signature=[
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, model.encoder.state_size], tf.float32),
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None, None, CUE_SIZE], tf.int32),
        ],
    )

    def sing(seeds, num_frames, cues, state=None, first_frame=None):
        if state is None:
            state = model.first_states(tf.ones([len(seeds)], tf.bool), tf.constant([1]))
        if first_frame is None:
            first_frame = np.zeros(len(seeds), np.int64)
        found = run(np.int64(seeds), np.int32(num_frames), state, first_frame, cues)
        return [x.numpy() for x in found]

    return sing


def test_rows_of_different_texts_sound_as_alone_and_go_on_in_pieces(model, rng):
    sing = singer(model)
    cues = random_cues(rng, 11)
    seeds, lengths = np.full(11, 7), [NUM_FRAMES] * 11
    together, ends, _ = sing(seeds, lengths, cues)
    for rows in ([4], [9, 0, 5]):
        found = sing(seeds[rows], [NUM_FRAMES] * len(rows), cues[rows])
        np.testing.assert_array_equal(found[0], together[rows])
        np.testing.assert_array_equal(found[1], ends[rows])
    # Of one seed, so that nothing else tells them apart.
    assert len(np.unique(together, axis=0)) == 11
    begun, state, next_frame = sing(seeds, [4] * 11, cues[:, :5])
    rest, _, _ = sing(seeds, [NUM_FRAMES - 4] * 11, cues[:, 4:], state, next_frame)
    np.testing.assert_array_equal(np.concatenate([begun, rest], axis=1), together)
    # Nothing is known of frames beyond the cues.
    nothing = np.zeros_like(cues)
    few = sing(seeds, lengths, nothing[:, :2])
    np.testing.assert_array_equal(few[0], sing(seeds, lengths, nothing)[0])


@pytest.mark.parametrize("layout", [Layout.ROWS, Layout.LANES])
def test_guidance_moves_a_frames_biases_by_what_they_owe_to_what_is_told(layout, rng):
    model = make_model(rng, (5, 4, 3), num_direct_frames=1, conditions=BIRDS, labels=SYLLABLES)
    rbm, outer = model.conditional_rbm, model.encoder
    # Without couplings what is sung without noise is the visible bias.
    rbm.W.assign(tf.zeros_like(rbm.W))
    cues, condition = random_cues(rng, 3), np.array([[1], [2], [0]])
    cues[2] = 0

    def sung(guidance):
        return model.generate(
            tf.constant([1, 2, 3], tf.int64),
            tf.fill([3], NUM_FRAMES),
            tf.ones([3]),
            condition=tf.constant(condition),
            cues=tf.constant(cues),
            layout=layout,
            num_gibbs_steps=1,
            guidance=guidance,
        )[0]

    frames = sung(2.5)
    u = model.contexts(frames, condition=tf.constant(condition), cues=tf.constant(cues[:, :-1]))
    tables = [np.asarray(table)[0] for table in (*outer.tables, *outer.encoder.tables)]
    unknown = np.concatenate([*tables, np.zeros(outer.num_told - sum(map(len, tables)))])
    Wuv = np.asarray(rbm.Wuv, np.float64)
    biases = np.asarray(rbm.bv) + u @ Wuv
    biases += 1.5 * (u.numpy()[..., : outer.num_told] - unknown) @ Wuv[: outer.num_told]
    # Sums of some dozens of products of order 1.
    np.testing.assert_allclose(model.standardisation(frames), biases, rtol=1e-4, atol=1e-4)
    # The last row is told nothing.
    np.testing.assert_array_equal(frames[2], sung(1.0)[2])
    assert np.abs(frames - sung(1.0))[:2].max() > 0.1


def test_a_frames_machine_knows_its_own_cue_and_none_that_is_later(model, rng):
    frames = tf.constant(rng.normal(size=(1, NUM_FRAMES, 13)), tf.float32)
    cues = random_cues(rng, 1, NUM_FRAMES)
    machine = model(frames, cues=tf.constant(cues))
    for t in (0, 3):
        changed = cues.copy()
        changed[:, t, 0] = (changed[:, t, 0] + 1) % 5
        other = model(frames, cues=tf.constant(changed))
        differs = (np.abs(machine.bv - other.bv) > 0).any(axis=(0, 2))
        np.testing.assert_array_equal(differs[: t + 1], np.arange(t + 1) == t)


def test_padding_anywhere_in_a_row_takes_its_cues_along(model, rng):
    frames = rng.normal(size=(1, NUM_FRAMES, 13)).astype(np.float32)
    cues = random_cues(rng, 1, NUM_FRAMES)
    mask = np.array([[1, 0, 1, 1, 0, 0, 1]], np.float32)
    found = model(frames, mask=tf.constant(mask), cues=tf.constant(cues))
    kept = mask[0] > 0
    bare = model(frames[:, kept], cues=tf.constant(cues[:, kept]))
    np.testing.assert_allclose(found.bv.numpy()[:, kept], bare.bv, rtol=1e-5, atol=1e-6)
    condition = np.ones((1, 1), np.int32)
    data = frames, mask, np.ones(1, bool), condition
    predicted = [model.predict_step((*data, told)).numpy() for told in (cues, 0 * cues)]
    assert np.abs(predicted[0] - predicted[1]).max() > 1e-3
    model.compile()
    assert np.isfinite(model.test_step((*data, cues))["one_step_error"])


def test_a_share_of_rows_learns_as_if_nothing_were_known(rng):
    model = make_model(rng, (5, 4, 3), labels=SYLLABLES, unknown_share=0.5)
    cues = tf.constant(random_cues(rng, 400, 1) + [1, 0, 0, 1], tf.int32)[:, 0]
    first = model.first_states(tf.ones([400], tf.bool))
    stream = BatchStream(tf.constant(1), tf.constant(2))
    found = model.encoder.told(first, cues, stream).numpy()
    is_unknown = (found == first.numpy()).all(axis=1)
    is_told = (found == model.encoder.told(first, cues).numpy()).all(axis=1)
    assert (is_unknown ^ is_told).all()
    # A share of one half, of so many, within four standard deviations.
    assert abs(is_unknown.mean() - 0.5) < 2 / np.sqrt(400)
    rest = stream._replace(first_row=tf.constant(7))
    np.testing.assert_array_equal(model.encoder.told(first[7:], cues[7:], rest), found[7:])


def test_it_learns_what_its_labels_are_and_keeps_it_when_it_is_saved(rng, tmp_path):
    model = fresh_model(4, 3, 3, labels=SYLLABLES, unknown_share=0.2)
    numbers = rng.integers(2, 5, (16, 5))
    cues = np.zeros((16, 5, CUE_SIZE), np.int32)
    cues[..., 0], cues[..., 3] = numbers, 1
    frames = (rng.normal(size=(16, 5, 4)) + 3.0 * (numbers[..., None] - 3)).astype(np.float32)
    batch = frames, np.ones((16, 5), np.float32), np.ones(16, bool), np.zeros((16, 0), np.int32)
    model.adapt(frames)
    model.compile(keras.optimizers.Adam(0.05))
    data = tf.data.Dataset.from_tensors((*batch, cues)).repeat()
    model.fit(data, steps_per_epoch=60, epochs=1, verbose=0, shuffle=False)

    def error(model, cues):
        return np.abs(model.predict_step((*batch, cues)).numpy() - frames).mean()

    right, wrong, unknown = (error(model, told) for told in (cues, cues[::-1].copy(), 0 * cues))
    assert right < 0.7 * unknown < wrong
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path)
    assert again.labels == SYLLABLES
    assert error(again, cues) == right


@pytest.mark.parametrize(
    "known, shape, told",
    [
        (None, (1, 2, CUE_SIZE), "of a model that knows of labels"),
        (SYLLABLES, (1, 2, 3), f"cues of {CUE_SIZE} numbers"),
    ],
)
def test_a_batch_of_other_cues_is_refused_in_a_line(known, shape, told):
    model = fresh_model(4, 3, 3, labels=known)
    frames, mask = np.zeros((1, 2, 4), np.float32), np.ones((1, 2))
    with pytest.raises(ValueError, match=told):
        model.predict_step((frames, mask, np.ones(1, bool), None, np.zeros(shape, np.int32)))
