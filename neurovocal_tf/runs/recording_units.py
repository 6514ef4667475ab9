"""Recordings with the phone-like units of a run as their labels along time."""

import dataclasses
from collections.abc import Iterable, Iterator

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sources import Source
from neurovocal_tf.discovery import phone_units
from neurovocal_tf.discovery.phone_units import Measured, PhoneUnits


def measured(recordings: Recordings) -> Iterator[tuple[Measured, int]]:
    """Each stretch as it is measured, and its samples."""
    for samples, rate in recordings.heard():
        power = spectrogram.power_spectrogram(samples, rate, recordings.config.spectrogram)
        yield phone_units.measure(power.numpy(), rate), len(samples)


def voice_of(source: Source) -> str:
    """Whose a recording is, as far as conditions tell."""
    return ", ".join(filter(None, source.conditions))


def with_units(
    recordings: Recordings, heard: Iterable[tuple[Measured, int]], units: PhoneUnits
) -> Recordings:
    """The recordings, each with its units as spans.

    Args:
        recordings: of a run.    heard: see `measured`, of these.    units: `PhoneUnits` of the run.
    """
    settings, sources = recordings.config.spectrogram, []
    for source, (frames, num_samples) in zip(recordings.sources, heard, strict=True):
        # Of the whole recording.
        first = source.begin / (source.end - source.begin) * num_samples
        first += spectrogram.first_edge(settings)
        runs = phone_units.runs_of(units.units_of(frames, voice_of(source)))
        track = tuple(
            (
                *((first + t * settings.hop_length) / recordings.sample_rate for t in run[:2]),
                units.names[run[2]],
            )
            for run in runs
        )
        sources.append(dataclasses.replace(source, track=track))
    return dataclasses.replace(recordings, sources=tuple(sources))
