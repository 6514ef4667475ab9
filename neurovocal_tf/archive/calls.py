"""What calls are by fitted types, and how unusual by a trained run, recording by recording.

The types are those of `neurovocal discover`, and nothing is fitted here; what is usual is learned
once, from the run's held-out recordings, before workers begin. Only a run needs TensorFlow.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neurovocal_tf.annotations import Annotation
from neurovocal_tf.archive import stores
from neurovocal_tf.archive.parts import Cell
from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import fitted_file

if TYPE_CHECKING:
    from neurovocal_tf.model.usual_calls import UsualCalls

_PLACE = ("file", "onset_s", "offset_s")
_OF_TYPES = ("type", "confidence", "is_familiar")
_SCORES = ("score", "order_score", "surprise")
_OF_RUN = (*_SCORES, "p", "is_unusual", "fired")
_ARRAYS = ("middles", "spreads", "held_out", "is_pooled")
# What tells one run, or one fit, from another.
_OF_ONE = ("config.json", "checkpoint.npz", "model.keras", "call_types.json", "call_types.npz")


@dataclasses.dataclass(frozen=True)
class JudgedBy:
    """By what calls are judged; as text, for it travels to other machines.

    Attributes:
        types: folder with fitted call types, or "".    workdir: folder of a run, or "".
        digest: of the files of both.
        usual: what is usual of the run's held-out calls, see `told_usual`; None: nothing is known.
    """

    types: str
    workdir: str
    digest: str
    usual: dict[str, list] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of calls.csv."""
        return (*_PLACE, *(_OF_TYPES if self.types else ()), *(_OF_RUN if self.workdir else ()))

    @property
    def settings(self) -> list[object]:
        """What tells these results from others. What is usual follows from the run and from how
        many calls it holds out, but for the last bits of its numbers, which another processor may
        find otherwise: those make no other results.
        """
        num_usual = len(self.usual["held_out"]) if self.usual else 0
        return [self.columns, self.digest, num_usual]

    def to_json(self) -> str:
        """All of it, as text."""
        return json.dumps(dataclasses.astuple(self))

    @classmethod
    def from_json(cls, text: str) -> "JudgedBy":
        """What `to_json` gave."""
        return cls(*json.loads(text))


def judged_by(
    types: str, workdir: str, config: Config, data_dir: str | None
) -> tuple[JudgedBy, list[str]]:
    """What judges the calls of an archive, and sentences for the user about it.

    Args:
        types, workdir: folders, of which one may be "".
        config: `Config` of the archive; its `audio` counts.
        data_dir: where the run's held-out recordings are looked for if they are no longer where
            they were; None: nowhere else.

    Raises: ValueError, one line, if one of them cannot judge these calls.
    """
    digest = hashlib.blake2b(digest_size=12)
    usual: dict[str, list] | None = None
    notes: list[str] = []
    if types:
        with stores.local_folder(types) as here:
            fitted = fitted_file.load(here, "types")
            _take_files(digest, here)
        if fitted.recipe.is_per_group:
            raise ValueError(
                "`types` must be call types that stand as they are, and those of speech stand "
                "against their speaker's other words, which `neurovocal discover --types` knows. "
                f"Received: types={types}"
            )
    if workdir:
        with stores.local_folder(workdir) as here:
            usual, notes = _usual_of(here, workdir, config, data_dir)
            _take_files(digest, here)
    return JudgedBy(types, workdir, digest.hexdigest(), usual), notes


def _usual_of(
    here: str, workdir: str, config: Config, data_dir: str | None
) -> tuple[dict[str, list] | None, list[str]]:
    from neurovocal_tf.evaluation.usual_ranges import usual_calls_of  # needs TensorFlow
    from neurovocal_tf.runs.run_folder import RunFolder
    from neurovocal_tf.runs.trained import load_trained

    data = RunFolder(here).data()
    received = f"Received: workdir={workdir}"
    if data is None or not data.is_sound:
        raise ValueError(f"`workdir` must be a run that learned from recordings. {received}")
    trained = load_trained(here)
    now, then = config.audio.time_expansion, trained.config.audio.time_expansion
    if now != then:
        raise ValueError(
            f"`time_expansion` must be that of the run in `workdir`, {then}. "
            f"Received: time_expansion={now}"
        )
    told = "no call is called unusual, all are scored"
    for place in (None, data_dir)[: 1 + bool(data_dir)]:
        try:
            usual = usual_calls_of(trained, here, place)
        except ValueError as error:
            reason = str(error)
            continue
        few = (
            f"{told}: the run holds out {usual.num_calls} calls, too few to know the usual ones by"
        )
        return told_usual(usual), [] if usual.rate else [few]
    return None, [f"{told}: {reason}"]


def told_usual(usual: "UsualCalls") -> dict[str, list]:
    """What is usual, of JSON's kinds."""
    return {name: getattr(usual, name).tolist() for name in _ARRAYS} | {"names": [*usual.names]}


class Judge:
    """Tells what calls are.

    Args:
        by: `JudgedBy`.    config: `Config` of the archive; its `audio` counts.

    Raises: ValueError if types or run cannot be read.
    """

    def __init__(self, by: JudgedBy, config: Config) -> None:
        self._audio = config.audio
        self._fitted: fitted_file.Fitted | None = None
        self._run: _Run | None = None
        with contextlib.ExitStack() as stack:
            if by.types:
                here = stack.enter_context(stores.local_folder(by.types))
                self._fitted = fitted_file.load(here, "types")
            if by.workdir:
                self._run = _Run(stack.enter_context(stores.local_folder(by.workdir)), by.usual)

    def rows(self, path: str, segments: Sequence[Annotation]) -> list[list[Cell]]:
        """Rows of calls.csv of one recording.

        Args:
            path: of a local file.    segments: in time order.

        Raises: `readers.UnreadableRecording`.
        """
        rows: list[list[Cell]] = [
            [a.file, f"{a.onset_s:.6f}", f"{a.offset_s:.6f}"] for a in segments
        ]
        if not rows:
            return rows
        spans_s = np.array([(a.onset_s, a.offset_s) for a in segments])
        if self._fitted:
            types = self._fitted.types
            told = types.assign(self._fitted.points_of(path, spans_s, self._audio))
            for row, kind, confidence, is_familiar in zip(
                rows, told.types, told.confidences, told.is_familiar, strict=True
            ):
                row += [types.names[kind], f"{confidence:.3f}", int(is_familiar)]
        if self._run:
            rate = readers.probe(path, self._audio.time_expansion).sample_rate
            for row, cells in zip(rows, self._run.cells(path, spans_s, rate), strict=True):
                row += cells
        return rows


class _Run:
    """A trained run, as far as it judges calls."""

    def __init__(self, workdir: str, usual: dict[str, list] | None) -> None:
        from neurovocal_tf.discovery import unusual  # needs TensorFlow
        from neurovocal_tf.model.usual_calls import UsualCalls
        from neurovocal_tf.runs.trained import load_trained

        trained = load_trained(workdir)
        self._rate, self._read = trained.sample_rate, unusual.reader(trained)
        self._usual = None
        if usual:
            arrays = {name: np.array(usual[name]) for name in _ARRAYS}
            arrays["held_out"] = arrays["held_out"].reshape(-1, len(usual["names"]))
            self._usual = UsualCalls(names=tuple(usual["names"]), **arrays)

    def cells(self, path: str, spans_s: np.ndarray, rate: int) -> list[list[Cell]]:
        """Under `_OF_RUN`, of each call."""
        if rate < self._rate:
            # What the recording lacks, the model would take for something about the call.
            return [[""] * len(_OF_RUN) for _ in spans_s]
        scores = self._read(path, spans_s)
        values = np.column_stack([scores, np.diff(spans_s)])
        known = np.isfinite(values).all(axis=1)
        verdicts: dict[int, list[Cell]] = {}
        if self._usual and self._usual.rate and known.any():
            told = self._usual.judge(values[known], np.zeros(known.sum(), int))
            for place, p, is_unusual, fired in zip(
                np.flatnonzero(known).tolist(),
                told.p.numpy().tolist(),
                told.is_unusual.numpy().tolist(),
                told.fired.numpy().tolist(),
                strict=True,
            ):
                name = self._usual.names[fired] if is_unusual else ""
                verdicts[place] = [f"{p:.6g}", int(is_unusual), name]
        return [
            [*("" if np.isnan(x) else f"{x:.6g}" for x in row), *verdicts.get(place, ["", "", ""])]
            for place, row in enumerate(scores.tolist())
        ]


def _take_files(digest: hashlib.blake2b, folder: str) -> None:
    for name in _OF_ONE:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                digest.update(name.encode() + hashlib.blake2b(file.read()).digest())
