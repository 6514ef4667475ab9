"""What a recording says, said by another voice, row by row of a request."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.wav import first_status
from neurovocal_tf.discovery.phone_units import PhoneUnits
from neurovocal_tf.generation import units_in_graph
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.labels import CUE_SIZE, SILENCE, cues_of
from neurovocal_tf.serving.rows import each_row, floats
from neurovocal_tf.status import Status


class Conversions:
    """Hears recordings as units, and has them sung by other voices.

    Args:
        singer: `Singer` of a model with conditions and units.    units: its `PhoneUnits`.
        samples: function of the bytes of a WAV file, string []: (float32 [N], `Status`).
    """

    def __init__(
        self,
        singer: Singer,
        units: PhoneUnits,
        samples: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    ) -> None:
        self._singer, self._units, self._samples = singer, units, samples
        known = singer.model.conditions
        # Of each text that names a value: its condition's place, one of K, and its number.
        self._conditions, self._values = np.array(known.places, np.int32).reshape(-1, 2).T
        labels = singer.model.labels
        # Silent frames are no unit, and stand last.
        self._labels = np.array([*map(labels.number, units.names), SILENCE], np.int32)

    def convert(
        self,
        audio_bytes: tf.Tensor,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        condition: tf.Tensor,
        shares: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Songs, as `Singer.generate` gives them, and the `status` of each.

        Args:
            audio_bytes: string [B], WAV files.    seed, temperature: as of `Singer.generate`.
            condition: int32 [B, K].    shares: float32 [B, N], of values that are mixed, see
                `told_conditions.blends_of_rows`.
        """
        size = self._singer.model.encoder.state_size
        specs = {
            "lengths": tf.TensorSpec([], tf.int32),
            "cues": tf.TensorSpec([None, CUE_SIZE], tf.int32),
            "state": floats(size),
            "status": tf.TensorSpec([], tf.int32),
        }
        heard = each_row(self._hear, (audio_bytes, condition, shares), specs)
        # One frame at least is told something.
        cues = tf.pad(heard["cues"], [[0, 0], [0, 1], [0, 0]])
        song = self._singer.generate(
            seed, heard["lengths"], temperature, state=heard["state"], cues=cues
        )
        return song | {"status": heard["status"]}

    def _hear(self, row):
        audio_bytes, condition, shares = row
        samples, status = self._samples(audio_bytes)
        rate, settings = self._singer.sample_rate, self._singer.config.spectrogram
        power = spectrogram.power_spectrogram(samples, rate, settings)
        found = units_in_graph.units_of(power, rate, self._units)
        num_frames = tf.shape(power)[0]
        status = first_status(
            (status, status > Status.CLEANED),
            (Status.TOO_SHORT, num_frames == 0),
            (Status.TOO_LONG, num_frames > self._singer.max_frames),
            (Status.NO_SOUND, tf.reduce_all(found < 0)),
            (status, True),
        )
        cues = self._cues(found)
        num_frames = tf.where(status > Status.CLEANED, 0, num_frames)
        return {
            "lengths": num_frames,
            "cues": cues[:num_frames],
            "state": self._blended(condition, shares),
            "status": status,
        }

    def _cues(self, found):
        """int32 [L], -1 of silent frames -> int32 [L, CUE_SIZE]"""
        edges = found[1:] != found[:-1]
        something = tf.ones([tf.minimum(tf.size(found), 1)], tf.bool)
        firsts = tf.cast(tf.where(tf.concat([something, edges], axis=0))[:, 0], tf.int32)
        lasts = tf.concat([firsts[1:], tf.size(found)[tf.newaxis]], axis=0)[: tf.size(firsts)]
        units = tf.gather(found, firsts)
        sounds = units >= 0
        numbers, firsts, lasts = (
            tf.boolean_mask(column, sounds)
            for column in (tf.gather(self._labels, units % len(self._labels)), firsts, lasts)
        )
        return cues_of(numbers, firsts, lasts, tf.size(found))

    def _blended(self, condition, shares):
        """The state before a first frame.  int32 [K], float32 [N] -> [R]"""
        of_condition = np.arange(len(self._singer.model.conditions)) == self._conditions[:, None]
        numbers = tf.where(of_condition, self._values[:, np.newaxis], condition)
        states = self._singer.model.first_states(
            tf.ones([len(self._values) + 1], tf.bool),
            tf.concat([condition[tf.newaxis], numbers], axis=0),
        )
        others = (states[1:] - states[0]) * shares[:, tf.newaxis]
        return states[0] + tf.reduce_sum(others, axis=0)
