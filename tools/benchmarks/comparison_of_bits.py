"""Whether two checkouts compute the same: both go the whole way, from recordings to an export's
answers, and their files are compared.
"""

import dataclasses
import os
import pathlib

from benchmarks.comparison_of_values import compared_folders

_ANSWERS = pathlib.Path(__file__).with_name("comparison_answers.py")
_SIMULATED = ("--num_recordings=4", "--duration_s=4")
_SONGS = ("--num_songs=2", "--num_frames=60", "--seed=5")
_EVALUATION = (
    "--num_temperatures=20",
    "--num_chains=2",
    "--num_test_frames=64",
    "--seconds=3",
    "--num_songs=2",
)
_MAX_FRAMES = 4_000


@dataclasses.dataclass(frozen=True)
class Case:
    """A way to go: its `name`, a `flagfile` of each checkout's own, `flags` that shorten it, and a
    folder, `data_dir`; "": simulated.
    """

    name: str
    flagfile: str
    flags: tuple
    data_dir: str = ""


_BIRD = Case("bird", "demo.flags", ("--epochs=3", "--epochs_per_rate=1", "--cd_steps=2,2,3"))
# Mean-field units, RMSProp, packed sequences and L1, which the bird has not.
_PUBLISHED = Case(
    "published",
    "seed.flags",
    (
        "--learning_rates=3e-4",
        "--epochs=1",
        "--cd_steps=2",
        "--hidden_scalar=0.5",
        "--recurrent_scalar=0.3",
    ),
)
_SMALL_SONGBIRD = (
    "--epochs=3",
    "--epochs_per_rate=1",
    "--cd_steps=2,2,3",
    "--hidden_scalar=0.3",
    "--recurrent_scalar=0.3",
)


def cases(data_dir=None):
    """`Case`s to compare: two of the simulated bird,
    and one of a folder of recordings where it is given.
    """
    recordings = (
        [Case("recordings", "songbird.flags", _SMALL_SONGBIRD, os.path.abspath(data_dir))]
        if data_dir
        else []
    )
    return [_BIRD, _PUBLISHED, *recordings]


def compare(checkouts, case, folder, say):
    """`Comparison`s of all files that two checkouts write.

    Args:
        checkouts: two of `Checkout`, before and after.    case: `Case`.
        folder: for the files.    say: called with a line before each command.
    """
    folders = [pathlib.Path(folder, case.name, checkout.name) for checkout in checkouts]
    for checkout, own in zip(checkouts, folders, strict=True):
        for command in commands(case, own):
            say(
                f"{case.name}, {checkout.name}: "
                f"{pathlib.Path(command[0]).name if command[0] != '-c' else 'answers'}"
            )
            checkout.run(*command)
    return compared_folders(*folders)


def commands(case, folder):
    """Arguments of Python, command by command, that write into `folder`."""
    run, models = folder / "run", folder / "models"
    data_dir = case.data_dir or folder / "recordings"
    given, workdir = (
        (f"--flagfile=tools/flagfiles/{case.flagfile}", f"--data_dir={data_dir}"),
        f"--workdir={run}",
    )
    if not case.data_dir:
        yield "tools/simulate.py", f"--out={data_dir}", *_SIMULATED
    yield (
        "tools/segment.py",
        *given,
        f"--out={folder / 'segments'}",
        f"--json={folder / 'segments.json'}",
    )
    yield "tools/train.py", *given, workdir, *case.flags
    yield "tools/generate.py", workdir, *_SONGS
    yield "tools/evaluate.py", workdir, *_EVALUATION
    yield (
        "export/export_saved_model.py",
        workdir,
        f"--export_dir={models}",
        f"--max_frames={_MAX_FRAMES}",
    )
    recording = next((str(path) for path in sorted(pathlib.Path(data_dir).rglob("*.wav"))), "")
    yield (
        "-c",
        _ANSWERS.read_text(encoding="utf-8"),
        run,
        models / "1",
        recording,
        folder / "answers.npz",
    )
