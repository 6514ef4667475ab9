"""One look at every recording before training: which are usable, what rate and scale they share, who trains and who validates."""

import collections
import concurrent.futures
import dataclasses
import os

import numpy as np

from neurovocal_tf.annotations import matching
from neurovocal_tf.annotations import segments as annotated
from neurovocal_tf.audio import readers, spectrogram
from neurovocal_tf.data import frame_sequences
from neurovocal_tf.data.sources import Source
from neurovocal_tf.segmentation.sequences import span_power

# The loudest 1 in 10,000 cells are clicks and clipping, not song.
_REFERENCE_SHARE = 1e-4
_POWER_DB = np.arange(-300.0, 200.0, 0.1)


@dataclasses.dataclass(frozen=True)
class Survey:
    """What training needs to know of a folder of recordings.

    Attributes:
        sample_rate: Hz, to which all are brought.    scale: `FrameScale`, from the whole of the recordings that train.
        training, validation: tuples of `Source`; of frame sequences `FrameSplit`, which have neither rate (0) nor scale (None).
        skipped: tuple of (path, reason).
        notes: tuple of sentences for the user, such as which files are resampled.
    """

    sample_rate: int
    scale: spectrogram.FrameScale
    training: tuple
    validation: tuple
    skipped: tuple
    notes: tuple


@dataclasses.dataclass(frozen=True)
class _Levels:
    """Histogram of a stretch's power in dB over full scale, and the maximum of each of its spectrograms."""

    histogram: np.ndarray
    maxima: np.ndarray


def survey(data_dir, config, fold=None):
    """Looks at every recording below a folder, or at an .npz file of frame sequences.

    Args:
        data_dir: path of the folder or file.    config: `Config`.
        fold: None, or (i, n): forward chaining, the first (i + 1) / (n + 1) of each recording trains and the next part validates.

    Returns:
        `Survey`.

    Raises:
        ValueError: nothing usable is there, or too little to hold something out.
    """
    if frame_sequences.is_frame_file(data_dir):
        return _survey_of_frames(data_dir, config, fold)
    recordings, skipped = _probed(readers.list_recordings(data_dir), config.audio.time_expansion)
    sample_rate = config.audio.sample_rate or _commonest_rate(recordings)
    segments, annotation_notes = _annotated_segments([recording.path for recording in recordings], config)
    usable, levels = [], {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = pool.map(lambda recording: _look(recording, sample_rate, config, segments[recording.path]), recordings)
        for recording, (found, reason) in zip(recordings, looks, strict=True):
            if reason:
                skipped.append((recording.path, reason))
            else:
                usable.append(recording)
                levels[recording.path] = found
    if not usable:
        raise ValueError(_nothing_usable(data_dir, skipped))
    sources = [Source(r.path, r.decoder_at(sample_rate), segments=segments[r.path]) for r in usable]
    training, validation = _split(sources, config, fold)
    return Survey(
        sample_rate=sample_rate,
        scale=_scale([levels[source.path] for source in training], config),
        training=training,
        validation=validation,
        skipped=tuple(sorted(skipped)),
        notes=(*_rate_notes(usable, sample_rate), *annotation_notes),
    )


def check_annotations(sources, config):
    """Raises ValueError unless `config.data.annotations` says of each source what the source itself says."""
    segments, _ = _annotated_segments([source.path for source in sources], config)
    for source in sources:
        if segments[source.path] != source.segments:
            raise ValueError(
                f"`annotations` cannot change when a run goes on, and those of {source.path} are others than it began with. "
                f"Use another --workdir. Received: annotations={config.data.annotations}"
            )


def _annotated_segments(paths, config):
    """Dict of path -> segments as `Source` has them, and notes for the user."""
    if not config.data.annotations:
        return dict.fromkeys(paths), []
    found = matching.match(config.data.annotations, paths)
    segments = {path: annotated.of(found.of.get(path, ()), config.audio.channel) for path in paths}
    return segments, found.notes(config.data.annotations)


def _survey_of_frames(path, config, fold):
    if fold is not None:
        raise ValueError(f"`folds` must be 0 for frame sequences, whose file says what validates. Received: folds={fold[1]}")
    splits = frame_sequences.read_frames(path)
    for split in splits.values():
        frame_sequences.check_values(split, config.model.visible_units, path)
    return Survey(0, None, splits["train"], splits["valid"], skipped=(), notes=())


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


def _look(recording, sample_rate, config, segments):
    """A recording's `_Levels`, None if it cannot be used; and why it cannot, else nothing."""
    try:
        return _levels_of(recording, sample_rate, config, segments), ""
    except readers.UnreadableRecording as reason:
        # Its words alone: the exception holds the samples.
        return None, str(reason)


def _levels_of(recording, sample_rate, config, segments):
    """A recording's `_Levels`.  Raises `readers.UnreadableRecording` if it cannot be used, with the reason."""
    if segments == ():
        raise readers.UnreadableRecording("has no annotations")
    samples = readers.read(recording, config.audio.channel, sample_rate, config.audio.time_expansion)
    if len(samples) < config.spectrogram.n_fft:
        raise readers.UnreadableRecording(f"shorter than one window: {len(samples)} samples, and n_fft={config.spectrogram.n_fft}")
    if not np.ptp(samples):
        raise readers.UnreadableRecording("is silent")
    if segments is not None:
        segments = annotated.in_samples(annotated.cuts(segments, config.data.sequence), sample_rate, 0, len(samples))
    power, lengths, _ = (np.asarray(array) for array in span_power(samples, sample_rate, config, segments))
    if not lengths.sum() and segments is not None:
        raise readers.UnreadableRecording("its annotations lie after its end, or are all shorter than one window")
    if not lengths.sum():
        raise readers.UnreadableRecording("no vocalization found by the detector: try another --threshold, or --sequence=recording")
    # What sounds may all lie after the last whole window.
    if not power.max() > 0:
        raise readers.UnreadableRecording("is silent")
    decibels = 10 * np.log10(np.maximum(power, 1e-30))
    ends = np.cumsum(lengths)
    maxima = np.array([power[end - length : end].max() for length, end in zip(lengths, ends, strict=True) if length])
    return _Levels(np.histogram(np.clip(decibels, _POWER_DB[0], _POWER_DB[-1]), bins=_POWER_DB)[0], maxima)


def _scale(levels, config):
    """The scale whose 0 dB all but the loudest 1 in 10,000 cells stay below."""
    counts = np.sum([level.histogram for level in levels], axis=0)
    above = np.cumsum(counts[::-1])[::-1] / counts.sum()
    reference_db = _POWER_DB[1:][np.flatnonzero(above > _REFERENCE_SHARE)[-1]]
    return spectrogram.FrameScale(
        scaling=config.spectrogram.scaling,
        reference_power=float(10 ** (reference_db / 10)),
        dynamic_range_db=config.spectrogram.dynamic_range_db,
        mean_max_power=float(np.mean(np.concatenate([level.maxima for level in levels]))),
    )


def _split(sources, config, fold):
    if fold is not None:
        index, num_folds = fold
        edges = np.arange(1, num_folds + 2) / (num_folds + 1)
        return _cut(sources, edges[index], edges[index + 1])
    if config.data.validation == "temporal":
        return _cut(sources, 1 - config.data.validation_fraction, 1.0)
    if len(sources) < 2:
        raise ValueError("Holding out a recording needs at least two usable ones, and there is one: use --validation=temporal.")
    num_held_out = min(max(round(config.data.validation_fraction * len(sources)), 1), len(sources) - 1)
    held_out = set(np.random.default_rng(config.training.seed).permutation(len(sources))[:num_held_out].tolist())
    return (
        tuple(source for i, source in enumerate(sources) if i not in held_out),
        tuple(source for i, source in enumerate(sources) if i in held_out),
    )


def _cut(sources, begin, end):
    training = tuple(dataclasses.replace(source, end=float(begin)) for source in sources)
    return training, tuple(dataclasses.replace(source, begin=float(begin), end=float(end)) for source in sources)


def _nothing_usable(data_dir, skipped):
    reasons = collections.Counter(reason for _, reason in skipped)
    commonest, count = reasons.most_common(1)[0]
    return f"No usable recording in {data_dir}: {count} of {len(skipped)} {commonest}."


def _rate_notes(recordings, sample_rate):
    counts = collections.Counter(recording.sample_rate for recording in recordings)
    for rate, count in sorted(counts.items()):
        if rate != sample_rate:
            yield f"{count} of {len(recordings)} recordings are resampled from {rate} Hz to {sample_rate} Hz"
