"""How a trained model sings: from seeds to frames, to decibels, to sound.

The tools, training, evaluation and the exported endpoints all sing through here, by the same
graphs, so that a song is the same bit for bit wherever it is sung on a machine.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from neurovocal_tf.audio import spectrogram, synthesis
from neurovocal_tf.audio.spectrogram import FrameScale, OwnUnit
from neurovocal_tf.config import Config
from neurovocal_tf.generation.traced import Traced
from neurovocal_tf.labels import CUE_SIZE
from neurovocal_tf.model import scoring, sung_text
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.model.sung_text import Track
from neurovocal_tf.model.tiling import MachineLayout


class TrainedModel(Protocol):
    """What sings: a `runs.trained.Trained`, or whatever has as much of one.

    That of frame sequences has an `OwnUnit` for a scale.
    """

    @property
    def model(self) -> RNNRBM: ...
    @property
    def config(self) -> Config: ...
    @property
    def scale(self) -> FrameScale | OwnUnit: ...
    @property
    def sample_rate(self) -> int: ...


DEFAULT_TEMPERATURE = 1.0
# Beyond these a sample is its mean, or noise.
TEMPERATURES = (0.01, 100.0)
DEFAULT_MAX_FRAMES = 5_000
#: Frames that a command or a caller in Python may ask for at most.
MOST_FRAMES = 1_000_000
# Numbers of a processor's longest vector, and no less than any.
_LONGEST_VECTOR = 64


class Singer:
    """A trained model's voice.

    Args:
        trained: `runs.trained.Trained`, or whatever has its `model`, `config`, `scale` and
            `sample_rate`. Of a model of frame sequences, whose `scale` is an `OwnUnit`, the frames
            themselves take the place of decibels, and nothing sounds.
        max_frames: int; a longer song is cut to it.
    """

    def __init__(self, trained: TrainedModel, max_frames: int = DEFAULT_MAX_FRAMES) -> None:
        self.model = trained.model
        self.config = trained.config
        self.scale = trained.scale
        self.sample_rate = trained.sample_rate
        self.max_frames = max_frames
        #: `MachineLayout`, in which this machine sings exactly.
        self.layout = MachineLayout(self.model, self.config.generation.num_replicas)
        rows = [
            tf.TensorSpec([None], dtype) for dtype in (tf.int64, tf.int32, tf.float32, tf.int64)
        ]
        labels = self.model.labels
        cues = [tf.TensorSpec([None, None, CUE_SIZE], tf.int32)] * bool(labels)
        self._song = Traced(
            self._sing,
            *rows,
            tf.TensorSpec([None, self.model.encoder.state_size], tf.float32),
            *cues,
        )
        self._drawn = Traced(
            lambda numbers, seed: sung_text.drawn(labels, numbers, seed),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.int64),
        )
        self._waveform = Traced(
            self._sound,
            tf.TensorSpec([None, self.model.num_visible], tf.float32),
            tf.TensorSpec([None], tf.float32),
        )

    def generate(
        self,
        seeds: npt.ArrayLike | tf.Tensor,
        num_frames: npt.ArrayLike | tf.Tensor,
        temperature: npt.ArrayLike | tf.Tensor,
        frame: tf.Tensor | None = None,
        state: tf.Tensor | None = None,
        condition: npt.ArrayLike | tf.Tensor | None = None,
        cues: npt.ArrayLike | tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Songs; each depends on its own row alone.

        Args:
            seeds: int64 [B].    num_frames: int32 [B].
            temperature: float32 [B]; not above 0, or NaN, means the default, 1.
            frame: int64 [B], the frame to go on at.
            state: float32 [B, R], the one to go on from; default: songs' beginnings.
            condition: int [B, K], or [K] for all, under which they begin, see
                `RNNRBM.first_states`; a state has its own.
            cues: int32 [B, T', C], what the frames from the first one on are told, of a model that
                knows of labels; None: nothing.

        Returns:
            dict: spectrogram float32 [B, T, V] in dB, silence after a row's end; lengths int32 [B];
            state float32 [B, R] and next_frame int64 [B], to go on from; layout int32 [B], the
            `tiling.Layout` in which this machine sings.
        """
        seeds = tf.convert_to_tensor(seeds, tf.int64)
        if state is None:
            state = self.model.first_states(tf.ones(tf.shape(seeds), tf.bool), condition)
        first_frame = tf.zeros_like(seeds) if frame is None else frame
        told = []
        if self.model.labels:
            # Of no frame anything is known.
            nothing = tf.zeros([tf.shape(seeds)[0], 1, CUE_SIZE], tf.int32)
            told.append(nothing if cues is None else cues)
        return self._song(seeds, num_frames, temperature, first_frame, state, *told)

    def track(self, numbers: npt.ArrayLike | tf.Tensor, seed: int | tf.Tensor) -> Track:
        """When the labels of a text are sung by the song of a seed, see `sung_text.drawn`.

        int [M], int64 [] -> `Track`
        """
        return self._drawn(numbers, seed)

    def sound(
        self, decibels: np.ndarray | tf.Tensor, known: npt.ArrayLike | tf.Tensor = ()
    ) -> tf.Tensor:
        """The sound of a spectrogram in dB, whose first samples are known.

        [L, V], [P] -> float32 [N]
        """
        return self._waveform(decibels, known)

    def prime(
        self, power: tf.Tensor, condition: npt.ArrayLike | tf.Tensor | None = None
    ) -> tf.Tensor:
        """The model's state after a recording, from its power spectrogram, under `condition`, int
        [K].

        [L, V], L at least 1 -> [1, R]
        """
        frames = spectrogram.to_model_frames(power, self.scale)[tf.newaxis]
        return scoring.embed(self.model, frames, tf.shape(frames)[1:2], condition).state[tf.newaxis]

    def _sing(self, seeds, num_frames, temperature, frame, state, cues=None):
        temperature = tf.where(
            (temperature > 0) & tf.math.is_finite(temperature), temperature, DEFAULT_TEMPERATURE
        )
        num_frames = tf.clip_by_value(num_frames, 0, self.max_frames)
        generation, layout = self.config.generation, self.layout.read()
        frames, state, next_frame = self.model.generate(
            seeds,
            num_frames,
            tf.clip_by_value(temperature, *TEMPERATURES),
            state=state,
            first_frame=frame,
            cues=cues,
            layout=layout,
            num_gibbs_steps=generation.num_gibbs_steps,
            chain_start=generation.chain_start,
            emission_noise=generation.emission_noise,
            num_replicas=generation.num_replicas,
            guidance=generation.guidance,
        )
        is_sung = tf.sequence_mask(num_frames, tf.shape(frames)[1])[:, :, tf.newaxis]
        return {
            "spectrogram": tf.where(is_sung, self._shown(frames), self.scale.silence),
            "lengths": num_frames,
            "state": state,
            "next_frame": next_frame,
            "layout": tf.fill(tf.shape(seeds), layout),
        }

    def _shown(self, frames):
        """Songs in dB, or in their own unit.  [B, T, V] -> [B, T, V]"""
        # A logarithm's last bit depends on whether its number fills a vector with others: filled
        # up, all do, wherever they stand.
        numbers = tf.reshape(frames, [-1])
        whole = tf.pad(numbers, [[0, -tf.size(numbers) % _LONGEST_VECTOR]])
        return tf.reshape(self.scale.shown(whole)[: tf.size(numbers)], tf.shape(frames))

    def _sound(self, decibels, known):
        length, settings = tf.shape(decibels)[0], self.config.spectrogram
        # An inverse transform of no frames is an error.
        decibels = tf.pad(
            decibels, [[0, tf.maximum(1 - length, 0)], [0, 0]], constant_values=self.scale.silence
        )
        power = spectrogram.to_power(decibels, self.scale)[tf.newaxis]
        # One frame at least is not known.
        known = known[
            : synthesis.num_output_samples(tf.shape(decibels)[0], settings) - settings.hop_length
        ][tf.newaxis]
        waveform = synthesis.griffin_lim(
            power, self.sample_rate, settings, self.config.generation.num_iterations, known=known
        )[0]
        return waveform[: tf.where(length > 0, tf.size(waveform), 0)]
