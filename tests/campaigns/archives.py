"""Many small recordings segmented by one run, in four shards, and as an archive by Apache Beam.

    python tests/campaigns/archives.py 10000
    python tests/campaigns/archives.py 400 --price=0.05

simulates so many recordings of six seconds, segments them by `neurovocal segment`, by four shards
and --merge, of which one is killed and started again, and by `neurovocal segment_archive` with two
processes, of which one is killed, and then the command itself, which is started again. Prints how
long each took, how many hours of audio a core does in an hour, and what 10,000 hours cost at that
rate and a price of a core-hour, and exits with 1 unless all tables are those of the one run, byte
for byte. Rates mean what they say on an idle machine; the processor time is what was used, whoever
else was at work. Needs the extra archive.
"""

import argparse
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import soundfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
_DURATION_S, _NUM_DIFFERENT, _NUM_CORES = 6.0, 100, 2
_ASKED_HOURS = 10_000
_WORKERS_END_S = 5.0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("num_files", type=int)
    parser.add_argument("--price", type=float, default=0.05, help="of a core-hour, in dollars")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        data = simulated(base / "data", options.num_files)
        hours = options.num_files * _DURATION_S / 3600
        asked = (f"--data_dir={data}", "--preset=songbird", f"--workers={_NUM_CORES}")
        print(f"{options.num_files} recordings, {hours:.2f} h, {_NUM_CORES} cores")
        told = {
            "one run": lambda: tool("segment", *asked, f"--out={base / 'whole'}"),
            "four shards, one killed": lambda: shards(asked, base / "shards"),
            "archive": lambda: tool("segment_archive", *asked, f"--out={base / 'archive'}"),
            "archive, killed twice": lambda: killed_archive(asked, base / "killed"),
        }
        for name, act in told.items():
            report(name, act, hours, options.price)
        defects = [
            f"{name}/{table}"
            for name in ("shards", "archive", "killed")
            for table in different(base / "whole", base / name)
        ]
        print(f"defects: {', '.join(defects) or 'none'}")
        return bool(defects)


def simulated(folder, num_files):
    """Recordings of which many are the same sound, in folders of a hundred."""
    from neurovocal_tf.data import simulated_song

    with tempfile.TemporaryDirectory() as made:
        count = min(num_files, _NUM_DIFFERENT)
        paths = sorted(simulated_song.write_recordings(made, count, _DURATION_S))
        for number in range(num_files):
            place = folder / f"{number // 100:04}"
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(paths[number % count], place / f"song_{number:06}.wav")
        soundfile.write(folder / "silent.wav", [0.0] * 16_000, 16_000)
        (folder / "broken.wav").write_bytes(b"RIFF????WAVE")
    return folder


def report(name, act, hours, price):
    """Does something, and prints what it took."""
    began, used = time.monotonic(), processor_hours()
    act()
    wall, used = (time.monotonic() - began) / 3600, processor_hours() - used
    rate, by_processor = hours / (wall * _NUM_CORES), hours / used
    print(
        f"{name:26} {3600 * wall:8.1f} s   {rate:8.1f} h of audio a core-hour, by processor time "
        f"{by_processor:8.1f}   {_ASKED_HOURS:,} h: {_ASKED_HOURS / rate:7.1f} core-hours, "
        f"{price * _ASKED_HOURS / rate:.2f} dollars",
        flush=True,
    )


def processor_hours():
    """Of all processes that have ended by now."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 3600


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "neurovocal_tf", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def tool(*arguments):
    """Runs a command to its end."""
    ended(started(*arguments))


def ended(process):
    said = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {said[-1000:]}")


def shards(asked, out):
    """Four shards one after another, of which the second is killed in its middle, merged."""
    for number in range(1, 5):
        arguments = ("segment", *asked, f"--out={out}", f"--shard={number}/4")
        if number == 2:
            process = started(*arguments)
            table = out / "shards" / "2_of_4" / "config.json"
            wait_for(lambda: table.exists() or process.poll() is not None)  # noqa: B023
            process.kill()
            process.communicate()
        tool(*arguments)
    tool("segment", *asked, f"--out={out}", "--merge")


def killed_archive(asked, out):
    """An archive of which a worker is killed when the first part is done, and the command itself
    when a further one is, by which its workers end; the same command goes on.
    """
    process = started("segment_archive", *asked, f"--out={out}")
    await_part(out, process, 1)
    for worker in workers_below(process.pid)[:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    await_part(out, process, 1 + len(list(out.glob("parts/*.jsonl"))))
    workers = workers_below(process.pid)
    process.kill()
    process.communicate()
    time.sleep(_WORKERS_END_S)
    if any(map(lives, workers)):
        raise SystemExit("workers have outlived the command")
    tool("segment_archive", *asked, f"--out={out}")


def await_part(out, process, number):
    """Returns when so many parts are done, or the process has ended."""
    wait_for(lambda: len(list(out.glob("parts/*.jsonl"))) >= number or process.poll() is not None)


def wait_for(happens):
    while not happens():
        time.sleep(0.1)


def lives(process_id):
    """Whether a process is there that has not ended."""
    with contextlib.suppress(OSError):
        return bool(pathlib.Path(f"/proc/{process_id}/cmdline").read_bytes())
    return False


def workers_below(process_id):
    """Beam's workers that a process has begun, by their ids."""
    parents, commands = {}, {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(path.name)] = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            commands[int(path.name)] = (path / "cmdline").read_bytes().split(b"\0")
    found = []
    for one in commands:
        above = one
        while above in parents and above != process_id:
            above = parents[above]
        is_worker = any(word.endswith(b"sdk_worker_main") for word in commands[one])
        if above == process_id and is_worker and not commands[one][0].endswith(b"sh"):
            found.append(one)
    return found


def different(whole, other):
    """Names of the tables of one run that are not the same in another folder."""
    from segmented_folders import tables_in

    expected, found = tables_in(whole), tables_in(other)
    return sorted(name for name, table in expected.items() if found.get(name) != table)


if __name__ == "__main__":
    sys.exit(main())
