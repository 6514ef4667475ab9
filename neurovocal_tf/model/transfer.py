"""One model begins with the weights of another: of other voices, under other conditions, or with
other labels along time.

What reads conditions and labels reads them first: the rows of a weight are those of each of these
vectors, and then the others. A condition that both have, by its name and the size of its vector,
keeps its rows, and its values their vectors by their names; a value that is new begins as the
unknown, which has learned from all voices. So do labels; one that is new begins as the mean of all,
since what is unknown has no place in a span. What is new as a whole, a condition or labels, has no
effect at first: its rows are zeros. What is left out stays unknown for good: what its vector added
goes into the biases.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from neurovocal_tf.labels import FIRST_LABEL, NO_LABELS
from neurovocal_tf.layers.conditioned_encoder import ConditionedEncoder
from neurovocal_tf.layers.labelled_encoder import LabelledEncoder
from neurovocal_tf.layers.telling_encoder import TellingEncoder
from neurovocal_tf.model import ridge
from neurovocal_tf.model.batches import whole_batch
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.rbm.energy import mean_field

#: What stands for labels along time among the names of conditions, none of which has such a sign.
LABELS = "labels="
# Weights that read conditions and labels, and the bias beside each; without one, nothing can be
# folded in.
_BIASES = {
    "kernel_0": "bias_0",
    "Wuv": "bv",
    "Wuh": "bh",
    "Wug": "",
    "Wus": "",
    "Wup": "bp",
    "Wuq": "bq",
}
# Of what a mean of probabilities may be, so that it has a logit.
_SHARES = (1e-4, 1 - 1e-4)
# Parts of new data of which each is foretold from the others, and the ridges to choose from, shares
# of the inputs' mean variance.
_NUM_FOLDS = 5
_RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def take_weights(model: RNNRBM, source: RNNRBM, same_labels: bool = True) -> None:
    """Gives a model all weights of another but for its standardisation.

    Args:
        model: `RNNRBM`, fresh.    source: `RNNRBM` of as many bins and of the same shape, with
            conditions and labels of its own.
        same_labels: labels of one name mean the same in both; else all of them are new.

    Raises:
        ValueError: it is of another shape, and which weight tells so.
    """
    if source.num_visible != model.num_visible:
        raise ValueError(
            f"`start_from` must be a model of {model.num_visible} bins, as --n_fft or the frames "
            f"have it. Received: one of {source.num_visible}"
        )
    ours, theirs = (_Parts(each) for each in (model, source))
    if ours.shapes() != theirs.shapes():
        raise ValueError(_of_another_shape(ours.shapes(), theirs.shapes()))
    values = {name: np.array(weight) for name, weight in theirs.weights.items()}
    changed = {
        name: _first_state(value, ours, theirs)
        for name, value in values.items()
        if name.endswith("first_state")
    }
    for name, bias in _BIASES.items():
        for path in [path for path in values if path.rpartition("/")[2] == name]:
            rows, folded = _rows(path, values[path], ours, theirs)
            beside = f"{path.rpartition('/')[0]}/{bias}"
            if folded is not None and not bias:
                raise ValueError(
                    "`start_from` must have no condition that is left out, and no labels, where "
                    "these change its gain or noise. Received: one with "
                    f"{', '.join(name.rstrip('=') for name in theirs.sizes)}"
                )
            changed[path] = rows
            if folded is not None:
                changed[beside] = changed.get(beside, values[beside]) + folded
    for name, weight in ours.weights.items():
        weight.assign(changed.get(name, values[name]))
    for name, table in ours.tables.items():
        if ours.keeps(name, theirs):
            table.assign(np.array(theirs.tables[name])[theirs.numbers(name, ours.known[name])])
    if ours.keeps(LABELS, theirs):
        for table, known in zip(ours.of_labels, theirs.of_labels, strict=True):
            table.assign(_rows_of_labels(np.array(known), ours.labels, theirs.labels, same_labels))


def kept_vectors(model: RNNRBM, source: RNNRBM) -> set[str]:
    """The conditions, by their names, whose vectors `take_weights` takes over, and `LABELS` where
    it does those: what both models have, in vectors of one size.
    """
    ours, theirs = (_Parts(each) for each in (model, source))
    return {name for name in ours.sizes if ours.keeps(name, theirs)}


def _rows_of_labels(table, ours, theirs, same_labels):
    """Of a table with as many rows of each label, the rows of other labels."""
    of_each = table.reshape(theirs.num_values, -1)
    mean = of_each[FIRST_LABEL:].mean(axis=0)
    numbers = [theirs.number(label) if same_labels else 0 for label in ours.known]
    rows = [*of_each[:FIRST_LABEL], *(of_each[number] if number else mean for number in numbers)]
    return np.stack(rows).reshape(-1, table.shape[1])


def meet_data(model: RNNRBM, batches: Iterable[Any]) -> None:
    """Lets the visible biases follow some batches of new data, as `fit` takes them.

    Of real units, what the encoder tells is read anew: to bv_t is added what of the error of the
    one-step predictions is linear in u_{t-1}, by a ridge regression that knows the kept read-out as
    what it shrinks towards, on inputs of equal spread; rows held back in turn choose the ridge.
    Hidden units read frames from where these now lie: bh_t - D_t / sigma @ W, where bv_t + D_t, so
    that predictions move by D_t, no more and no less (but where gains scale W). Of other units the
    biases alone move, such that predictions are right on average.
    """
    if model.conditional_rbm.visible_units == "gaussian":
        _read_anew(model, batches)
    else:
        _right_on_average(model, batches)


def _read_anew(model, batches):
    rbm, num_visible = model.conditional_rbm, model.num_visible

    @tf.function(autograph=False, reduce_retracing=True)
    def read(frames, mask, is_start, condition=None, cues=None):
        u = model.contexts(frames, is_start, condition=condition, cues=cues)
        error = model.standardisation(frames) - mean_field(
            model(frames, is_start, condition=condition, cues=cues)
        )
        return tf.concat([tf.ones_like(u[..., :1]), u, error], axis=2), mask

    size = 1 + model.encoder.output_size + num_visible
    moments, num_rows = np.zeros((_NUM_FOLDS, size, size)), 0
    for batch in batches:
        z, mask = (x.numpy() for x in read(*whole_batch(*model.parts_of(batch))))
        for row, counts in zip(z.astype(np.float64), mask > 0, strict=True):
            if counts.any():
                moments[num_rows % _NUM_FOLDS] += row[counts].T @ row[counts]
                num_rows += 1
    whole = moments.sum(axis=0)
    if not whole[0, 0]:
        return
    spread = np.ones(size)
    inputs = np.arange(1, size - num_visible)
    mean = whole[0, inputs] / whole[0, 0]
    variance = whole[inputs, inputs] / whole[0, 0] - mean**2
    # What never changes, as the vector of the only voice, tells nothing.
    is_constant = variance <= 1e-6 * variance.max(initial=0.0)
    spread[inputs] = np.where(is_constant, np.inf, np.sqrt(np.maximum(variance, 0.0)))
    moments = moments / (spread[:, np.newaxis] * spread)
    added = _best_weights(moments, num_visible) / spread[: size - num_visible, np.newaxis]
    sigma = np.exp(np.asarray(rbm.log_sigma))
    num_before = 0 if model.latent is None else model.latent.num_latent
    changes = [("bv", "Wuv", added)]
    # Where the noise follows the context they read frames from bv_t as it is.
    if not rbm.noise_context:
        changes.append(("bh", "Wuh", -(added / sigma) @ np.asarray(rbm.W)))
    for bias, rows, change in changes:
        bias, rows = getattr(rbm, bias), getattr(rbm, rows)
        bias.assign(np.asarray(bias) + change[0])
        values = np.array(rows)
        values[num_before:] += change[1:]
        rows.assign(values)


def _best_weights(moments, num_outputs):
    """Of the moments of each fold the weights of all, by the ridge that foretells a fold best from
    the others.
    """
    whole = moments.sum(axis=0)
    folds = [fold for fold in moments if fold[0, 0]]

    def held_back(share):
        return sum(
            ridge.squared_error(fold, ridge.weights_of(whole - fold, num_outputs, share))
            for fold in folds
        )

    best = min(_RIDGES, key=held_back) if len(folds) > 1 else _RIDGES[-1]
    return ridge.weights_of(whole, num_outputs, best)


def _right_on_average(model, batches):
    @tf.function(autograph=False, reduce_retracing=True)
    def sums(frames, mask, is_start, condition=None, cues=None):
        predicted = mean_field(model(frames, is_start, condition=condition, cues=cues))
        of_both = tf.stack([model.standardisation(frames), predicted])
        return tf.reduce_sum(of_both * mask[..., tf.newaxis], axis=[1, 2]), tf.reduce_sum(mask)

    total, count = 0.0, 0.0
    for batch in batches:
        both, num_frames = sums(*whole_batch(*model.parts_of(batch)))
        total, count = total + both.numpy().astype(np.float64), count + float(num_frames)
    shares = (np.clip(x, *_SHARES) for x in total / max(count, 1.0))
    actual, predicted = (np.log(x / (1 - x)) for x in shares)
    bias = model.conditional_rbm.bv
    bias.assign(np.asarray(bias) + actual - predicted)


class _Parts:
    """A model's weights by their names, without what tells it of conditions and labels, and what
    that knows: `sizes`, of each condition's vector, and of that of `LABELS`.
    """

    def __init__(self, model: RNNRBM) -> None:
        self.model = model
        self.known, self.labels = model.conditions.values, NO_LABELS
        self.tables: dict[str, Any] = {}
        self.of_labels: list[Any] = []
        self.sizes: dict[str, int] = {}
        inner = model.encoder
        while isinstance(inner, TellingEncoder):
            if isinstance(inner, ConditionedEncoder):
                self.tables = dict(zip(self.known, inner.tables, strict=True))
                self.sizes |= dict.fromkeys(self.known, inner.size)
            if isinstance(inner, LabelledEncoder):
                self.labels, self.of_labels = inner.labels, inner.tables
                self.sizes[LABELS] = inner.vector_size
            inner = inner.encoder
        layers = {"encoder": inner, "rbm": model.conditional_rbm, "latent": model.latent}
        self.weights = {
            f"{part}/{weight.path.rpartition('/')[2]}": weight
            for part, layer in layers.items()
            if layer is not None
            for weight in layer.weights
            # How much noise is sung is found anew.
            if not weight.path.endswith("/noise_shares")
        }

    @property
    def vector_size(self) -> int:
        """Numbers that frames are told besides."""
        return sum(self.sizes.values())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of each weight, as if nothing were told."""
        found = {}
        for name, weight in self.weights.items():
            shape, last = tuple(weight.shape), name.rpartition("/")[2]
            if last in _BIASES:
                shape = (shape[0] - self.vector_size, *shape[1:])
            if last == "first_state":
                beside = self.vector_size * self.model.encoder.num_direct_frames
                shape = (shape[0] - beside,)
            found[name] = shape
        return found

    def numbers(self, name: str, values: Iterable[str]) -> list[int]:
        """The numbers of values of a condition; of those that are not known 0."""
        known = self.known[name]
        return [known.index(value) if value in known else 0 for value in values]

    def keeps(self, name: str, others: "_Parts") -> bool:
        """Whether it has vectors of that name as another one has."""
        return name in self.sizes and self.sizes[name] == others.sizes.get(name)

    def unknown(self, name: str) -> np.ndarray:
        """The vector of a condition, or of labels, of which nothing is known."""
        if name != LABELS:
            return np.array(self.tables[name])[0]
        vector = np.zeros(self.sizes[name], np.float32)
        known = np.concatenate([np.array(table)[0] for table in self.of_labels])
        vector[: len(known)] = known
        return vector

    def order(self, path: str) -> list[str]:
        """The names of `sizes` in the order in which a weight reads them: the encoder, to which
        labels pass on what they are told of conditions, labels first, all that reads u last.
        """
        conditions, labels = list(self.tables), [LABELS] * (LABELS in self.sizes)
        return [*labels, *conditions] if path.startswith("encoder/") else [*conditions, *labels]


def _of_another_shape(ours, theirs):
    name = next(name for name in (*ours, *theirs) if ours.get(name, None) != theirs.get(name, None))
    here, there = (list(shapes[name]) if name in shapes else "none" for shapes in (ours, theirs))
    return (
        "`start_from` must be a model of the same shape, as --flagfile=RUN/flags.txt gives. "
        f"Received: one whose {name} is {there}, for {here} here"
    )


def _rows(path, value, ours, theirs):
    """A weight's rows for what a model is told, and what that which is left out adds to a bias,
    None where nothing is.
    """
    latent = ours.model.latent
    # A latent variable's, where the RBM reads it.
    num_before = latent.num_latent if latent is not None and path.startswith("rbm/") else 0
    sizes = [theirs.sizes[name] for name in theirs.order(path)]
    before, *blocks, rest = np.split(value, np.cumsum([num_before, *sizes]))
    blocks = dict(zip(theirs.order(path), blocks, strict=True))
    kept, folded = [], None
    for name in ours.order(path):
        zeros = np.zeros((ours.sizes[name], value.shape[1]), value.dtype)
        kept.append(blocks.pop(name) if ours.keeps(name, theirs) else zeros)
    for name, block in blocks.items():
        folded = theirs.unknown(name) @ block + (0.0 if folded is None else folded)
    return np.concatenate([before, *kept, rest]), folded


def _first_state(value, ours, theirs):
    """A first state whose direct frames stand beside what another model is told."""
    num_frames, num_visible = ours.model.encoder.num_direct_frames, ours.model.num_visible
    width = num_frames * (theirs.vector_size + num_visible)
    layers, direct = np.split(value, [len(value) - width])
    direct = direct.reshape(num_frames, -1)[:, theirs.vector_size :] if width else direct[:, None]
    # What stands beside a direct frame is never read.
    beside = np.zeros((num_frames, ours.vector_size), value.dtype)
    return np.concatenate([layers, np.concatenate([beside, direct], axis=1).ravel()])
