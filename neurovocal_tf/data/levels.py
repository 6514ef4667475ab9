"""How loud recordings are, and which scale their frames have."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import SpectrogramConfig
from neurovocal_tf.data.sources import Source

# The loudest 1 in 10,000 cells are clicks and clipping, not song.
_REFERENCE_SHARE = 1e-4
_POWER_DB = np.arange(-300.0, 200.0, 0.1)
# What is fainter by less hardly loses of the range.
_LEAST_FAINTER_DB = 3.0


@dataclasses.dataclass(frozen=True)
class Levels:
    """Histogram of a stretch's power in dB over full scale,
    and the maximum of each of its spectrograms.
    """

    histogram: np.ndarray
    maxima: np.ndarray

    @classmethod
    def of(cls, power: np.ndarray, lengths: np.ndarray) -> "Levels":
        """Those of spectrograms one after another.

        Args:
            power: [sum of L, V].    lengths: int [S], L of each.
        """
        decibels = np.clip(10 * np.log10(np.maximum(power, 1e-30)), _POWER_DB[0], _POWER_DB[-1])
        pieces = np.split(power, np.cumsum(lengths)[:-1])
        return cls(
            np.histogram(decibels, bins=_POWER_DB)[0],
            np.array([piece.max() for piece in pieces if len(piece)]),
        )


def scale_of(levels: Sequence[Levels], config: SpectrogramConfig) -> FrameScale:
    """The scale whose 0 dB all but the loudest 1 in 10,000 cells of all that trains stay below."""
    return FrameScale(
        scaling=config.scaling,
        reference_power=float(10 ** (_reference_db(levels) / 10)),
        dynamic_range_db=config.dynamic_range_db,
        mean_max_power=float(np.mean(np.concatenate([level.maxima for level in levels]))),
    )


def notes_of_faint(
    sources: Sequence[Source], levels: Mapping[str, Levels], scale: FrameScale
) -> Iterator[str]:
    """A sentence where one voice, or what else a condition is, is so much fainter than all together
    that its recordings lie in a floor which follows loud ones: of spoken digits by a voice that is
    21 dB fainter, 72 of 100 cells, and a model of its own is worth 183 nats a frame more.

    Args:
        sources: that train.    levels: of each by its path.    scale: of all.
    """
    of_all = _reference_db([levels[source.path] for source in sources])
    found = [
        (of_all - _reference_db([levels[source.path] for source in some]), value)
        for value, some in _by_value(sources)
    ]
    by_db, value = max(found, default=(0.0, ""))
    left_db, usual_db = scale.dynamic_range_db - by_db, SpectrogramConfig().dynamic_range_db
    if scale.in_decibels and by_db >= _LEAST_FAINTER_DB and left_db < usual_db:
        yield (
            f"recordings of {value} are {by_db:.1f} dB fainter than all together, which leaves "
            f"them {left_db:.1f} dB above the floor: --dynamic_range_db="
            f"{math.ceil(usual_db + by_db)} gives them {usual_db:g}"
        )


def _by_value(sources: Sequence[Source]) -> Iterator[tuple[str, list[Source]]]:
    """Each value of each condition, and the sources that have it."""
    for place in range(len(sources[0].conditions)):
        for value in sorted({source.conditions[place] for source in sources} - {""}):
            yield value, [source for source in sources if source.conditions[place] == value]


def _reference_db(levels):
    counts = np.sum([level.histogram for level in levels], axis=0)
    above = np.cumsum(counts[::-1])[::-1] / counts.sum()
    return _POWER_DB[1:][np.flatnonzero(above > _REFERENCE_SHARE)[-1]]
