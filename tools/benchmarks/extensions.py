"""The table of extensions: which there are, one row's training and evaluation, and the table."""

import csv
import dataclasses
import json
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from neurovocal_tf import files

_TOOLS = pathlib.Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: of the row.    train: what its training has beside the preset's flags.
        use: what evaluation has beside the run's settings.
        trained_as: name of the row whose training it shares; "": its own.
    """

    name: str
    train: tuple[str, ...] = ()
    use: tuple[str, ...] = ()
    trained_as: str = ""


# Each beside the first, which has the preset as it is.
ROWS = (
    Row("preset"),
    Row("tempering", use=("--sampler=tempering",), trained_as="preset"),
    Row("latent_16", ("--latent_size=16",)),
    Row("coupling_gain", ("--coupling_gain",)),
    Row("noise_context", ("--noise_context=1",)),
    Row("smoothness", ("--smoothness=1",)),
    Row("memory", ("--memory_frames=10,50,200",)),
    Row("no_memory", ("--memory_frames=0",)),
    Row("short_windows", ("--window_frames=128", "--batch_size=8")),
    Row("no_dropout", ("--dropout=0",)),
    Row("periods", ("--layer_periods=1,4,16",)),
    Row("attention", ("--layer_periods=1,4,16", "--attention_frames=512")),
)

# Figure -> its heading, and a format of its own.
_COLUMNS = {
    "train_s": ("train s", ".0f"),
    "one_step_error_db": ("1-step dB", ".3f"),
    "log_likelihood_ais_nats": ("AIS nats", ".2f"),
    "song_transition_divergence_bits": ("transit.", ".3f"),
    "song_bigram_nats": ("bigrams", ".2f"),
    "song_effective_types_ratio": ("types", ".2f"),
    "song_rate_ratio": ("rate", ".2f"),
    "song_frechet": ("Frechet", ".3f"),
    "song_coverage": ("cover.", ".2f"),
    "song_share_unlike": ("unlike", ".3f"),
    "song_change_quiet_ratio": ("quiet", ".2f"),
    "song_change_loud_ratio": ("loud", ".2f"),
}


@dataclasses.dataclass(frozen=True)
class Study:
    """Where rows are trained and kept.

    Attributes:
        folder: of the runs and of a JSON file a row and seed.    data_dir: recordings.
        preset: of every row.    train, evaluate: flags of every row's commands, beside its own.
    """

    folder: pathlib.Path
    data_dir: str
    preset: str = "songbird"
    train: tuple[str, ...] = ()
    evaluate: tuple[str, ...] = ()

    def path_of(self, row: Row, seed: int) -> pathlib.Path:
        """Where a row's figures are."""
        return self.folder / f"{row.name}_seed_{seed}.json"

    def asked(self, row: Row, seed: int) -> dict[str, object]:
        """All that a row's figures follow from."""
        trained = next(other for other in ROWS if other.name == (row.trained_as or row.name))
        return {
            "row": row.name,
            "seed": seed,
            "run": f"{trained.name}_seed_{seed}",
            "train_flags": [
                f"--preset={self.preset}",
                f"--data_dir={self.data_dir}",
                # Of two values the later one counts: a row has its own, whatever all have.
                *self.train,
                *trained.train,
                f"--seed={seed}",
            ],
            "evaluate_flags": [*self.evaluate, *row.use, f"--seed={seed}"],
        }


def rows_of(names: Sequence[str]) -> list[Row]:
    """The rows of those names, all for none.  Raises ValueError for an unknown one."""
    known = {row.name: row for row in ROWS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"`rows` must be among {', '.join(known)}. Received: rows={unknown[0]}")
    return [known[name] for name in names] if names else list(ROWS)


def figures_of(study: Study, row: Row, seed: int) -> dict[str, object] | None:
    """A row's figures, if it is finished.

    Raises ValueError where they were made with other flags.
    """
    path = study.path_of(row, seed)
    if not path.exists():
        return None
    figures = json.loads(path.read_text(encoding="utf-8"))
    for name, value in study.asked(row, seed).items():
        if figures.get(name) != value:
            raise ValueError(
                f"{path}: has {name}={figures.get(name)}, and {value} is asked for: give the "
                "flags that it was made with, or another --workdir"
            )
    return figures


def run_row(study: Study, row: Row, seed: int, say: Callable[[str], object]) -> bool:
    """Trains and evaluates a row, from where it was stopped; whether that went well.

    Args:
        study: `Study`.    row: `Row`.    seed: of training and evaluation.
        say: called with lines for the user.
    """
    if figures_of(study, row, seed) is not None:
        return True
    asked = study.asked(row, seed)
    run = study.folder / str(asked["run"])
    evaluated = run / f"{row.name}.json"
    say(f"{row.name}, seed {seed}: {run}")
    commands = (
        ["train", *asked["train_flags"], f"--workdir={run}"],
        ["evaluate", *asked["evaluate_flags"], f"--workdir={run}", f"--json={evaluated}"],
    )
    for command in commands:
        code = _neurovocal(command)
        if code:
            say(f"{row.name}, seed {seed}: {command[0]} ended with exit code {code}")
            return False
    figures = json.loads(evaluated.read_text(encoding="utf-8"))
    files.write_json(study.path_of(row, seed), asked | {"train_s": _train_s(run)} | figures)
    return True


def table(rows: Iterable[Mapping[str, object]]) -> str:
    """Figures of finished rows, a line each; - for what a row has not."""
    rows = list(rows)
    width = max([len(str(row["row"])) for row in rows], default=0) + 2
    head = "".join(f"{heading:>11}" for heading, _ in _COLUMNS.values())
    lines = [f"{'':{width}}{'seed':>5}{head}"]
    for row in rows:
        numbers = "".join(
            f"{'-' if row.get(name) is None else format(row[name], how):>11}"
            for name, (_, how) in _COLUMNS.items()
        )
        lines.append(f"{row['row']:{width}}{row['seed']:>5}{numbers}")
    return "\n".join(lines)


def _neurovocal(arguments):
    """The exit code of a command of this checkout, where relative paths are what they are here."""
    command, *given = arguments
    script = str(_TOOLS / f"{command}.py")
    return subprocess.run([sys.executable, script, *given], check=False).returncode


def _train_s(run):
    """Seconds of all epochs of a run."""
    with open(run / "history.csv", encoding="utf-8", newline="") as file:
        return round(sum(float(row["epoch_s"]) for row in csv.DictReader(file)), 1)
