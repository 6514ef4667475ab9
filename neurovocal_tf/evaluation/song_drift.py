"""Whether a song stays what it was: the first third of long songs beside the last."""

import math

import numpy as np

from neurovocal_tf.evaluation.heard import Heard
from neurovocal_tf.evaluation.song_measures import FEWEST_SYLLABLES, MEASURES

# A third of less holds too little.
_LONG_S = 3.0
THIRDS = {"first_third": (0.0, 1 / 3), "last_third": (2 / 3, 1.0)}
OF_SYLLABLES = ("rate_ratio", "effective_types_ratio", "frechet", "share_unlike")
OF_QUIET = "quiet_spread_db"


def drift(real: Heard, songs: Heard) -> dict[str, float]:
    """The thirds of songs beside the recordings as a whole.

    Returns: flat dict of `song_first_third_X` and `song_last_third_X`, and with `_real` behind it
        what the recordings' own thirds get. X is each of `OF_SYLLABLES`, and `quiet_spread_db`, how
        far the mean quiet frame of a piece's third is from that of the recordings: standard
        deviation over bins, mean over pieces. NaN where no piece is longer than three seconds.
    """
    whole, usual = real.all(), _mean_frame(real, range(len(real.songs)), 0.0, 1.0)
    figures = {}
    for third, bounds in THIRDS.items():
        for suffix, heard in (("", songs), ("_real", real)):
            seconds = heard.syllables.num_frames * heard.syllables.frame_s
            pieces = np.flatnonzero(seconds >= _LONG_S)
            part = heard.part(*bounds, pieces)
            for name in OF_SYLLABLES:
                figures[f"song_{third}_{name}{suffix}"] = (
                    MEASURES[name](whole, part) if len(part) >= FEWEST_SYLLABLES else math.nan
                )
            spreads = [np.std(_mean_frame(heard, [piece], *bounds) - usual) for piece in pieces]
            spreads = [spread for spread in spreads if np.isfinite(spread)]
            figures[f"song_{third}_{OF_QUIET}{suffix}"] = (
                float(np.mean(spreads)) if spreads else math.nan
            )
    return figures


def _mean_frame(heard, pieces, first, last):
    """The mean quiet frame of a part of some pieces, dB `[V]`; NaN where there is none."""
    quiet = []
    for piece in pieces:
        frames = heard.songs.pieces[piece]
        some = slice(round(first * len(frames)), round(last * len(frames)))
        quiet.append(frames[some][heard.levels_db[piece][some] < heard.threshold_db])
    frames = np.concatenate(quiet)
    return frames.mean(axis=0) if len(frames) else np.full(frames.shape[1], math.nan)
