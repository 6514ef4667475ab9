"""Songs beside songs by the same types: alike where they are, apart as far as they are."""

import dataclasses
import json
import types

import numpy as np
import pytest

from neurovocal_tf.discovery import generated
from neurovocal_tf.discovery.bouts import bouts_of

CHAIN = np.array([[0.0, 0.9, 0.1], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])
LENGTHS_S = np.array([0.03, 0.06, 0.1])


def sung(rng, num_songs=12, chain=CHAIN, lengths_s=LENGTHS_S, unfamiliar=0.0):
    """What `compare` reads of a `Discovery`: songs of forty calls of a chain's types."""
    found, spans, recordings = [], [], []
    for number in range(num_songs):
        kind, onset = 0, 0.0
        for _ in range(40):
            length = lengths_s[kind] * rng.uniform(0.95, 1.05)
            found.append(kind)
            spans.append([onset, onset + length])
            recordings.append(number)
            onset += length + rng.uniform(0.03, 0.05)
            kind = int(rng.choice(3, p=chain[kind]))
    bouts = bouts_of(np.array(found), 3, np.array(spans), np.array(recordings), num_songs, 1.0)
    familiar = rng.random(len(found)) >= unfamiliar
    return types.SimpleNamespace(bouts=bouts, is_familiar=familiar, type_names=("A", "B", "C"))


def measures(told):
    return {row["measure"]: row for row in told["measures"]}


def test_songs_of_the_same_bird_are_as_far_apart_as_its_own(rng):
    told = generated.compare(sung(rng), sung(rng, num_songs=6))
    for name, row in measures(told).items():
        # Distances of two halves of the same songs scatter about as much as those of others.
        slack = 2 * (row["high"] - row["low"]) + 1e-9
        assert row["low"] - slack <= row["generated"] <= row["high"] + slack, name
    assert told["num_calls"] == [480, 240] and told["num_songs"] == [12, 6]
    for share in told["shares"][:3]:
        assert abs(share["real"] - share["generated"]) < 0.05


def test_another_order_is_told(rng):
    told = generated.compare(sung(rng), sung(rng, chain=np.full((3, 3), 1 / 3)))
    rows = measures(told)
    for name in ("generated", "shuffled"):
        assert rows["transitions_bits"][name] > 5 * rows["transitions_bits"]["high"]
    assert rows["entropy_rate_bits"]["generated"] == pytest.approx(np.log2(3), abs=0.05)
    assert rows["entropy_rate_bits"]["shuffled"] > 1.4
    assert rows["durations_ks"]["shuffled"] is None
    # B is always followed by C, and so seldom by others here.
    assert told["transitions"][0]["types"] == [1, 2]


def test_other_lengths_and_unfamiliar_calls_are_told(rng):
    told = generated.compare(sung(rng), sung(rng, lengths_s=2 * LENGTHS_S, unfamiliar=0.3), seed=1)
    rows = measures(told)
    assert rows["durations_ks"]["generated"] > 3 * rows["durations_ks"]["high"]
    assert rows["share_unfamiliar"]["generated"] == pytest.approx(0.3, abs=0.05)
    assert rows["share_unfamiliar"]["high"] == 0.0
    assert told["types"][-1] == "unfamiliar"
    assert told["shares"][-1]["generated"] == pytest.approx(0.3, abs=0.05)
    assert told["shares"][0]["median_s"][1] == pytest.approx(0.06, rel=0.05)


def test_one_recording_has_no_others_beside_it_and_a_song_of_one_call_no_order(rng):
    told = generated.compare(sung(rng, num_songs=1), sung(rng, num_songs=2))
    assert measures(told)["transitions_bits"]["real"] is None
    assert measures(told)["transitions_bits"]["generated"] > 0
    assert told["shares"][0]["low"] is None
    short = sung(rng, num_songs=1)
    one_call = dataclasses.replace(
        short.bouts,
        types=short.bouts.types[:1],
        onsets_s=short.bouts.onsets_s[:1],
        offsets_s=short.bouts.offsets_s[:1],
        recordings=short.bouts.recordings[:1],
        follows=short.bouts.follows[:1],
    )
    of_one = types.SimpleNamespace(
        bouts=one_call, is_familiar=short.is_familiar[:1], type_names=short.type_names
    )
    told = generated.compare(sung(rng), of_one)
    assert measures(told)["transitions_bits"]["generated"] is None
    json.dumps(told, allow_nan=False)
