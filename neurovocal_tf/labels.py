"""Labels along time: which ones a model knows, how long each of them lasts, and what is told of
them frame by frame.

A track is what somebody says of a recording: spans (onset, offset, label) in seconds, in time
order. A frame is told a cue of it, four whole numbers, all of them zero where nothing is known:

    LABEL   the number of the label of the span that the frame is of
    NEXT    that of the next labelled span after it, whatever silence lies between; of none silence
    SINCE   frames of this span before this frame
    LEFT    frames of this span from this frame on, this one among them: 1 at least

What lies between spans, before the first and after the last of a sequence, is a span of silence.
"""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurovocal_tf.conditions import UNKNOWN

if TYPE_CHECKING:
    import tensorflow as tf

#: Places of a cue's numbers, and how many there are.
LABEL, NEXT, SINCE, LEFT = range(4)
CUE_SIZE = 4
#: Numbers of what is no label: of what is not known, of silence, and of the first label.
NOTHING_KNOWN, SILENCE, FIRST_LABEL = range(3)
#: Quantiles that are kept of each duration.
NUM_QUANTILES = 32
# Of fewer examples a gap between two labels has no durations of its own.
_LEAST_PAIRS = 12
# As many are told of where one is not among them.
_MOST_TOLD = 30
_ANY = NOTHING_KNOWN

Gaps = Mapping[tuple[int, int], tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Labels:
    """The labels that a model has learned, and how long they and the gaps between them last.

    Attributes:
        known: the labels, sorted; a label's number is `FIRST_LABEL` and its place here.
        durations: of each label, quantiles of its duration in frames, `NUM_QUANTILES` of them,
            none falling.
        gaps: such quantiles of the silence between two labels, by their numbers: (a, b), (a, 0)
            after a before any, (0, 0) between any two; (1, b) and (1, 0) before the first label of
            a sequence, (a, 1) and (0, 1) after the last.
    """

    known: tuple[str, ...] = ()
    durations: tuple[tuple[int, ...], ...] = ()
    gaps: Gaps = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if list(self.known) != sorted(set(self.known) - {"", UNKNOWN}):
            raise ValueError(f"`known` must be labels, sorted. Received: {self.known}")
        rows = [*self.durations, *self.gaps.values()]
        if len(self.durations) not in (0, len(self.known)) or any(
            len(row) != NUM_QUANTILES or list(row) != sorted(row) or row[0] < 0 for row in rows
        ):
            raise ValueError(f"`durations` must have {NUM_QUANTILES} quantiles of every label")

    @classmethod
    def of(cls, found: Iterable[str]) -> "Labels":
        """Those among the labels found, in any order and number."""
        return cls(tuple(sorted({written(label) for label in found} - {"", UNKNOWN})))

    def __len__(self) -> int:
        """How many there are; where there are none, a model knows of no such thing."""
        return len(self.known)

    @property
    def num_values(self) -> int:
        """Numbers that a cue may have of a label: those of `known`, silence, nothing known."""
        return FIRST_LABEL + len(self.known) if self.known else 0

    @property
    def are_characters(self) -> bool:
        """Whether every label is one character, so that a text needs no spaces."""
        return bool(self.known) and all(len(label) == 1 for label in self.known)

    @property
    def told(self) -> str:
        """The labels, or the first of very many, as a line for users."""
        more = len(self.known) - _MOST_TOLD
        return " ".join(self.known[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")

    def number(self, label: str) -> int:
        """Of a label its number, of one that is not known 0."""
        label = written(label)
        return FIRST_LABEL + self.known.index(label) if label in self.known else NOTHING_KNOWN

    def numbers_in(self, text: str, argument: str = "text") -> tuple[int, ...]:
        """The numbers of the labels of a text: with spaces between them, or one character after
        another where every label is one character.

        Args:
            argument: the name that the text is given by.

        Raises:
            ValueError: there are no labels in it, the model knows of none, or not of these.
        """
        if not self:
            raise ValueError(
                f"`{argument}` must be left out: this model has learned no labels. "
                f"Received: {argument}={text}"
            )
        labels = "".join(text.split()) if self.are_characters else text.split()
        if not labels:
            raise ValueError(f"`{argument}` must have one label at least. Received: none")
        for label in labels:
            if label not in self.known:
                raise ValueError(
                    f"`{argument}` must be of labels that the model has learned: "
                    f"{self.told}. Received: {argument}={text}, and {label} is none"
                )
        return tuple(map(self.number, labels))

    def gap_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """All durations of silences as int32 [G, `NUM_QUANTILES`], and which row is that of the
        silence from one label to another, int32 [N, N], N = `num_values`; 1 is a sequence's
        beginning, or its end.
        """
        rows, keys = list(self.gaps.values()), {key: row for row, key in enumerate(self.gaps)}
        rows.append((0,) * NUM_QUANTILES)
        places = np.full((self.num_values, self.num_values), len(rows) - 1, np.int32)
        for a in range(self.num_values):
            for b in range(self.num_values):
                if b == SILENCE:
                    wanted = ((a, SILENCE), (_ANY, SILENCE))
                elif a == SILENCE:
                    wanted = ((SILENCE, b), (SILENCE, _ANY))
                else:
                    # Where no recording has two labels, what follows each is the best that is
                    # known.
                    wanted = ((a, b), (a, _ANY), (_ANY, _ANY), (a, SILENCE), (_ANY, SILENCE))
                found = [keys[key] for key in wanted if key in keys]
                if found:
                    places[a, b] = found[0]
        return np.array(rows, np.int32), places

    def to_json(self) -> dict[str, Any]:
        """As values of JSON."""
        return {
            "known": list(self.known),
            "durations": [list(row) for row in self.durations],
            "gaps": [[*pair, list(row)] for pair, row in self.gaps.items()],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Labels":
        """Inverse of `to_json`.  Raises an exception of any kind for what is none."""
        if not values:
            return NO_LABELS
        return cls(
            tuple(map(str, values["known"])),
            tuple(tuple(map(int, row)) for row in values["durations"]),
            {(int(a), int(b)): tuple(map(int, row)) for a, b, row in values["gaps"]},
        )


#: Of a model that knows of none.
NO_LABELS = Labels()


def written(label: str) -> str:
    """A label as it stands in a text, where spaces part labels."""
    return "_".join(label.split())


class DurationStatistics:
    """How long labels last, and the silences between them, from the cues of some sequences."""

    def __init__(self) -> None:
        self._durations: dict[int, list[int]] = collections.defaultdict(list)
        self._gaps: dict[tuple[int, int], list[int]] = collections.defaultdict(list)

    def update(self, cues: np.ndarray) -> None:
        """Takes the cues of one more sequence, int `[L, CUE_SIZE]`."""
        # Of a span that a sequence cuts off as long as the model hears of it: so it is told again.
        runs = runs_of(cues)
        for label, first, last in runs:
            if label >= FIRST_LABEL:
                self._durations[label].append(last - first)
        heard = [run for run in runs if run[0] != SILENCE]
        if not heard:
            return
        ends = [(SILENCE, 0, 0), *heard, (SILENCE, len(cues), len(cues))]
        for (before, _, last), (after, first, _) in zip(ends, ends[1:], strict=False):
            if NOTHING_KNOWN in (before, after):
                continue
            kinds = {(before, after)}
            kinds |= {(_ANY, after)} if after == SILENCE else {(before, _ANY)}
            kinds |= {(_ANY, _ANY)} if SILENCE not in (before, after) else set()
            for kind in kinds:
                self._gaps[kind].append(max(first - last, 0))

    def of(self, labels: Labels) -> Labels:
        """The labels with these durations; a label that never came whole lasts as the others do."""
        all_of_them = [frames for some in self._durations.values() for frames in some] or [1]
        durations = [
            _quantiles(self._durations.get(FIRST_LABEL + place) or all_of_them, least=1)
            for place in range(len(labels))
        ]
        gaps = {
            key: _quantiles(some)
            for key, some in sorted(self._gaps.items())
            if _ANY in key or len(some) >= _LEAST_PAIRS
        }
        return dataclasses.replace(labels, durations=tuple(durations), gaps=gaps)


def _quantiles(frames: Sequence[int], least: int = 0) -> tuple[int, ...]:
    shares = (np.arange(NUM_QUANTILES) + 0.5) / NUM_QUANTILES
    rounded = np.quantile(np.asarray(frames), shares, method="inverted_cdf").astype(int)
    return tuple(np.maximum(rounded, least).tolist())


def runs_of(cues: np.ndarray) -> list[tuple[int, int, int]]:
    """The spans in some cues, int `[L, CUE_SIZE]`: (number, first frame, frame after the last) of
    each, silences among them; of what is not known, those that are told as spans.
    """
    begins = np.flatnonzero((cues[:, LEFT] > 0) & (cues[:, SINCE] == 0)).tolist()
    return [(int(cues[t, LABEL]), t, min(t + int(cues[t, LEFT]), len(cues))) for t in begins]


def cues_of(
    numbers: "tf.Tensor", firsts: "tf.Tensor", lasts: "tf.Tensor", num_frames: "tf.Tensor"
) -> "tf.Tensor":
    """What each frame of a sequence is told of its spans.

    Args:
        numbers: int32 [M], of the spans' labels.
        firsts, lasts: int32 [M], the frames that they begin with, increasing, and those after
            their last; of two that overlap the first one ends where the second begins.
        num_frames: int32 [], L.

    Returns: int32 [L, CUE_SIZE].
    """
    import tensorflow as tf  # here, for those who need none

    firsts, lasts = (tf.clip_by_value(frames, 0, num_frames) for frames in (firsts, lasts))
    lasts = tf.minimum(lasts, tf.concat([firsts[1:], num_frames[tf.newaxis]], axis=0))
    kept = lasts > firsts
    numbers, firsts, lasts = (tf.boolean_mask(column, kept) for column in (numbers, firsts, lasts))
    # Each span between two silences, which may be of no frames: of what stands before a frame the
    # last counts.
    nothing = tf.zeros([1], tf.int32)
    silence = tf.fill([1], SILENCE)
    begins = tf.concat(
        [nothing, tf.reshape(tf.stack([firsts, lasts], axis=1), [-1]), num_frames[tf.newaxis]], 0
    )
    silences = tf.fill(tf.shape(numbers), SILENCE)
    values = tf.concat(
        [silence, tf.reshape(tf.stack([numbers, silences], axis=1), [-1]), silence], axis=0
    )
    frames = tf.range(num_frames)
    places = tf.searchsorted(begins, frames, side="right") - 1
    after = tf.gather(begins, places + 1)
    following = tf.searchsorted(firsts, frames, side="right")
    columns = (
        tf.gather(values, places),
        tf.gather(tf.concat([numbers, silence], axis=0), following),
        frames - tf.gather(begins, places),
        after - frames,
    )
    return tf.reshape(tf.stack(columns, axis=1), [-1, CUE_SIZE])
