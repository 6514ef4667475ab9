"""What the machine can do at best: its matrix products and its memory,
measured beside everything else.
"""

import numpy as np
import tensorflow as tf

from benchmarks.timing import Variant

GEMM, MEMORY = "matrix product", "memory"
# Large enough to be bound by arithmetic, and to be far from any cache.
_MATRIX, _VECTOR = 1536, 2**25


def gemm():
    """Variant: a product of two float32 matrices; its work is counted in operations."""
    rng = np.random.default_rng(0)
    a, b = (tf.constant(rng.normal(size=(_MATRIX, _MATRIX)), tf.float32) for _ in range(2))
    return Variant(GEMM, lambda: tf.matmul(a, b)[0, 0].numpy(), 2.0 * _MATRIX**3, "operation", 1.0)


def memory():
    """Variant: a sum of two float32 vectors, read and written once;
    its work is counted in bytes.
    """
    x, y = tf.ones([_VECTOR]), tf.ones([_VECTOR])
    return Variant(MEMORY, lambda: (x + y)[0].numpy(), 3.0 * 4 * _VECTOR, "byte")
