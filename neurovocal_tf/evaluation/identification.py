"""Who sings in held-out recordings, by a model of several voices: each is read under every value
that a condition has, and the value that makes its frames likeliest is the answer, by Bayes' rule
were the values as likely beforehand.

Errors of neighbouring bins go together, and a model that foretells each bin as well as may be is
far off in many at once where the voice is another. So they are taken as normal and correlated:

    log p(frames | value) = -1/2 sum_t e_t' C^-1 e_t + constant
    e_t = standardised frame - one-step prediction under the value

with C the covariance of the training recordings' errors under their own values, shrunk as Ledoit
and Wolf have it (2004, https://doi.org/10.1016/S0047-259X(03)00096-4). On six voices that say
digits the share told rightly rises from .77, by squares of errors alone, to .97: chosen on
training recordings that C had not seen; a C for each voice has too few frames, and bins apart .81.

Beside it the value whose training recordings have the syllables nearest to the recording's own, by
the spectrograms (principal components and duration), and the commonest value.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
import tensorflow as tf
from scipy.spatial import cKDTree
from sklearn.covariance import ledoit_wolf
from threadpoolctl import threadpool_limits

from neurovocal_tf.conditions import Conditions
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.evaluation.heard import Heard, Listener, Songs
from neurovocal_tf.model import scoring
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.rbm.energy import mean_field

_OF, _AS = "who_", "_as_"
# Recordings of one value that are told together.
_TEN = 10
# Of each unit's name in shares that of its number, and in the table.
_COUNTS = {
    "": ("recordings", "recordings"),
    "call": ("calls", "single syllables"),
    "ten": ("tens", "tens of recordings"),
}
# Of which units is told who is taken for whom.
_CONFUSED = ("", "call")
# Training frames that the covariance of the errors is of, about.
_ENOUGH_FRAMES = 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences `frames` [L, V] of `recordings`, and of which recording each is: `songs`."""

    frames: Sequence[np.ndarray]
    recordings: Recordings
    songs: Songs

    @property
    def numbers(self) -> np.ndarray:
        """int [N], of each sequence's recording."""
        return np.asarray(self.songs.recordings, int)

    def values(self) -> np.ndarray:
        """int [R, K], each recording's values of the conditions."""
        return np.array(
            [self.recordings.condition_of(index) for index in range(len(self.recordings))]
        )


def who_sings(
    model: RNNRBM, held_out: Sequences, training: Sequences, listener: Listener | None
) -> dict[str, float]:
    """How many held-out recordings are given their own value of each condition.

    Args:
        model: `RNNRBM` with conditions.    held_out, training: `Sequences`.
        listener: which has heard those that train; None: no syllables are compared.

    Returns:
        flat dict of `who_NAME_share`, by the model, `who_NAME_share_nearest` and
        `who_NAME_share_commonest`; `who_NAME_recordings`, held-out ones with a value that trained;
        `who_NAME_X_as_Y`, how many of X are told to be Y; `who_NAME_share_call`,
        `who_NAME_share_call_nearest`, `who_NAME_calls` and `who_NAME_call_X_as_Y`, of single
        syllables; and, where there are ten recordings of a value, `who_NAME_share_ten`,
        `who_NAME_share_ten_nearest` and `who_NAME_tens`, of tens of recordings of one value told
        together. Nothing of a condition of which fewer than two values are held out.
    """
    true = held_out.values()
    heard = None if listener is None else listener.hear(held_out.songs)
    figures: dict[str, float] = {}
    read, precision = _reader(model), None
    for place, (name, values) in enumerate(held_out.recordings.conditions.values.items()):
        asked = np.intersect1d(np.flatnonzero(true[:, place]), held_out.numbers)
        if len(set(true[asked, place].tolist())) < 2:
            continue
        precision = _precision(read, training) if precision is None else precision
        of_frames = _log_likelihoods(read, held_out, precision, place, len(values))
        nearest = None
        if listener is not None and heard is not None:
            nearest = _nearest(listener.recordings, training.values()[:, place], heard)
        found = _told(asked, true[:, place], held_out, of_frames, heard, nearest)
        figures |= _figures(name, values, found)
    return figures


class _Told(NamedTuple):
    """Whose units are, whom the model says, and whom the nearest syllables say, None where none
    are compared; int [N] each.
    """

    owners: np.ndarray
    told: np.ndarray
    nearest: np.ndarray | None


def _told(asked, owners, held_out, of_frames, heard, nearest):
    """`_Told` of recordings, "", of tens of them and of calls, of which there are any.

    Args:
        asked: int [N], recordings.    owners: int [R], of each recording.    held_out: `Sequences`.
        of_frames: of `_log_likelihoods`.    heard: `Heard`.    nearest: of `_nearest`, or None.
    """
    totals = np.zeros((len(owners), of_frames[0].shape[1]))
    np.add.at(totals, held_out.numbers, [found.sum(axis=0) for found in of_frames])
    found = {
        of: _Told(
            owners[groups[:, 0]],
            1 + totals[groups].sum(axis=1).argmax(axis=1),
            None if nearest is None else _voted(nearest, heard, groups),
        )
        for of, groups in {"": asked[:, np.newaxis], "ten": _tens(asked, owners[asked])}.items()
        if len(groups)
    }
    if nearest is not None and len(heard):
        of_calls = owners[np.asarray(heard.songs.recordings, int)[heard.syllables.pieces]]
        told = 1 + _of_calls(of_frames, heard.syllables).argmax(axis=1)
        is_named = of_calls > 0
        if is_named.any():
            found["call"] = _Told(*(x[is_named] for x in (of_calls, told, nearest)))
    return found


def _figures(name, values, found):
    """Of `_told` the figures of `who_sings`."""
    figures = {}
    for of, (owners, told, nearest) in found.items():
        share = f"{_OF}{name}_share" + (f"_{of}" if of else "")
        figures[share] = float(np.mean(told == owners))
        if nearest is not None:
            figures[f"{share}_nearest"] = float(np.mean(nearest == owners))
        count = _COUNTS[of][0]
        figures[f"{_OF}{name}_{count}"] = float(len(owners))
    owners = found[""].owners.tolist()
    commonest = collections.Counter(owners).most_common(1)[0][1]
    figures[f"{_OF}{name}_share_commonest"] = commonest / len(owners)
    for of, (owners, told, _) in found.items():
        if of not in _CONFUSED:
            continue
        pairs = collections.Counter(zip(owners.tolist(), told.tolist(), strict=True))
        for (a, b), count in pairs.items():
            figures[_confused(name, of, values[a], values[b])] = float(count)
    return figures


def _confused(name, of, a, b):
    """The name of how many of one value are told to be another."""
    return f"{_OF}{name}_" + (f"{of}_" if of else "") + f"{a}{_AS}{b}"


def _tens(asked, owners):
    """Recordings of one owner, ten by ten, int [G, 10]; what is left over is in none."""
    groups = []
    for owner in np.unique(owners):
        own = asked[owners == owner]
        whole = len(own) // _TEN * _TEN
        groups.append(own[:whole].reshape(-1, _TEN))
    return np.concatenate(groups)


def _reader(model):
    """A function (frames [1, L, V], condition [K]) -> errors of one-step predictions [L, V]."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, None, model.num_visible]),
            *scoring.condition_specs(model),
        ],
        autograph=False,
    )
    def errors(frames, condition):
        return (model.standardisation(frames) - mean_field(model(frames, condition=condition)))[0]

    def read(sequence, condition):
        whole = tf.constant(sequence[np.newaxis], tf.float32)
        return errors(whole, tf.constant(condition, tf.int32)).numpy().astype(np.float64)

    return read


def _precision(read, training):
    """The lower triangle of C^-1, L with L L' = C^-1."""
    values, num_frames, found = training.values(), 0, []
    for index in np.random.default_rng(0).permutation(len(training.frames)).tolist():
        found.append(read(training.frames[index], values[training.numbers[index]]))
        num_frames += len(found[-1])
        if num_frames >= _ENOUGH_FRAMES:
            break
    with threadpool_limits(1):
        covariance, _ = ledoit_wolf(np.concatenate(found), assume_centered=True)
        # Digital silence is foretold without an error.
        smallest = 1e-6 * max(np.trace(covariance) / len(covariance), 1e-6)
        whole = covariance + smallest * np.eye(len(covariance))
        return scipy.linalg.cholesky(scipy.linalg.inv(whole), lower=True)


def _log_likelihoods(read, held_out, precision, place, num_values):
    """Of each sequence's frames, but for what is the same of all values, under each value but the
    unknown, [L, values - 1].
    """
    true, found = held_out.values(), []
    for sequence, number in zip(held_out.frames, held_out.numbers.tolist(), strict=True):
        condition = true[number].copy()
        found.append(np.empty((len(sequence), num_values - 1)))
        for value in range(1, num_values):
            condition[place] = value
            whitened = read(sequence, condition) @ precision
            found[-1][:, value - 1] = -0.5 * np.sum(np.square(whitened), axis=1)
    return found


def _of_calls(of_frames, syllables):
    """Sums over each syllable's frames, [S, values - 1]."""
    spans = zip(syllables.pieces, syllables.onsets, syllables.offsets, strict=True)
    return np.array([of_frames[piece][first:last].sum(axis=0) for piece, first, last in spans])


def _nearest(training: Heard, trained: np.ndarray, heard: Heard) -> np.ndarray:
    """Of each syllable the value of the nearest one that trained, 0 where none has a value."""
    owners = trained[np.asarray(training.songs.recordings)[training.syllables.pieces]]
    is_named = owners > 0
    if not len(heard) or not is_named.any():
        return np.zeros(len(heard), int)
    _, places = cKDTree(training.vectors[is_named]).query(heard.vectors)
    return owners[is_named][places]


def _voted(told: np.ndarray, heard: Heard, groups: np.ndarray) -> np.ndarray:
    """Of each group of recordings, int [G, N], the value of most of its syllables, 0 of none."""
    of = np.asarray(heard.songs.recordings)[heard.syllables.pieces]
    votes = [collections.Counter(told[np.isin(of, group)].tolist()) for group in groups]
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
        for of, (count, what) in _COUNTS.items():
            if not of:
                continue
            share = figures.get(f"{_OF}{name}_share_{of}")
            if share is not None:
                nearest = figures.get(f"{_OF}{name}_share_{of}_nearest")
                beside = "" if nearest is None else f"; nearest syllables {nearest:.3f}"
                number = figures[f"{_OF}{name}_{count}"]
                rows.append(f"{what}, {number:g} of them: {share:.3f} told rightly{beside}")
        for of in _CONFUSED:
            rows += _confusions(figures, name, of, values[1:])
        blocks.append("\n".join(rows))
    return "\n\n".join(blocks)


def _confusions(figures, name, of, values):
    """Lines of a table of who is taken for whom; none where nothing is told."""
    counts = {
        (a, b): figures.get(_confused(name, of, a, b), 0) or 0 for a in values for b in values
    }
    shown = [v for v in values if any(counts[v, b] or counts[b, v] for b in values)]
    if not shown:
        return []
    width = max(map(len, shown)) + 2
    heading = " " * width + "".join(f"{b:>{width}}" for b in shown)
    lines = [f"{a:{width}}" + "".join(f"{counts[a, b]:>{width}g}" for b in shown) for a in shown]
    return [f"{heading}  ({_COUNTS[of][1]}, told to be)", *lines]
