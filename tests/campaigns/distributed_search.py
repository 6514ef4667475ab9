"""Searches that several processes share, and what becomes of them when one of these dies; each ends
as it must, or is told.

    python tests/campaigns/distributed_search.py

A chief and two tuners finish three trials while one of the tuners is killed (kill -9); a chief that
is killed goes on with the same command; Ctrl-C ends all that --distributed has started; a chief
whose workers are all dead, a worker of another search and a worker without a chief end with a line
that says so. The exit code is 1 if anything ended otherwise. Ten minutes on two cores.
"""

import csv
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
_PATIENCE_S = 900


class Drill:
    """Commands of one search, each in a process of its own, and what they said."""

    def __init__(self, folder, recordings, tiny_flags):
        self.workdir = folder / "search"
        self._folder = folder
        self._arguments = [
            *(tiny_flags, f"--data_dir={recordings}", f"--workdir={self.workdir}"),
            *("--tuner=random", "--num_trials=3", "--search=dropout"),
            # On a machine with other work a sign of life may come late.
            "--lost_after_s=30",
        ]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.processes = {}

    def start(self, name, *arguments, shared=True):
        """Starts a process of the search, or one that has started again."""
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        if shared:
            environment |= {
                "KERASTUNER_TUNER_ID": name,
                "KERASTUNER_ORACLE_IP": "127.0.0.1",
                "KERASTUNER_ORACLE_PORT": str(self._port),
            }
        command = [sys.executable, str(ROOT / "tools" / "tune.py"), *self._arguments, *arguments]
        with open(self._folder / f"{name}.txt", "wb") as said:
            self.processes[name] = subprocess.Popen(
                command,
                env=environment,
                stdout=said,
                stderr=said,
                cwd=self._folder,
                # Ctrl-C is for the process that it is sent to.
                start_new_session=True,
            )

    def said(self, name):
        """What a process has said so far, and of a bar its last state alone."""
        text = (self._folder / f"{name}.txt").read_text(errors="replace")
        return [line.split("\r")[-1] for line in text.splitlines()]

    def await_line(self, name, pattern):
        """Waits until a process has said a line, or is at its end. Returns whether it has."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            has_ended = self.processes[name].poll() is not None
            if any(re.search(pattern, line) for line in self.said(name)):
                return True
            if has_ended:
                return False
            time.sleep(0.1)
        return False

    def await_trials(self, number):
        """Waits until that many trials have begun. Returns whether they have."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            if len(list(self.workdir.glob("random-*/trial_*/trial.json"))) >= number:
                return True
            time.sleep(0.05)
        return False

    def kill(self, name, how=signal.SIGKILL):
        """Kills a process, and waits for its end."""
        self.processes[name].send_signal(how)
        self.processes[name].wait(_PATIENCE_S)

    def code(self, name):
        """The exit code of a process, which must end by itself; None if it does not."""
        try:
            return self.processes[name].wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return None

    def errors(self):
        """The errors of the trials in the chief's table, "" for those that failed."""
        path = self.workdir / "trials.csv"
        if not path.exists():
            return []
        with open(path, encoding="utf-8", newline="") as file:
            return [row["val_one_step_error"] for row in csv.DictReader(file)]

    def clean_up(self):
        """Ends what is left."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()


def a_killed_worker_costs_its_trial_alone(drill):
    """Yields what is not as it must be."""
    for name in ("chief", "tuner1", "tuner2"):
        drill.start(name)
    yield not drill.await_trials(2), "two workers did not begin"
    drill.kill("tuner1")
    yield drill.code("chief") != 0, f"the chief ended with {drill.processes['chief'].poll()}"
    yield drill.code("tuner2") != 0, "the worker that lived did not end in order"
    yield len(drill.errors()) != 3 or "" in drill.errors(), f"errors {drill.errors()}"
    said = "\n".join(drill.said("chief"))
    yield "begins anew: tuner1 was lost" not in said, "the chief does not tell of the lost worker"
    yield "settings of trial" not in said, "the chief names no winner"
    yield not (drill.workdir / "best.flags").exists(), "there is no best.flags"
    yield "settings of trial" in "\n".join(drill.said("tuner2")), "a worker names a winner"


def a_killed_chief_goes_on_with_the_same_command(drill):
    """Yields what is not as it must be."""
    for name in ("chief", "tuner1"):
        drill.start(name, "--wait_s=300")
    yield not drill.await_line("chief", "trial 1 of 3: .* by tuner1"), "no trial was done"
    drill.kill("chief")
    drill.start("chief")
    yield drill.code("chief") != 0, f"the chief ended with {drill.processes['chief'].poll()}"
    yield "going on after 1 trials" not in "\n".join(drill.said("chief")), "it began anew"
    yield len(drill.errors()) != 3 or "" in drill.errors(), f"errors {drill.errors()}"
    yield drill.code("tuner1") != 0, "the worker did not end in order"


def ctrl_c_ends_all_and_the_same_command_goes_on(drill):
    """Yields what is not as it must be."""
    # Of three, all might be done before the signal arrives.
    arguments = ("--distributed=2", "--num_trials=5")
    drill.start("alone", *arguments, shared=False)
    yield not drill.await_line("alone", "trial . of 5: "), "no trial was done"
    drill.kill("alone", signal.SIGINT)
    yield drill.processes["alone"].returncode != 130, "Ctrl-C is not told by exit code 130"
    yield drill.said("alone")[-1] != "interrupted", f"it ended with {drill.said('alone')[-1]}"
    yield not 0 < len(drill.errors()) < 5, f"errors after Ctrl-C {drill.errors()}"
    workers = re.findall(r"is process (\d+)", "\n".join(drill.said("alone")))
    yield any(map(_is_alive, map(int, workers))), "a worker outlived Ctrl-C"
    drill.start("alone", *arguments, shared=False)
    yield drill.code("alone") != 0, "the same command did not end in order"
    yield "going on after" not in "\n".join(drill.said("alone")), "it began anew"
    yield len(drill.errors()) != 5 or "" in drill.errors(), f"errors {drill.errors()}"


def who_waits_in_vain_says_so(drill):
    """Yields what is not as it must be."""
    drill.start("tuner1", "--wait_s=2")
    yield drill.code("tuner1") != 1, "a worker without a chief did not end with 1"
    yield "has not answered for 2 s" not in drill.said("tuner1")[-1], drill.said("tuner1")[-1]
    drill.start("chief", "--wait_s=60")
    drill.start("other", "--search=input_noise", "--wait_s=300")
    yield drill.code("other") != 1, "a worker of another search was taken"
    yield "must be given the chief's command line" not in drill.said("other")[-1], "no reason"
    yield drill.code("chief") != 1, "a chief without workers did not end with 1"
    yield "No worker has called for" not in drill.said("chief")[-1], drill.said("chief")[-1]


def _is_alive(process_id):
    try:
        state = pathlib.Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


DRILLS = [
    a_killed_worker_costs_its_trial_alone,
    a_killed_chief_goes_on_with_the_same_command,
    ctrl_c_ends_all_and_the_same_command_goes_on,
    who_waits_in_vain_says_so,
]


def main(names):
    """Runs the drills, all or those named. Returns the exit code."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import tiny_runs

    # A shell that starts this in the background has it ignored, and its children with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    defects = 0
    with tempfile.TemporaryDirectory() as folder:
        recordings = tiny_runs.recordings_in(folder)
        tiny_flags = tiny_runs.flags_in(folder)
        for drill in [drill for drill in DRILLS if not names or drill.__name__ in names]:
            own = pathlib.Path(folder) / drill.__name__
            own.mkdir()
            processes, began_s = Drill(own, recordings, tiny_flags), time.monotonic()
            try:
                found = [what for is_wrong, what in drill(processes) if is_wrong]
            finally:
                processes.clean_up()
            ending = "as it must" if not found else "; ".join(found)
            print(f"{drill.__name__}: {ending} ({time.monotonic() - began_s:.0f} s)", flush=True)
            if found:
                for name in processes.processes:
                    print("\n".join(f"    {name}: {line}" for line in processes.said(name)[-15:]))
            defects += bool(found)
    print(f"{defects} of {len(DRILLS) if not names else len(names)} drills went wrong")
    return int(defects > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
