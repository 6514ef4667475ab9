"""Clusters of points whose groups are known, and what new points are by them."""

import numpy as np
import pytest

from neurovocal_tf.discovery import call_types, clustering, fitted_file, stability
from neurovocal_tf.discovery.features import PRESETS, as_points


@pytest.fixture
def groups(rng):
    """Calls [S, D] of three kinds, and which each is of."""
    kinds = np.repeat([0, 1, 2], [160, 100, 60])
    centres = 8 * np.eye(40)[:3]
    return (centres[kinds] + rng.normal(size=(len(kinds), 40))).astype(np.float32), kinds


def test_groups_are_found_the_largest_first(groups):
    calls, kinds = groups
    types = call_types.fit(calls)
    assert types.names == ("A", "B", "C")
    assert np.mean(types.types == kinds) > 0.99


def test_one_cloud_is_one_type(rng):
    assert call_types.fit(rng.normal(size=(400, 20)).astype(np.float32)).names == ("A",)


def test_a_valley_is_none_within_a_group_and_empty_between_two(rng):
    one, other = rng.normal(size=(2, 300, 5))
    assert clustering.valley(one, other) > 0.8
    assert clustering.valley(one, other + 10) < 1e-3


def test_half_as_much_between_two_as_at_the_lower_is_a_fall_to_one_half(rng):
    # Of two Gaussians 2 d apart: 2 exp(-d^2 / 2) in the middle, 1 + exp(-2 d^2) at each.
    distance = 2.0
    one, other = rng.normal(size=(2, 20_000)) + np.array([-distance, distance])[:, None]
    expected = 2 * np.exp(-(distance**2) / 2) / (1 + np.exp(-2 * distance**2))
    # The kernels are a sixth of a standard deviation wide.
    assert clustering.fall(one, other) == pytest.approx(expected, abs=0.05)
    assert clustering.fall(other, one) == 1


def test_a_bent_line_has_no_valley_in_its_middle_and_a_gap_is_one(rng):
    angles = np.sort(rng.uniform(0, 1.5 * np.pi, 120))
    line = np.stack([np.cos(angles), np.sin(angles), np.cos(2 * angles)], axis=1)
    line = 3 * line + 0.1 * rng.normal(size=line.shape)
    one, other = rng.permutation(line[:60]), rng.permutation(line[60:])
    assert clustering.valley(one, other) > clustering.SHALLOW
    assert clustering.valley(rng.permutation(line[:40]), rng.permutation(line[80:])) < 0.1


def test_perfect_copies_are_one_type_without_a_warning(recwarn):
    types = call_types.fit(np.ones((30, 8), np.float32))
    assert types.names == ("A",)
    assert types.assign(types.project(np.ones((2, 8)))).is_familiar.all()
    assert not recwarn.list


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_calls_is_one_type(count, rng):
    types = call_types.fit(rng.normal(size=(count, 8)).astype(np.float32))
    assert types.names == ("A",)
    assert types.assign(types.points, np.arange(count)).types.tolist() == [0] * count


def test_new_calls_get_their_type_and_strangers_are_told(groups, rng):
    calls, kinds = groups
    types = call_types.fit(calls)
    own = types.assign(types.project(calls), np.arange(len(calls)))
    assert (own.types == types.types).all()
    assert own.is_familiar.mean() > 0.98 and own.confidences.mean() > 0.98
    new = 8 * np.eye(40)[[0, 1, 2, 2]] + rng.normal(size=(4, 40))
    assert types.assign(types.project(new)).types.tolist() == [0, 1, 2, 2]
    # Off all that the types span.
    strange = 30 * np.eye(40)[[30]] + rng.normal(size=(1, 40))
    assert not types.assign(types.project(strange)).is_familiar[0]


def test_joined_types_keep_the_larger_one_s_name_and_all_others_theirs(groups):
    calls, kinds = groups
    types = call_types.fit(calls)
    joined = types.joined([("C", "A")])
    assert joined.names == ("A", "B")
    assert (joined.types == np.where(types.types == 2, 0, types.types)).all()
    with pytest.raises(ValueError, match=r"`merges` must name call types .* Received: Q in A\+Q"):
        types.joined([("A", "Q")])


def test_saved_types_say_the_same(tmp_path, groups):
    calls, _ = groups
    types = call_types.fit(calls)
    fitted = fitted_file.Fitted(types, PRESETS["songbird"], 32_000, np.zeros(129))
    fitted_file.save(str(tmp_path), fitted)
    again = fitted_file.load(str(tmp_path), "types")
    assert (again.types.names, again.recipe, again.sample_rate) == (
        types.names,
        fitted.recipe,
        32_000,
    )
    points = types.project(calls)
    np.testing.assert_array_equal(again.types.assign(points).types, types.assign(points).types)


@pytest.mark.parametrize("name", [fitted_file.JSON_NAME, fitted_file.ARRAYS_NAME])
def test_damaged_types_are_told_in_a_line(tmp_path, groups, name):
    fitted = fitted_file.Fitted(call_types.fit(groups[0]), PRESETS["songbird"], 1, np.zeros(9))
    fitted_file.save(str(tmp_path), fitted)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:50])
    with pytest.raises(ValueError, match="`types` must hold call types that can be read") as told:
        fitted_file.load(str(tmp_path), "types")
    assert "\n" not in str(told.value)


def test_clear_types_come_about_again_and_their_number_is_sure(groups):
    calls, kinds = groups
    types = call_types.fit(calls)
    sure = stability.stability(types.points, types.types, np.arange(len(calls)) % 10)
    assert (sure.num_types_low, sure.num_types_high, sure.unit) == (3, 3, "recordings")
    assert min(sure.subsampled.min(), sure.bootstrapped.min()) > 0.95
    few = stability.stability(types.points, types.types, np.zeros(len(calls), int))
    assert few.unit == "calls"


def test_a_continuum_is_cut_into_as_many_cells_as_are_asked_for(rng):
    calls = rng.normal(size=(400, 20)).astype(np.float32)
    types = call_types.fit(calls, num_cells=7)
    assert len(types.names) == 7
    counts = np.bincount(types.types)
    assert (np.diff(counts) <= 0).all() and counts.sum() == 400
    alike = call_types.fit(np.ones((30, 8), np.float32), num_cells=7)
    assert alike.names == ("A",)


def test_types_of_one_sound_that_is_near_or_far_are_one(rng):
    sounds = 40 * (rng.random((2, 16, 30)) < 0.3)
    kinds, fainter = np.repeat([0, 1], 150), np.tile([0.0, 15.0], 150)[:, None, None]
    calls = (sounds[kinds] - fainter + 2 * rng.normal(size=(300, 16, 30))).clip(0)
    types = call_types.fit(as_points(calls, PRESETS["songbird"]))
    assert types.names == ("A", "B") and (types.types == types.types[0]).tolist() in (
        (kinds == 0).tolist(),
        (kinds == 1).tolist(),
    )


def test_clusters_are_two_where_the_density_falls_by_more_than_half_between_them(rng):
    noise = rng.normal(size=(600, 4))
    side = np.repeat([-1, 1], 300)[:, None] * np.eye(4)[0]
    # 2 exp(-d^2 / 2) of the peaks at 2 d: .98, and .09.
    assert clustering.cluster(noise + 1.2 * side).max() == 0
    assert clustering.cluster(noise + 2.5 * side).max() == 1


def test_types_of_an_earlier_version_are_told_in_a_line(tmp_path, groups):
    fitted = fitted_file.Fitted(call_types.fit(groups[0]), PRESETS["songbird"], 1, np.zeros(9))
    fitted_file.save(str(tmp_path), fitted)
    path = tmp_path / fitted_file.JSON_NAME
    path.write_text(path.read_text().replace('"version": 2', '"version": 1'))
    with pytest.raises(ValueError, match="those of an earlier version, .* `neurovocal discover`"):
        fitted_file.load(str(tmp_path), "types")
