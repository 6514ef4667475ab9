"""One look at every recording before training: which are usable, what rate and scale they share,
who trains and who validates.
"""

import collections
import concurrent.futures
import dataclasses
import os
from collections.abc import Iterable

import numpy as np

from neurovocal_tf.annotations import segments as annotated
from neurovocal_tf.audio import identity, listing, readers
from neurovocal_tf.config import Config
from neurovocal_tf.data import (
    frame_sequences,
    header_notes,
    label_tracks,
    recording_conditions,
    split,
)
from neurovocal_tf.data.found_spans import FoundSpans
from neurovocal_tf.data.levels import Levels, notes_of_faint, scale_of
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sequence_data import SequenceData
from neurovocal_tf.data.sources import Source, annotated_segments
from neurovocal_tf.segmentation.sequences import span_power

_MAX_REASONS = 5
_NOT_OF_FRAMES = dict.fromkeys(
    ("train_list", "held_out_list"), "whose file says what validates"
) | dict.fromkeys(("condition_columns", "condition_from", "labels"), "which are no recordings")


@dataclasses.dataclass(frozen=True)
class Survey:
    """What training needs to know of a folder of recordings, or of a file of frame sequences.

    Attributes:
        training, validation: `SequenceData`. Of recordings, all are brought to one rate, and the
            scale is from the whole of those that train.
        skipped: tuple of (path, reason).
        notes: tuple of sentences for the user, such as which files are resampled.
        lists: what somebody has listed of them, see `split.NamedSplit`.
        others: paths of the recordings that are there and take no part.
        frames_digest: of frame sequences, see `frame_sequences.digest_of`.
    """

    training: SequenceData
    validation: SequenceData
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    lists: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    others: tuple[str, ...] = ()
    frames_digest: str | None = None


class TooFewRecordings(ValueError):
    """Nothing usable, or too little to hold something out; `skipped` is as in `Survey`."""

    def __init__(self, message: str, skipped: Iterable[tuple[str, str]]) -> None:
        super().__init__(message)
        self.skipped = tuple(sorted(skipped))


def survey(
    data_dir: str | os.PathLike[str],
    config: Config,
    fold: tuple[int, int] | None = None,
    default_rate: int = 0,
) -> Survey:
    """Looks at every recording below a folder, or at an .npz file of frame sequences.

    Args:
        data_dir: path of the folder or file.    config: `Config`.
        fold: None, or (i, n): forward chaining, the first (i + 1) / (n + 1) of each recording
            trains and the next part validates.
        default_rate: Hz, where the settings name none; 0: the recordings' commonest.

    Returns:
        `Survey`.

    Raises:
        TooFewRecordings: nothing usable is there, or too little to hold something out.
        ValueError: no folder is there, or the lists do not fit it.
    """
    if frame_sequences.is_frame_file(data_dir):
        return _survey_of_frames(data_dir, config, fold)
    found = listing.look_at(data_dir)
    paths, named = found.paths, None
    all_paths = paths
    if split.is_named(config.data):
        named = split.named_split(config.data, data_dir, paths)
        if fold is not None:
            raise ValueError(
                "`folds` must be 0 where recordings are listed as training or held out. "
                f"Received: folds={fold[1]}"
            )
        paths = [path for path in paths if path in named.training | named.held_out]
    recordings, skipped = _probed(paths, config.audio.time_expansion)
    skipped += found.skipped
    sample_rate = config.audio.sample_rate or default_rate or _commonest_rate(recordings)
    segments, annotation_notes = annotated_segments(
        [recording.path for recording in recordings], config
    )
    # Of all, so that a table may name those that take no part.
    values, condition_notes = recording_conditions.values_of(all_paths, data_dir, config.data)
    sources = _sources(recordings, sample_rate, segments, values)
    spans = FoundSpans()
    usable, levels, unusable = _looked_at(sources, sample_rate, config, spans)
    skipped += unusable
    if not usable:
        raise TooFewRecordings(_nothing_usable(data_dir, skipped), skipped)
    usable, label_notes = label_tracks.tracked(usable, sample_rate, data_dir, config, spans)
    if named:
        parts = _listed_parts(usable, named, data_dir, skipped)
    else:
        parts = _split(usable, config, fold, skipped)
    scale = scale_of([levels[source.path] for source in parts[0]], config.spectrogram)
    known = recording_conditions.known_of(parts[0], config.data)
    labels = label_tracks.known_of(parts[0])
    training, validation = (
        Recordings(part, sample_rate, scale, config, spans, known, labels) for part in parts
    )
    return Survey(
        training=training,
        validation=validation,
        skipped=tuple(sorted(skipped)),
        notes=(
            *header_notes.of_rates([r for r in recordings if r.path in levels], sample_rate),
            *header_notes.of_headers([r for r in recordings if r.path in levels]),
            *annotation_notes,
            *condition_notes,
            *recording_conditions.notes_of_held_out(parts[1], known),
            *notes_of_faint(parts[0], levels, scale),
            *label_notes,
            *label_tracks.notes_of(*parts, labels),
            *(named.notes if named else ()),
        ),
        lists=named.lists if named else {},
        others=tuple(sorted(set(all_paths) - {source.path for source in usable})),
    )


def survey_held_out(
    data_dir: str | os.PathLike[str], held_out_list: str, config: Config, training: Recordings
) -> tuple[Recordings, tuple[tuple[str, str], ...], list[str]]:
    """Looks at recordings that are held out from a model although its run did not hold out these.

    Args:
        data_dir: path of their folder.    held_out_list: as the setting of that name.
        config: `Config` of the run.    training: `Recordings` that it trained on.

    Returns:
        `Recordings`, brought to the rate and the scale of those, without labels that are found by
        looking at all; tuple of (path, reason) of what cannot be used; sentences for the user.

    Raises:
        ValueError: the list names what is not there, what has trained, or nothing usable.
    """
    paths = split.listed(
        held_out_list, "held_out_list", data_dir, listing.list_recordings(data_dir)
    )
    trained = {os.path.realpath(source.path) for source in training.sources}
    for path in paths:
        if os.path.realpath(path) in trained:
            raise ValueError(
                "`held_out_list` must name recordings that have not trained the model. "
                f"Received: {path}"
            )
    recordings, skipped = _probed(paths, config.audio.time_expansion)
    segments, _ = annotated_segments([recording.path for recording in recordings], config)
    # Beside those that train, so that a table need not name any of these.
    paths = [*segments, *(source.path for source in training.sources)]
    values, _ = recording_conditions.values_of(paths, data_dir, config.data)
    sources = _sources(recordings, training.sample_rate, segments, values)
    usable, _, unusable = _looked_at(sources, training.sample_rate, config, training.spans)
    skipped += unusable
    if not usable:
        raise TooFewRecordings(_nothing_usable(data_dir, skipped), skipped)
    rate, known = training.sample_rate, training.conditions
    usable, notes = label_tracks.tracked(usable, rate, data_dir, config, training.spans, "")
    notes += recording_conditions.notes_of_others(usable, known)
    held_out = dataclasses.replace(training, sources=usable, config=config)
    return held_out, tuple(sorted(skipped)), notes


def _survey_of_frames(path, config, fold):
    if fold is not None:
        raise ValueError(
            "`folds` must be 0 for frame sequences, whose file says what validates. "
            f"Received: folds={fold[1]}"
        )
    for name, why in _NOT_OF_FRAMES.items():
        if getattr(config.data, name):
            raise ValueError(
                f"`{name}` must not be given for frame sequences, {why}. "
                f"Received: {name}={getattr(config.data, name)}"
            )
    splits = frame_sequences.read_frames(path)
    frame_sequences.check_values(splits, config.model.visible_units, path)
    digest = frame_sequences.digest_of(splits)
    return Survey(splits["train"], splits["valid"], frames_digest=digest)


def _sources(recordings, sample_rate, segments, values):
    return [
        Source(
            r.path, r.decoder_at(sample_rate), segments=segments[r.path], conditions=values[r.path]
        )
        for r in recordings
    ]


def _probed(paths, time_expansion):
    recordings, skipped = [], []
    for path in paths:
        try:
            recordings.append(readers.probe(path, time_expansion))
        except readers.UnreadableRecording as reason:
            skipped.append((path, str(reason)))
    return recordings, skipped


def _commonest_rate(recordings):
    counts = collections.Counter(recording.sample_rate for recording in recordings)
    # Of two rates as common, the higher loses nothing.
    return max(counts, key=lambda rate: (counts[rate], rate)) if counts else 0


def _looked_at(sources, sample_rate, config, spans):
    """Of whole recordings: the usable sources, dict of their path -> `Levels`,
    and list of (path, reason) of the others.
    """
    usable, levels, skipped = [], {}, []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = pool.map(lambda source: _look(source, sample_rate, config, spans), sources)
        for source, (found, known, reason) in zip(sources, looks, strict=True):
            if reason:
                skipped.append((source.path, reason))
            else:
                usable.append(dataclasses.replace(source, identity=known))
                levels[source.path] = found
    return usable, levels, skipped


def _look(source, sample_rate, config, spans):
    """A whole recording's `Levels` and `Identity`, None if it cannot be used; and why it cannot,
    else nothing.
    """
    try:
        levels = _levels_of(source, sample_rate, config, spans)
        # Its bytes have just been read, and most are still in memory.
        return levels, identity.identity_of(source.path), ""
    except readers.UnreadableRecording as reason:
        # Its words alone: the exception holds the samples.
        return None, None, str(reason)


def _levels_of(source, sample_rate, config, spans):
    """A whole recording's `Levels`.

    Raises `readers.UnreadableRecording` if it cannot be used, with the reason.
    """
    segments = source.segments
    if segments == ():
        raise readers.UnreadableRecording("has no annotations")
    samples = readers.read(
        source.path,
        config.audio.channel,
        sample_rate,
        config.audio.time_expansion,
        config.audio.float_scale,
    )
    if len(samples) < config.spectrogram.n_fft:
        raise readers.UnreadableRecording(
            f"shorter than one window: {len(samples)} samples, and n_fft={config.spectrogram.n_fft}"
        )
    if not np.ptp(samples):
        raise readers.UnreadableRecording("is silent")
    if segments is not None:
        segments = annotated.in_samples(
            annotated.cuts(segments, config.data.sequence), sample_rate, 0, len(samples)
        )
    power, lengths, _ = (
        np.asarray(array)
        for array in span_power(samples, sample_rate, config, segments, spans.detector_of(source))
    )
    if not lengths.sum() and segments is not None:
        raise readers.UnreadableRecording(
            "its annotations lie after its end, or are all shorter than one window"
        )
    if not lengths.sum():
        raise readers.UnreadableRecording(
            "no vocalization found by the detector: try another --threshold, or "
            "--sequence=recording"
        )
    # What sounds may all lie after the last whole window.
    if not power.max() > 0:
        raise readers.UnreadableRecording("is silent")
    return Levels.of(power, lengths)


def _listed_parts(sources, named, data_dir, skipped):
    """The usable sources that train and that are held out, where a `NamedSplit` says so."""
    parts = []
    for what, paths in (("trains", named.training), ("is held out", named.held_out)):
        parts.append(tuple(source for source in sources if source.path in paths))
        if not parts[-1]:
            reason = _nothing_usable(data_dir, [pair for pair in skipped if pair[0] in paths])
            raise TooFewRecordings(f"Of what {what}: {reason}", skipped)
    return parts


def _split(sources, config, fold, skipped):
    if fold is not None:
        index, num_folds = fold
        edges = np.arange(1, num_folds + 2) / (num_folds + 1)
        return _cut(sources, edges[index], edges[index + 1])
    if config.data.validation == "temporal":
        return _cut(sources, 1 - config.data.validation_fraction, 1.0)
    if len(sources) < 2:
        others = f" Files that cannot be used: {_reasons(skipped)}." if skipped else ""
        raise TooFewRecordings(
            "Holding out a recording needs at least two usable ones, and there is one: use "
            f"--validation=temporal.{others}",
            skipped,
        )
    num_held_out = min(
        max(round(config.data.validation_fraction * len(sources)), 1), len(sources) - 1
    )
    held_out = set(
        np.random.default_rng(config.training.seed)
        .permutation(len(sources))[:num_held_out]
        .tolist()
    )
    return (
        tuple(source for i, source in enumerate(sources) if i not in held_out),
        tuple(source for i, source in enumerate(sources) if i in held_out),
    )


def _cut(sources, begin, end):
    training = tuple(dataclasses.replace(source, end=float(begin)) for source in sources)
    return training, tuple(
        dataclasses.replace(source, begin=float(begin), end=float(end)) for source in sources
    )


def _nothing_usable(data_dir, skipped):
    return f"No usable recording in {data_dir}: {_reasons(skipped)}."


def _reasons(skipped):
    """Why files were skipped, the commonest reasons first."""
    # What follows a colon is of one file.
    kinds = collections.Counter(reason.split(":")[0] for _, reason in skipped)
    first = {reason.split(":")[0]: reason for _, reason in reversed(skipped)}
    shown = [
        f"{count} of {len(skipped)} {first[kind]}"
        for kind, count in kinds.most_common(_MAX_REASONS)
    ]
    others = [f"{len(kinds) - _MAX_REASONS} other reasons"] * (len(kinds) > _MAX_REASONS)
    return "; ".join(shown + others)
