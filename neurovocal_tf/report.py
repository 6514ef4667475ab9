"""A trained model's figures: one-step errors on whole held-out sequences, and statistics of songs, real beside generated."""

import collections
import dataclasses
import math
import os

import numpy as np
import tensorflow as tf

from neurovocal_tf import evaluation, pipeline, plots, songs
from neurovocal_tf.audio import spectrogram
from neurovocal_tf.baselines import BaselineStatistics
from neurovocal_tf.run_folder import RunFolder
from neurovocal_tf.serving import Endpoints

_PICTURED_S = 3.0
_NUM_PICTURED = 3
# Words of a language are thousands.
_MAX_LABELS = 20


@dataclasses.dataclass(frozen=True)
class SongOptions:
    """What to generate: `seconds` in all, divided among `num_songs`, from `seed` on, at `temperature`."""

    seconds: float = 40.0
    num_songs: int = 8
    seed: int = 0
    temperature: float = 1.0


def evaluate(trained, workdir, data_dir=None, options=SongOptions()):
    """A model's figures and pictures.

    Args:
        trained: `trainer.Trained`.    workdir: its run folder.    data_dir: of the recordings; None: where the run found them.
        options: `SongOptions`.

    Returns:
        (dict of flat figures, units in their names, None for what is not defined; dict of name -> `Figure`).
    """
    data = RunFolder(workdir).data()
    training, validation = data.sources_in(data_dir)
    settings = (data.sample_rate, data.scale, trained.config)
    statistics = BaselineStatistics()
    for frames, _ in pipeline.sequences(training, *settings).as_numpy_iterator():
        statistics.update(frames)
    suffix = "_db" if data.scale.scaling == "decibel" else "_power"
    held_out, labels = [], []
    for frames, _, frame_labels in pipeline.labelled_sequences(validation, *settings).as_numpy_iterator():
        held_out.append(frames)
        labels.append(np.char.decode(frame_labels.astype(np.bytes_), "utf-8"))
    figures = {name + suffix: error for name, error in _one_step(trained.model, statistics.fit(), held_out, labels).items()}

    endpoints = Endpoints(trained)
    num_frames = max(math.ceil(options.seconds * data.sample_rate / trained.config.spectrogram.hop_length / options.num_songs), 1)
    seeds = range(options.seed, options.seed + options.num_songs)
    generated = list(songs.sing_songs(endpoints, seeds, num_frames, options.temperature))
    real_statistics = evaluation.song_statistics(pipeline.recordings(validation, data.sample_rate, trained.config), trained.config)
    heard = [(song.waveform, data.sample_rate) for song in generated]
    generated_statistics = evaluation.song_statistics(heard, trained.config)
    figures |= evaluation.compare_songs(real_statistics, generated_statistics)
    real_decibels = [np.asarray(spectrogram.model_frames_to_decibels(frames, data.scale)) for frames in held_out[:_NUM_PICTURED]]
    pictures = {
        "songs": _song_picture(real_decibels, [song.decibels for song in generated], data, trained.config),
        "statistics": plots.statistics_figure(real_statistics, generated_statistics),
    }
    return {name: _defined(value) for name, value in figures.items()}, pictures


def write_pictures(pictures, folder):
    """Writes each figure as a PNG of its name."""
    for name, figure in pictures.items():
        plots.save_figure(figure, os.path.join(folder, f"{name}.png"))


def as_table(figures):
    """The figures as lines of text."""
    width = max(map(len, figures))
    return "\n".join(f"{name:{width}}  {'not defined' if value is None else format(value, '.5g')}" for name, value in figures.items())


def _one_step(model, baselines, held_out, labels):
    """One-step errors over whole sequences, so that nobody lacks the frames before; the model's also label by label, the commonest.

    Args:
        held_out: list of frames [L, V].    labels: list of the frames' labels, NumPy string [L], "" for none.
    """
    predict = tf.function(lambda frames: model.predict_step(frames), input_signature=[tf.TensorSpec([1, None, model.num_visible])])
    predictors = {"one_step_error": lambda frames: predict(tf.constant(frames[np.newaxis], tf.float32))[0]}
    predictors |= {f"baseline_{name}": baseline.one_step_predictions for name, baseline in baselines.items()}
    errors = evaluation.one_step_errors(((frames, np.ones(len(frames))) for frames in held_out), predictors)
    counts = collections.Counter(label for of_one in labels for label in of_one.tolist() if label)
    if counts:
        actual, labels = np.concatenate(held_out), np.concatenate(labels)
        predicted = np.concatenate([predictors["one_step_error"](frames) for frames in held_out])
        for label, _ in counts.most_common(_MAX_LABELS):
            errors[f"one_step_error_of_label_{label}"] = evaluation.one_step_error_db(actual, predicted, labels == label)
    return errors


def _song_picture(real, generated, data, config):
    frame_s = config.spectrogram.hop_length / data.sample_rate
    # No more than twice the longest real one: words of half a second would be lost in three.
    num_frames = min(round(_PICTURED_S / frame_s), 2 * max(map(len, real)))

    def middles(spectrograms):
        starts = [max(len(decibels) - num_frames, 0) // 2 for decibels in spectrograms]
        return [decibels[start : start + num_frames] for decibels, start in zip(spectrograms, starts, strict=True)]

    return plots.comparison_figure(middles(real[:2]), middles(generated[:4]), frame_s, data.sample_rate / 2)


def _defined(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value
