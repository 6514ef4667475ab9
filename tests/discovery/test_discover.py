"""The simulated bird, from its recordings to its types, its order and its tables."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
import simulated_calls
import soundfile

from neurovocal_tf import annotations
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import discover, features, fitted_file, merges, report, tables


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(found, paths, out, groups=(), overwrite=False):
    durations_s = dict.fromkeys(paths, 10.0)
    return tables.write(str(out), found, paths, durations_s, Config(), dict(groups), overwrite)


def test_the_simulated_bird_s_types_and_their_order_are_found():
    found, *_ = simulated_calls.discovered()
    assert len(found.type_names) == 6
    assert found.agreement.adjusted_rand > 0.99
    assert found.syntax["entropy_rate_bits"] == pytest.approx(
        found.label_syntax["entropy_rate_bits"], abs=0.02
    )
    assert found.label_syntax["entropy_rate_bits"] == pytest.approx(0.82, abs=0.15)


def test_types_that_a_person_joins_are_one_and_no_other_call_changes():
    found, paths, _ = simulated_calls.discovered()
    joined = found.fitted.types.joined([("A", "B")])
    asked = discover.Asked(
        Config(),
        features.PRESETS["songbird"],
        known=fitted_file.Fitted(
            joined, found.fitted.recipe, found.fitted.sample_rate, found.fitted.background
        ),
    )
    spans = {
        name: np.stack([found.bouts.onsets_s, found.bouts.offsets_s], axis=1)[
            found.bouts.recordings == number
        ]
        for number, name in enumerate(found.names)
    }
    again = discover.discover(paths, spans, asked)
    assert again.type_names == ("A", "C", "D", "E", "F")
    before = np.array(found.type_names)[found.bouts.types]
    after = np.array(again.type_names)[again.bouts.types]
    assert np.mean(np.where(before == "B", "A", before) == after) > 0.98


def test_tables_hold_every_call_and_read_back(tmp_path):
    found, paths, _ = simulated_calls.discovered()
    assert write(found, paths, tmp_path, {"song_0.wav": "odd"}) == []
    calls = rows(tmp_path / "calls.csv")
    assert len(calls) == len(found.bouts.types)
    assert {row["type"] for row in calls} == set(found.type_names)
    place = os.path.relpath(paths["song_0.wav"], tmp_path)
    assert [row["group"] for row in calls if row["file"] == place][0] == "odd"
    types = rows(tmp_path / "types.csv")
    assert sum(int(row["num_calls"]) for row in types) == len(calls)
    told = json.loads((tmp_path / "syntax.json").read_text())
    assert told["types"] == list(found.type_names)
    assert told["num_types"]["low"] <= len(types) <= told["num_types"]["high"]
    for format, extension in (
        ("audacity", ".txt"),
        ("raven", ".selections.txt"),
        ("textgrid", ".TextGrid"),
    ):
        marked = annotations.read(tmp_path / format / f"song_0{extension}")
        own = [row for row in calls if row["file"] == place]
        assert [a.label for a in marked] == [row["type"] for row in own]
        assert [a.onset_s for a in marked] == pytest.approx(
            [float(row["onset_s"]) for row in own], abs=2e-6
        )


def test_a_merges_file_with_decisions_is_never_overwritten(tmp_path):
    found, paths, _ = simulated_calls.discovered()
    write(found, paths, tmp_path)
    path = tmp_path / "merges.csv"
    assert merges.accepted(path) == []
    first, second = found.type_names[:2]
    path.write_text(f"type_a,type_b,accept\n{second},{first},Yes\n{first},{second},no\n")
    assert merges.accepted(path) == [(second, first)]
    assert write(found, paths, tmp_path) == ["merges.csv"]
    assert merges.accepted(path) == [(second, first)]
    write(found, paths, tmp_path, overwrite=True)
    assert merges.accepted(path) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("type_a,accept\nA,yes\n", "`merges` must have a column type_b"),
        ("type_a,type_b,accept\nA,B,perhaps\n", "`accept` must be yes or no. Received: .*perhaps"),
    ],
)
def test_a_merges_file_that_is_none_is_told_in_a_line(tmp_path, text, told):
    (tmp_path / "merges.csv").write_text(text)
    with pytest.raises(ValueError, match=told):
        merges.accepted(tmp_path / "merges.csv")
    with pytest.raises(ValueError, match="there is no such file"):
        merges.accepted(tmp_path / "none.csv")


def test_no_calls_is_an_error_and_five_are_one_type_with_a_caveat(tmp_path):
    paths, spans_s, _ = simulated_calls.write(tmp_path, count=1)
    asked = discover.Asked(Config(), features.PRESETS["songbird"])
    with pytest.raises(ValueError, match="`data_dir` must hold recordings with calls"):
        discover.discover(paths, {"song_0.wav": np.empty((0, 2))}, asked)
    found = discover.discover(paths, {"song_0.wav": spans_s["song_0.wav"][:5]}, asked)
    assert found.type_names == ("A",) and found.stability is None
    assert found.caveats[0].startswith("5 calls are fewer than 300")
    assert write(found, paths, tmp_path / "out") == []
    assert os.path.getsize(report.write(str(tmp_path / "out"), found, paths, Config())) < 200_000


def test_recordings_of_several_rates_are_measured_at_one_with_a_caveat(tmp_path):
    paths, spans_s, _ = simulated_calls.write(tmp_path, count=3)
    samples, rate = soundfile.read(paths["song_2.wav"])
    soundfile.write(paths["song_2.wav"], np.repeat(samples, 2), 2 * rate)
    asked = discover.Asked(Config(), features.PRESETS["songbird"])
    found = discover.discover(paths, spans_s, asked)
    assert found.fitted.sample_rate == rate
    assert any("several rates" in caveat for caveat in found.caveats)


def test_new_recordings_get_the_types_of_an_earlier_report(tmp_path):
    found, *_ = simulated_calls.discovered()
    fitted_file.save(str(tmp_path), found.fitted)
    folder = tmp_path / "new"
    folder.mkdir()
    paths, spans_s, labels = simulated_calls.write(folder, count=2, seed=8)
    known = fitted_file.load(str(tmp_path), "types")
    asked = discover.Asked(Config(), features.PRESETS["speech"], known=known, labels=labels)
    new = discover.discover(paths, spans_s, asked)
    assert set(new.type_names) == set(found.type_names) and new.stability is None
    assert new.agreement.v_measure > 0.85
    shutil.rmtree(folder)
