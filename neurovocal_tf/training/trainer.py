"""A folder of recordings, or a file of frame sequences, in; a trained model in a run folder out."""

import dataclasses
import math
import os

import keras
import numpy as np
import tensorflow as tf

from neurovocal_tf import files
from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import SEQUENCES_WITH_GAPS, Config
from neurovocal_tf.data import pipeline
from neurovocal_tf.data.survey import check_annotations, survey
from neurovocal_tf.evaluation import song_likeness
from neurovocal_tf.evaluation.baselines import BaselineStatistics, RidgeVAR
from neurovocal_tf.layers.conditional_rbm import ConditionalRBM
from neurovocal_tf.layers.gated_recurrent_encoder import GatedRecurrentEncoder
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.run_folder import DataSummary, RunFolder
from neurovocal_tf.serving.endpoints import Endpoints
from neurovocal_tf.training.callbacks import AveragedValidation, EpochPhases, Pictures, RunRecord
from neurovocal_tf.training.optimizers import GuardedAdam, GuardedRMSprop, PhasedLearningRate, Phases
from neurovocal_tf.training.song_check import SongCheck, epochs_to_check

# A bin that hardly varies would be blown up to the weight of all others.
_SMALLEST_SD_DB = 1.0
_SMALLEST_SD_SHARE = 1e-3
# An untrained encoder would only disturb a prediction that is right already.
_SHARE_OF_ENCODER = 0.1
# Fewer rows would not be worth the weights that each of their products reads.
_SMALLEST_PART = 4
# Parts of the names of the weights that L2 is put on; W begins those of W, Wuv, Wuh and Wug.
_L2_PATHS = {"recurrent": "recurrent_kernel", "rbm": "conditional_rbm/W"}
_NUM_PICTURES = 3  # in the course of a training
_NUM_PICTURED = 3  # real sequences in each


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained model and what it takes to use it: `model`, `config`, `scale`, `sample_rate` in Hz, `epoch` of its weights."""

    model: RNNRBM
    config: Config
    scale: FrameScale
    sample_rate: int
    epoch: int


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """A run's data: `summary`, `sources` that train, datasets of batches, and what a fresh model starts from (None in one that goes on).

    `training` has no end, and `num_batches` make an epoch; see `pipeline.training_dataset`.
    """

    summary: DataSummary
    sources: list
    training: tf.data.Dataset
    num_batches: int
    validation: tf.data.Dataset
    real_sequences: list
    moments: "Moments | None" = None


@dataclasses.dataclass(frozen=True)
class Moments:
    """What a fresh model starts from: `mean` and `sd` [V] of `num_frames` training frames, and the `RidgeVAR` fitted to them, or None.

    `in_decibels` tells the frames' unit.
    """

    mean: np.ndarray
    sd: np.ndarray
    autoregression: RidgeVAR | None
    num_frames: int
    in_decibels: bool


def build_model(config, num_visible=None):
    """An `RNNRBM` of the configured size, with fresh weights.

    Args:
        config: `Config`.    num_visible: int, V; None: the bins of the configured spectrogram.
    """
    num_visible, model = num_visible or spectrogram.num_bins(config.spectrogram), config.model
    rbm = ConditionalRBM(
        num_visible,
        max(int(model.hidden_scalar * num_visible), 1),
        model.visible_units,
        model.coupling_gain,
        model.weight_init,
        # Apart from the encoder's, which take the numbers from the seed on.
        seed=config.training.seed + 1000,
        name="conditional_rbm",
    )
    return RNNRBM(
        ENCODERS["gated"](num_visible, config),
        rbm,
        input_noise=model.input_noise,
        state_dropout=model.state_dropout,
        negative_start=config.training.negative_start,
        seed=config.training.seed,
    )


def _gated_encoder(num_visible, config):
    model = config.model
    return GatedRecurrentEncoder(
        max(int(model.recurrent_scalar * num_visible), 1),
        model.num_layers,
        model.gates,
        model.learned_initial_state,
        model.dropout,
        model.num_direct_frames,
        model.weight_init,
        seed=config.training.seed,
        name="gated_recurrent_encoder",
    )


# Name -> function of (bins of a frame, `Config`) -> layer that fulfils `layers.encoder.Encoder`. Another encoder is one more line.
ENCODERS = {"gated": _gated_encoder}


def compile_model(model, config):
    """Gives a model its optimiser, built, so that a checkpoint can be put back into it."""
    training = config.training
    optimizer = {"adam": GuardedAdam, "rmsprop": GuardedRMSprop}[training.optimizer](
        learning_rate=training.learning_rates[0],
        clip_norm=training.clip_norm,
        l1=training.l1,
        l2=training.l2,
        l2_path=_L2_PATHS[training.l2_on],
        use_ema=training.weight_average > 0,
        ema_momentum=training.weight_average,
    )
    optimizer.build(model.trainable_variables)
    if training.precision != "float32":
        model.encoder.dtype_policy = keras.DTypePolicy(f"mixed_{training.precision}")
    model.compile(optimizer=optimizer, jit_compile=training.compiled, num_parts=num_parts(config))


def num_parts(config):
    """Parts that a batch is worked on in: as configured, or one a core, of at least `_SMALLEST_PART` rows; beside a GPU one."""
    if config.training.parallel_parts:
        return config.training.parallel_parts
    if len(tf.config.list_physical_devices()) > 1:
        return 1
    batch_size = config.data.batch_size
    numbers = range(1, min(os.cpu_count(), batch_size // _SMALLEST_PART) + 1)
    return max((number for number in numbers if batch_size % number == 0), default=1)


def share_out_cores(config):
    """Leaves each part of a batch its share of the cores: one part's products would otherwise push the other parts off theirs.

    For a process whose work is training, before TensorFlow has computed anything; afterwards it raises RuntimeError.
    """
    tf.config.threading.set_intra_op_parallelism_threads(max(os.cpu_count() // num_parts(config), 1))


def start_from_data(model, moments, config):
    """Sets a fresh model's standardisation, and its biases to predict as well as the data's mean or autoregression.

    Args:
        moments: `Moments` of the training frames, in the model's units.
    """
    in_decibels, mean, sd = moments.in_decibels, moments.mean, moments.sd
    if config.model.visible_units == "gaussian":
        smallest = _SMALLEST_SD_DB if in_decibels else max(_SMALLEST_SD_SHARE * sd.max(), 1e-9)
        model.standardisation.set(mean, np.maximum(sd, smallest))
        _start_at_mean(model, np.zeros_like(mean), np.zeros_like(mean))
        if moments.autoregression is not None:
            _start_from_autoregression(model, moments.autoregression)
        return
    if in_decibels:
        model.standardisation.set(-config.spectrogram.dynamic_range_db, config.spectrogram.dynamic_range_db)
        mean = 1.0 + mean / config.spectrogram.dynamic_range_db
    # A probability of 0 or 1 has no logit: one half is added to the frames in which a unit was on, and to those in which it was off.
    share = (mean * moments.num_frames + 0.5) / (moments.num_frames + 1)
    _start_at_mean(model, share, np.log(share / (1 - share)))


def _start_at_mean(model, mean, field):
    """bv such that a fresh machine's own mean is `mean` [V], standardised, which the field bv + W h gives at `field` [V]."""
    rbm = model.conditional_rbm
    W, bh = np.asarray(rbm.W), np.asarray(rbm.bh)
    hidden = 1 / (1 + np.exp(-(bh + mean @ W)))
    rbm.bv.assign(field - W @ hidden)


def _start_from_autoregression(model, autoregression):
    """bv_t of a fresh model becomes the autoregression's prediction; what the encoder adds is to be learned."""
    scale = np.asarray(model.standardisation.scale)
    # Of standardised frames: prediction / scale = sum_i (v_{t-i} / scale) @ (diag(scale) A_i / scale).
    direct = [scale[:, np.newaxis] * coefficients / scale for coefficients in autoregression.coefficients]
    for name, rows in (("Wuv", np.concatenate(direct)), ("Wuh", None)):
        weights = getattr(model.conditional_rbm, name)
        values = np.array(weights)
        num_learned = len(values) - model.encoder.num_direct_frames * model.num_visible
        values[:num_learned] *= _SHARE_OF_ENCODER
        values[num_learned:] = 0.0 if rows is None else rows
        weights.assign(values)


def prepare_data(config, data_dir, folder, epoch_variable, report, fold=None):
    """The data of a new run, surveyed and written down, or of one that goes on, as it was written down."""
    summary, moments = folder.data(), None
    if summary is None:
        found = survey(data_dir, config, fold)
        _report_survey(found, folder, report)
        summary, moments = _summarise(found, data_dir, config)
        training, validation = found.training, found.validation
        folder.write_data(summary)
    else:
        training, validation = summary.sources_in(data_dir)
        if summary.scale is not None:
            check_annotations([*training, *validation], config)
    data = (summary.sample_rate, summary.scale, config)
    what, rate = (f"{len(training)} recordings", f", at {summary.sample_rate} Hz") if summary.scale else ("frame sequences", "")
    report(
        f"{what} train ({sum(summary.training_frames)} frames in {len(summary.training_frames)} sequences), "
        f"{len(validation)} validate{rate}"
    )
    return TrainingData(
        summary=summary,
        sources=training,
        training=pipeline.training_dataset(training, *data, epoch_variable, summary.training_frames),
        num_batches=pipeline.num_batches(summary.training_frames, config),
        validation=pipeline.validation_dataset(validation, *data, summary.validation_frames),
        real_sequences=[frames for frames, _ in pipeline.sequences(validation, *data).take(_NUM_PICTURED).as_numpy_iterator()],
        moments=moments,
    )


def _report_survey(found, folder, report):
    files.write_csv(folder.file("skipped.csv"), ("file", "reason"), found.skipped)
    for note in found.notes:
        report(note)
    if found.skipped:
        path, reason = found.skipped[0]
        report(f"{len(found.skipped)} files skipped, see {folder.file('skipped.csv')}; the first: {path}: {reason}")


def _summarise(found, data_dir, config):
    """The data's summary, and the `Moments` of its training frames, from one pass over them."""
    num_direct = config.model.num_direct_frames
    statistics, direct, sums = BaselineStatistics(), BaselineStatistics(max(num_direct, 1)), 0.0
    data = (found.sample_rate, found.scale, config)
    lengths = {"training": [], "validation": []}
    for frames, _ in pipeline.sequences(found.training, *data).as_numpy_iterator():
        statistics.update(frames)
        direct.update(frames)
        lengths["training"].append(len(frames))
        frames = frames.astype(np.float64)
        sums = sums + np.stack([frames.sum(axis=0), np.square(frames).sum(axis=0)])
    for frames, _ in pipeline.sequences(found.validation, *data).as_numpy_iterator():
        lengths["validation"].append(len(frames))
    for part, found_lengths in lengths.items():
        if not found_lengths:
            remedy = "--validation=recordings" if config.data.annotations else "another --threshold, or --sequence=recording"
            raise ValueError(f"No vocalization was found in the {part} part: try {remedy}.")
    mean, square = sums / sum(lengths["training"])
    batches = pipeline.validation_dataset(found.validation, *data, lengths["validation"])
    windows = ((frames, mask) for frames, mask, _ in batches.as_numpy_iterator())
    predictors = {name: baseline.one_step_predictions for name, baseline in statistics.fit().items()}
    of_recordings = found.scale is not None
    summary = DataSummary(
        data_dir=os.path.abspath(data_dir),
        sample_rate=found.sample_rate,
        scale=found.scale,
        training=found.training if of_recordings else (),
        validation=found.validation if of_recordings else (),
        training_frames=tuple(lengths["training"]),
        validation_frames=tuple(lengths["validation"]),
        baselines=song_likeness.one_step_errors(windows, predictors),
        num_visible=None if of_recordings else found.training.num_visible,
    )
    autoregression = direct.fit()[f"ridge_var{num_direct}"] if num_direct else None
    sd, in_decibels = np.sqrt(np.maximum(square - mean**2, 0.0)), of_recordings and found.scale.scaling == "decibel"
    return summary, Moments(mean, sd, autoregression, sum(lengths["training"]), in_decibels)


def training_phases(config):
    """Of a whole training: `Phases` of learning rates, `Phases` of k, and the number of epochs."""
    rates = Phases(config.training.learning_rates, config.training.epochs_per_rate)
    return rates, Phases(config.training.cd_steps, rates.epochs), config.training.epochs or rates.num_epochs


def phase_callbacks(model, rates, cd_steps, epoch_variable):
    """The callbacks without which a compiled model does not train as configured: rate, k, the data's epoch, averaged validation."""
    averaged = [AveragedValidation()] if model.optimizer.use_ema else []
    return [PhasedLearningRate(rates), EpochPhases(epoch_variable, cd_steps), *averaged]


def train(config, data_dir, workdir, report=lambda line: None, callbacks=(), fold=None, pictures=True):
    """Trains a model, or goes on with one.

    Args:
        config: `Config`.    data_dir: folder of recordings, or an .npz file of frame sequences, see `frame_sequences`.
        workdir: run folder; made if it is not there.
        report: called with lines for the user.    callbacks: Keras callbacks, or a function (data summary, epochs) -> list.
        fold: None, or (i, n) for forward chaining, see `survey.survey`.    pictures: draw during training.

    Returns:
        dict of floats: the best epoch's `val_one_step_error`, `epoch`, `song_distance` if it sang, and each `baseline_*`.

    Raises:
        ValueError: nothing usable in the folder, or the run folder holds another run.
    """
    folder = RunFolder(workdir)
    folder.check(config)
    os.makedirs(folder.path, exist_ok=True)
    epoch_variable = tf.Variable(0, dtype=tf.int64, trainable=False)
    data = prepare_data(config, data_dir, folder, epoch_variable, report, fold)
    model, best, history = build_model(config, data.summary.num_visible), checkpoint.BestWeights(), []
    first_epoch = 0
    if data.moments is not None:
        start_from_data(model, data.moments, config)
    compile_model(model, config)
    if data.moments is None:
        first_epoch, history = checkpoint.restore(folder.checkpoint, model, best)
        report(f"going on after epoch {first_epoch}")
    else:
        checkpoint.save(folder.checkpoint, model, 0, best, history)
    folder.write_config(config)

    rates, cd_steps, num_epochs = training_phases(config)
    record = RunRecord(folder, best, history, data.summary.baselines)
    drawn = np.unique(np.ceil(np.linspace(0, num_epochs, _NUM_PICTURES + 1)[1:]).astype(int)).tolist() if pictures else []
    endpoints = Endpoints(Trained(model, config, data.summary.scale, data.summary.sample_rate, 0))
    pictured = Pictures(folder, data.summary, data.real_sequences, endpoints, history, drawn)
    has_songs = data.summary.scale is not None and config.data.sequence in SEQUENCES_WITH_GAPS
    checks = epochs_to_check(config.training.num_song_checks, cd_steps, num_epochs) if has_songs else ()
    checked = [SongCheck(endpoints, data.sources, checks)] if checks else []
    further = callbacks(data.summary, num_epochs) if callable(callbacks) else list(callbacks)
    try:
        model.fit(
            data.training,
            steps_per_epoch=data.num_batches,
            validation_data=data.validation,
            initial_epoch=first_epoch,
            epochs=num_epochs,
            verbose=0,
            shuffle=False,
            callbacks=[*phase_callbacks(model, rates, cd_steps, epoch_variable), *checked, record, pictured, *further],
        )
    finally:
        if best.epoch:
            pictured.draw_curves()
            _save_best(best, config, data.summary.num_visible, folder)
    songs = {"song_distance": best.song_distance} if math.isfinite(best.song_distance) else {}
    error = history[best.epoch - 1]["val_one_step_error"]
    return {"epoch": best.epoch, "val_one_step_error": error} | songs | {f"baseline_{k}": v for k, v in data.summary.baselines.items()}


def _save_best(best, config, num_visible, folder):
    """Writes model.keras: the best weights in a model without an optimiser."""
    keeper = build_model(config, num_visible)
    for variable, array in zip(keeper.variables, best.weights, strict=True):
        variable.assign(array)
    with files.replacing(folder.file("model.keras")) as temporary:
        keeper.save(temporary)


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
