"""Recordings as training data: segmented and transformed on the fly inside tf.data;
nothing is written to disk first.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from neurovocal_tf.annotations import segments as annotated
from neurovocal_tf.audio import readers, spectrogram
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.conditions import NO_CONDITIONS, Conditions
from neurovocal_tf.config import Config
from neurovocal_tf.data import label_tracks
from neurovocal_tf.data.found_spans import FoundSpans
from neurovocal_tf.data.sources import Source, check_annotations, stretch_bounds, stretch_of
from neurovocal_tf.labels import NO_LABELS, Labels
from neurovocal_tf.segmentation.sequences import sequence_frames

_PARALLEL_FILES = 4
# Nothing below is for AutoGraph to rewrite, and its search for what it could takes as long
# as building the graphs.
_as_it_is = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True, eq=False)
class Recordings:
    """The sequences of some recordings, a `sequence_data.SequenceData`.

    Attributes:
        sources: tuple of `Source`; of none nothing can be read.
        sample_rate: Hz, to which all are brought.
        scale: `FrameScale`.
        config: `Config`, whose settings of audio, segmentation, spectrogram and data count.
        spans: `FoundSpans`, what the detector has found so far.
        conditions: `Conditions`, by whose numbers those of the sources are told.
        labels: `Labels`, by whose numbers the tracks of the sources are told.
    """

    sources: tuple[Source, ...]
    sample_rate: int
    scale: FrameScale
    config: Config
    spans: FoundSpans = dataclasses.field(default_factory=FoundSpans)
    conditions: Conditions = NO_CONDITIONS
    labels: Labels = NO_LABELS

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def num_visible(self) -> int:
        """V, the bins of a frame."""
        return spectrogram.num_bins(self.config.spectrogram)

    @property
    def description(self) -> str:
        """See `SequenceData`."""
        return f"{len(self)} recordings at {self.sample_rate} Hz"

    @property
    def sizes(self) -> tuple[int, ...]:
        """See `SequenceData`: samples; of runs of earlier versions, which know none, equal ones."""
        return tuple(
            round((source.end - source.begin) * source.identity.num_samples)
            if source.identity
            else 1
            for source in self.sources
        )

    def condition_of(self, index: int) -> tuple[int, ...]:
        """The numbers of a source's conditions."""
        return self.conditions.numbers(self.sources[index].conditions)

    def some(self, indices: Sequence[int]) -> "Recordings":
        """See `SequenceData`."""
        return dataclasses.replace(self, sources=tuple(self.sources[index] for index in indices))

    def check_unchanged(self, sequence_frames: Sequence[int]) -> None:
        """See `SequenceData`: they must be annotated as they were, and where nothing tells what
        they were, in runs of earlier versions, they must at least give as many frames.
        """
        check_annotations(self.sources, self.config)
        if any(source.identity is None for source in self.sources):
            self._check_lengths(sequence_frames)

    def _check_lengths(self, sequence_frames):
        try:
            found = [len(frames) for frames, *_ in self.sequences().as_numpy_iterator()]
        except tf.errors.OpError as error:
            found, what = None, str(error).splitlines()[0]
        else:
            what = f"others, of {sum(found)} frames for {sum(sequence_frames)}"
        if found != list(sequence_frames):
            raise ValueError(
                "`data_dir` must hold the recordings this run began with. Put them back, or train "
                f"into another --workdir. Received: {what}"
            )

    def heard(self) -> Iterator[tuple[np.ndarray, int]]:
        """The samples of each source.  Yields (float32 [N], sample_rate in Hz)"""
        audio = self.config.audio
        for source in self.sources:
            try:
                samples = readers.read(
                    source.path,
                    audio.channel,
                    self.sample_rate,
                    audio.time_expansion,
                    audio.float_scale,
                )
            except readers.UnreadableRecording as reason:
                raise ValueError(f"{source.path} {reason}.") from None
            yield np.asarray(stretch_of(samples, source.begin, source.end)), self.sample_rate

    def sequences(self, order: tf.Tensor | None = None) -> tf.data.Dataset:
        """See `SequenceData`: a whole stretch that begins inside its recording is no true start."""
        return self._sequences(order, with_labels=False, is_told=True)

    def labelled_sequences(self, order: tf.Tensor | None = None) -> tf.data.Dataset:
        """See `SequenceData`.

        A frame has the label of the annotated segment in which its middle lies, of overlapping ones
        the last begun; "" outside, and wherever the detector cuts.
        """
        return self._sequences(order, with_labels=True)

    def numbered_sequences(self) -> tf.data.Dataset:
        """As `labelled_sequences` in the given order, with the place of the recording that each
        sequence is of among the sources, int32 [], in the place of `is_start`; and, where there are
        labels along time, last the cues, int32 [L, CUE_SIZE].
        """
        return self._sequences(None, with_labels=True, with_numbers=True)

    def _sequences(self, order, with_labels, with_numbers=False, is_told=False):
        sample_rate, config = self.sample_rate, self.config
        columns = zip(
            *((source.path, source.decoder, source.begin, source.end) for source in self.sources),
            strict=True,
        )
        columns = tf.range(len(self)), *(tf.constant(column) for column in columns)
        # Beside labels there is always a condition, of no numbers where there are none.
        has_condition = is_told and bool(self.conditions or self.labels)
        numbers = [self.condition_of(index) for index in range(len(self))]
        has_cues = bool(self.labels) and (is_told or with_numbers)
        by_people = self.sources[0].segments is not None
        if by_people:
            columns += _annotations_of(self.sources, config)
        if has_cues:
            columns += label_tracks.track_columns(self.sources, self.labels)
        rows = tf.data.Dataset.from_tensor_slices(
            tuple(column if order is None else tf.gather(column, order) for column in columns)
        )

        @_as_it_is
        def frames_of(index, path, decoder, begin, end, *of_people):
            tracks = [of_people[-3:]] if has_cues else []
            samples = readers.read_in_graph(
                path,
                decoder,
                config.audio.channel,
                sample_rate,
                config.audio.time_expansion,
                config.audio.float_scale,
            )
            first, last = stretch_bounds(tf.size(samples), begin, end)
            samples, segments = samples[first:last], None
            if by_people:
                segments = annotated.in_samples(of_people[0], sample_rate, first, last - first)
            detector = self.spans.detector_in_graph(self.sources, index)
            frames, lengths, frame_onsets = sequence_frames(
                samples, sample_rate, self.scale, config, segments, detector
            )
            middles = first + frame_onsets + config.spectrogram.n_fft // 2
            times_s = tf.cast(middles, tf.float64) / sample_rate
            per_frame = [frames]
            if with_labels and by_people:
                per_frame.append(annotated.labels_at(times_s, *of_people[1:3]))
            elif with_labels:
                per_frame.append(tf.fill(tf.shape(frames)[:1], ""))
            # A recording whose stretch begins inside it goes on;
            # a call cut out of it begins where it begins.
            is_start = (begin == 0) | (config.data.sequence != "recording")
            ends = tf.cumsum(lengths)
            told = []
            if has_condition:
                shape = [len(self), len(self.conditions)]
                told.append(tf.gather(tf.constant(numbers, tf.int32, shape), index))

            @_as_it_is
            def sequence(first, last):
                frames, *labels = (column[first:last] for column in per_frame)
                cues = [label_tracks.cues_in_graph(times_s[first:last], *of) for of in tracks]
                return frames, index if with_numbers else is_start, *labels, *told, *cues

            return tf.data.Dataset.from_tensor_slices((ends - lengths, ends)).map(sequence)

        return rows.interleave(
            frames_of,
            cycle_length=_PARALLEL_FILES,
            num_parallel_calls=_PARALLEL_FILES,
            deterministic=True,
        )


def _annotations_of(sources, config):
    """Of each source: the segments that cut it, float64 [S, 2]; when its label changes, float64
    [K]; and to which, string [K].
    """
    cuts = [annotated.cuts(source.segments or (), config.data.sequence) for source in sources]
    times, labels = zip(
        *(annotated.label_changes(source.segments or ()) for source in sources), strict=True
    )
    changes = [len(of_one) for of_one in times]
    return (
        tf.RaggedTensor.from_row_lengths(np.concatenate(cuts), [len(of_one) for of_one in cuts]),
        tf.RaggedTensor.from_row_lengths(np.concatenate(times), changes),
        tf.RaggedTensor.from_row_lengths(
            tf.constant([label for of_one in labels for label in of_one], tf.string), changes
        ),
    )
