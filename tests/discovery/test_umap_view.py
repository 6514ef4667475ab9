"""The map by UMAP: clouds stay clouds, and the same seed gives the same map."""

import importlib.util

import numpy as np
import pytest
import simulated_calls

from neurovocal_tf.discovery import report, umap_view


@pytest.mark.skipif(
    importlib.util.find_spec("umap") is None, reason="umap-learn is not installed (the extra umap)"
)
def test_clouds_stay_clouds_and_the_same_seed_gives_the_same_map(rng):
    points = rng.normal(size=(90, 6))
    clouds = np.repeat([0, 1, 2], 30)
    points[:, 0] += 20 * clouds
    seen = umap_view.two(points)
    assert np.array_equal(seen, umap_view.two(points))
    middles = np.stack([seen[clouds == k].mean(axis=0) for k in range(3)])
    nearest = np.linalg.norm(seen[:, None] - middles, axis=2).argmin(axis=1)
    assert np.array_equal(nearest, clouds)


def test_where_it_is_not_installed_or_calls_are_few_there_is_no_such_view(monkeypatch):
    assert not umap_view.is_there(29)
    monkeypatch.setattr(umap_view.importlib.util, "find_spec", lambda name: None)
    assert not umap_view.is_there(1000)
    monkeypatch.setattr(umap_view.importlib.util, "find_spec", lambda name: "there")
    assert umap_view.is_there(30)


def test_the_map_has_a_view_of_it_where_it_is_there(monkeypatch):
    found, *_ = simulated_calls.discovered()
    assert "UMAP" not in report._map(found)["views"] or umap_view.is_there(1000)
    monkeypatch.setattr(umap_view, "is_there", lambda num_points: True)
    monkeypatch.setattr(umap_view, "two", lambda points: points[:, :2])
    views = report._map(found)["views"]
    assert list(views)[-1] == "UMAP" and views["UMAP"] == views["principal components"]
