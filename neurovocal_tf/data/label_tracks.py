"""Tracks of labels: what is sung when in each recording, from where the setting `labels` says.

annotations    the spans that people have marked, in `annotations` or in files beside the recordings
folder         every vocalization of a recording has the name of the folder that it lies in
name_part:N    or the N-th part of its name, as of `condition_from`: spoken words, say

A source keeps its track as spans (onset_s, offset_s, label) in the whole recording; None: nothing
is known of it, and all its frames are told nothing. Labels that are found by looking at all
recordings come from a room above this one (`training.type_tracks`), which calls `with_tracks`.

    sources, notes = tracked(sources, sample_rate, data_dir, config, spans)
    known = known_of(training)                     # a `labels.Labels`, without durations yet
    firsts, lasts, numbers = track_columns(sources, known)
    cues = cues_in_graph(times_s, onsets_s, offsets_s, numbers)         # int32 [L, CUE_SIZE]
"""

import concurrent.futures
import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from neurovocal_tf.annotations import matching
from neurovocal_tf.annotations import segments as annotated
from neurovocal_tf.annotations.segments import Segment
from neurovocal_tf.audio import listing, readers
from neurovocal_tf.config import Config
from neurovocal_tf.data import recording_conditions
from neurovocal_tf.data.found_spans import FoundSpans
from neurovocal_tf.data.sources import Source
from neurovocal_tf.labels import NOTHING_KNOWN, Labels, cues_of, written
from neurovocal_tf.segmentation.recording_lengths import length_of

Track = tuple[Segment, ...]
_MOST_NAMED = 3
_MOST_LABELS = 20_000


def tracked(
    sources: Sequence[Source],
    sample_rate: int,
    data_dir: str | os.PathLike[str],
    config: Config,
    spans: FoundSpans,
    setting: str = "labels",
) -> tuple[tuple[Source, ...], list[str]]:
    """Sources with their tracks, where the setting `labels` says what a file or a name tells.

    Args:
        sources: of whole recordings.    sample_rate: Hz, to which they are brought.
        data_dir: as `listing.look_at` takes it.    config: `Config`.
        spans: `FoundSpans`, what the detector has found so far.
        setting: the name under which a user has said what is `labels` here; "": nobody has, and
            none of them need have any.

    Returns:
        (the sources; sentences for the user).

    Raises:
        ValueError: none of them has such labels and one should, or a file of them is broken.
    """
    source_of = config.data.source_of_labels
    if source_of == "annotations":
        tracks, notes = _annotated(sources, data_dir, config, setting)
    elif source_of in ("folder", "name_part"):
        tracks, notes = _by_name(sources, sample_rate, data_dir, config, spans), []
    else:
        return tuple(sources), []
    found = with_tracks(sources, tracks)
    if setting:
        check_any(found, config.data.labels, setting)
    return found, notes


def with_tracks(
    sources: Sequence[Source], tracks: Mapping[str, Track | None]
) -> tuple[Source, ...]:
    """The sources with tracks by their paths, labels as they stand in texts."""
    found = []
    for source in sources:
        track = tracks.get(source.path)
        if track is not None:
            track = tuple((onset, offset, written(label)) for onset, offset, label in track)
        found.append(dataclasses.replace(source, track=track))
    return tuple(found)


def check_any(sources: Sequence[Source], value: str, setting: str = "labels") -> None:
    """Raises ValueError, with the value of the setting, where no source has a label."""
    if not any(label for source in sources for *_, label in source.track or ()):
        raise ValueError(
            f"`{setting}` must be what recordings have, and none has a label. "
            f"Received: {setting}={value}"
        )


def known_of(training: Sequence[Source]) -> Labels:
    """The labels of the sources that train, without their durations: see
    `labels.DurationStatistics`.
    """
    return Labels.of(label for source in training for *_, label in source.track or ())


def notes_of(training: Sequence[Source], held_out: Sequence[Source], known: Labels) -> list[str]:
    """Sentences about recordings without labels, and about labels that do not train."""
    notes = []
    every = (*training, *held_out)
    without = [source.path for source in every if source.track is None]
    if known and without:
        told = ", ".join(map(os.path.basename, without[:_MOST_NAMED]))
        notes.append(
            f"{len(without)} of {len(every)} recordings have no labels, and theirs are unknown: "
            f"{told}"
        )
    new = [
        label
        for source in held_out
        for *_, label in source.track or ()
        if label and not known.number(label)
    ]
    if new:
        told = ", ".join(sorted(set(new))[:_MOST_NAMED])
        notes.append(f"{len(new)} held-out labels do not train, and are unknown: {told}")
    return notes


def in_turn(
    sources: Sequence[Source], known: Labels, count: int, num_frames: int
) -> list[tuple[int, ...]] | None:
    """The labels of so many songs, by their numbers, which have what the sources have, one source
    after another from another one on, and enough for so many frames; None where there are no
    labels, or none of the sources has any.
    """
    if not known:
        return None
    tracks = [
        tuple(number for *_, label in source.track or () if (number := known.number(label)))
        for source in sources
    ]
    if not any(tracks):
        return None
    # As long as any is, so that no song ends in silence that nobody has sung.
    least = -(-num_frames // max(min(min(row) for row in known.durations), 1))
    enough = min(least, _MOST_LABELS)
    texts = []
    for song in range(count):
        first = song * len(sources) // count
        turned = [number for track in (*tracks[first:], *tracks[:first]) for number in track]
        texts.append(tuple(turned * -(-enough // len(turned)))[:enough])
    return texts


def track_columns(
    sources: Sequence[Source], known: Labels
) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
    """Onsets and offsets, float64 [S, M] in seconds of the whole recording, and numbers of the
    labels, int32 [S, M], of the M spans of each source; of one of which nothing is known the only
    one is empty, [0, 0) of number 0.
    """
    columns: list[list[np.ndarray]] = [[], [], []]
    for source in sources:
        onsets, offsets, numbers = columns
        track = [(0.0, 0.0, "")] if source.track is None else source.track
        onsets.append(np.array([onset for onset, *_ in track], np.float64))
        offsets.append(np.array([offset for _, offset, _ in track], np.float64))
        numbers.append(np.array([known.number(label) for *_, label in track], np.int32))
    counts = [len(of_one) for of_one in columns[0]]
    return tuple(
        tf.RaggedTensor.from_row_lengths(np.concatenate(column), counts) for column in columns
    )


def cues_in_graph(
    times_s: tf.Tensor, onsets_s: tf.Tensor, offsets_s: tf.Tensor, numbers: tf.Tensor
) -> tf.Tensor:
    """The cues of a sequence's frames; all zeros where nothing is known of its recording.

    Args:
        times_s: float64 [L], the middles of the frames, increasing.
        onsets_s, offsets_s, numbers: [M], one row of `track_columns`.

    Returns: int32 [L, CUE_SIZE].
    """
    firsts, lasts = (
        tf.searchsorted(times_s, edges, side="left", out_type=tf.int32)
        for edges in (onsets_s, offsets_s)
    )
    cues = cues_of(numbers, firsts, lasts, tf.size(times_s))
    is_unknown = tf.reduce_all((offsets_s == 0) & (numbers == NOTHING_KNOWN))
    # Of no spans at all somebody has said that there is silence.
    return tf.where(is_unknown & (tf.size(numbers) > 0), tf.zeros_like(cues), cues)


def _annotated(sources, data_dir, config, setting):
    """Tracks by annotations, of the setting `annotations` or beside the recordings."""
    if config.data.annotations:
        return {source.path: source.segments for source in sources}, []
    folder = listing.folder_of(os.fspath(data_dir))
    data = config.data
    found = matching.match(
        folder,
        [source.path for source in sources],
        setting or "labels",
        matching.Choice.of(data.ignore_labels, data.label_column),
        length_of(config.audio.time_expansion),
    )
    if not found.of and setting:
        raise ValueError(
            f"`{setting}` must not be annotations unless --annotations gives some, or files beside "
            f"the recordings do. Received: {setting}={data.labels}, and in {folder} there are none"
        )
    tracks = {path: annotated.of(of_one, config.audio.channel) for path, of_one in found.of.items()}
    return tracks, found.notes(folder)


def _by_name(sources, sample_rate, data_dir, config, spans):
    """Tracks of one label a recording, that of its folder or of a part of its name."""
    folder = listing.folder_of(os.fspath(data_dir))
    labels = {
        source.path: recording_conditions.part_of(
            os.path.relpath(source.path, folder), config.data.labels
        )
        for source in sources
    }
    named = [source for source in sources if labels[source.path]]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda source: vocalizations(source, sample_rate, config, spans), named)
        return {
            source.path: tuple((onset, offset, labels[source.path]) for onset, offset in times)
            for source, times in zip(named, found, strict=True)
        }


def vocalizations(
    source: Source, sample_rate: int, config: Config, spans: FoundSpans
) -> list[list[float]]:
    """[onset_s, offset_s] of each in a source's whole recording, whatever stretch of it the source
    is: as people marked them, else as the detector finds them.
    """
    if source.segments is not None:
        return [list(segment[:2]) for segment in source.segments]
    source = dataclasses.replace(source, begin=0.0, end=1.0)
    audio = config.audio
    samples = readers.read(
        source.path, audio.channel, sample_rate, audio.time_expansion, audio.float_scale
    )
    onsets, offsets = spans.detect(source, samples, sample_rate, config.segmentation)
    return (np.stack([onsets, offsets], axis=1) / sample_rate).tolist()
