"""The tracks of a run whose labels are `units`: the phone-like units of its own recordings, found
when it begins, or those of what it starts from, and kept in its folder for the recordings of
others.
"""

import dataclasses
from typing import TYPE_CHECKING

from neurovocal_tf.config import Config
from neurovocal_tf.data import label_tracks
from neurovocal_tf.data.survey import Survey
from neurovocal_tf.discovery import phone_units
from neurovocal_tf.labels import Labels
from neurovocal_tf.runs import recording_units
from neurovocal_tf.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from neurovocal_tf.training.starting import Start


def with_units(
    found: Survey, config: Config, folder: RunFolder, start: "Start | None" = None
) -> Survey:
    """What has been found with the tracks of its units, where these are the labels that are asked
    for; else as it is. The units go to phone_units.npz in the run folder.

    Args:
        found: `Survey`.    config, folder: of the run.
        start: what the run begins with, whose units then mean the same to it as they did; voices
            that these do not know are added to them.

    Raises: ValueError where no recording sounds, or what the run begins with has no such units.
    """
    if config.data.source_of_labels != "units":
        return found
    number = int(config.data.labels.partition(":")[2] or phone_units.NUM_UNITS)
    kept = _kept_units(start, config, number, found.training.sample_rate) if start else None
    heard = list(recording_units.measured(found.training))
    frames = [one for one, _ in heard]
    voices = list(map(recording_units.voice_of, found.training.sources))
    if kept is None:
        units = phone_units.fit(frames, voices, number, config.training.seed)
    else:
        units = phone_units.with_voices(kept, frames, voices)
    phone_units.save(folder.file(phone_units.FILE_NAME), units)
    parts = (
        recording_units.with_units(found.training, heard, units),
        recording_units.with_units(
            found.validation, recording_units.measured(found.validation), units
        ),
    )
    known = label_tracks.known_of(parts[0].sources)
    if start is not None and kept is not None:
        # Those that are not said here are there to be said in another voice.
        known = Labels.of((*known.known, *start.model.labels.known))
    of_training, of_validation = (dataclasses.replace(part, labels=known) for part in parts)
    return dataclasses.replace(found, training=of_training, validation=of_validation)


def _kept_units(start, config, number, sample_rate):
    """The units of what a run begins with, if they are such as it asks for; None of one whose
    labels are others, or none.
    """
    labels, units = config.data.labels, start.units
    if units is None:
        if {*start.model.labels.known} & {*phone_units.names_of(number)}:
            raise ValueError(
                f"`start_from` must have its units beside it, {phone_units.FILE_NAME}, where "
                f"`labels` are units, as a run folder has. Received: start_from="
                f"{start.told['path']}"
            )
        return None
    if ":" in labels and number != len(units):
        raise ValueError(
            f"`labels` must be units, or units:{len(units)}, since `start_from` has so many. "
            f"Received: labels={labels}"
        )
    if start.sample_rate not in (0, sample_rate):
        raise ValueError(
            f"`sample_rate` must be {start.sample_rate}, that of `start_from`, where `labels` are "
            f"its units. Received: sample_rate={sample_rate}"
        )
    return units
