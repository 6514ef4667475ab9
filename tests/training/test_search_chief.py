"""The chief of a shared search and its workers: who is lost costs its trial's time alone, nobody is
waited for in vain, and whoever searches otherwise is refused.
"""

import dataclasses
import os
import pathlib
import threading
import time

import keras_tuner
import pytest

from neurovocal_tf.training import search_chief, search_tuners, search_worker
from neurovocal_tf.training.search_chief import MOST_RETRIES, Chief
from neurovocal_tf.training.search_roles import VARIABLES, Role, role_in
from neurovocal_tf.training.search_worker import ChiefsOracle

# keras-tuner's own.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")

SEARCH = "random-1a2b"
CHIEF = Role("chief", "127.0.0.1", 0, lost_after_s=60.0, wait_s=60.0)


class OneNumber(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Float("x", 0.0, 1.0)


@pytest.fixture(autouse=True)
def frequent_signs(monkeypatch):
    monkeypatch.setattr(search_worker, "_SIGN_S", 0.1)
    monkeypatch.setattr(search_worker, "_ASK_AGAIN_S", 0.05)


def oracle_in(folder, num_trials=3):
    tuner = keras_tuner.RandomSearch(
        OneNumber(),
        keras_tuner.Objective("error", "min"),
        max_trials=num_trials,
        max_retries_per_trial=MOST_RETRIES,
        seed=1,
        directory=folder,
    )
    tuner.oracle.verbose = 0
    return tuner.oracle


def oracle_path(oracle):
    return pathlib.Path(oracle._get_oracle_fname())


class Led:
    """A chief that serves in a thread, what it says, and how it ended."""

    def __init__(self, oracle):
        self.lines, self.ended, self.error = [], [], None
        self._port, self._listens = 0, threading.Event()
        self.chief = Chief(
            oracle,
            SEARCH,
            CHIEF,
            lambda trial, worker: self.ended.append((trial.trial_id, worker)),
            self.lines.append,
        )
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self._listens.wait(20)

    def _run(self):
        try:
            self.chief.run(self._listening)
        except Exception as error:
            self.error = error

    def _listening(self, port):
        self._port = port
        self._listens.set()

    def worker(self, name, search=SEARCH, wait_s=20.0):
        role = Role(name, "127.0.0.1", self._port, lost_after_s=60.0, wait_s=wait_s)
        return ChiefsOracle(self.chief.oracle, search, role)

    def join(self):
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def led(tmp_path):
    return Led(oracle_in(tmp_path))


def run_trial(worker, trial, error=1.0):
    worker.update_trial(trial.trial_id, {"error": error})
    trial.status = "COMPLETED"
    worker.end_trial(trial)


def run_all(worker):
    """Runs trials until there are none; returns their ids."""
    ids = []
    while (trial := worker.create_trial("")).status != "STOPPED":
        ids.append(trial.trial_id)
        run_trial(worker, trial)
    return ids


def kill(led, worker):
    """Nothing more is heard of a worker, and that for longer than the chief waits."""
    worker._training.end()
    led.chief._heard_s[worker._role.name] -= 2 * CHIEF.lost_after_s


def statuses(led):
    return [trial.status for _, trial in sorted(led.chief.oracle.trials.items())]


def await_true(is_true):
    deadline_s = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def await_line(led, text):
    await_true(lambda: any(text in line for line in led.lines))
    return next(line for line in led.lines if text in line)


def test_the_trial_of_a_lost_worker_begins_anew_and_the_search_ends(led):
    lost, other = led.worker("tuner1"), led.worker("tuner2")
    trial = lost.create_trial("")
    kill(led, lost)
    # The other asks until the lost one's trial is free, though every trial has begun by then.
    assert run_all(other) == ["1", "2", trial.trial_id]
    led.join()
    assert led.error is None and statuses(led) == ["COMPLETED"] * 3
    assert led.lines == ["trial 1 begins anew: tuner1 was lost (no sign of life for 60 s)"]
    assert led.ended == [(name, "tuner2") for name in ("1", "2", "0")]


def test_a_worker_gives_signs_of_life_while_it_trains(led):
    worker = led.worker("tuner1")
    trial = worker.create_trial("")
    for _ in range(3):
        before_s = led.chief._heard_s["tuner1"]
        await_true(lambda before_s=before_s: led.chief._heard_s["tuner1"] > before_s)
    assert worker.check() and worker.get_trial(trial.trial_id).status == "RUNNING"
    run_trial(worker, trial)
    assert led.ended == [("0", "tuner1")] and led.lines == []


def test_a_trial_that_takes_two_workers_down_counts_as_failed(led):
    """A worker that is started again under its name asks for a trial while it seems to have one."""
    for _ in range(1 + MOST_RETRIES):
        worker = led.worker("tuner1")
        assert worker.create_trial("").trial_id == "0"
        worker._training.end()
    assert run_all(led.worker("tuner1")) == ["1", "2"]
    led.join()
    assert statuses(led) == ["FAILED", "COMPLETED", "COMPLETED"]
    assert [line.split(":")[0] for line in led.lines] == [
        "trial 1 begins anew",
        "trial 1 counts as failed",
    ]


def test_what_a_worker_says_of_a_trial_that_was_given_up_does_not_count(led):
    held_up, other = led.worker("tuner1"), led.worker("tuner2")
    trial = held_up.create_trial("")
    kill(led, held_up)
    await_line(led, "begins anew: tuner1")
    assert held_up.get_trial(trial.trial_id).status == "STOPPED"
    run_trial(held_up, trial, error=-5.0)
    assert await_line(led, "given up") == ("trial 1: tuner1 ended it after it had been given up")
    run_all(other)
    assert all(trial.score == 1.0 for trial in led.chief.oracle.trials.values())


def test_a_worker_whose_trial_is_given_up_learns_of_it(led):
    worker = led.worker("tuner1")
    worker.create_trial("")
    with led.chief._lock:
        led.chief._give_up("tuner1", "a drill")
    await_true(lambda: not worker.check())


def test_a_worker_of_another_search_is_refused_in_words(led):
    with pytest.raises(
        ValueError, match="A worker must be given the chief's command line.*Received"
    ):
        led.worker("tuner1", search="random-ffff").create_trial("")
    assert led.chief.oracle.trials == {}


def test_a_worker_without_a_chief_waits_no_longer_than_it_must(led):
    worker = led.worker("tuner1", wait_s=0.3)
    run_all(worker)
    led.join()
    with pytest.raises(ValueError, match=r"The chief at 127\.0\.0\.1:\d+ has not answered for 0 s"):
        worker.create_trial("")


def test_a_trial_ends_where_its_chief_is_gone(led):
    worker = led.worker("tuner1", wait_s=0.3)
    worker.create_trial("")
    led.chief._error = ValueError("a drill")
    led.join()
    with pytest.raises(ValueError, match="has not answered"):
        for _ in range(1000):
            worker.check()
            time.sleep(0.02)


def test_a_chief_without_workers_waits_no_longer_than_it_must(led):
    worker = led.worker("tuner1")
    run_trial(worker, worker.create_trial(""))
    worker.create_trial("")
    kill(led, worker)
    led.chief._last_heard_s -= 2 * CHIEF.wait_s
    led.join()
    assert isinstance(led.error, ValueError)
    assert "No worker has called for" in str(led.error) and "(1 trials are done)" in str(led.error)


def test_a_chief_that_begins_again_has_the_trials_that_are_done_and_repeats_none(tmp_path):
    led = Led(oracle_in(tmp_path))
    worker = led.worker("tuner1")
    run_trial(worker, worker.create_trial(""), error=0.25)
    # As a killed one leaves it.
    resumed = oracle_in(tmp_path)
    resumed.reload()
    led.chief._error = ValueError("a drill")
    led.join()
    again = Led(resumed)
    assert run_all(again.worker("tuner1")) == ["1", "2"]
    assert resumed.trials["0"].score == 0.25


def test_a_worker_of_a_chief_that_has_begun_anew_is_told_so(led):
    with pytest.raises(ValueError, match="has begun anew, and knows of no trial 10: start this"):
        led.worker("tuner1").get_trial("9")


def test_a_worker_whose_chief_is_another_now_trains_no_longer(led):
    worker = led.worker("tuner1", wait_s=0.3)
    worker.create_trial("")
    worker._metadata = ((search_chief.SEARCH, "random-ffff"), *worker._metadata[1:])
    await_true(lambda: not worker.check())


def test_a_kill_between_two_files_repeats_no_trial_that_is_done_and_loses_none(tmp_path):
    oracle = oracle_in(tmp_path)
    kept = oracle_path(oracle)
    trial = oracle.create_trial("tuner1")
    of_first = kept.read_text()
    oracle.update_trial(trial.trial_id, {"error": 1.0})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    oracle.create_trial("tuner1")
    # The first has ended and the second has begun since.
    kept.write_text(of_first)
    resumed = oracle_in(tmp_path)
    search_tuners._reload(resumed)
    assert [resumed.create_trial(name).trial_id for name in "ab"] == ["1", "2"]


def test_a_kill_while_an_oracle_is_kept_leaves_the_one_before(tmp_path, monkeypatch):
    oracle = oracle_in(tmp_path)
    oracle.create_trial("tuner1")
    before = oracle_path(oracle).read_text()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        oracle.save()
    assert oracle_path(oracle).read_text() == before


def test_two_chiefs_at_one_port_are_refused(led):
    second = Chief(led.chief.oracle, SEARCH, dataclasses.replace(CHIEF, port=led._port), None, None)
    with pytest.raises(OSError, match="KERASTUNER_ORACLE_PORT must be .* free. Received: 127"):
        second.run()


GOOD = dict(zip(VARIABLES, ("tuner1", "10.0.0.1", "8000"), strict=True))


def test_a_role_is_that_of_keras_tuners_variables():
    assert role_in({}, 60, 600) is None
    worker = role_in(GOOD, 60, 600)
    assert worker == Role("tuner1", "10.0.0.1", 8000, 60, 600)
    assert not worker.is_chief and worker.address == "10.0.0.1:8000"
    assert role_in(GOOD | {VARIABLES[0]: "chief"}, 60, 600).is_chief


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"KERASTUNER_TUNER_ID": ""}, "must be set together.* Received: no KERASTUNER_TUNER_ID"),
        ({"KERASTUNER_TUNER_ID": "a/b"}, "KERASTUNER_TUNER_ID must be letters.* Received: a/b"),
        ({"KERASTUNER_ORACLE_IP": "http://x"}, "KERASTUNER_ORACLE_IP must be .* Received: http"),
        ({"KERASTUNER_ORACLE_PORT": "http"}, "KERASTUNER_ORACLE_PORT must be .* Received: http"),
        ({"KERASTUNER_ORACLE_PORT": "0"}, "KERASTUNER_ORACLE_PORT must be a number from 1"),
        ({"KERASTUNER_ORACLE_PORT": "65536"}, "KERASTUNER_ORACLE_PORT must be .* Received: 65536"),
    ],
)
def test_variables_that_give_no_role_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        role_in(GOOD | change, 60, 600)


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_variable_that_is_missing_is_named(missing):
    given = {name: value for name, value in GOOD.items() if name != missing}
    with pytest.raises(ValueError, match=f"must be set together.* Received: no {missing}$"):
        role_in(given, 60, 600)
