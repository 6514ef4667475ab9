"""A song's bits do not depend on its place among others: by the layout of a tile, by a check of it,
and by a way out where it fails.

Sizes are odd on purpose: multiples of a vector register's width hide a row whose bits
depend on its place.
"""

import logging
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from instruction_sets import Setting, run_tests
from random_models import make_model, singer
from tensorflow.core.protobuf import saved_model_pb2

from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.model.tiling import (
    TILE_ROWS,
    Layout,
    MachineLayout,
    all_places_alike,
    choose_layout,
    tiled,
    untiled,
)
from neurovocal_tf.rbm.products import affine, linear
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.server.loaded_version import LoadedVersion
from neurovocal_tf.server.metrics import Metrics
from neurovocal_tf.server.versions import Versions
from neurovocal_tf.serving import export
from neurovocal_tf.serving.endpoints import Endpoints

EVERY_LAYOUT = pytest.mark.parametrize("layout", list(Layout))
NUM_SHAPES = 24


# --- tiles


@EVERY_LAYOUT
@given(num_rows=st.integers(0, 40))
@settings(max_examples=15, deadline=None)
def test_rows_come_out_of_their_tiles_as_they_went_in(layout, num_rows):
    rows = tf.reshape(tf.range(num_rows * 3, dtype=tf.float32), [num_rows, 3])
    for given_as in (layout, tf.constant(int(layout))):
        tiles = tiled(rows, given_as)
        rows_a_tile = 1 if layout == Layout.ALONE else TILE_ROWS
        assert tiles.shape == (max(-(-num_rows // rows_a_tile), 1), TILE_ROWS, 3)
        np.testing.assert_array_equal(untiled(tiles, given_as, num_rows), rows)


def test_a_row_alone_is_always_in_the_first_place():
    tiles = tiled(tf.constant([5, 6, 7]), Layout.ALONE)
    np.testing.assert_array_equal(tiles[:, 0], [5, 6, 7])


# --- products


@pytest.mark.parametrize("transposed", [False, True])
def test_both_layouts_are_the_product_of_two_matrices(transposed, rng):
    x, weights, bias = (
        rng.normal(size=size).astype(np.float32) for size in ((8, 61), (61, 90), (90,))
    )
    rows, lanes, given_weights = (
        tf.constant(a) for a in (x, x.T, weights.T if transposed else weights)
    )
    expected = x.astype(np.float64) @ weights
    # An upper bound of the rounding of a sum of 61 products.
    tolerance = 61 * np.finfo(np.float32).eps * (np.abs(x) @ np.abs(weights)).max()
    np.testing.assert_allclose(
        linear(rows, given_weights, transposed), expected, rtol=0, atol=tolerance
    )
    np.testing.assert_allclose(
        tf.transpose(linear(lanes, given_weights, transposed, axis=0)),
        expected,
        rtol=0,
        atol=tolerance,
    )
    if not transposed:
        np.testing.assert_allclose(
            tf.transpose(affine(lanes, given_weights, bias, axis=0)),
            expected + bias,
            rtol=0,
            atol=2 * tolerance,
        )


def test_a_product_along_the_lanes_is_the_same_bit_for_bit_in_every_place_of_every_tile(rng):
    product = tf.function(lambda x, weights: linear(x, weights, axis=0), reduce_retracing=True)
    for _ in range(NUM_SHAPES):
        num_inputs, num_outputs = rng.integers(1, 700, 2)
        weights = rng.normal(size=(num_inputs, num_outputs)).astype(np.float32)
        x = rng.normal(size=(num_inputs, TILE_ROWS)).astype(np.float32)
        expected = product(x, weights).numpy()
        for shift in range(1, TILE_ROWS):
            rolled = product(np.roll(x, shift, axis=1), weights).numpy()
            np.testing.assert_array_equal(
                np.roll(rolled, -shift, axis=1),
                expected,
                err_msg=f"{num_inputs} x {num_outputs}, {shift}",
            )
        # The other rows of its tile cannot matter either.
        for place in range(TILE_ROWS):
            among_others = rng.normal(size=x.shape).astype(np.float32)
            among_others[:, place] = x[:, 0]
            np.testing.assert_array_equal(product(among_others, weights)[:, place], expected[:, 0])


# --- the check, and what follows from it


def flawed_matmul(*flawed_axes):
    """`tf.matmul`, but that the last row along an axis of eight rows gets another last bit: as
    kernels do that take rows in groups.
    """
    matmul = tf.matmul

    def flawed(*arguments, **options):
        product = matmul(*arguments, **options)
        for axis in flawed_axes:
            if product.shape.rank == 2 and product.shape[axis] == TILE_ROWS:
                factor = np.ones(TILE_ROWS, np.float32)
                factor[-1] += np.finfo(np.float32).eps
                product *= factor if axis == 1 else factor[:, np.newaxis]
        return product

    return flawed


@pytest.fixture
def model(rng):
    return make_model(
        rng, (33, 21, 13, 2), num_direct_frames=1, coupling_gain=True, noise_context=0.5
    )


@pytest.mark.parametrize("flawed_axes, expected", [((0,), Layout.LANES), ((0, 1), Layout.ALONE)])
def test_the_fastest_layout_is_taken_whose_places_are_alike(
    flawed_axes, expected, model, monkeypatch
):
    assert all_places_alike(model.encoder, model.conditional_rbm, axis=0)
    assert choose_layout(model.encoder, model.conditional_rbm) in (Layout.ROWS, Layout.LANES)
    monkeypatch.setattr(tf, "matmul", flawed_matmul(*flawed_axes))
    assert choose_layout(model.encoder, model.conditional_rbm) == expected
    assert MachineLayout(model).found == expected


@pytest.mark.parametrize(
    "where", ["W", "Wuv", "Wuh", "Wug", "Wus", "kernel_0", "recurrent_kernel_1"]
)
def test_a_flaw_in_any_one_product_is_found(where, model, monkeypatch):
    """Also in those that are only read as samples."""
    matmul, flawed = tf.matmul, flawed_matmul(0, 1)
    of_interest = next(weight for weight in model.trainable_variables if weight.name == where)
    # A recurrent kernel is multiplied in two parts.
    sizes = {int(np.prod(of_interest.shape)), 2 * 13 * 13}

    def flawed_there(a, b, **options):
        is_there = (
            any(int(np.prod(x.shape)) in sizes for x in (a, b))
            if where.startswith("recurrent")
            else any(
                x.shape == of_interest.shape and np.array_equal(x, of_interest) for x in (a, b)
            )
        )
        return (flawed if is_there else matmul)(a, b, **options)

    # Eagerly: a graph's tensors have no numbers to compare.
    with monkeypatch.context() as patch:
        patch.setattr(
            tf, "map_fn", lambda function, rows, **_: tf.stack([function(row) for row in rows])
        )
        patch.setattr(tf, "matmul", flawed_there)
        assert not all_places_alike(model.encoder, model.conditional_rbm, axis=0)


@pytest.mark.parametrize("flawed_axes", [(0,), (0, 1)])
def test_songs_are_exact_where_the_kernels_are_not(flawed_axes, model, rng, monkeypatch):
    monkeypatch.setattr(tf, "matmul", flawed_matmul(*flawed_axes))
    sing = singer(model, num_gibbs_steps=4, emission_noise=0.5)
    seeds, temperature = rng.integers(0, 2**40, 19), rng.uniform(0.5, 2.0, 19)
    together, states, _ = sing(seeds, [6] * 19, temperature)
    for i in (0, 6, 7, 8, 15, 18):
        frames, state, _ = sing(seeds[i : i + 1], [6], temperature[i : i + 1])
        np.testing.assert_array_equal(frames[0], together[i])
        np.testing.assert_array_equal(state[0], states[i])


def test_a_song_alone_is_the_song_along_the_lanes(model):
    song = tf.constant([3, 4, 5], tf.int64), tf.constant([5, 5, 2]), tf.constant([1.0, 0.7, 1.4])

    def sing(layout):
        run = tf.function(
            lambda: model.generate(*song, num_gibbs_steps=3, emission_noise=0.5, layout=layout),
            autograph=False,
        )
        return [x.numpy() for x in run()]

    for alone, lanes in zip(sing(Layout.ALONE), sing(Layout.LANES), strict=True):
        np.testing.assert_array_equal(alone, lanes)
    # The products' last bits differ between the layouts,
    # and no sample flips on them in so short a song.
    for rows, lanes in zip(sing(Layout.ROWS), sing(Layout.LANES), strict=True):
        np.testing.assert_allclose(rows, lanes, rtol=1e-4, atol=1e-4)


def test_a_machine_that_sings_songs_alone_is_told(model, monkeypatch, caplog):
    with caplog.at_level(logging.WARNING):
        MachineLayout(model).read()
    assert not caplog.records
    monkeypatch.setattr(tf, "matmul", flawed_matmul(0, 1))
    with caplog.at_level(logging.WARNING):
        MachineLayout(model).read()
    assert "ALONE, one song a tile" in caplog.text


# --- exports


def request(num_rows):
    return {
        "seed": np.arange(num_rows),
        "num_frames": np.full(num_rows, 9, np.int32),
        "temperature": np.linspace(0.7, 1.3, num_rows).astype(np.float32),
    }


def exported(trained_run, folder):
    """A version that has `generate` alone: to trace the other endpoints takes most of an export's
    time, and they sing as it does.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Endpoints, "signatures", property(lambda self: {"generate": self.generate}))
        return export.export_saved_model(load_trained(trained_run), folder, 40)


@pytest.fixture(scope="module")
def songs_version(trained_run, tmp_path_factory):
    """Folder of an export's version; tests only read it."""
    return pathlib.Path(exported(trained_run, tmp_path_factory.mktemp("models") / "bird"))


def test_an_export_tells_how_the_machine_sings_and_so_does_its_server(songs_version):
    versions = Versions(songs_version.parent)
    versions.refresh()
    try:
        (layout,) = {*versions.layouts.values()}
        assert layout in (Layout.ROWS, Layout.LANES)
        with versions.lease("bird") as (version, loaded):
            assert loaded.predict("generate", request(3))["layout"].tolist() == [layout] * 3
            assert loaded.layout_description == Layout(layout).description
        line = f':neurovocal:song_layout{{model_name="bird",version="{version}"}} {layout}'
        assert line in Metrics("bird").page(versions.layouts).splitlines()
    finally:
        versions.close()


def test_an_export_with_flawed_kernels_sings_songs_alone_and_says_so(
    trained_run, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(tf, "matmul", flawed_matmul(0, 1))
    exported(trained_run, tmp_path)
    monkeypatch.undo()
    versions = Versions(tmp_path, num_batch_threads=0)
    try:
        with caplog.at_level(logging.INFO):
            versions.refresh()
        with versions.lease("bird") as (_, loaded):
            together = loaded.predict("generate", request(9))
            assert together["layout"].tolist() == [Layout.ALONE] * 9
            for i in (0, 7, 8):
                alone = loaded.predict(
                    "generate", {name: column[i : i + 1] for name, column in request(9).items()}
                )
                np.testing.assert_array_equal(alone["spectrogram"][0], together["spectrogram"][i])
    finally:
        versions.close()
    assert f"songs in layout 2, {Layout.ALONE.description}" in caplog.text


def test_a_runtime_that_leaves_out_the_initialisers_sings_songs_alone(songs_version, tmp_path):
    version = shutil.copytree(songs_version, tmp_path / "1")
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    del saved.meta_graphs[0].signature_def["__saved_model_init_op"]
    os.chmod(version / "saved_model.pb", 0o644)
    (version / "saved_model.pb").write_bytes(saved.SerializeToString())
    loaded = LoadedVersion(version, num_batch_threads=0)
    try:
        assert loaded.predict("generate", request(2))["layout"].tolist() == [Layout.ALONE] * 2
    finally:
        loaded.close()


def test_two_models_have_a_layout_each(trained_run, rng, monkeypatch):
    sound, flawed = (Singer(load_trained(trained_run), max_frames=3) for _ in range(2))
    assert sound.layout.found != Layout.ALONE
    monkeypatch.setattr(tf, "matmul", flawed_matmul(0, 1))
    assert flawed.layout.found == Layout.ALONE and sound.layout.found != Layout.ALONE


# --- other processors


def test_bits_hold_with_the_kernels_of_a_lesser_processor(repository):
    """With AVX2, rows one after another give other bits in the last two of eight places. Two kinds
    of models have all products between them; what the others, and an export, answer under them
    tells tests/campaigns/instruction_sets.py.
    """
    product, song = (
        "test_tiling.py::test_a_product_along_the_lanes_is_the_same_bit_for_bit_in_every_place_of_"
        "every_tile",
        "test_singing.py::test_a_song_is_the_same_bit_for_bit_whatever_is_sung_beside_it",
    )
    tests = product, f"{song}[float32-gaussian-0.7]", f"{song}[float32-bernoulli-1.0]"
    selected = [f"tests/model/{test}" for test in tests]
    outcome = run_tests(repository, Setting("AVX2", num_threads=0), selected)
    assert outcome.passed, outcome.output
