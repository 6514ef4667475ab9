"""The tracks of a run whose labels are `types`: call types found in its own training recordings
when it begins, without anybody's labels.
"""

import dataclasses

import numpy as np

from neurovocal_tf.annotations.segments import Segment
from neurovocal_tf.config import Config
from neurovocal_tf.data import label_tracks
from neurovocal_tf.data.sources import Source
from neurovocal_tf.data.survey import Survey
from neurovocal_tf.discovery import call_types, features


def with_types(found: Survey, config: Config) -> Survey:
    """What has been found with the tracks of its call types, where these are the labels that are
    asked for; else as it is. Types are fitted to the calls that train; those that are held out are
    of the types they are nearest to, or of none where they are like none.

    Raises: ValueError where there are no calls.
    """
    if config.data.labels != "types":
        return found
    training, rate = found.training, found.training.sample_rate
    # Whole recordings, of which a stretch may train and another one not.
    sources = {source.path: source for source in (*training.sources, *found.validation.sources)}
    spans = {
        path: label_tracks.vocalizations(source, rate, config, training.spans)
        for path, source in sources.items()
    }
    recipe = features.recipe_of("speech" if config.segmentation.detector == "contrast" else "")
    audio = dataclasses.replace(config.audio, sample_rate=rate)
    background = features.background_db([s.path for s in training.sources], recipe, audio)
    calls = {
        path: features.as_points(
            features.measure(path, np.reshape(times, (-1, 2)), background, recipe, audio), recipe
        )
        for path, times in spans.items()
        if len(times)
    }
    fitted = [
        calls[source.path][_within(source, spans[source.path], config.audio.time_expansion)]
        for source in training.sources
        if source.path in calls
    ]
    if not sum(map(len, fitted)):
        raise ValueError(
            "`labels` must not be types where no call is found in the recordings that train. "
            f"Received: labels={config.data.labels}"
        )
    points = np.concatenate(fitted)
    types = call_types.fit(
        points[call_types.sample(len(points), config.training.seed)], config.training.seed
    )
    tracks = {path: _track(spans[path], types, calls.get(path)) for path in sources}
    of_training, of_validation = (
        label_tracks.with_tracks(part.sources, tracks) for part in (training, found.validation)
    )
    label_tracks.check_any(of_training, config.data.labels)
    known = label_tracks.known_of(of_training)
    told = f"labels are {len(known)} call types, found in {len(points)} calls that train"
    return dataclasses.replace(
        found,
        training=dataclasses.replace(training, sources=of_training, labels=known),
        validation=dataclasses.replace(found.validation, sources=of_validation, labels=known),
        notes=(*found.notes, told),
    )


def _within(source: Source, spans: list[list[float]], time_expansion: int) -> np.ndarray:
    """Which spans of a whole recording lie in the source's stretch of it, bool [S]."""
    times = np.reshape(spans, (-1, 2))
    if source.identity is None:
        return np.ones(len(times), bool)
    # The rate of a file is that of the sound as it was slowed down.
    length_s = source.identity.num_samples / (source.identity.sample_rate * time_expansion)
    return (times[:, 0] >= source.begin * length_s) & (times[:, 1] <= source.end * length_s)


def _track(
    spans: list[list[float]], types: call_types.CallTypes, calls: np.ndarray | None
) -> tuple[Segment, ...]:
    """The spans with the names of their types, "" of what is like none."""
    if calls is None:
        return ()
    assigned = types.assign(types.project(calls))
    names = [
        types.names[number] if is_familiar else ""
        for number, is_familiar in zip(assigned.types, assigned.is_familiar, strict=True)
    ]
    return tuple((onset, offset, name) for (onset, offset), name in zip(spans, names, strict=True))
