"""Commands on a disk that fills up while they write, repeated when it has room.

    python tests/campaigns/full_disks.py [4k 24k 120k ...]

Each of training, search, generation, evaluation and export writes to disks of these sizes, and
then, the same command in the same folder, to one with room. The disks are of memory (tmpfs), which
takes the right to mount one. Prints how each ended, and exits with 1 on a defect: anything but one
line that says that the disk is full, or a repeated command that does not come to its end.
"""

import collections
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support"), str(ROOT / "tests" / "campaigns")]
_SIZES = ("4k", "24k", "64k", "120k", "250k", "400k", "1m")


def mount(path, size, *options):
    """A disk of memory at a path, or that one with another size."""
    path.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join((*options, f"size={size}")), "tmpfs", path]
    subprocess.run(command, check=True, capture_output=True)


def is_told(err):
    """Whether a command's last words are one line on a full disk."""
    last = err.strip().splitlines()[-1]
    return last.startswith("error: ") and any(
        words in last.lower() for words in ("space", "no room", "full", "errno = 28")
    )


def tally(sizes, base):
    """Counter of how all commands ended, as words."""
    import killed_tools
    import tiny_runs
    from forked_tools import running_tools

    ends, disk = collections.Counter(), base / "disk"
    recordings, tiny_flags = tiny_runs.recordings_in(base), tiny_runs.flags_in(base)
    with running_tools(base) as tool:
        run = base / "run"
        assert not tool(
            "tools/train.py", tiny_flags, f"--data_dir={recordings}", f"--workdir={run}"
        )[0]
        commands = killed_tools.commands(base, recordings, run, tiny_flags)
        for name, command in commands.items():
            for size in sizes:
                # What an evaluation reads lies where it writes.
                mount(disk, "64m")
                try:
                    out = disk / "out"
                    arguments = command(out)
                    used = shutil.disk_usage(disk).used // 1024
                    room = int(size[:-1]) * (1024 if size.endswith("m") else 1)
                    mount(disk, f"{used + room}k", "remount")
                    code, _, err = tool(*arguments)
                    if code and ("Traceback" in err or not is_told(err)):
                        ends[f"DEFECT: {name} with {size}: {err[-500:]}"] += 1
                    else:
                        ends[f"{name}: {'a line on the full disk' if code else 'had room'}"] += 1
                    mount(disk, "64m", "remount")
                    code, _, err = tool(*arguments)
                    left = killed_tools.left_over(out)
                    if code or left:
                        ends[f"DEFECT: {name} again after {size}: {left} {err[-500:]}"] += 1
                finally:
                    subprocess.run(["umount", disk], check=True)
    return ends


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        found = tally(sys.argv[1:] or _SIZES, pathlib.Path(scratch))
    for end, count in found.most_common():
        print(f"{count:6}  {end}")
    sys.exit(any("DEFECT" in end for end in found))
