"""The counter-based noise against Python integers, and its statistics.

The numbers are functions of their keys, so a statistical test gives the same answer on every run: a
bound of four standard errors (p near 1e-4) is passed or failed for good.
"""

import numpy as np
import pytest
import reference
import scipy.stats
import tensorflow as tf

from neurovocal_tf.rbm import noise

# One polar pair: a logarithm, a square root and a cosine, each right to a few units of the last
# place of a number up to 5.8.
LAST_PLACES = dict(rtol=0, atol=5e-6)
# Written down: a change of the hashes would change the songs of every model there is.
LOWBIAS32_OF_0_1_MAX = [0, 0x688990C0, 1734902346]
PCG4D_OF_0_1_2_3 = [933639991, 2252496459, 1324331964, 1990701187]


def row_stream(seeds, frames):
    return noise.RowStream(tf.constant(seeds, tf.int64), tf.constant(frames, tf.int64))


def batch_stream(seed=0, step=0):
    return noise.BatchStream(tf.constant(seed), tf.constant(step))


def row_words(seed, frame, purpose, index, unit):
    """A row's key hashed, by the table of keys in `noise`."""
    low, high = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    key = (
        reference.lowbias32(low),
        reference.lowbias32(high),
        frame & 0xFFFFFFFF,
        ((index // 4 * 8 + purpose) << 16) + unit,
    )
    return reference.pcg4d(*key)


def row_uniforms(words):
    """A row's words as uniforms, each operation rounded to float32."""
    return np.float32(words) * np.float32(2.0**-32 - 2.0**-56)


def batch_word(seed, step, purpose, index, position):
    """A batch's key hashed, by the table of keys in `noise`."""
    key = reference.lowbias32((seed + 0x9E3779B9) & 0xFFFFFFFF)
    key = reference.lowbias32(key ^ step)
    key = reference.lowbias32(key ^ (index * 8 + purpose))
    return reference.lowbias32(position ^ key)


def test_lowbias32_equals_the_reference_and_its_golden_values(rng):
    x = rng.integers(0, 2**32, 200, dtype=np.uint32)
    np.testing.assert_array_equal(
        noise.lowbias32(tf.constant(x)), [reference.lowbias32(int(i)) for i in x]
    )
    np.testing.assert_array_equal(
        noise.lowbias32(tf.constant([0, 1, 2**32 - 1], tf.uint32)), LOWBIAS32_OF_0_1_MAX
    )


def test_pcg4d_equals_the_reference_and_its_golden_values(rng):
    words = rng.integers(0, 2**32, (4, 200), dtype=np.uint32)
    expected = np.array([reference.pcg4d(*(int(i) for i in column)) for column in words.T]).T
    np.testing.assert_array_equal(noise.pcg4d(*tf.unstack(tf.constant(words))), expected)
    np.testing.assert_array_equal(
        [w.numpy() for w in noise.pcg4d(*tf.unstack(tf.constant([0, 1, 2, 3], tf.uint32)))],
        PCG4D_OF_0_1_2_3,
    )


def test_a_rows_numbers_follow_the_table_of_keys():
    seeds, frames, units = [0, 7, -3, 2**40 + 5], [0, 9, 2**31 + 1, 123_456], 6
    stream = row_stream(seeds, frames)
    for step in (4, 5, 6, 7, 8):
        words = [
            [row_words(s, f, noise.VISIBLE, step, unit) for unit in range(units)]
            for s, f in zip(seeds, frames)
        ]
        uniforms = row_uniforms(np.array(words))
        np.testing.assert_array_equal(
            stream.uniforms(noise.VISIBLE, step, (4, units)), uniforms[:, :, step % 4]
        )
        radius, turn = np.moveaxis(
            uniforms.astype(np.float64)[:, :, :2]
            if step % 4 < 2
            else uniforms.astype(np.float64)[:, :, 2:],
            2,
            0,
        )
        normals = np.sqrt(-2 * np.log(radius + 2.0**-24)) * (np.sin if step % 2 else np.cos)(
            2 * np.pi * turn
        )
        np.testing.assert_allclose(
            stream.normals(noise.VISIBLE, step, (4, units)), normals, **LAST_PLACES
        )


def test_the_largest_word_is_below_one():
    assert noise._rounded_share(tf.constant([2**32 - 1], tf.uint32)).numpy()[0] == np.float32(
        1 - 2.0**-24
    )


def test_a_batchs_numbers_follow_the_table_of_keys():
    words = np.array([batch_word(11, 3, noise.HIDDEN, 4, position) for position in range(30)])
    uniforms = (words >> 8) * 2.0**-24
    np.testing.assert_array_equal(
        batch_stream(11, 3).uniforms(noise.HIDDEN, 4, (2, 3, 5)).numpy().ravel(), uniforms
    )
    # Of each row the first half of the words makes radii, the second angles;
    # each pair a cosine and a sine.
    rows = np.array(
        [batch_word(11, 3, noise.HIDDEN, 4, position) for position in range(32)]
    ).reshape(2, 16)
    uniforms = (rows >> 8) * 2.0**-24
    radius, angle = np.sqrt(-2 * np.log(uniforms[:, :8] + 2.0**-24)), 2 * np.pi * uniforms[:, 8:]
    normals = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    np.testing.assert_allclose(
        batch_stream(11, 3).normals(noise.HIDDEN, 4, (2, 3, 5)).numpy().reshape(2, 15),
        normals[:, :15],
        **LAST_PLACES,
    )
    np.testing.assert_allclose(
        batch_stream(11, 3).normals(noise.HIDDEN, 4, (2, 16)), normals, **LAST_PLACES
    )


def test_a_part_of_a_batch_draws_what_the_whole_draws():
    part = noise.BatchStream(tf.constant(11), tf.constant(3), first_row=tf.constant(2))
    for method in ("uniforms", "normals"):
        whole = getattr(batch_stream(11, 3), method)(noise.VISIBLE, 4, (5, 3, 7)).numpy()
        np.testing.assert_allclose(
            getattr(part, method)(noise.VISIBLE, 4, (2, 3, 7)), whole[2:4], rtol=0, atol=1e-6
        )


def many_uniforms(kind):
    if kind == "batch":
        return batch_stream().uniforms(noise.HIDDEN, 0, (100_000,)).numpy()
    return row_stream(range(400), [0] * 400).uniforms(noise.HIDDEN, 0, (400, 250)).numpy().ravel()


def many_normals(kind):
    if kind == "batch":
        return batch_stream().normals(noise.VISIBLE, 0, (100_001,)).numpy()
    return row_stream(range(400), [0] * 400).normals(noise.VISIBLE, 0, (400, 250)).numpy().ravel()


BOTH_STREAMS = pytest.mark.parametrize("kind", ["row", "batch"])


@BOTH_STREAMS
def test_uniforms_are_uniform_and_below_one(kind):
    uniforms = many_uniforms(kind)
    assert uniforms.min() >= 0.0 and uniforms.max() < 1.0
    assert scipy.stats.kstest(uniforms, "uniform").pvalue > 1e-3
    counts = np.bincount((uniforms * 256).astype(int), minlength=256)
    assert 1e-3 < scipy.stats.chisquare(counts).pvalue < 1 - 1e-3
    # The low bits decide as the high ones do.
    low_bits = np.bincount((uniforms * 2**24).astype(int) % 64, minlength=64)
    assert 1e-3 < scipy.stats.chisquare(low_bits).pvalue < 1 - 1e-3


@BOTH_STREAMS
def test_normals_are_normal(kind):
    normals = many_normals(kind)
    assert np.isfinite(normals).all()
    assert scipy.stats.kstest(normals, "norm").pvalue > 1e-3
    # Standard errors of the mean, variance and kurtosis of n normals:
    # 1, sqrt 2 and sqrt 24 over sqrt n.
    root = np.sqrt(normals.size)
    assert abs(normals.mean()) < 4 / root
    assert abs(normals.var() - 1) < 4 * np.sqrt(2) / root
    assert abs(scipy.stats.kurtosis(normals)) < 4 * np.sqrt(24) / root


def test_the_cosine_of_a_turn_equals_numpys():
    turns = np.concatenate([np.linspace(0.0, 1.0, 10_001), [0.25, 0.5, 0.75, 1 - 2.0**-24]]).astype(
        np.float32
    )
    # A polynomial of seven float32 terms up to 5 in size, and what is left out, 6e-9.
    np.testing.assert_allclose(
        noise._cosine_of_turn(tf.constant(turns)),
        np.cos(2 * np.pi * turns.astype(np.float64)),
        rtol=0,
        atol=5e-7,
    )


def test_a_uniform_of_zero_gives_a_finite_normal():
    np.testing.assert_allclose(
        noise._radius(tf.constant([0.0])), [np.sqrt(-2 * np.log(2.0**-24))], rtol=1e-6
    )


def neighbours_of_rows(draw):
    """Pairs of arrays whose keys differ by one in one part."""
    seeds, frames = np.arange(300), np.full(300, 40)
    base = draw(row_stream(seeds, frames), noise.HIDDEN, 3)
    yield "seed", base, draw(row_stream(seeds + 1, frames), noise.HIDDEN, 3)
    yield "seed's upper word", base, draw(row_stream(seeds + 2**32, frames), noise.HIDDEN, 3)
    yield "negative seed", base, draw(row_stream(-seeds - 1, frames), noise.HIDDEN, 3)
    yield "frame", base, draw(row_stream(seeds, frames + 1), noise.HIDDEN, 3)
    yield "Gibbs step", base, draw(row_stream(seeds, frames), noise.HIDDEN, 4)
    yield (
        "Gibbs step of one hash",
        draw(row_stream(seeds, frames), noise.HIDDEN, 0),
        draw(row_stream(seeds, frames), noise.HIDDEN, 1),
    )
    yield "purpose", base, draw(row_stream(seeds, frames), noise.VISIBLE, 3)
    yield "unit", base[:, :-1], base[:, 1:]
    yield "row", base[:-1], base[1:]


def neighbours_of_batches(draw):
    base = draw(batch_stream(5, 7), noise.HIDDEN, 3)
    yield "seed", base, draw(batch_stream(6, 7), noise.HIDDEN, 3)
    yield "step", base, draw(batch_stream(5, 8), noise.HIDDEN, 3)
    yield "Gibbs step", base, draw(batch_stream(5, 7), noise.HIDDEN, 4)
    yield "purpose", base, draw(batch_stream(5, 7), noise.VISIBLE, 3)
    yield "unit", base[:, :-1], base[:, 1:]
    yield "row", base[:-1], base[1:]


@pytest.mark.parametrize("neighbours", [neighbours_of_rows, neighbours_of_batches])
@pytest.mark.parametrize("method", ["uniforms", "normals"])
def test_numbers_of_neighbouring_keys_are_uncorrelated(neighbours, method):
    for name, a, b in neighbours(
        lambda stream, *key: getattr(stream, method)(*key, (300, 200)).numpy()
    ):
        assert not np.array_equal(a, b), name
        correlation = np.corrcoef(a.ravel(), b.ravel())[0, 1]
        assert abs(correlation) < 4 / np.sqrt(a.size), name


def test_a_rows_number_depends_on_nothing_but_its_row_and_its_unit():
    seeds, frames = np.array([5, 9, 9, -1]), np.array([0, 3, 4, 3])
    together = row_stream(seeds, frames)
    for method in ("uniforms", "normals"):
        rows = getattr(together, method)(noise.HIDDEN, 2, (4, 10)).numpy()
        for i in range(4):
            alone = getattr(row_stream(seeds[i : i + 1], frames[i : i + 1]), method)(
                noise.HIDDEN, 2, (1, 8)
            ).numpy()
            # Integers decide a uniform; a normal's logarithm and cosine may move in the last
            # place with the shape.
            np.testing.assert_allclose(
                rows[i, :8],
                alone[0],
                **(dict(rtol=0, atol=0) if method == "uniforms" else LAST_PLACES),
            )


def test_both_layouts_of_a_batch_draw_the_same_numbers():
    rows, lanes = (row_stream([5, -9, 2**40], [0, 3, 9])._replace(axis=axis) for axis in (-1, 0))
    for visible_noise in ("uniforms", "normals"):
        ahead = (
            noise.draw_ahead(rows, 6, (3, 7), (3, 5), visible_noise),
            noise.draw_ahead(lanes, 6, (7, 3), (5, 3), visible_noise),
        )
        for step in range(6):
            hidden = [stream.uniforms(noise.HIDDEN, step, None).numpy() for stream in ahead]
            np.testing.assert_array_equal(hidden[1], hidden[0].T)
            visible = [
                getattr(stream, visible_noise)(noise.VISIBLE, step, None).numpy()
                for stream in ahead
            ]
            np.testing.assert_allclose(visible[1], visible[0].T, **LAST_PLACES)
        np.testing.assert_array_equal(
            lanes.uniforms(noise.HIDDEN, 5, (7, 3)),
            rows.uniforms(noise.HIDDEN, 5, (3, 7)).numpy().T,
        )


def test_a_chains_noise_drawn_ahead_is_that_of_its_steps():
    stream, shapes = row_stream([5, -9], [0, 3]), ((2, 7), (2, 5))
    ahead = noise.draw_ahead(stream, 6, *shapes, "normals")
    for step in range(6):
        np.testing.assert_array_equal(
            ahead.uniforms(noise.HIDDEN, step, (2, 7)), stream.uniforms(noise.HIDDEN, step, (2, 7))
        )
        np.testing.assert_allclose(
            ahead.normals(noise.VISIBLE, step, (2, 5)),
            stream.normals(noise.VISIBLE, step, (2, 5)),
            **LAST_PLACES,
        )


def test_of_a_chains_noise_no_other_kind_is_given_than_was_asked_for():
    ahead = {
        kind: noise.draw_ahead(row_stream([5, -9], [0, 3]), 2, (2, 7), (2, 5), kind)
        for kind in ("uniforms", "normals", None)
    }
    not_drawn = [
        (None, "uniforms", noise.VISIBLE),
        ("normals", "uniforms", noise.VISIBLE),
        ("normals", "normals", noise.HIDDEN),
    ]
    for kind, method, purpose in [*not_drawn, ("uniforms", "normals", noise.VISIBLE)]:
        with pytest.raises(KeyError):
            getattr(ahead[kind], method)(purpose, 0, None)


@BOTH_STREAMS
def test_compiled_and_uncompiled_graphs_draw_the_same_numbers(kind):
    def draw(seed, step, index):
        if kind == "batch":
            stream = noise.BatchStream(seed, step)
        else:
            stream = noise.RowStream(
                tf.cast(seed, tf.int64) * tf.constant([1, -(2**40)], tf.int64),
                tf.fill([2], tf.cast(step, tf.int64)),
            )
        return stream.uniforms(noise.HIDDEN, index, (2, 500)), stream.normals(
            noise.VISIBLE, index, (2, 500)
        )

    key = tf.constant(3), tf.constant(70_000), tf.constant(12)
    uniforms, normals = draw(*key)
    for jit_compile in (False, True):
        compiled_uniforms, compiled_normals = tf.function(draw, jit_compile=jit_compile)(*key)
        np.testing.assert_array_equal(compiled_uniforms, uniforms)
        np.testing.assert_allclose(compiled_normals, normals, **LAST_PLACES)


def test_more_units_than_the_key_has_room_for_are_refused():
    with pytest.raises(ValueError, match="`shape` must have at most 65536 units. Received"):
        row_stream([1], [0]).uniforms(noise.HIDDEN, 0, (1, 2**16 + 1))
