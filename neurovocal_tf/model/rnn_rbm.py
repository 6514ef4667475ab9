"""The RNN-RBM: a recurrent encoder sets the biases of a restricted Boltzmann machine
anew for every frame.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.conditions import NO_CONDITIONS, Conditions
from neurovocal_tf.labels import NO_LABELS, Labels
from neurovocal_tf.layers.conditional_rbm import ConditionalRBM
from neurovocal_tf.layers.encoder import Encoder, check_encoder
from neurovocal_tf.layers.latent_variable import LatentVariable
from neurovocal_tf.layers.padding import before_each, frames_first
from neurovocal_tf.layers.standardisation import Standardisation
from neurovocal_tf.layers.training_noise import dropped, noisy
from neurovocal_tf.model.adaptation import adapt
from neurovocal_tf.model.drawn_machines import machines_to_learn
from neurovocal_tf.model.earlier_models import of_version_0_1
from neurovocal_tf.model.negative_phase import negative_phase
from neurovocal_tf.model.root_mean_square import RootMeanSquare
from neurovocal_tf.model.sequence_model import SequenceModel
from neurovocal_tf.model.singing import sing
from neurovocal_tf.model.smoothness import excess_roughness
from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.energy import (
    RBM,
    contrastive_divergence,
    masked_mean,
    mean_field,
    pseudo_log_likelihood,
)

_LAYERS = ("encoder", "conditional_rbm", "masking", "latent")


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class RNNRBM(SequenceModel):
    """Recurrent neural network restricted Boltzmann machine.

        u_t = encoder(v_t, u_{t-1})
        p(v_t | v_1 .. v_{t-1}) = RBM(W, bv + u_{t-1} Wuv, bh + u_{t-1} Wuh)

    Args:
        encoder: a layer that fulfils `layers.encoder.Encoder`.
        conditional_rbm: `ConditionalRBM`, whose `num_visible` is V.
        input_noise: standard deviation, in standardised units,
            of noise on the encoder's input in training.
        state_dropout: share of u, as the RBM reads it, dropped in training.
        negative_start: "data" or "bias", where the negative phase's chains start,
            see `negative_phase.negative_phase`.
        smoothness: weight in training of `excess_roughness` of the one-step predictions, which are
            standardised.
        seed: int, of the noise in training.
        masking: None, or a `keras.layers.Masking` which tells what is padding in frames that
            come without a mask.
        latent: None, or a `LatentVariable`: the RBM then reads [z_t, u_{t-1}] in the place of
            u_{t-1}. The machines that are asked for have z_t at its prior's mean, those of training
            are drawn by its posterior, and songs draw z_t from its prior.

    Input: frames `[B, T, V]` in the data's units (dB for spectrograms); is_start bool `[B]`: which
        rows begin a sequence; a Keras mask `[B, T]`: a frame that it leaves out is none; where the
        encoder knows of conditions, these, see `first_states`; and where it knows of labels along
        time, cues int `[B, T, C]` of each frame, see `labels`.
    Output: `RBM` with a bv, bh and gain for every frame; W sees standardised frames.
    A batch to train on is frames `[B, T, V]`, alone or as (frames, mask `[B, T]`), (frames, mask,
    is_start `[B]`), (frames, mask, is_start, condition `[B, K]`) or these and cues `[B, T, C]`, and
    what else `SequenceModel` takes.
    Reference: Boulanger-Lewandowski, Bengio & Vincent, 2012, https://arxiv.org/abs/1206.6392
    """

    def __init__(
        self,
        encoder: Encoder,
        conditional_rbm: ConditionalRBM,
        input_noise: float = 0.0,
        state_dropout: float = 0.0,
        negative_start: str = "data",
        smoothness: float = 0.0,
        seed: int = 0,
        masking: keras.layers.Masking | None = None,
        latent: LatentVariable | None = None,
        **kwargs: Any,
    ) -> None:
        # the encoder alone follows a global policy of mixed precision
        super().__init__(**{"dtype": "float32", **kwargs})
        check_encoder(encoder)
        if negative_start not in ("data", "bias"):
            raise ValueError(
                f"`negative_start` must be data or bias. Received: negative_start={negative_start}"
            )
        if not 0 <= state_dropout < 1:
            raise ValueError(
                "`state_dropout` must be at least 0 and below 1. "
                f"Received: state_dropout={state_dropout}"
            )
        if smoothness < 0:
            raise ValueError(
                f"`smoothness` must be at least 0. Received: smoothness={smoothness:g}"
            )
        self.num_visible = conditional_rbm.num_visible
        self.input_noise = input_noise
        self.state_dropout = state_dropout
        self.negative_start = negative_start
        self.smoothness = smoothness
        self.seed = seed
        self.masking = masking
        self.supports_masking = True
        self.standardisation = Standardisation(
            bounded=conditional_rbm.visible_units != "gaussian", name="standardisation"
        )
        self.encoder = encoder
        self.conditional_rbm = conditional_rbm
        self.latent = latent
        # Weights, so that a change of k traces nothing anew and a checkpoint carries both.
        self.cd_steps = self.add_weight(
            name="cd_steps", shape=(), dtype="int32", initializer="ones", trainable=False
        )
        self.num_train_steps = self.add_weight(
            name="num_train_steps",
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )
        self.cd_cost = keras.metrics.Mean(name="cd_cost")
        self.reconstruction_error = RootMeanSquare(name="reconstruction_error")
        self.one_step_error = RootMeanSquare(name="one_step_error")
        # Real units have none in closed form, and mean-field ones hold what is neither 0 nor 1.
        self.pseudo_log_likelihood = (
            keras.metrics.Mean(name="pseudo_log_likelihood")
            if conditional_rbm.visible_units == "bernoulli"
            else None
        )
        # How much of a frame it tells: near 0, it is not used.
        self.latent_nats = None if latent is None else keras.metrics.Mean(name="latent_nats")
        self.build((None, None, self.num_visible))

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Makes the weights of all layers, as the constructor has done already.

        Raises ValueError for frames of another number of bins than the RBM's.
        """
        if input_shape[-1] != self.num_visible:
            raise ValueError(
                f"`input_shape` must end in the model's {self.num_visible} bins. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        frames = (None, None, self.num_visible)
        self.standardisation.build(frames)
        if not self.encoder.built:
            self.encoder.build(frames)
        num_read = self.encoder.output_size
        if self.latent is not None:
            if not self.latent.built:
                self.latent.build((None, None, num_read))
            num_read = self.latent.read_size(num_read)
        if not self.conditional_rbm.built:
            self.conditional_rbm.build((None, None, num_read))
        self.built = True

    @property
    def conditions(self) -> Conditions:
        """What the model can be told of who sings and the like."""
        return getattr(self.encoder, "conditions", NO_CONDITIONS)

    @property
    def labels(self) -> Labels:
        """What along time the model can be told of, and how long each lasts."""
        return getattr(self.encoder, "labels", NO_LABELS)

    def first_states(
        self,
        is_start: tf.Tensor,
        condition: tf.Tensor | None = None,
        stream: noise.Stream | None = None,
    ) -> tf.Tensor:
        """The encoder's states before rows' first frames, with which all begins that is read or
        sung: the one place where a model is told of conditions.

        Args:
            is_start: bool [B], which rows truly start.
            condition: int [B, K], or [K] for all rows, numbers of `conditions`; None: unknown.
            stream: in training, decides which are taken for unknown.    Returns: [B, R].
        """
        # An encoder without them need not have heard of any.
        told = (condition, stream) if self.conditions else ()
        return self.encoder.initial_state(is_start, *told)

    def call(
        self,
        frames: tf.Tensor,
        is_start: tf.Tensor | None = None,
        training: bool = False,
        stream: noise.Stream | None = None,
        mask: tf.Tensor | None = None,
        condition: tf.Tensor | None = None,
        cues: tf.Tensor | None = None,
    ) -> RBM:
        if mask is None:
            return self._machines(frames, is_start, training, stream, condition, cues)
        frames, cues = (x if x is None else frames_first(x, mask) for x in (frames, cues))
        first = self._machines(frames, is_start, training, stream, condition, cues)
        return first.map_frames(lambda of_frame: before_each(of_frame, mask))

    def _machines(self, frames, is_start, training, stream, condition, cues):
        """`RBM` of every frame, each of which counts."""
        u = self.contexts(frames, is_start, training, stream, condition, cues)
        return self.conditional_rbm(u if self.latent is None else self.latent(u))

    def contexts(
        self,
        frames: tf.Tensor,
        is_start: tf.Tensor | None = None,
        training: bool = False,
        stream: noise.Stream | None = None,
        condition: tf.Tensor | None = None,
        cues: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """What the encoder tells of every frame by those before it, [B, T, U]; see `call`."""
        standardised = self.standardisation(frames)
        if is_start is None:
            is_start = tf.ones([tf.shape(frames)[0]], tf.bool)
        first = self.first_states(is_start, condition, stream if training else None)
        told = {}
        if cues is not None:
            first = self.encoder.told(first, cues[:, 0], stream if training else None)
            # A state is told of the frame after it; of the last one nothing comes.
            told["cues"] = tf.concat([cues[:, 1:], tf.zeros_like(cues[:, :1])], axis=1)
        states = self.encoder(
            noisy(standardised, self.input_noise, stream) if training else standardised,
            first,
            training=training,
            stream=stream,
            **told,
        )
        u = self.encoder.output(states)
        before = tf.concat([self.encoder.output(first)[:, tf.newaxis], u[:, :-1]], axis=1)
        # The encoder takes the numbers before.
        index = self.encoder.num_dropouts
        return dropped(before, self.state_dropout, stream, index) if training else before

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> None:
        """None: the machines of frames that do not count are machines, too."""

    def adapt(
        self,
        data: Any,
        mask: Any = None,
        steps: int | None = None,
        dynamic_range_db: float | None = None,
    ) -> None:
        """Before training: takes its mean, spread and biases from data, see `adaptation.adapt`."""
        adapt(self, data, mask, steps, dynamic_range_db)

    def _gradients(self, frames, mask, is_start, first_row, share, step, *told):
        """A part's share of the gradients, and of the cost and the
        reconstruction's squared error.
        """
        stream = noise.BatchStream(tf.constant(self.seed), step, first_row)
        with tf.GradientTape() as tape:
            learned, foretold, divergence = machines_to_learn(
                self, frames, mask, is_start, True, stream, *told
            )
            positive = self.standardisation(frames)
            with tape.stop_recording():
                negative, reconstruction = self._negative(learned, positive, stream)
            cost = share * (contrastive_divergence(learned, positive, negative, mask) + divergence)
            penalised = cost
            if self.smoothness:
                roughness = excess_roughness(mean_field(foretold), positive, mask)
                penalised += share * self.smoothness * roughness
            scaled = self.optimizer.scale_loss(penalised)
        return tape.gradient(scaled, self.trainable_variables), (
            cost,
            share * self._squares(positive - reconstruction, mask),
        )

    def _figures(self, frames, mask, is_start, first_row, share, *told):
        """A part's share of the cost and of the squared errors of the reconstruction and of
        the one-step prediction.
        """
        # Seed and step of their own: the same noise at every validation,
        # so that its figures compare.
        stream = noise.BatchStream(tf.constant(self.seed + 1), tf.constant(0), first_row)
        learned, foretold, divergence = machines_to_learn(
            self, frames, mask, is_start, False, stream, *told
        )
        positive = self.standardisation(frames)
        negative, reconstruction = self._negative(learned, positive, stream)
        figures = [
            contrastive_divergence(learned, positive, negative, mask) + divergence,
            self._squares(positive - reconstruction, mask),
            self._squares(positive - mean_field(foretold), mask),
        ]
        if self.pseudo_log_likelihood is not None:
            figures.append(masked_mean(pseudo_log_likelihood(foretold, positive), mask))
        if self.latent_nats is not None:
            figures.append(divergence)
        return [share * figure for figure in figures]

    def _negative(self, rbm, positive, stream):
        return negative_phase(rbm, positive, self.negative_start, self.cd_steps, stream)

    def predict_step(self, data: Any) -> tf.Tensor:
        """One-step predictions: each frame's mean given those before it, in the data's units.
        Padding is predicted from the frames before it, too.

        [B, T, V] -> [B, T, V]
        """
        frames, mask, is_start, condition, cues = self.parts_of(data)
        rbm = self(frames, is_start, mask=mask, condition=condition, cues=cues)
        return self.standardisation.inverse(mean_field(rbm))

    def _squares(self, error, mask):
        """Mean over bins and masked frames of the squared error, in the data's units."""
        return masked_mean(
            tf.reduce_mean(tf.square(error * self.standardisation.scale), axis=-1), mask
        )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        of_some = [x for x in (self.pseudo_log_likelihood, self.latent_nats) if x is not None]
        return [self.cd_cost, self.reconstruction_error, self.one_step_error, *of_some]

    def states(self, frames: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """The encoder's state after each frame.  [B, T, V] in the data's units -> [B, T, R]

        `condition` as of `first_states`.
        """
        first = self.first_states(tf.ones([tf.shape(frames)[0]], tf.bool), condition)
        return self.encoder(self.standardisation(frames), first)

    def encode(
        self, frames: tf.Tensor, lengths: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The encoder's state after each row's last frame: what `generate` goes on from.

        [B, T, V] as of `states`, int [B] frames of each row, at least 1 -> [B, R]
        """
        return tf.gather(self.states(frames, condition), lengths - 1, axis=1, batch_dims=1)

    def generate(
        self,
        seeds: tf.Tensor,
        num_frames: tf.Tensor,
        temperature: tf.Tensor,
        state: tf.Tensor | None = None,
        first_frame: tf.Tensor | None = None,
        condition: tf.Tensor | None = None,
        cues: tf.Tensor | None = None,
        **sampling: Any,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Sings; see `singing.sing`, which this calls with the model's parts and un-standardises.

        `condition` as of `first_states`, for songs from their beginning: a state has its own.
        `cues`, int [B, T', C], are those of the frames from the first one that is sung on; of
        frames beyond them, and where there are none, nothing is known.

        Returns: frames [B, T, V] in the data's units, silence after a row's end; state [B, R]; next
            frame int64 [B].
        """
        if state is None:
            state = self.first_states(tf.ones([tf.shape(seeds)[0]], tf.bool), condition)
        if cues is not None:
            state = self.encoder.told(state, cues[:, 0])
            sampling["cues"] = cues[:, 1:]
        frames, state, next_frame = sing(
            self.encoder,
            self.conditional_rbm,
            seeds,
            num_frames,
            temperature,
            state=state,
            first_frame=first_frame,
            latent=self.latent,
            **sampling,
        )
        return self.standardisation.inverse(frames), state, next_frame

    def get_config(self) -> dict[str, Any]:
        layers = {
            name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _LAYERS
        }
        names = ("input_noise", "state_dropout", "negative_start", "smoothness", "seed")
        return {**super().get_config(), **layers, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RNNRBM":
        if "num_recurrent" in config:
            return cls(**of_version_0_1(config))
        layers = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in _LAYERS
            if name in config
        }
        return cls(**{**config, **layers})
