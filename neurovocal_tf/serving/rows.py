"""Functions of rows -> functions of batches, such as a model server calls."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

_ROWS_AT_ONCE = 4


def endpoint(
    function: Callable[..., dict[str, tf.Tensor]], *specs: tf.TensorSpec
) -> "tf.types.experimental.PolymorphicFunction":
    """A graph of `function`, one for all batch sizes, that refuses shapes which do not fit.

    Args:
        function: takes one tensor for each of `specs`, and returns a dict of tensors.
        specs: `tf.TensorSpec`s with a name and an unknown first dimension, the same for all.

    Returns:
        `tf.function`. It raises `tf.errors.InvalidArgumentError` for another width or number of
        dimensions, and for first dimensions that differ, which a model server without batching
        would let through to be broadcast.
    """
    names = ", ".join(f"`{spec.name}`" for spec in specs)

    def checked(*tensors):
        # A server checks nothing but types, and what the graph knows of a shape is folded
        # away: this op looks.
        tensors = [
            tf.ensure_shape(tensor, spec.shape) for tensor, spec in zip(tensors, specs, strict=True)
        ]
        sizes = tf.stack([tf.shape(tensor)[0] for tensor in tensors])
        same = tf.debugging.Assert(
            tf.reduce_all(sizes == sizes[0]),
            [f"{names} must have the same first dimension. Received:", sizes],
        )
        with tf.control_dependencies([same]):
            return function(*(tf.identity(tensor) for tensor in tensors))

    return tf.function(checked, input_signature=specs, autograph=False)


def each_row(
    function: Callable[[Any], dict[str, tf.Tensor]],
    tensors: tf.Tensor | tuple[tf.Tensor, ...],
    specs: Mapping[str, tf.TensorSpec],
) -> dict[str, tf.Tensor]:
    """A batch's answers, each from its own row alone.

    Rows are computed one by one and not as one product of matrices:
    the last bits of that depend on how many there are.

    Args:
        function: takes a tuple of one row of each of `tensors`, and returns a dict of tensors.
        tensors: tuple of tensors [B, ...].
        specs: dict of `tf.TensorSpec` of the function's outputs; where the first dimension is
            unknown, rows may differ in it, and are padded with zeros to the longest.

    Returns:
        dict of tensors [B, ...].
    """
    is_ragged = {
        name: spec.shape.rank > 0 and spec.shape[0] is None for name, spec in specs.items()
    }
    output = {
        name: tf.RaggedTensorSpec(spec.shape, spec.dtype, ragged_rank=0)
        if is_ragged[name]
        else spec
        for name, spec in specs.items()
    }
    rows = tf.map_fn(
        function, tensors, fn_output_signature=output, parallel_iterations=_ROWS_AT_ONCE
    )
    return {
        name: _padded(row, specs[name]) if is_ragged[name] else row for name, row in rows.items()
    }


def _padded(rows, spec):
    # A batch of no rows has forgotten all dimensions but the first.
    values = tf.reshape(rows.values, [-1, *spec.shape[1:]])
    return rows.with_values(values).to_tensor(shape=[None, *spec.shape])


def floats(*shape: int | None) -> tf.TensorSpec:
    """`tf.TensorSpec` of float32."""
    return tf.TensorSpec(shape, tf.float32)


def is_within(
    values: tf.Tensor, limits: tuple[float, float] | tuple[tf.Tensor, tf.Tensor]
) -> tf.Tensor:
    """Whether values lie in the closed range; NaN does not.  [...] -> bool [...]"""
    lower, upper = limits
    return (values >= lower) & (values <= upper)
