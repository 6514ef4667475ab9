"""The tracks of a run whose labels are `units`: the phone-like units of its own recordings, found
when it begins, and kept in its folder for the recordings of others.
"""

import dataclasses
from collections.abc import Iterable, Iterator

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.config import Config
from neurovocal_tf.data import label_tracks
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sources import Source
from neurovocal_tf.data.survey import Survey
from neurovocal_tf.discovery import phone_units
from neurovocal_tf.discovery.phone_units import Measured, PhoneUnits
from neurovocal_tf.runs.run_folder import RunFolder


def with_units(found: Survey, config: Config, folder: RunFolder) -> Survey:
    """What has been found with the tracks of its units, where these are the labels that are asked
    for; else as it is. The units go to phone_units.npz in the run folder.

    Raises: ValueError where no recording sounds.
    """
    if config.data.source_of_labels != "units":
        return found
    training = list(_measured(found.training))
    number = int(config.data.labels.partition(":")[2] or phone_units.NUM_UNITS)
    voices = list(map(_voice, found.training.sources))
    units = phone_units.fit([heard for heard, _ in training], voices, number, config.training.seed)
    phone_units.save(folder.file(phone_units.FILE_NAME), units)
    parts = (
        _tracked(found.training, training, units),
        _tracked(found.validation, _measured(found.validation), units),
    )
    known = label_tracks.known_of(parts[0].sources)
    of_training, of_validation = (dataclasses.replace(part, labels=known) for part in parts)
    return dataclasses.replace(found, training=of_training, validation=of_validation)


def _measured(data: Recordings) -> Iterator[tuple[Measured, int]]:
    """Each stretch as it is measured, and its samples."""
    for samples, rate in data.heard():
        power = spectrogram.power_spectrogram(samples, rate, data.config.spectrogram)
        yield phone_units.measure(power.numpy(), rate), len(samples)


def _voice(source: Source) -> str:
    """Whose a recording is, as far as conditions tell."""
    return ", ".join(filter(None, source.conditions))


def _tracked(
    data: Recordings, measured: Iterable[tuple[Measured, int]], units: PhoneUnits
) -> Recordings:
    """The recordings, each with its units as spans."""
    settings, sources = data.config.spectrogram, []
    for source, (heard, num_samples) in zip(data.sources, measured, strict=True):
        # Of the whole recording.
        first = source.begin / (source.end - source.begin) * num_samples
        first += spectrogram.first_edge(settings)
        runs = phone_units.runs_of(units.units_of(heard, _voice(source)))
        track = tuple(
            (
                *((first + frame * settings.hop_length) / data.sample_rate for frame in run[:2]),
                units.names[run[2]],
            )
            for run in runs
        )
        sources.append(dataclasses.replace(source, track=track))
    return dataclasses.replace(data, sources=tuple(sources))
