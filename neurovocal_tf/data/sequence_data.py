"""What trains, validates or is held out, whatever it was made from:
the one way in which all that follows asks for it.
"""

import typing

import tensorflow as tf

from neurovocal_tf.audio.spectrogram import FrameScale, OwnUnit
from neurovocal_tf.conditions import Conditions
from neurovocal_tf.data.sources import Source
from neurovocal_tf.labels import Labels


class SequenceData(typing.Protocol):
    """Sequences of frames [L, V]: of recordings, cut and transformed whenever they are read,
    or of a file that holds them.

    `recordings.Recordings` and `frame_sequences.FrameSplit` are such. Its length is how many can be
    put into an order: recordings, or sequences.

    Attributes:
        num_visible: V, bins or keys of a frame.
        scale: what the frames are: their unit, how they are shown, and, as `is_sound`, whether
            there are recordings to hear behind them.
        sample_rate: Hz, of the recordings; 0 where nothing sounds.
        sources: tuple of `sources.Source`, whose sequences these are; () where nothing sounds.
        description: what trains, in words, such as "8 recordings at 32000 Hz".
        sizes: how long each of what can be put into an order is, in any unit.
        conditions: `Conditions` that are known of them.
        labels: `Labels` along time that are known of them.
    """

    num_visible: int
    scale: FrameScale | OwnUnit
    sample_rate: int
    sources: tuple[Source, ...]
    description: str
    sizes: typing.Sequence[int]
    conditions: Conditions
    labels: Labels

    def __len__(self) -> int: ...

    def some(self, indices: typing.Sequence[int]) -> "SequenceData":
        """Those of the named places in the order as given."""

    def sequences(self, order: tf.Tensor | None = None) -> tf.data.Dataset:
        """Dataset of (frames float32 [L, V], is_start bool []): whether a sequence begins where its
        recording begins, or its call; and, where there are conditions or labels, condition int32
        [K], the numbers of its own, and of labels last the cues int32 [L, CUE_SIZE], see `labels`.

        Args:
            order: int tensor, a permutation of `range(len(self))`; default: as given.
        """

    def labelled_sequences(self, order: tf.Tensor | None = None) -> tf.data.Dataset:
        """As `sequences`, with the label of each frame.

        Returns:
            Dataset of (frames float32 [L, V], is_start bool [], labels string [L]):
            "" where there is none.
        """

    def check_unchanged(self, sequence_frames: typing.Sequence[int]) -> None:
        """Raises ValueError where a run cannot go on with these,
        since they are others than it began with.

        Args:
            sequence_frames: the frames of each sequence that it began with.
        """
