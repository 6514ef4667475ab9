"""A folder of recordings, or a file of frame sequences, in; a trained model in a run folder out."""

import math
import os
import tempfile
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

from neurovocal_tf import files, xla_log
from neurovocal_tf.config import Config
from neurovocal_tf.config_sections import SEQUENCES_WITH_GAPS
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.model.sung_noise import noise_finder
from neurovocal_tf.ownership import owned
from neurovocal_tf.runs import checkpoint, recovery
from neurovocal_tf.runs.run_folder import DataSummary, RunFolder
from neurovocal_tf.runs.trained import Trained, build_model
from neurovocal_tf.training import starting
from neurovocal_tf.training.averages import AveragedValidation
from neurovocal_tf.training.callbacks import RecordingsCheck, RunRecord
from neurovocal_tf.training.cores import num_parts
from neurovocal_tf.training.optimizers import GuardedAdam, GuardedRMSprop
from neurovocal_tf.training.phases import EpochPhases, PhasedLearningRate, Phases
from neurovocal_tf.training.pictures import Pictures
from neurovocal_tf.training.preparation import prepare_data
from neurovocal_tf.training.song_check import SongCheck, as_now, epochs_to_check
from neurovocal_tf.training.story import story
from neurovocal_tf.training.strategies import ALONE, Replicas
from neurovocal_tf.training.text_stage import TextStage

# Parts of the names of the weights that L2 is put on; W begins those of W, Wuv, Wuh and Wug.
_L2_PATHS = {"recurrent": "recurrent_kernel", "rbm": "conditional_rbm/W"}
_NUM_PICTURES = 3  # in the course of a training
# What a folder is owned for, see `ownership.owned`.
RUN = "run"


def compile_model(model: RNNRBM, config: Config) -> None:
    """Gives a model its optimiser, built, so that a checkpoint can be put back into it."""
    training = config.training
    starting.freeze(model, training.freeze)
    optimizer = {"adam": GuardedAdam, "rmsprop": GuardedRMSprop}[training.optimizer](
        learning_rate=training.learning_rates[0],
        clip_norm=training.clip_norm,
        l1=training.l1,
        l2=training.l2,
        l2_path=_L2_PATHS[training.l2_on],
        kept_rate=training.kept_rate if training.start_from else 1.0,
        fresh_paths=starting.FRESH_PATHS,
        use_ema=training.weight_average > 0,
        ema_momentum=training.weight_average,
    )
    optimizer.build(model.trainable_variables)
    if config.execution.precision != "float32":
        model.encoder.dtype_policy = keras.DTypePolicy(f"mixed_{config.execution.precision}")
    if config.execution.compiled:
        xla_log.start_quietly()
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    model.compile(
        optimizer=optimizer,
        jit_compile=config.execution.compiled,
        num_parts=num_parts(config, num_replicas),
    )


def training_phases(config: Config) -> tuple[Phases, Phases, int]:
    """Of a whole training: `Phases` of learning rates, `Phases` of k, and the number of epochs."""
    rates = Phases(config.training.learning_rates, config.training.epochs_per_rate)
    return (
        rates,
        Phases(config.training.cd_steps, rates.epochs),
        config.training.epochs or rates.num_epochs,
    )


def phase_callbacks(
    model: RNNRBM, rates: Phases, cd_steps: Phases, epoch_variable: tf.Variable
) -> list[keras.callbacks.Callback]:
    """The callbacks without which a compiled model does not train as configured: rate, k, the
    data's epoch, averaged validation.
    """
    averaged = [AveragedValidation()] if model.optimizer.use_ema else []
    return [PhasedLearningRate(rates), EpochPhases(epoch_variable, cd_steps), *averaged]


def train(
    config: Config,
    data_dir: str | os.PathLike[str],
    workdir: str | os.PathLike[str],
    report: Callable[[str], object] = lambda line: None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    fold: tuple[int, int] | None = None,
    pictures: bool = True,
    progress: Callable[
        [DataSummary, int], Iterable[keras.callbacks.Callback]
    ] = lambda data, num_epochs: (),
    replicas: Replicas = ALONE,
) -> dict[str, float]:
    """Trains a model, or goes on with one.

    Args:
        config: `Config`.
        data_dir: folder of recordings, or an .npz file of frame sequences, see `frame_sequences`.
        workdir: run folder; made if it is not there.
        report: called with lines for the user.    callbacks: Keras callbacks.
        fold: None, or (i, n) for forward chaining, see `survey.survey`.
        pictures: draw during training.
        progress: called with the `DataSummary` and the number of epochs for further callbacks,
            which show how far it is.
        replicas: who trains together, see `strategies`. Of several workers the chief alone reports,
            writes into `workdir`, and has callbacks.

    Returns:
        dict of floats: the best epoch's `val_one_step_error`, `epoch`,
        `song_distance` if it sang, and each `baseline_*`; of a worker that is not the chief {}.

    Raises:
        ValueError: nothing usable in the folder, the run folder holds another run, is damaged or
            trained by another process, recordings have changed since the run began, or another
            worker has gone.
    """
    folder = RunFolder(workdir)
    with replicas.told_of_each_other():
        if not replicas.is_chief:
            _train_beside_the_chief(config, data_dir, fold, replicas)
            return {}
        os.makedirs(folder.path, exist_ok=True)
        with owned(folder.path, RUN):
            return _train(
                config, data_dir, folder, report, callbacks, fold, pictures, progress, replicas
            )


def _train_beside_the_chief(config, data_dir, fold, replicas):
    """Goes on from the chief's checkpoint as the chief does, in a folder that nobody keeps."""
    with tempfile.TemporaryDirectory() as path:
        folder = RunFolder(path)
        replicas.take(_what_all_have(folder))
        found = checkpoint.read(folder.checkpoint)
        epoch_variable = tf.Variable(0, dtype=tf.int64, trainable=False)
        data = prepare_data(
            config, data_dir, folder, epoch_variable, lambda line: None, fold, replicas.place
        )
        with replicas.scope():
            model = _compiled(config, data.summary)
        found.restore(model, checkpoint.BestWeights())
        check = RecordingsCheck(data.watch, data.is_read_again, replicas.wait_for_all)
        _fit(model, config, data, epoch_variable, found.epoch, [check], replicas)
        replicas.wait_for_all()


def _what_all_have(folder):
    """The files of a run that its chief gives to the other workers."""
    return [folder.checkpoint, folder.file("data.json")]


def _train(config, data_dir, folder, report, callbacks, fold, pictures, progress, replicas):
    found = recovery.recover(folder, report)
    folder.check(config)
    epoch_variable = tf.Variable(0, dtype=tf.int64, trainable=False)
    start = None
    if found is None and config.training.start_from:
        start = starting.read(config.training.start_from)
    data = prepare_data(
        config, data_dir, folder, epoch_variable, report, fold, replicas.place, start
    )
    texts = _text_stage(config, data, data_dir, folder, report, replicas)
    model, best, history = None, checkpoint.BestWeights(), []
    first_epoch, memory = 0, checkpoint.Memory(config.to_json(), folder.data_text())
    if found is not None:
        report(f"going on after epoch {found.epoch}")
    else:
        summary = data.summary
        model = build_model(config, summary.num_visible, summary.conditions, summary.labels)
        starting.begin(model, start, data, config, report)
        compile_model(model, config)
        checkpoint.save(folder.checkpoint, model, 0, best, history, memory)
    if replicas.are_several:
        # All go on from the checkpoint: variables of several replicas are made by all at once.
        found, model = checkpoint.read(folder.checkpoint), None
        replicas.hand_out(_what_all_have(folder))
    if model is None:
        with replicas.scope():
            model = _compiled(config, data.summary)
        found.restore(model, best)
        first_epoch, history = found.epoch, as_now(found.history)
    folder.write_config(config)

    rates, cd_steps, num_epochs = training_phases(config)
    find_noise = noise_finder(model, data.every_validation, config.generation.num_gibbs_steps)
    told = data.summary.baselines, data.summary.unit, memory, report, find_noise
    record = RunRecord(folder, best, history, *told)
    drawn = (
        np.unique(np.ceil(np.linspace(0, num_epochs, _NUM_PICTURES + 1)[1:]).astype(int)).tolist()
        if pictures
        else []
    )
    singer = Singer(Trained(model, config, data.summary.scale, data.summary.sample_rate, 0))
    pictured = Pictures(folder, data.summary, data.real_sequences, singer, history, drawn)
    has_songs = data.summary.is_sound and config.data.sequence in SEQUENCES_WITH_GAPS
    checks = (
        epochs_to_check(config.training.num_song_checks, cd_steps, num_epochs) if has_songs else ()
    )
    checked = [SongCheck(singer, data.trained_on, checks, find_noise)] if checks else []
    further = [*callbacks, *progress(data.summary, num_epochs)]
    if first_epoch:
        record.catch_up()
        pictured.catch_up(model, first_epoch)
    try:
        # The check comes before the record: an epoch in which a worker may have read another
        # recording is not kept.
        check = RecordingsCheck(data.watch, data.is_read_again, replicas.wait_for_all)
        kept = [*checked, check, record, pictured, *further]
        _fit(model, config, data, epoch_variable, first_epoch, kept, replicas)
    finally:
        if best.epoch:
            pictured.draw_curves()
            keeper = _save_best(best, config, data.summary, folder)
            told = story(history, data.summary.unit)
            files.write_text(folder.file("story.txt"), "\n".join(told) + "\n")
    replicas.wait_for_all()
    for line in told:
        report(line)
    if texts is not None:
        texts.learn(keeper)
    songs = {"song_distance": best.song_distance} if math.isfinite(best.song_distance) else {}
    error = history[best.epoch - 1]["val_one_step_error"]
    return (
        {"epoch": best.epoch, "val_one_step_error": error}
        | songs
        | {f"baseline_{k}": v for k, v in data.summary.baselines.items()}
    )


def _text_stage(config, data, data_dir, folder, report, replicas):
    """`TextStage` of a run that is to learn texts, else None."""
    if not config.texts.texts:
        return None
    if replicas.are_several:
        raise ValueError(
            "`texts` must be left out while several train: the same command without --strategy "
            f"learns them when the run has ended. Received: texts={config.texts.texts}"
        )
    return TextStage(config, data, data_dir or data.summary.data_dir, folder, report)


def _fit(model, config, data, epoch_variable, first_epoch, callbacks, replicas):
    rates, cd_steps, num_epochs = training_phases(config)
    validation, num_validated = data.validation, None
    if replicas.are_several:
        # Keras cannot tell when what is distributed has ended.
        validation, num_validated = validation.repeat(), data.num_validation_batches
    with data.watch.blamed():
        model.fit(
            replicas.distributed(data.training),
            steps_per_epoch=data.num_batches,
            validation_data=replicas.distributed(validation),
            validation_steps=num_validated,
            initial_epoch=first_epoch,
            epochs=num_epochs,
            verbose=0,
            shuffle=False,
            callbacks=[*phase_callbacks(model, rates, cd_steps, epoch_variable), *callbacks],
        )


def _compiled(config, summary):
    """The model of a `DataSummary`, compiled, for the weights of a checkpoint."""
    model = build_model(config, summary.num_visible, summary.conditions, summary.labels)
    compile_model(model, config)
    return model


def _save_best(best, config, summary, folder):
    """Writes model.keras, the best weights in a model without an optimiser, and returns that."""
    keeper = build_model(config, summary.num_visible, summary.conditions, summary.labels)
    for variable, array in zip(keeper.variables, best.weights, strict=True):
        variable.assign(array)
    with files.replacing(folder.file("model.keras")) as temporary:
        keeper.save(temporary)
    return keeper
