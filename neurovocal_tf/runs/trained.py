"""A run's model: built as its settings say, and loaded from its folder with
what it takes to use it.
"""

import dataclasses
import os
from collections.abc import Callable

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.spectrogram import FrameScale, OwnUnit
from neurovocal_tf.conditions import NO_CONDITIONS, Conditions
from neurovocal_tf.config import Config
from neurovocal_tf.labels import NO_LABELS, Labels
from neurovocal_tf.layers.attention_encoder import AttentionEncoder
from neurovocal_tf.layers.conditional_rbm import ConditionalRBM
from neurovocal_tf.layers.conditioned_encoder import ConditionedEncoder
from neurovocal_tf.layers.gated_recurrent_encoder import GatedRecurrentEncoder
from neurovocal_tf.layers.labelled_encoder import LabelledEncoder
from neurovocal_tf.layers.latent_variable import LatentVariable
from neurovocal_tf.model.joint_space import JointSpace
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.runs import checkpoint, recovery, text_space
from neurovocal_tf.runs.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model and what it takes to use it: `model`, `config`, `scale`,
    `sample_rate` in Hz, `epoch` of its weights; and `space`, of texts and its sounds, where it has
    learned one.
    """

    model: RNNRBM
    config: Config
    scale: FrameScale | OwnUnit
    sample_rate: int
    epoch: int
    space: JointSpace | None = None


def build_model(
    config: Config,
    num_visible: int | None = None,
    known: Conditions = NO_CONDITIONS,
    labels: Labels = NO_LABELS,
) -> RNNRBM:
    """An `RNNRBM` of the configured size, with fresh weights.

    Args:
        config: `Config`.    num_visible: int, V; None: the bins of the configured spectrogram.
        known: `Conditions` that the model is to know of.    labels: `Labels` along time.
    """
    num_visible, model = num_visible or spectrogram.num_bins(config.spectrogram), config.model
    conditional_rbm = ConditionalRBM(
        num_visible,
        model.hidden_units(num_visible),
        model.visible_units,
        model.coupling_gain,
        model.weight_init,
        # Far from the encoder's, which takes a number for each of its weights, from the seed on.
        seed=config.training.seed + 1000,
        noise_context=model.noise_context,
        # Other units have no noise of their own to part.
        noise_by_level=model.noise_by_level and model.visible_units == "gaussian",
        name="conditional_rbm",
    )
    return RNNRBM(
        _outermost(config, known, labels)(num_visible, config, known, labels),
        conditional_rbm,
        input_noise=model.input_noise,
        state_dropout=model.state_dropout,
        negative_start=config.training.negative_start,
        smoothness=config.training.smoothness,
        seed=config.training.seed,
        latent=_latent_variable(num_visible, config),
    )


def _latent_variable(num_visible, config):
    if not config.model.latent_size:
        return None
    # As far from the RBM's seed as that is from the encoder's.
    return LatentVariable(
        config.model.latent_size,
        num_visible,
        config.model.weight_init,
        seed=config.training.seed + 2000,
        name="latent_variable",
    )


def _outermost(config, known=NO_CONDITIONS, labels=NO_LABELS):
    of_frames = "attention" if config.model.attention_frames else "gated"
    return ENCODERS["conditioned" if known else "labelled" if labels else of_frames]


def _gated_recurrent_encoder(num_visible, config, known, labels):
    model = config.model
    return GatedRecurrentEncoder(
        model.recurrent_units(num_visible),
        model.num_layers,
        model.gates,
        model.learned_initial_state,
        model.dropout,
        model.num_direct_frames,
        model.weight_init,
        seed=config.training.seed,
        memory_frames=model.memory_frames,
        layer_periods=model.layer_periods,
        name="gated_recurrent_encoder",
    )


def _attention_encoder(num_visible, config, known, labels):
    model = config.model
    every = max(model.layer_periods)
    return AttentionEncoder(
        _gated_recurrent_encoder(num_visible, config, known, labels),
        model.attention_frames // every,
        every,
        model.attention_heads,
        weight_init=model.weight_init,
        seed=config.training.seed,
        name="attention_encoder",
    )


def _labelled_encoder(num_visible, config, known, labels):
    model = config.model
    return LabelledEncoder(
        _outermost(config)(num_visible, config, known, labels),
        labels,
        model.label_size,
        model.unknown_share,
        weight_init=model.weight_init,
        seed=config.training.seed,
        name="labelled_encoder",
    )


def _conditioned_encoder(num_visible, config, known, labels):
    model = config.model
    return ConditionedEncoder(
        _outermost(config, labels=labels)(num_visible, config, known, labels),
        known,
        model.condition_size,
        model.unknown_share,
        weight_init=model.weight_init,
        seed=config.training.seed,
        name="conditioned_encoder",
    )


# Name -> function of (bins of a frame, `Config`, `Conditions`, `Labels`) that makes a
# `layers.encoder.Encoder`. Another encoder is another line.
ENCODERS = {
    "gated": _gated_recurrent_encoder,
    "attention": _attention_encoder,
    "labelled": _labelled_encoder,
    "conditioned": _conditioned_encoder,
}


def load_trained(
    workdir: str | os.PathLike[str], with_flags: Callable[[Config], Config] = lambda config: config
) -> Trained:
    """The best model of a run so far.

    Args:
        workdir: run folder.
        with_flags: called with the run's `Config` for the one to use, such as
            `flags.config_from_flags`.

    Returns:
        `Trained`.

    Raises:
        ValueError: no run in the folder, or one of its files is damaged.
    """
    folder = RunFolder(workdir)
    config, data = folder.config(), folder.data()
    found = checkpoint.read(folder.checkpoint)
    recovery.check_agreement(folder, found)
    model = build_model(config, data.num_visible, data.conditions, data.labels)
    epoch = found.load_best(model)
    space = text_space.read(folder, model)
    return Trained(model, with_flags(config), data.scale, data.sample_rate, epoch, space)
