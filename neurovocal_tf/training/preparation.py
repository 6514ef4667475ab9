"""The data of a run: surveyed, measured and written down when it begins,
read again when it goes on.
"""

import dataclasses
import itertools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from neurovocal_tf import files
from neurovocal_tf.audio import listing
from neurovocal_tf.config import Config
from neurovocal_tf.data import (
    frame_sequences,
    midi_folder,
    pipeline,
    recording_conditions,
    shares,
    split,
)
from neurovocal_tf.data.sequence_data import SequenceData
from neurovocal_tf.data.survey import TooFewRecordings, survey
from neurovocal_tf.data.watch import Watch
from neurovocal_tf.evaluation.baselines import BaselineStatistics
from neurovocal_tf.evaluation.one_step import one_step_errors
from neurovocal_tf.labels import DurationStatistics
from neurovocal_tf.model.adaptation import FrameMoments, Moments
from neurovocal_tf.runs.run_folder import DataSummary, RunFolder
from neurovocal_tf.training.pictures import NUM_PICTURED
from neurovocal_tf.training.type_tracks import with_types
from neurovocal_tf.training.unit_tracks import with_units

if TYPE_CHECKING:
    from neurovocal_tf.training.starting import Start


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """A run's data: `summary`, what trains as a whole and as batches, and what a fresh model starts
    from (None in one that goes on).

    `held_out` is what validates as a whole. `training` has no end, and `num_batches` make an epoch;
    see `pipeline.training_dataset`; `num_validation_batches` are all that validate, and
    `every_validation` are the same windows, all of them whoever trains beside. `watch` is over the
    recordings, and `is_read_again` says whether every epoch reads them.
    """

    summary: DataSummary
    trained_on: SequenceData
    held_out: SequenceData
    training: tf.data.Dataset
    num_batches: int
    validation: tf.data.Dataset
    num_validation_batches: int
    every_validation: tf.data.Dataset
    real_sequences: list[np.ndarray]
    watch: Watch
    is_read_again: bool
    moments: Moments | None = None


def prepare_data(
    config: Config,
    data_dir: str | os.PathLike[str],
    folder: RunFolder,
    epoch_variable: tf.Variable,
    report: Callable[[str], object],
    fold: tuple[int, int] | None = None,
    place: shares.Place = shares.WHOLE,
    start: "Start | None" = None,
) -> TrainingData:
    """The data of a new run, surveyed and written down, or of one that goes on,
    as it was written down; of every batch the rows at `place`. A new run's recordings are brought
    to the rate of what it starts from.
    """
    summary, moments, pieces, validation_batches = folder.data(), None, None, None
    if data_dir is not None and midi_folder.holds_pieces(data_dir):
        pieces = midi_folder.read_folder(data_dir, config.data, config.training.seed)
        data_dir = folder.file("frames.npz")
        frame_sequences.write_once(data_dir, pieces.arrays)
    if summary is None:
        found = _surveyed(data_dir, config, fold, folder, start)
        if pieces is not None:
            found = dataclasses.replace(found, skipped=pieces.skipped, notes=pieces.notes)
        _report_survey(found, folder, report)
        _check_shares(found.training, config)
        summary, moments, validation_batches, real_sequences = _summarise(found, data_dir, config)
        training, validation = found.training, found.validation
        summary = dataclasses.replace(summary, started_from=start.told if start else None)
        if place != shares.WHOLE:
            validation_batches = None
        watch = Watch.over(training.sources + validation.sources)
        folder.write_data(summary)
    else:
        training, validation, _ = summary.parts_in(config, data_dir)
        sources = training.sources + validation.sources
        watch = Watch.from_now(sources)
        _report_new(summary, data_dir, sources, report)
        split.check_unchanged(
            summary.lists,
            config.data,
            data_dir or summary.data_dir,
            listing.list_recordings,
        )
        recording_conditions.check_unchanged(sources, config.data)
        parts = (
            (training, summary.training_frames, summary.num_training),
            (validation, summary.validation_frames, summary.num_validation),
        )
        for data, frames, num_sequences in parts:
            found = shares.split(data, config.data.num_shares)
            for share, of_share in zip(found, shares.of_shares(frames, num_sequences), strict=True):
                share.check_unchanged(of_share)
        # Who draws no pictures reads nothing for them.
        pictured = NUM_PICTURED if place.index == 0 else 0
        real_sequences = [
            frames for frames, *_ in validation.sequences().take(pictured).as_numpy_iterator()
        ]
    validated = validation, config, summary.validation_frames, summary.num_validation
    if validation_batches is None:
        validation_batches = pipeline.validation_dataset(*validated, place)
    report(
        f"{training.description} train ({sum(summary.training_frames)} frames in "
        f"{len(summary.training_frames)} sequences), {len(validation)} validate"
    )
    return TrainingData(
        summary=summary,
        trained_on=training,
        held_out=validation,
        training=pipeline.training_dataset(
            training,
            config,
            epoch_variable,
            summary.training_frames,
            num_sequences=summary.num_training,
            place=place,
        ),
        num_batches=pipeline.num_batches(summary.training_frames, config, summary.num_training),
        validation=validation_batches,
        num_validation_batches=pipeline.num_validation_batches(
            summary.validation_frames, config, summary.num_validation
        ),
        every_validation=(
            validation_batches
            if place == shares.WHOLE
            else pipeline.validation_dataset(*validated, shares.WHOLE)
        ),
        real_sequences=real_sequences,
        watch=watch,
        is_read_again=pipeline.is_read_again(training, config, summary.training_frames)
        or pipeline.is_read_again(validation, config, summary.validation_frames),
        moments=moments,
    )


def _surveyed(data_dir, config, fold, folder, start):
    try:
        found = survey(data_dir, config, fold, start.sample_rate if start else 0)
        return with_units(with_types(found, config), config, folder, start)
    except TooFewRecordings as error:
        # All the reasons are for him who mends the files.
        _write_skipped(error, folder)
        raise ValueError(f"{error} See {folder.file('skipped.csv')}.") from None


def _write_skipped(found, folder):
    rows = [(files.place_in(folder.path, path), reason) for path, reason in found.skipped]
    files.write_csv(folder.file("skipped.csv"), ("file", "reason"), rows)


def _check_shares(training, config):
    if len(training) < config.data.num_shares:
        raise ValueError(
            "`num_shares` must be at most the number of what trains, since a share of nothing "
            f"leaves rows of every batch empty. Received: num_shares={config.data.num_shares}, and "
            f"{training.description} train"
        )


def _report_survey(found, folder, report):
    _write_skipped(found, folder)
    for note in found.notes:
        report(note)
    if found.skipped:
        path, reason = found.skipped[0]
        report(
            f"{len(found.skipped)} files skipped, see {folder.file('skipped.csv')}; "
            f"the first: {path}: {reason}"
        )


def _report_new(summary, data_dir, sources, report):
    """Says which recordings have come since a run began."""
    if summary.others is None:
        return
    data_dir = data_dir or summary.data_dir
    folder = listing.folder_of(data_dir)
    known = {source.path for source in sources} | {
        os.path.join(folder, name) for name in summary.others
    }
    new = [path for path in listing.list_recordings(data_dir) if path not in known]
    if new:
        report(
            f"{len(new)} recordings in {data_dir} are new since this run began and take no part, "
            f"such as {new[0]}: to learn from them too, train into another --workdir"
        )


def _shares(data, config):
    """Of each share of the data the sequences, as NumPy; of one without recordings none."""
    for share in shares.split(data, config.data.num_shares):
        yield share.sequences().as_numpy_iterator() if len(share) else ()


def _summarise(found, data_dir, config):
    """The data's summary, the `Moments` of its training frames, the batches that validate,
    and the sequences to picture.

    What trains is read once. What validates is read twice, since its errors need the baselines, and
    its batches the number of frames; if they are kept in memory, the second time is also that of
    all epochs.
    """
    statistics, moments, real_sequences = (
        BaselineStatistics(),
        FrameMoments(config.model.num_direct_frames),
        [],
    )
    lengths = {"training": [], "validation": []}
    durations = DurationStatistics()
    for share in _shares(found.training, config):
        lengths["training"].append([])
        for frames, _, *told in share:
            statistics.update(frames)
            if found.training.labels:
                durations.update(told[-1])
            moments.update(frames)
            lengths["training"][-1].append(len(frames))
    for share in _shares(found.validation, config):
        lengths["validation"].append([])
        for frames, *_ in share:
            lengths["validation"][-1].append(len(frames))
            if len(real_sequences) < NUM_PICTURED:
                real_sequences.append(frames)
    for part, found_lengths in lengths.items():
        if not any(found_lengths):
            remedy = (
                "--validation=recordings"
                if config.data.annotations
                else "another --threshold, or --sequence=recording"
            )
            raise ValueError(f"No vocalization was found in the {part} part: try {remedy}.")
    flat = {part: tuple(itertools.chain(*of_shares)) for part, of_shares in lengths.items()}
    counts = {
        part: tuple(map(len, of_shares)) if config.data.num_shares > 1 else None
        for part, of_shares in lengths.items()
    }
    batches = pipeline.validation_dataset(
        found.validation, config, flat["validation"], counts["validation"]
    )
    windows = ((frames, mask) for frames, mask, *_ in batches.as_numpy_iterator())
    predictors = {
        name: baseline.one_step_predictions for name, baseline in statistics.fit().items()
    }
    scale = found.training.scale
    summary = DataSummary(
        data_dir=os.path.abspath(data_dir),
        sample_rate=found.training.sample_rate,
        scale=scale,
        training=found.training.sources,
        validation=found.validation.sources,
        training_frames=flat["training"],
        validation_frames=flat["validation"],
        baselines=one_step_errors(windows, predictors),
        num_visible=None if scale.is_sound else found.training.num_visible,
        lists=found.lists,
        others=found.others if scale.is_sound else None,
        frames_digest=found.frames_digest,
        num_training=counts["training"],
        num_validation=counts["validation"],
        conditions=found.training.conditions,
        labels=durations.of(found.training.labels),
    )
    range_db = scale.dynamic_range_db if scale.in_decibels else None
    return summary, moments.moments(range_db), batches, real_sequences
