"""One model begins with the weights of another: of other voices, under other conditions.

What reads conditions reads them first: the rows of a weight are those of each condition's vector,
and then the others. A condition that both have, by its name and the size of its vector, keeps its
rows, and its values their vectors by their names; a value that is new begins as the unknown, which
has learned from all voices. A condition that is new has no effect at first: its rows are zeros. One
that is left out stays unknown for good: what its vector added goes into the biases.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from neurovocal_tf.layers.conditioned_encoder import ConditionedEncoder
from neurovocal_tf.model.batches import whole_batch
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.rbm.energy import mean_field

# Weights that read conditions, and the bias beside each; without one, nothing can be folded in.
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


def take_weights(model: RNNRBM, source: RNNRBM) -> None:
    """Gives a model all weights of another but for its standardisation.

    Args:
        model: `RNNRBM`, fresh.    source: `RNNRBM` of as many bins and of the same shape, with
            conditions of its own.

    Raises:
        ValueError: it is of another shape, and which weight tells so.
    """
    if source.num_visible != model.num_visible:
        raise ValueError(
            f"`start_from` must be a model of {model.num_visible} bins, as --n_fft or the frames "
            f"have it. Received: one of {source.num_visible}"
        )
    if source.labels.known != model.labels.known:
        raise ValueError(
            "`start_from` must be a model of the same labels along time, as --labels has them. "
            f"Received: one of {' '.join(source.labels.known) or 'none'}, and here there are "
            f"{' '.join(model.labels.known) or 'none'}"
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
            rows, folded = _rows(values[path], _num_before(path, ours), ours, theirs)
            beside = f"{path.rpartition('/')[0]}/{bias}"
            if folded is not None and not bias:
                raise ValueError(
                    "`start_from` must have no condition that is left out, where conditions change "
                    f"its gain or noise. Received: one with {', '.join(theirs.known)}"
                )
            changed[path] = rows
            if folded is not None:
                changed[beside] = changed.get(beside, values[beside]) + folded
    for name, weight in ours.weights.items():
        weight.assign(changed.get(name, values[name]))
    for name, table in ours.tables.items():
        if name in theirs.tables and theirs.size == ours.size:
            known = np.array(theirs.tables[name])
            places = theirs.numbers(name, ours.known[name])
            table.assign(known[places])


def meet_data(model: RNNRBM, batches: Iterable[Any]) -> None:
    """Moves the visible biases so that one-step predictions of some batches, as `fit` takes them,
    are right on average.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def sums(frames, mask, is_start, condition=None, cues=None):
        predicted = mean_field(model(frames, is_start, condition=condition, cues=cues))
        of_both = tf.stack([model.standardisation(frames), predicted])
        return tf.reduce_sum(of_both * mask[..., tf.newaxis], axis=[1, 2]), tf.reduce_sum(mask)

    total, count = 0.0, 0.0
    for batch in batches:
        both, num_frames = sums(*whole_batch(*model.parts_of(batch)))
        total, count = total + both.numpy().astype(np.float64), count + float(num_frames)
    actual, predicted = total / max(count, 1.0)
    if model.conditional_rbm.visible_units != "gaussian":
        actual, predicted = (np.clip(x, *_SHARES) for x in (actual, predicted))
        actual, predicted = (np.log(x / (1 - x)) for x in (actual, predicted))
    bias = model.conditional_rbm.bv
    bias.assign(np.asarray(bias) + actual - predicted)


class _Parts:
    """A model's weights by their names, without the layer of conditions, and what that knows."""

    def __init__(self, model: RNNRBM) -> None:
        encoder = model.encoder
        is_conditioned = isinstance(encoder, ConditionedEncoder)
        self.model = model
        self.known = model.conditions.values
        self.size = encoder.size if is_conditioned else 0
        self.tables = dict(zip(self.known, encoder.tables, strict=True)) if is_conditioned else {}
        inner = encoder.encoder if is_conditioned else encoder
        layers = {"encoder": inner, "rbm": model.conditional_rbm, "latent": model.latent}
        self.weights = {
            f"{part}/{weight.path.rpartition('/')[2]}": weight
            for part, layer in layers.items()
            if layer is not None
            for weight in layer.weights
        }

    @property
    def vector_size(self) -> int:
        return self.size * len(self.known)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of each weight, as if there were no conditions."""
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


def _of_another_shape(ours, theirs):
    name = next(name for name in (*ours, *theirs) if ours.get(name, None) != theirs.get(name, None))
    here, there = (list(shapes[name]) if name in shapes else "none" for shapes in (ours, theirs))
    return (
        "`start_from` must be a model of the same shape, as --flagfile=RUN/flags.txt gives. "
        f"Received: one whose {name} is {there}, for {here} here"
    )


def _num_before(path, parts):
    """Rows before those of conditions: a latent variable's, where the RBM reads it."""
    latent = parts.model.latent
    return latent.num_latent if latent is not None and path.startswith("rbm/") else 0


def _rows(value, num_before, ours, theirs):
    """A weight's rows for the conditions of a model, and what those that are left out add to a
    bias, None where none is.
    """
    before, blocks, rest = np.split(value, [num_before, num_before + theirs.vector_size])
    blocks = dict(zip(theirs.known, np.split(blocks, max(len(theirs.known), 1)), strict=False))
    kept, folded = [], None
    for name in ours.known:
        is_same = name in blocks and theirs.size == ours.size
        kept.append(
            blocks.pop(name) if is_same else np.zeros((ours.size, value.shape[1]), value.dtype)
        )
    for name, block in blocks.items():
        unknown = np.array(theirs.tables[name])[0]
        folded = unknown @ block + (0.0 if folded is None else folded)
    return np.concatenate([before, *kept, rest]), folded


def _first_state(value, ours, theirs):
    """A first state whose direct frames stand beside the conditions of another model."""
    num_frames, num_visible = ours.model.encoder.num_direct_frames, ours.model.num_visible
    width = num_frames * (theirs.vector_size + num_visible)
    layers, direct = np.split(value, [len(value) - width])
    direct = direct.reshape(num_frames, -1)[:, theirs.vector_size :] if width else direct[:, None]
    # What stands beside a direct frame is never read.
    beside = np.zeros((num_frames, ours.vector_size), value.dtype)
    return np.concatenate([layers, np.concatenate([beside, direct], axis=1).ravel()])
