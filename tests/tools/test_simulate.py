"""The tool that writes recordings of the simulated bird."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def simulate(repository):
    def run(*arguments):
        command = [sys.executable, os.path.join(repository, "tools", "simulate.py"), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)

    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_flags_write_the_same_bytes_into_a_folder_of_earlier_ones(simulate, tmp_path):
    arguments = ["--duration_s=1.5", "--num_recordings=2", "--seed=3"]
    assert simulate(f"--out={tmp_path / 'a'}", *arguments).returncode == 0
    assert (
        simulate(f"--out={tmp_path / 'b'}", "--num_recordings=3", "--duration_s=1").returncode == 0
    )
    assert "simulated_002.wav" in contents(tmp_path / "b")
    result = simulate(f"--out={tmp_path / 'b'}", *arguments)
    assert result.stderr == f"2 recordings of 1.5 s, and annotations.csv, in {tmp_path / 'b'}\n"
    assert contents(tmp_path / "b") == contents(tmp_path / "a")
    assert sorted(contents(tmp_path / "a")) == [
        "annotations.csv",
        "simulated_000.wav",
        "simulated_001.wav",
    ]


def test_spikes_are_written_with_their_truth_into_a_folder_of_earlier_ones_alone(
    simulate, tmp_path
):
    arguments = ["--kind=spikes", "--duration_s=1", "--num_recordings=4", "--num_neurons=8"]
    for _ in range(2):
        result = simulate(f"--out={tmp_path / 'a'}", *arguments)
        assert result.stderr == (
            "4 trials of 1 s of 8 neurons, spikes.npz, shuffled.npz, truth.json, in "
            f"{tmp_path / 'a'}\n"
        )
    assert sorted(contents(tmp_path / "a")) == ["shuffled.npz", "spikes.npz", "truth.json"]
    refused = simulate(f"--out={tmp_path / 'a'}", "--duration_s=1", "--num_recordings=1")
    assert refused.returncode == 1 and "holds shuffled.npz" in refused.stderr
    refused = simulate(f"--out={tmp_path / 'b'}", "--kind=spikes", "--sample_rate=16000")
    assert "`sample_rate` must not be given for spikes" in refused.stderr


@pytest.mark.parametrize("name", ["bird.wav", "annotations.csv"])
def test_a_folder_with_files_of_another_origin_is_refused_and_left_alone(simulate, tmp_path, name):
    (tmp_path / name).write_text("mine")
    result = simulate(f"--out={tmp_path}")
    assert result.returncode == 1 and contents(tmp_path) == {name: b"mine"}
    assert result.stderr.startswith("error: `out` must be a new folder") and result.stderr.endswith(
        f"{tmp_path} holds {name}\n"
    )
