"""The comparison of two checkouts finds what differs, and times both by turns."""

import json
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    """Makes tools/ a place to import from, as it is for tools/compare.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        yield
        for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
            del sys.modules[name]


def folders(tmp_path):
    """Two folders of files with the same values, whose times and whose own places differ."""
    for name, seconds in (("before", 1.5), ("after", 2.5)):
        folder = tmp_path / name
        (folder / "tensorboard").mkdir(parents=True)
        (folder / "tensorboard" / "events").write_text(name)
        (folder / "model.keras").write_text(name)
        (folder / "history.csv").write_text(
            f"epoch,error,epoch_s\n1,0.25,{seconds}\n2,nan,{seconds}\n"
        )
        (folder / "data.json").write_text(
            json.dumps({"data_dir": f"{folder}/recordings", "parts": [{"end": 0.5, "label": None}]})
        )
        meta = json.dumps({"epoch": 2, "history": [{"error": 0.25, "epoch_s": seconds}]})
        np.savez(
            folder / "checkpoint.npz",
            meta=np.frombuffer(meta.encode(), np.uint8),
            **{"model/0": np.arange(6.0)},
        )
        (folder / "song.wav").write_bytes(b"RIFF")
    return tmp_path / "before", tmp_path / "after"


def test_folders_that_differ_in_times_and_places_alone_are_equal(tmp_path):
    from benchmarks import comparison_of_values

    found = comparison_of_values.compared_folders(*folders(tmp_path))
    assert [of_one.what for of_one in found] == [
        "checkpoint.npz",
        "data.json",
        "history.csv",
        "song.wav",
    ]
    assert all(of_one.is_equal for of_one in found)
    assert [of_one.num_values for of_one in found] == [3, 3, 2, 1]
    table = comparison_of_values.table("bird", found)
    assert table.count("equal bit for bit") == 4 and "DIFFER" not in table


def test_each_value_that_differs_is_found_and_so_is_what_one_folder_has_alone(tmp_path):
    from benchmarks import comparison_of_values

    before, after = folders(tmp_path)
    np.savez(
        after / "checkpoint.npz",
        **{"model/0": np.nextafter(np.arange(6.0), 9.0), "model/1": np.zeros(2)},
    )
    (after / "history.csv").write_text("epoch,error,epoch_s\n1,0.75,1\n2,nan,1\n")
    (after / "song.wav").write_bytes(b"RIFX")
    (after / "new.txt").write_text("new")
    found = {of_one.what: of_one for of_one in comparison_of_values.compared_folders(before, after)}
    assert {name for name, of_one in found.items() if of_one.is_equal} == {"data.json"}
    checkpoint = found["checkpoint.npz"]
    assert checkpoint.different.keys() == {"model/0"} and 0 < checkpoint.largest < 1e-15
    assert (set(checkpoint.only_before), checkpoint.only_after) == (
        {"meta/epoch", "meta/history/0/error"},
        ("model/1",),
    )
    assert found["history.csv"].different["error"].startswith("1 of 2 differ, by at most 0.5")
    assert found["new.txt"].only_after == ("the file",) and not found["song.wav"].is_equal
    table = comparison_of_values.table("bird", found.values())
    assert "only after: model/1" in table and "1 DIFFER" in table
    figures = comparison_of_values.figures("bird", found.values())
    assert figures["bits/bird/history.csv/largest_difference"] == 0.5 and json.dumps(figures)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), ""),
        (np.array([0.0]), np.array([-0.0]), "0 of 1 differ, by at most 0 "),
        (np.array([1, 2]), np.array([1, 4]), "1 of 2 differ, by at most 2 "),
        (np.array([True, False]), np.array([True, True]), "1 of 2 differ"),
        (np.array([1.0, np.inf]), np.array([1.0, 2.0]), "1 of 2 differ, by at most inf"),
        (np.zeros(2), np.zeros(3), "shape (2,) became (3,)"),
        (np.zeros(2), np.zeros(2, np.float32), "float64 became float32"),
        (np.array(["a", "b"]), np.array(["a", "longer"]), "1 of 2 differ: b became longer"),
        (np.array(["a"]), np.array([1.0]), "<U1 became float64"),
        (np.zeros(0), np.zeros(0), ""),
    ],
)
def test_arrays_are_equal_bit_for_bit_or_it_is_told_how_they_differ(before, after, words):
    from benchmarks import comparison_of_values

    found = comparison_of_values.difference(before, after)[1]
    assert found.startswith(words) and bool(found) == bool(words)


def test_both_checkouts_take_turns_and_every_other_round_begins_with_the_other(monkeypatch):
    from benchmarks import comparison_of_speed

    monkeypatch.setattr(comparison_of_speed, "_PAUSE_S", 0.0)
    calls = []

    def run(name):
        return lambda: calls.append(name) or float(len(calls))

    times = comparison_of_speed.by_turns([run("b"), run("a")], rounds=4)
    # Two rounds before what counts.
    assert calls == [*"baab", *"baab", *"baab"]
    assert times.tolist() == [[5, 8, 9, 12], [6, 7, 10, 11]]


def test_the_ratio_is_taken_within_a_round_and_its_interval_holds_the_true_one(rng):
    from benchmarks import comparison_of_speed

    # Rounds during which the machine is up to ten times as slow, for both.
    disturbed = rng.uniform(1, 10, size=18)
    before, after = (
        disturbed * 1.2 * rng.normal(1, 0.01, size=18),
        disturbed * rng.normal(1, 0.01, size=18),
    )
    times = comparison_of_speed.Times("song", before, after)
    figures = times.figures()
    assert figures["times_as_fast"] == pytest.approx(1.2, rel=0.02) and figures["rounds"] == 18
    # The median of 18 normal deviates of 1.4 % has a standard deviation of 0.4 %,
    # and the interval is four of them wide.
    low, high = figures["times_as_fast_low"], figures["times_as_fast_high"]
    assert low <= figures["times_as_fast"] <= high and 1.17 < low < high < 1.23
    assert comparison_of_speed.interval(times.ratios) == (low, high)
    assert comparison_of_speed.interval(np.ones(5)) == (1.0, 1.0)
    assert "1.2" in comparison_of_speed.table([times])


def test_a_checkout_runs_its_own_code_and_is_left_as_it_is(tmp_path):
    from benchmarks.checkouts import Checkout

    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "train.py").write_text("import neurovocal_tf; print(neurovocal_tf.NAME)")
    (tmp_path / "neurovocal_tf").mkdir()
    (tmp_path / "neurovocal_tf" / "__init__.py").write_text("NAME = 'the other'")
    before = set(tmp_path.rglob("*"))
    checkout = Checkout("before", tmp_path)
    assert checkout.run("tools/train.py") == "the other\n"
    with pytest.raises(
        OSError,
        match="(?s)before: python -c raise SystemExit.* ended with 1; its last lines:\nno model",
    ):
        checkout.run("-c", "raise SystemExit('no model')")
    assert set(tmp_path.rglob("*")) == before


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    from benchmarks.checkouts import Checkout

    with pytest.raises(
        ValueError,
        match="`before` must be the root of a checkout of this repository. Received: before=",
    ):
        Checkout("before", tmp_path)


def test_a_worker_answers_by_name_and_a_worker_that_ends_is_an_error(tmp_path, monkeypatch):
    from benchmarks import checkouts, comparison_of_speed

    text = comparison_of_speed._WORKER.read_text(encoding="utf-8")
    kinds = (
        '{"sleep": lambda turns, seconds: turns.serve({"nap": lambda: (print("no answer"), '
        "time.sleep(float(seconds)))})"
    )
    script = tmp_path / "worker.py"
    script.write_text(text.replace('{"train": train', f'{kinds}, "train": train'))
    monkeypatch.setattr(comparison_of_speed, "_WORKER", script)
    with comparison_of_speed.worker(checkouts.Checkout("after", ROOT), "sleep", 0.05) as ask:
        assert 0.05 <= ask("nap") < 5
        with pytest.raises(
            OSError, match="(?s)after: the process for sleep has ended; it said.*KeyError: 'run'"
        ):
            ask("run")
