"""Products of states and weights, for either layout of a batch.

    axis=-1    [..., I]: a row's units lie side by side, rows one after another. What trains.
    axis=0     [I, B]: the rows of a batch lie side by side, along the lanes of the processor's
               vectors. What can sing exactly.

A product's last bits depend on the order in which its kernel adds. Kernels take rows in groups
(oneDNN's take 6 with AVX2, 8 with AVX-512) and treat what remains of a batch in another way, so
that with axis=-1 a row's bits may depend on its place: of 8 rows the last two differ from the
others with AVX2. With axis=0 a batch of 4, 8 or 16 rows fills whole vectors, or a part of one: one
instruction adds for all rows at once, in the same order, and what remains of a group are units, the
same for every row. So the place cannot matter, for kernels that lay the result's last axis along
their vectors; all of oneDNN's (SSE4.1, AVX, AVX2, AVX-512) and Eigen's do. The same holds for
functions element by element, whose last few numbers are computed apart from the others: with axis=0
they belong to all rows alike.
"""

import tensorflow as tf


def linear(x: tf.Tensor, weights: tf.Tensor, transposed: bool = False, axis: int = -1) -> tf.Tensor:
    """x @ weights, or x @ weights', as one product of two matrices: `@` would repeat the weights
    for every row of a batch.

    Args:
        x: [..., I], or [I, B] with `axis` 0.    weights: [I, O], or [O, I] if `transposed`.
        axis: -1 or 0, where x has its units.

    Returns:
        [..., O], or [O, B].
    """
    if axis == 0:
        return tf.matmul(weights, x, transpose_a=not transposed)
    if x.shape.rank == 2:
        # Without a copy of the weights the other way round, which a chain would make in every step.
        return tf.matmul(x, weights, transpose_b=transposed)
    return tf.tensordot(x, tf.transpose(weights) if transposed else weights, axes=1)


def affine(x: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """x @ weights + bias, [..., I], [I, O], [O] -> [..., O]; with `axis` 0 [I, B] -> [O, B]."""
    product, bias = linear(x, weights, axis=axis), along(bias, axis)
    # TensorFlow would fuse product and bias into an operation that rearranges the weights in every
    # call: for few rows, four times as long.
    return (
        product + tf.broadcast_to(bias, product.shape)
        if product.shape.is_fully_defined()
        else product + bias
    )


def along(vector: tf.Tensor, axis: int) -> tf.Tensor:
    """A vector with a number for each unit, or for each row,
    shaped to be spread over the other axis of a batch.

    [N] -> [N] for -1, [N, 1] for 0
    """
    return vector[:, tf.newaxis] if axis == 0 else vector
