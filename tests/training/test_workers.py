"""Who the workers of a training are, and how they find each other, or do not."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess

import pytest

import neurovocal_tf
from neurovocal_tf.config import Config
from neurovocal_tf.training import fingerprint, workers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OF_AN_OPERATOR = {
    "cluster": {
        "worker": ["train-worker-0.lab.svc:2222", "train-worker-1.lab.svc:2222"],
        "chief": ["train-chief-0.lab.svc:2222"],
    },
    "task": {"type": "worker", "index": 1},
    "environment": "cloud",
}


def changed(**parts):
    return json.dumps({**OF_AN_OPERATOR, **parts})


def test_a_cluster_has_its_chief_first_and_without_one_worker_0():
    found = workers.cluster_of(json.dumps(OF_AN_OPERATOR))
    assert found.names[0] == "chief 0 (train-chief-0.lab.svc:2222)"
    assert (found.index, found.is_chief, len(found.addresses)) == (2, False, 3)
    alone = changed(cluster={"worker": ["a:1", "[::1]:2"]}, task={"type": "worker", "index": 0})
    found = workers.cluster_of(alone)
    assert found.is_chief and found.addresses == (("a", 1), ("::1", 2))


@pytest.mark.parametrize(
    "text, words",
    [
        (None, "be set where --strategy=workers trains. Received: none"),
        ("{", "be JSON. Received: {"),
        ("[1]", 'have a "cluster" of jobs and a "task"'),
        ("{}", 'have a "cluster" of jobs and a "task"'),
        (changed(task=3), 'have a "cluster" of jobs and a "task"'),
        (changed(cluster={"ps": ["a:1"]}), "the jobs chief and worker alone .*'ps'"),
        (changed(cluster={"worker": "a:1"}), "list the addresses"),
        (changed(cluster={"worker": ["a"]}), 'addresses as host:port. Received: "a"'),
        (changed(cluster={"worker": ["a:70000"]}), "addresses as host:port"),
        (changed(cluster={"worker": [7]}), "addresses as host:port"),
        (changed(cluster={"worker": ["grpc://a:1"]}), "addresses as host:port"),
        (changed(cluster={"chief": ["a:1", "b:1"]}), "one chief"),
        (changed(cluster={"worker": ["a:1", "a:1"]}), "a:1 twice"),
        (changed(task={"type": "worker", "index": 2}), "chief 0, worker 0, worker 1.*worker 2"),
        (changed(task={"type": "evaluator", "index": 0}), "evaluator 0"),
        (changed(task={"type": "worker", "index": "1"}), "worker 0, worker 1"),
        (changed(task={"type": ["worker"], "index": 0}), "name a task"),
    ],
)
def test_a_cluster_that_is_none_is_told_in_a_line(text, words):
    with pytest.raises(ValueError, match=rf"^`TF_CONFIG` must .*{words}") as told:
        workers.cluster_of(text)
    assert "\n" not in str(told.value)


# --- the roll call


@pytest.fixture
def clusters(monkeypatch):
    """The clusters of three workers of this machine."""
    monkeypatch.setattr(workers, "_BETWEEN_TRIES_S", 0.05)
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in opened]
    for one in opened:
        one.close()
    return [
        workers.cluster_of(
            changed(cluster={"worker": addresses}, task={"type": "worker", "index": index})
        )
        for index in range(3)
    ]


def call(cluster, **said):
    """The connection of a caller who has said something to a chief, once that listens."""
    while True:
        try:
            caller = socket.create_connection(cluster.addresses[0], timeout=30)
        except OSError:
            continue
        caller.sendall(json.dumps({"hello": workers._GREETING, "doing": {}, **said}).encode())
        caller.sendall(b"\n")
        return caller


def answers(clusters, doing, wait_s):
    """What each of some workers is told, who all call at once: nothing, or why not."""

    def answer(cluster, what):
        try:
            workers.call_roll(cluster, what, wait_s)
        except ValueError as reason:
            return str(reason)
        return ""

    with concurrent.futures.ThreadPoolExecutor(len(clusters)) as pool:
        return list(pool.map(answer, clusters, doing))


def test_all_who_come_and_do_the_same_begin_whoever_else_calls(clusters):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        others = pool.submit(answers, clusters[:2], [{"a": "1"}] * 2, 30.0)
        stranger = None
        while stranger is None and not others.done():
            try:
                stranger = socket.create_connection(clusters[0].addresses[0], timeout=1)
            except OSError:
                continue
        stranger.sendall(b"GET / HTTP/1.1\r\n\n")
        assert answers(clusters[2:], [{"a": "1"}], 30.0) + others.result() == ["", "", ""]
        stranger.close()


def test_a_worker_that_never_comes_is_named_to_those_that_came(clusters):
    told = answers(clusters[:2], [{}, {}], 1.0)
    assert told[0] == told[1]
    assert f"{clusters[0].names[2]} did not come within 1 s" in told[0]


def test_a_worker_that_called_and_went_has_not_come(clusters):
    names = clusters[0].names
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        chief = pool.submit(answers, clusters[:1], [{}], 0.7)
        call(clusters[0], name=names[1]).close()
        (told,) = chief.result()
    assert f"{names[1]}, {names[2]} did not come within 0.7 s" in told


def test_a_worker_whom_the_chief_does_not_know_ends_the_waiting_of_all(clusters):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        chief = pool.submit(answers, clusters[:1], [{}], 30.0)
        with call(clusters[0], name="worker 7 (a:1)") as stranger:
            why = json.loads(stranger.recv(2**16))["why_not"]
        assert why.startswith("worker 7 (a:1) has called, and the TF_CONFIG of the chief has work")
        assert why in chief.result()[0]


def test_a_chief_that_never_comes_is_named(clusters, monkeypatch):
    monkeypatch.setattr(workers, "_LATER_S", 0.0)
    assert (
        f"{clusters[0].names[0]} did not answer within 0.2 s"
        in answers(clusters[1:2], [{}], 0.2)[0]
    )


def test_workers_that_differ_are_told_in_what(clusters):
    doing = [{"--seed": "0", "the data": "x"}, {"--seed": "1", "the data": "y"}]
    told = answers(clusters, [doing[0], *doing[::-1]], 30.0)
    assert len(set(told)) == 1
    assert f"{clusters[0].names[1]} differs from the chief in --seed: 1 for 0" in told[0]


@pytest.mark.parametrize("index", [0, 1])
def test_a_port_that_another_has_is_told(clusters, index):
    port = clusters[index].addresses[index][1]
    with socket.create_server(("", port)):
        (told,) = answers(clusters[index : index + 1], [{}], 30.0)
    assert f"{clusters[0].names[index]} cannot listen at its port {port}: Address already" in told


def test_workers_of_different_clusters_are_told(clusters, monkeypatch):
    # Whoever has not called when the chief ends has nobody to ask.
    monkeypatch.setattr(workers, "_LATER_S", 0.0)
    names = (*clusters[0].names[:2], "worker 2 (a:1)")
    told = answers([*clusters[:2], dataclasses.replace(clusters[2], names=names)], [{}] * 3, 3.0)
    assert "worker 2 (a:1) has called, and the TF_CONFIG of the chief has worker 0" in told[0]


def test_a_chief_is_called_by_ipv6_too(clusters):
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    port = clusters[0].addresses[0][1]
    by_6 = dataclasses.replace(clusters[1], addresses=(("::1", port), *clusters[1].addresses[1:]))
    assert answers([clusters[0], by_6, clusters[2]], [{}] * 3, 30.0) == [""] * 3


# --- what is compared


def test_settings_code_and_data_are_in_a_fingerprint_and_where_data_lie_is_not(
    tmp_path, monkeypatch
):
    for name, folder in (("here", "x"), ("there", "y"), ("other", "z")):
        place = tmp_path / folder / "data"
        place.mkdir(parents=True)
        (place / "one.wav").write_bytes(b"1" * (3 if name == "other" else 2))
    of = fingerprint.of(Config(), tmp_path / "x" / "data")
    assert of == fingerprint.of(Config(), tmp_path / "y" / "data")

    def differing(config, place, folds=0):
        other = fingerprint.of(config, tmp_path / place / "data", folds)
        return [name for name in of if of[name] != other[name]]

    assert differing(Config(), "z") == ["the data"]
    assert differing(Config(), "nowhere") == ["the data"]
    assert differing(Config().replace(dropout=0.25, seed=3), "x") == ["--dropout", "--seed"]
    assert differing(Config(), "x", folds=2) == ["--folds"]
    monkeypatch.setattr(neurovocal_tf, "__version__", "9")
    assert differing(Config(), "x") == ["neurovocal_tf"]


# --- the script for SLURM


SCRIPT = ROOT / "examples" / "train_workers.slurm"
STAND_INS = {
    "scontrol": """if [ "$1" = show ]; then printf 'node7\\nnode8\\n'; else echo "$@"; fi""",
    "srun": """
        test "$1 $2" = "--kill-on-bad-exit=1 --cpus-per-task=8" || exit 1
        shift 2
        for SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@"; done
    """,
    "neurovocal": 'printf "%s\\n" "$*" "$(echo $TF_CONFIG)"',
}


def started_script(folder, **stand_ins):
    """The script in a job of two machines, with stand-ins for the commands that it calls."""
    for name, body in {**STAND_INS, **stand_ins}.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "123456", "SLURM_JOB_NODELIST": "node[7-8]", "SLURM_NTASKS": "2"}
    job["SLURM_CPUS_PER_TASK"] = "8"
    given = {"DATA_DIR": "/data", "WORKDIR": "/run", "FLAGS": "--batch_size=4 --seed=3"}
    path = {"PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.Popen(
        ["bash", SCRIPT], env={**os.environ, **job, **given, **path}, stdout=-1, text=True
    )


def test_the_script_for_slurm_gives_each_worker_its_own_configuration(tmp_path):
    script = started_script(tmp_path)
    command, first, again, second = script.communicate(timeout=30)[0].splitlines()
    assert script.returncode == 0 and command == again
    assert command == (
        "train --strategy=workers --num_shares=2 --batch_size=4 --seed=3 --data_dir=/data "
        "--workdir=/run"
    )
    found = [workers.cluster_of(text) for text in (first, second)]
    assert [cluster.index for cluster in found] == [0, 1]
    assert {cluster.addresses for cluster in found} == {(("node7", 23456), ("node8", 23456))}


def test_at_the_end_of_its_time_a_job_of_slurm_stands_in_the_queue_again_and_a_mistake_does_not(
    tmp_path,
):
    mistaken = started_script(tmp_path, srun="exit 1")
    assert (mistaken.communicate(timeout=30)[0], mistaken.returncode) == ("", 1)
    script = started_script(tmp_path, srun="echo trains; exec sleep 60 >/dev/null")
    assert script.stdout.readline() == "trains\n"
    script.send_signal(signal.SIGUSR1)
    assert script.communicate(timeout=30)[0] == "requeue 123456\n" and script.returncode == 1
