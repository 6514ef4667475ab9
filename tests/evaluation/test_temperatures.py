"""Temperatures beside each other: how varied songs are at each, and how long they are silent."""

import math

import numpy as np
import pytest
import sung_birds

from neurovocal_tf.evaluation import songs_of_run, temperatures
from neurovocal_tf.evaluation.heard import Listener, Songs

# Which types are sung at which temperature; none: silence.
ORDERS = {0.7: None, 1.0: (0, 1), 1.3: (0, 1, 2, 3)}


@pytest.fixture(scope="module")
def figures():
    def sing(trained, options, sources):
        order = ORDERS[options.temperature]
        if order is None:
            rng = np.random.default_rng(0)
            return Songs.apart([sung_birds.silence(rng, 500)] * options.num_songs)
        return sung_birds.Bird(seed=2, order=order).songs(options.num_songs)

    recordings = sung_birds.Bird(seed=1).songs(8)
    listener = Listener(recordings, sung_birds.SAMPLE_RATE, sung_birds.CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(songs_of_run, "sing", sing)
        return temperatures.at_temperatures(None, listener, list(ORDERS), seed=0)


def test_more_types_are_more_varied_and_silence_is_said(figures):
    silent, few, all_of_them = (
        {name: figures[f"song_at_temperature_{t:g}_{name}"] for name in temperatures.COLUMNS}
        for t in ORDERS
    )
    assert math.isnan(silent["coverage"]) and silent["rate_ratio"] == 0.0
    assert silent["longest_silence_s"] == pytest.approx(500 * sung_birds.FRAME_S)
    assert few["effective_types_ratio"] == pytest.approx(0.5, abs=0.05)
    assert all_of_them["effective_types_ratio"] == pytest.approx(1.0, abs=0.02)
    assert few["coverage"] < all_of_them["coverage"]
    assert all_of_them["longest_silence_s"] < 0.6


def test_the_table_has_a_row_for_each_and_no_nan(figures):
    written = {name: None if math.isnan(value) else value for name, value in figures.items()}
    head, *rows, _, legend = temperatures.as_table(written).splitlines()
    assert [row.split()[0] for row in rows] == ["0.7", "1", "1.3"]
    assert rows[0].split()[1:5] == ["0.000", "-", "-", "-"] and "-: too few" in legend
    assert len({len(row) for row in (head, *rows)}) == 1 and len(head) <= 80
    assert temperatures.as_table({}) == ""
