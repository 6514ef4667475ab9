"""Who sings in held-out recordings, by a model of several voices: each is read under every value
that a condition has, and the value under which its frames are foretold best is the answer.

With values as likely beforehand, and errors as if they were normal and of one spread, that is the
likeliest value by Bayes' rule:

    log p(frames | value) = -(L V / 2) log(mean squared error of the standardised frames) + constant

Beside it the value whose training recordings have the syllables nearest to the recording's own, by
the spectrograms (principal components and duration), and the commonest value.
"""

import collections
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from scipy.spatial import cKDTree

from neurovocal_tf.conditions import Conditions
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.evaluation.heard import Heard, Listener, Songs
from neurovocal_tf.model import scoring
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.rbm.energy import mean_field

_OF, _AS = "who_", "_as_"


def who_sings(
    model: RNNRBM,
    frames: Sequence[np.ndarray],
    held_out: Recordings,
    songs: Songs,
    training: Recordings,
    listener: Listener | None,
) -> dict[str, float]:
    """How many held-out recordings are given their own value of each condition.

    Args:
        model: `RNNRBM` with conditions.    frames: list of [L, V], the held-out sequences.
        held_out: `Recordings` that they are of.    songs: of the sequences, see `heard.Songs`.
        training: `Recordings` that trained.
        listener: which has heard these; None: no syllables are compared.

    Returns:
        flat dict of `who_NAME_share`, by the model, `who_NAME_share_nearest` and
        `who_NAME_share_commonest`; `who_NAME_recordings`, held-out ones with a value that trained;
        and `who_NAME_X_as_Y`, how many of X are told to be Y. Nothing of a condition of which fewer
        than two values are held out.
    """
    known, numbers = held_out.conditions, np.asarray(songs.recordings)
    true = np.array([held_out.condition_of(index) for index in range(len(held_out))])
    figures: dict[str, float] = {}
    heard = None if listener is None else listener.hear(songs)
    for place, (name, values) in enumerate(known.values.items()):
        asked = np.intersect1d(np.flatnonzero(true[:, place]), numbers)
        owners = true[asked, place]
        if len(set(owners.tolist())) < 2:
            continue
        told = _foretold_best(model, frames, numbers, true, place, len(values))[asked]
        shares = {"": told == owners}
        if listener is not None and heard is not None:
            trained = np.array(
                [training.condition_of(index)[place] for index in range(len(training))]
            )
            shares["_nearest"] = _nearest(listener.recordings, trained, heard, asked) == owners
        figures |= {f"{_OF}{name}_share{of}": float(np.mean(right)) for of, right in shares.items()}
        commonest = collections.Counter(owners.tolist()).most_common(1)[0][1]
        figures[f"{_OF}{name}_share_commonest"] = commonest / len(owners)
        figures[f"{_OF}{name}_recordings"] = float(len(owners))
        for (a, b), count in collections.Counter(
            zip(owners.tolist(), told.tolist(), strict=True)
        ).items():
            figures[f"{_OF}{name}_{values[a]}{_AS}{values[b]}"] = float(count)
    return figures


def _foretold_best(model, frames, numbers, true, place, num_values):
    """Of each recording the number of the value under which the squares of its errors are least."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, None, model.num_visible]),
            *scoring.condition_specs(model),
        ],
        autograph=False,
    )
    def squares(frames, condition):
        error = model.standardisation(frames) - mean_field(model(frames, condition=condition))
        return tf.reduce_sum(tf.square(error))

    totals = np.zeros((len(true), num_values - 1))
    for sequence, number in zip(frames, numbers.tolist(), strict=True):
        condition = true[number].copy()
        for value in range(1, num_values):
            condition[place] = value
            whole = tf.constant(sequence[np.newaxis], tf.float32)
            totals[number, value - 1] += float(squares(whole, tf.constant(condition, tf.int32)))
    return 1 + totals.argmin(axis=1)


def _nearest(training: Heard, trained: np.ndarray, heard: Heard, asked: np.ndarray) -> np.ndarray:
    """Of each recording asked for the value of most of its syllables' nearest ones, 0 of none."""
    owners = trained[np.asarray(training.songs.recordings)[training.syllables.pieces]]
    is_named = owners > 0
    if not len(heard) or not is_named.any():
        return np.zeros(len(asked), int)
    _, places = cKDTree(training.vectors[is_named]).query(heard.vectors)
    told, of = owners[is_named][places], np.asarray(heard.songs.recordings)[heard.syllables.pieces]
    votes = [collections.Counter(told[of == number].tolist()) for number in asked.tolist()]
    return np.array([vote.most_common(1)[0][0] if vote else 0 for vote in votes])


def as_table(figures: Mapping[str, float | None], known: Conditions) -> str:
    """The confusions of each condition, who is told to be whom, under its shares; "" of none."""
    blocks = []
    for name, values in known.values.items():
        share = figures.get(f"{_OF}{name}_share")
        if share is None:
            continue
        others = {
            "nearest syllables": figures.get(f"{_OF}{name}_share_nearest"),
            "always the commonest": figures.get(f"{_OF}{name}_share_commonest"),
        }
        beside = ", ".join(f"{what} {x:.3f}" for what, x in others.items() if x is not None)
        count = figures[f"{_OF}{name}_recordings"]
        rows = [f"{name} of {count:g} held-out recordings: {share:.3f} told rightly; {beside}"]
        counts = {
            (a, b): figures.get(f"{_OF}{name}_{a}{_AS}{b}", 0) or 0
            for a in values[1:]
            for b in values[1:]
        }
        shown = [v for v in values[1:] if any(counts[v, b] or counts[b, v] for b in values[1:])]
        width = max(map(len, shown)) + 2
        rows.append(" " * width + "".join(f"{b:>{width}}" for b in shown) + "  (told to be)")
        rows += [
            f"{a:{width}}" + "".join(f"{counts[a, b]:>{width}g}" for b in shown) for a in shown
        ]
        blocks.append("\n".join(rows))
    return "\n\n".join(blocks)
