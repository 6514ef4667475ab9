"""Texts that callers want to hear, row by row: labels, when each is sung, and songs of them."""

import tensorflow as tf

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.wav import first_status
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.labels import CUE_SIZE
from neurovocal_tf.model import sung_text
from neurovocal_tf.serving.rows import each_row
from neurovocal_tf.status import Status

_SEVERAL, _ONE = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)
_SPECS = {
    "numbers": _SEVERAL,
    "firsts": _SEVERAL,
    "lasts": _SEVERAL,
    "num_labels": _ONE,
    "num_frames": _ONE,
    "status": _ONE,
    "cues": tf.TensorSpec([None, CUE_SIZE], tf.int32),
}


class SungTexts:
    """Songs of a singer whose model knows of labels along time."""

    def __init__(self, singer: Singer) -> None:
        self._singer = singer

    def sing(
        self,
        text: tf.Tensor,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        condition: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Songs as long as their texts, each label as long as one that was heard.

        Args:
            text: string [B].    seed: int64 [B].    temperature: float32 [B].
            condition: int32 [B, K], of a model that has any.

        Returns:
            dict: as `Singer.generate`; `status`; labels string [B, M], onsets, offsets int64 [B, M]
            in samples of the sound, between the middles of two windows, num_labels int32 [B]. Of a
            text that cannot be sung nothing is.
        """
        tracks = each_row(self._track, (text, seed), _SPECS)
        song = self._singer.generate(
            seed, tracks["num_frames"], temperature, condition=condition, cues=tracks["cues"]
        )
        settings, known = self._singer.config.spectrogram, self._singer.model.labels.known
        first = int(spectrogram.first_edge(settings))
        is_one = tf.sequence_mask(tracks["num_labels"], tf.shape(tracks["numbers"])[1])
        samples = [
            tf.cast(tracks[name] * settings.hop_length + first, tf.int64)
            * tf.cast(is_one, tf.int64)
            for name in ("firsts", "lasts")
        ]
        return song | {
            "labels": tf.gather(tf.constant(["", "", *known]), tracks["numbers"]),
            "onsets": samples[0],
            "offsets": samples[1],
            "num_labels": tracks["num_labels"],
            "status": tracks["status"],
        }

    def _track(self, row):
        text, seed = row
        # A label lasts a frame at least: of more than these none can be sung.
        most = self._singer.max_frames + 1
        numbers = sung_text.numbers_in(self._singer.model.labels, text, most)
        track = self._singer.track(numbers, seed)
        status = first_status(
            (Status.NO_TEXT, tf.size(numbers) == 0),
            (Status.UNKNOWN_LABEL, ~sung_text.all_known(numbers)),
            (Status.TOO_LONG, track.num_frames > self._singer.max_frames),
        )
        is_sung = status == Status.FINE
        count = tf.where(is_sung, tf.size(numbers), 0)
        num_frames = tf.where(is_sung, track.num_frames, 0)
        track = sung_text.Track(*(column[:count] for column in track[:3]), num_frames)
        return {
            "numbers": track.numbers,
            "firsts": track.firsts,
            "lasts": track.lasts,
            "num_labels": count,
            "num_frames": num_frames,
            "status": status,
            "cues": track.cues(num_frames),
        }
