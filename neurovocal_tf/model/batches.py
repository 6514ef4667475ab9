"""What a model is given to learn from, in each form that Keras hands on, as one: frames, which of
them count, which rows begin a sequence, under which conditions, and what each frame is told.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from neurovocal_tf.labels import CUE_SIZE
from neurovocal_tf.layers.padding import frames_first, masks_first
from neurovocal_tf.rbm.noise import shape_of


def parts_of(
    data: Any,
    num_visible: int,
    masking: keras.layers.Layer | None = None,
    num_conditions: int = 0,
    has_labels: bool = False,
) -> tuple[tf.Tensor | None, ...]:
    """Frames [B, T, V], mask bool [B, T], is_start bool [B], condition int32 [B, K] and cues int32
    [B, T, C] of a batch; None for what it has not.

    Args:
        data: frames [B, T, V] of numbers, alone or as (frames,), (frames, mask [B, T]),
            (frames, mask, is_start bool [B]), (frames, mask, is_start, condition int [B, K]), or
            these and cues int [B, T, C]: the condition is [B, 0] where there are labels alone.
        num_visible: int, V.
        masking: a layer that tells the mask of frames which come without one.
        num_conditions: int, K, of which the model knows.
        has_labels: whether it knows of labels along time.

    Raises:
        ValueError: another form, another V, or another K.
    """
    parts = [
        None if part is None else tf.convert_to_tensor(part)
        for part in (data if isinstance(data, (tuple, list)) else (data,))
    ]
    frames, mask, is_start, condition, cues = (*parts, *[None] * 4)[:5]
    told = condition, cues
    ranks = [None if part is None else part.shape.rank for part in (frames, mask, is_start, *told)]
    if (
        len(parts) > 5
        or any(
            rank not in (None, right) for rank, right in zip(ranks, (3, 2, 1, 2, 3), strict=True)
        )
        or (is_start is not None and is_start.dtype != tf.bool)
        or any(part is not None and not part.dtype.is_integer for part in told)
    ):
        received = [part if part is None else (part.dtype.name, *part.shape) for part in parts]
        raise ValueError(
            "A batch must be frames [B, T, V], or (frames, mask [B, T]), or (frames, mask, "
            "is_start bool [B]), or these and condition int [B, K], or these and cues int "
            "[B, T, C]; there are no targets and no sample weights. "
            f"Received: {', '.join(map(str, received))}"
        )
    if ranks[0] is not None and frames.shape[-1] not in (None, num_visible):
        raise ValueError(
            f"Frames must have the model's {num_visible} bins. "
            f"Received: frames of shape {tuple(frames.shape)}"
        )
    if condition is not None and (
        not (num_conditions or has_labels) or condition.shape[-1] not in (None, num_conditions)
    ):
        raise ValueError(
            f"A batch must have the model's {num_conditions} conditions. "
            f"Received: condition of shape {tuple(condition.shape)}"
        )
    if cues is not None and not (has_labels and cues.shape[-1] in (None, CUE_SIZE)):
        raise ValueError(
            f"A batch must have cues of {CUE_SIZE} numbers, of a model that knows of labels. "
            f"Received: cues of shape {tuple(cues.shape)}"
        )
    frames = tf.cast(frames, tf.float32)
    # What a generator yields may have shapes that the graph does not know.
    shapes = (
        [None, None, num_visible],
        [None, None],
        [None],
        [None, num_conditions],
        [None, None, CUE_SIZE],
    )
    frames, mask, is_start, *told = (
        part if part is None or part.shape.rank else tf.ensure_shape(part, shape)
        for part, shape in zip((frames, mask, is_start, *told), shapes, strict=True)
    )
    if frames.shape[-1] is None:
        frames = tf.ensure_shape(frames, [None, None, num_visible])
    if mask is None and masking is not None:
        mask = masking.compute_mask(frames)
    mask = None if mask is None else tf.cast(mask, tf.bool)
    told = [None if part is None else tf.cast(part, tf.int32) for part in told]
    return frames, mask, is_start, *told


def whole_batch(
    frames: tf.Tensor,
    mask: tf.Tensor | None,
    is_start: tf.Tensor | None,
    condition: tf.Tensor | None = None,
    cues: tf.Tensor | None = None,
) -> tuple[tf.Tensor, ...]:
    """A batch with all its parts, as a training step wants it: rows truly start and frames count
    where nothing is said, and padding follows the frames of a row.

    -> (frames [B, T, V], mask float32 [B, T], is_start bool [B]), and condition int32 [B, K] and
    cues int32 [B, T, C] where there are such
    """
    num_rows, num_frames = shape_of(frames)[:2]
    if cues is not None and condition is None:
        condition = tf.zeros([num_rows, 0], tf.int32)
    told = [] if condition is None else [condition]
    of_frames = [] if cues is None else [cues]
    if is_start is None:
        is_start = tf.ones([num_rows], tf.bool)
    if mask is None:
        return frames, tf.ones([num_rows, num_frames]), is_start, *told, *of_frames
    # What padding holds, which may be NaN, must not even be multiplied by zero.
    frames = tf.where(mask[..., tf.newaxis], frames, 0.0)
    mask = tf.cast(mask, tf.float32)
    ordered_mask, *ordered = tf.cond(
        tf.reduce_any(mask[:, 1:] > mask[:, :-1]),
        lambda: [masks_first(mask), *(frames_first(x, mask) for x in (frames, *of_frames))],
        lambda: [mask, frames, *of_frames],
    )
    ordered_frames, *of_frames = (
        tf.ensure_shape(x, known.shape)
        for x, known in zip(ordered, (frames, *of_frames), strict=True)
    )
    return (
        ordered_frames,
        tf.ensure_shape(ordered_mask, mask.shape),
        is_start,
        *told,
        *of_frames,
    )


def padded(sequences: Sequence[npt.ArrayLike]) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of unequal length in one array, and which of its frames are theirs.

    N x [L, V] -> (float32 [N, T, V], bool [N, T]), T the longest

    Raises:
        ValueError: no sequences, one that is not [L, V], or another V in some.
    """
    arrays = [np.asarray(sequence, np.float32) for sequence in sequences]
    shapes = sorted({array.shape[1:] for array in arrays if array.ndim == 2})
    if len(shapes) != 1 or any(array.ndim != 2 for array in arrays):
        raise ValueError(
            "A list must be of sequences [L, V], V the same for all. "
            f"Received: shapes {sorted({array.shape for array in arrays})}"
        )
    lengths = np.array([len(array) for array in arrays])
    mask = np.arange(lengths.max()) < lengths[:, np.newaxis]
    frames = np.zeros((*mask.shape, *shapes[0]), np.float32)
    frames[mask] = np.concatenate(arrays)
    return frames, mask
