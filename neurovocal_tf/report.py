"""A trained model's figures: one-step errors on whole held-out sequences, and statistics of songs, real beside generated."""

import dataclasses
import math
import os

import numpy as np
import tensorflow as tf

from neurovocal_tf import evaluation, pipeline, plots, songs
from neurovocal_tf.audio import readers, spectrogram
from neurovocal_tf.baselines import BaselineStatistics
from neurovocal_tf.endpoints import Endpoints
from neurovocal_tf.run_folder import RunFolder

_PICTURED_S = 3.0
_NUM_PICTURED = 3


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
    held_out = list(pipeline.sequences(validation, *settings).as_numpy_iterator())
    figures = {name + suffix: error for name, error in _one_step(trained.model, statistics.fit(), held_out).items()}

    endpoints = Endpoints(trained)
    num_frames = max(math.ceil(options.seconds * data.sample_rate / trained.config.spectrogram.hop_length / options.num_songs), 1)
    seeds = range(options.seed, options.seed + options.num_songs)
    generated = list(songs.sing_songs(endpoints, seeds, num_frames, options.temperature))
    real_statistics = evaluation.song_statistics(_recordings(validation, data, trained.config), trained.config)
    heard = [(song.waveform, data.sample_rate) for song in generated]
    generated_statistics = evaluation.song_statistics(heard, trained.config)
    figures |= evaluation.compare_songs(real_statistics, generated_statistics)
    real_decibels = [np.asarray(spectrogram.model_frames_to_decibels(frames, data.scale)) for frames, _ in held_out[:_NUM_PICTURED]]
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


def _one_step(model, baselines, held_out):
    """One-step errors over whole sequences, so that nobody lacks the frames before."""
    predict = tf.function(lambda frames: model.predict_step(frames), input_signature=[tf.TensorSpec([1, None, model.num_visible])])
    predictors = {"one_step_error": lambda frames: predict(tf.constant(frames[np.newaxis], tf.float32))[0]}
    predictors |= {f"baseline_{name}": baseline.one_step_predictions for name, baseline in baselines.items()}
    return evaluation.one_step_errors(((frames, np.ones(len(frames))) for frames, _ in held_out), predictors)


def _recordings(sources, data, config):
    for source in sources:
        samples = readers.read(source.path, config.audio.channel, data.sample_rate)
        yield np.asarray(pipeline.stretch_of(samples, source.begin, source.end)), data.sample_rate


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
