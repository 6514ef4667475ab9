"""A trained model's figures: likelihood, one-step errors on whole held-out sequences, what sound
made of held-out frames has lost, and statistics of songs, real beside generated.
"""

import collections
import math
import os
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from neurovocal_tf.audio.spectrogram import PianoKeys
from neurovocal_tf.conditions import Given
from neurovocal_tf.data import frame_sequences, label_tracks, recording_conditions
from neurovocal_tf.data.survey import survey_held_out
from neurovocal_tf.data.watch import Watch
from neurovocal_tf.evaluation import (
    identification,
    likelihood,
    likelihood_baselines,
    resynthesis,
    song_pictures,
    songs_of_run,
    temperatures,
)
from neurovocal_tf.evaluation.baselines import BaselineStatistics
from neurovocal_tf.evaluation.heard import NotMeasurable
from neurovocal_tf.evaluation.one_step import one_step_error, one_step_errors
from neurovocal_tf.evaluation.songs_of_run import SongOptions
from neurovocal_tf.generation import songs, voice_conversion
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.model import scoring
from neurovocal_tf.music import likeness as music_likeness
from neurovocal_tf.plots import canvas
from neurovocal_tf.plots import likelihood as likelihood_plots
from neurovocal_tf.runs import recording_units
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import Trained

# Words of a language are thousands.
_MAX_LABELS = 20
# Enough to tell chords and their changes.
_MOST_PIECES, _MOST_PIECE_FRAMES = 100, 1000
# The likelihood's baselines hold their training frames in memory: beyond an hour of song they are
# none the better for more.
_MOST_BASELINE_FRAMES = 500_000


def evaluate(
    trained: Trained,
    workdir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    song_options: SongOptions | None = None,
    likelihood_options: likelihood.LikelihoodOptions | None = None,
    report: Callable[[float], object] = lambda share: None,
    held_out_list: str | None = None,
    say: Callable[[str], object] = lambda line: None,
    condition: Given = None,
) -> tuple[dict[str, float | None], dict[str, Figure]]:
    """A model's figures and pictures, on the held-out recordings,
    or on the test split of a file of frame sequences.

    Args:
        trained: `trained.Trained`.    workdir: its run folder.
        data_dir: of the recordings, or an .npz file of frame sequences;
            None: where the run found them.
        song_options: `SongOptions`; None: those by default.
        likelihood_options: `likelihood.LikelihoodOptions`; None: no likelihood.
        report: called with the share of the likelihood that is done, from 0 to 1.
        held_out_list: of recordings in the data folder to evaluate on, as the setting of that name;
            None: those that the run held out.
        say: called with lines for the user.
        condition: of which recordings alone it is: those that were learned, those that are held
            out, and songs under their values; as of `Conditions.numbers_of`; None: of all.

    Returns:
        (dict of flat figures, units in their names, None for what is not defined;
        dict of name -> `Figure`).

    Raises:
        ValueError: the recordings have gone, or the frame sequences are none for this model.
    """
    data = RunFolder(workdir).data()
    parts = data.parts_in(trained.config, data_dir)
    with Watch.from_now(parts.training.sources + parts.validation.sources).blamed():
        return _evaluated(
            trained,
            workdir,
            data,
            data_dir,
            parts,
            song_options or SongOptions(),
            likelihood_options,
            report,
            held_out_list,
            say,
            condition,
        )


def _evaluated(
    trained,
    workdir,
    data,
    data_dir,
    parts,
    song_options,
    likelihood_options,
    report,
    held_out_list,
    say,
    condition,
):
    if song_options.temperatures and not data.is_sound:
        raise ValueError(
            "`temperatures` must not be given for frame sequences. "
            f"Received: temperatures={','.join(map(str, song_options.temperatures))}"
        )
    suffix = data.scale.unit_suffix
    asked = trained.model.conditions.named(condition)
    trained_on = recording_conditions.those_of(parts.training, asked, "train")
    training, _, heard, _ = _labelled(trained_on)
    test = (
        parts.test
        if held_out_list is None
        else _named_by(held_out_list, data, data_dir, trained, workdir, parts.training, say)
    )
    test = recording_conditions.those_of(test, asked, "are held out")
    held_out, labels, held_out_heard, cues = _labelled(test)
    conditions = None
    if test.conditions and held_out_heard is not None:
        conditions = [test.condition_of(number) for number in held_out_heard.recordings]
    told = conditions, cues or None
    statistics = BaselineStatistics()
    for frames in training:
        statistics.update(frames)
    errors = _one_step(trained.model, statistics.fit(), held_out, labels, *told)
    figures = {name + suffix: error for name, error in errors.items()}
    pictures = {}
    if likelihood_options is not None and _has_likelihood(trained, held_out):
        figures |= _likelihood(trained.model, training, held_out, likelihood_options, report, told)
        pictures["likelihood"] = likelihood_plots.likelihood_figure(
            figures, likelihood.warning(figures)
        )
    if data.is_sound:
        figures |= resynthesis.resynthesised(Singer(trained), test.heard(), song_options.seed)
        song_figures, song_pictures, listener = _songs(
            trained, heard, held_out_heard, song_options, say, trained_on.sources
        )
        figures, pictures = figures | song_figures, pictures | song_pictures
        if conditions is not None:
            figures |= identification.who_sings(
                trained.model,
                identification.Sequences(held_out, test, held_out_heard),
                identification.Sequences(training, trained_on, heard),
                listener,
            )
    elif isinstance(test.scale, PianoKeys):
        figures |= _pieces_compared(trained, training, held_out, song_options)
    return {name: _defined(value) for name, value in figures.items()}, pictures


def write_pictures(
    pictures: Mapping[str, Figure],
    folder: str | os.PathLike[str],
    settings: canvas.PictureSettings,
) -> None:
    """Writes each figure as a picture of its name."""
    for name, figure in pictures.items():
        canvas.save_picture(figure, os.path.join(folder, name), settings)


def _named_by(held_out_list, data, data_dir, trained, workdir, training, say):
    """The `Recordings` that a list names, in the place of those that the run held out."""
    if not data.is_sound:
        raise ValueError(
            "`held_out_list` must not be given for frame sequences. "
            f"Received: held_out_list={held_out_list}"
        )
    recordings, skipped, notes = survey_held_out(
        data_dir or data.data_dir, held_out_list, trained.config, training
    )
    for path, reason in skipped:
        say(f"skipped {path}: {reason}")
    units = voice_conversion.units_in(workdir)
    if units is not None:
        heard = recording_units.measured(recordings)
        recordings = recording_units.with_units(recordings, heard, units)
    for note in (*notes, *label_tracks.notes_of((), recordings.sources, recordings.labels)):
        say(note)
    say(f"{recordings.description} of {held_out_list} are held out")
    return recordings


def _labelled(data):
    """Lists of sequences [L, V] of some `SequenceData` and of the labels of their frames, NumPy
    string [L]; of recordings `Songs`, else None; and list of cues [L, C] where there are any.
    """
    if data.scale.is_sound:
        heard, sequences, labels, cues = songs_of_run.sequences_of(data)
    else:
        found = list(data.labelled_sequences().as_numpy_iterator())
        heard, cues = None, []
        sequences, labels = [one for one, _, _ in found], [of_one for _, _, of_one in found]
    return (
        sequences,
        [np.char.decode(of_one.astype(np.bytes_), "utf-8") for of_one in labels],
        heard,
        cues,
    )


def _one_step(model, baselines, held_out, labels, conditions, cues):
    """One-step errors over whole sequences, so that nobody lacks the frames before; the model's
    also label by label, the commonest.

    Args:
        held_out: list of frames [L, V].
        labels: list of the frames' labels, NumPy string [L], "" for none.
        conditions, cues: of each its own, see `scoring.told_row`; None: unknown.
    """
    predict = tf.function(
        lambda frames, *told: model.predict_step((frames, None, None, *(x[None] for x in told))),
        input_signature=[
            tf.TensorSpec([1, None, model.num_visible]),
            *scoring.told_specs(model),
        ],
    )

    def predictions():
        for index, frames in enumerate(held_out):
            own = conditions and conditions[index], cues and cues[index]
            told = scoring.told_row(model, len(frames), *own)
            yield predict(tf.constant(frames[np.newaxis], tf.float32), *told)[0]

    # Asked for one after another, as the sequences come.
    in_order = predictions()
    predictors = {"one_step_error": lambda frames: next(in_order)}
    predictors |= {
        f"baseline_{name}": baseline.one_step_predictions for name, baseline in baselines.items()
    }
    errors = one_step_errors(((frames, np.ones(len(frames))) for frames in held_out), predictors)
    counts = collections.Counter(label for of_one in labels for label in of_one.tolist() if label)
    if counts:
        actual, labels = np.concatenate(held_out), np.concatenate(labels)
        predicted = np.concatenate(list(predictions()))
        for label, _ in counts.most_common(_MAX_LABELS):
            errors[f"one_step_error_of_label_{label}"] = one_step_error(
                actual, predicted, labels == label
            )
    return errors


def _has_likelihood(trained, held_out):
    """Mean-field units hold probabilities: only where those are 0 and 1 has
    a frame a likelihood.
    """
    return trained.config.model.visible_units == "gaussian" or all(
        frame_sequences.is_binary(frames) for frames in held_out
    )


def _likelihood(model, training, held_out, options, report, told):
    """The bracket, and baselines on the same frames; accuracies of binary ones."""
    bracket = likelihood.log_likelihood_bracket(model, held_out, options, report, *told)
    figures = likelihood.bracket_figures(bracket, options.num_temperatures)
    binary = likelihood.is_binary_model(model)
    baselines = likelihood_baselines.fit_baselines(_up_to(training, _MOST_BASELINE_FRAMES), binary)
    for name, baseline in baselines.items():
        values = np.concatenate([baseline.log_likelihoods(frames) for frames in held_out])
        figures[f"baseline_{name}_log_likelihood_nats"] = float(values.mean())
    if binary:
        figures["pseudo_log_likelihood_nats"] = likelihood.mean_pseudo_log_likelihood(
            model, held_out
        )
        figures |= _accuracies(bracket, baselines, held_out, options.seed)
    return figures


def _accuracies(bracket, baselines, held_out, seed):
    """Of the model's samples and the baselines', for the same frames and as many of each."""
    actual = np.concatenate(held_out)[bracket.chosen]
    figures = likelihood_baselines.sampled_accuracy(actual, bracket.samples > 0.5)
    generator = np.random.default_rng(seed)
    for name, baseline in baselines.items():
        probabilities = np.concatenate([baseline.probabilities(frames) for frames in held_out])[
            bracket.chosen
        ]
        samples = generator.random(bracket.samples.shape, np.float32) < probabilities
        found = likelihood_baselines.sampled_accuracy(actual, samples)
        figures |= {f"baseline_{name}_{measure}": value for measure, value in found.items()}
    return figures


def _up_to(sequences, num_frames):
    """The first sequences that together have no more frames than that, one at least."""
    ends = np.cumsum([len(frames) for frames in sequences])
    return sequences[: max(int(np.searchsorted(ends, num_frames, side="right")), 1)]


def _songs(trained, training, held_out, options, say, sources):
    """Figures and pictures of generated songs beside the training and the held-out `Songs`, and the
    `Listener` that has heard the former; None where it hears no syllable.
    """
    sung = songs_of_run.sing(trained, options, sources)
    shown = held_out.pieces or training.pieces
    pictures = {"songs": song_pictures.whole_songs(shown, sung.pieces, trained)}
    try:
        found = songs_of_run.measured(trained, training, sung, held_out, options.seed)
    except NotMeasurable as reason:
        say(f"songs are not measured: {reason}")
        return {}, pictures, None
    figures = found.figures | temperatures.at_temperatures(
        trained, found.listener, options.temperatures, options.seed, sources
    )
    pictures |= song_pictures.pictures(found, trained.sample_rate)
    return figures, pictures, found.listener


def _pieces_compared(trained, training, held_out, options):
    """Figures of generated pieces beside the held-out ones, as many and as long."""
    real = [frames[:_MOST_PIECE_FRAMES] for frames in held_out[:_MOST_PIECES]]
    seeds = range(options.seed, options.seed + len(real))
    pieces = songs.generate_frames(Singer(trained), seeds, max(map(len, real)), options.temperature)
    generated = [frames for _, frames in pieces]
    return music_likeness.compare_pieces(training, real, generated, options.seed)


def _defined(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value
