"""A run's model: built as its settings say, and loaded from its folder with what it takes to use it."""

import dataclasses

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import Config
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model and what it takes to use it: `model`, `config`, `scale`, `sample_rate` in Hz, `epoch` of its weights."""

    model: RNNRBM
    config: Config
    scale: FrameScale
    sample_rate: int
    epoch: int


def build_model(config, num_visible=None):
    """An `RNNRBM` of the configured size, with fresh weights.

    Args:
        config: `Config`.    num_visible: int, V; None: the bins of the configured spectrogram.
    """
    num_visible, model = num_visible or spectrogram.num_bins(config.spectrogram), config.model
    return RNNRBM(
        num_visible=num_visible,
        num_hidden=max(int(model.hidden_scalar * num_visible), 1),
        num_recurrent=max(int(model.recurrent_scalar * num_visible), 1),
        num_layers=model.num_layers,
        num_direct_frames=model.num_direct_frames,
        visible_units=model.visible_units,
        gates=model.gates,
        learned_initial_state=model.learned_initial_state,
        coupling_gain=model.coupling_gain,
        dropout=model.dropout,
        input_noise=model.input_noise,
        state_dropout=model.state_dropout,
        negative_start=config.training.negative_start,
        weight_init=model.weight_init,
        seed=config.training.seed,
    )


def load_trained(workdir, with_flags=lambda config: config):
    """The best model of a run so far.

    Args:
        workdir: run folder.    with_flags: called with the run's `Config` for the one to use, such as `flags.config_from_flags`.

    Returns:
        `Trained`.

    Raises:
        ValueError: no run in the folder.
    """
    folder = RunFolder(workdir)
    config, data = folder.config(), folder.data()
    model = build_model(config, data.num_visible)
    epoch = checkpoint.load_best(folder.checkpoint, model)
    return Trained(model, with_flags(config), data.scale, data.sample_rate, epoch)
