"""What a model is given to read: recordings, stretches of them, or frames, as its own frames."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

from neurovocal_tf.api import arguments, sound, stretches
from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.unreadable import UnreadableRecording
from neurovocal_tf.config import Config
from neurovocal_tf.runs.trained import Trained
from neurovocal_tf.segmentation import sequences


class Heard(NamedTuple):
    """One row of what was given: `columns`, dict of name -> value that tell which, `frames` float32
    [S, L, V] in the model's unit, and `lengths` int32 [S], of its sequences.
    """

    columns: dict[str, Any]
    frames: tf.Tensor
    lengths: tf.Tensor

    @property
    def sequences(self) -> list[np.ndarray]:
        """The frames of each sequence, float32 [L, V]."""
        return [
            np.asarray(frames[:length])
            for frames, length in zip(self.frames, self.lengths.numpy().tolist(), strict=True)
        ]


class Hearing:
    """Reads recordings, or whatever else a model knows, row by row.

    Args:
        trained: `Trained`.
        recordings: samples [N]; a file, a folder, or a list of them; a DataFrame with the columns
            file, onset_s and offset_s, each row a stretch of a file. For a model of frame
            sequences: frames [L, V], or a list of such.
        rate: Hz, of samples; left out for all else.

    Attributes:
        skipped: dict of file -> why it could not be used, of several files.
    """

    def __init__(self, trained: Trained, recordings: Any, rate: int | None) -> None:
        self._trained, self.skipped = trained, {}
        self._settings: Config = trained.config.replace(sample_rate=trained.sample_rate)
        self._rate = rate
        if not trained.scale.is_sound:
            self._rows = self._of_frames(_sequences_of(recordings, trained.model.num_visible))
        elif isinstance(recordings, pd.DataFrame):
            self._rows = self._of_stretches(stretches.checked(recordings))
        elif arguments.is_samples(recordings):
            self._rows = self._of_samples(recordings)
            return
        else:
            self._rows = self._of_files(arguments.listing_of(recordings))
        if rate is not None:
            raise ValueError(
                "`rate` must be left out for all but samples: files tell their own, and frames "
                f"have none. Received: rate={rate}"
            )

    def __iter__(self) -> Iterator[Heard]:
        return self._rows

    def _of_frames(self, several):
        for frames in several:
            yield Heard({"file": ""}, tf.constant(frames[np.newaxis]), tf.constant([len(frames)]))

    def _of_samples(self, recording):
        trained, rate = self._trained, arguments.rate_of(self._rate)
        if rate != trained.sample_rate:
            raise ValueError(
                f"`rate` must be {trained.sample_rate}, that of the model; "
                f"load(path, sample_rate=model.sample_rate) resamples. Received: rate={rate}"
            )
        try:
            yield self._heard("", arguments.samples_of(recording))
        except UnreadableRecording as reason:
            raise ValueError(
                f"`recordings` must be something that the model can read. Received: samples; it "
                f"{reason}"
            ) from None

    def _of_files(self, listing):
        self.skipped |= dict(listing.skipped)
        some = False
        for path in listing.paths:
            try:
                heard = self._heard(path, sound.samples_at(path, self._settings)[0])
            except UnreadableRecording as reason:
                self.skipped[path] = str(reason)
            else:
                some = True
                yield heard
        if not some:
            raise arguments.none_usable(self.skipped)

    def _heard(self, file, samples):
        trained = self._trained
        if len(samples) < trained.config.spectrogram.n_fft:
            raise UnreadableRecording(
                f"has {len(samples)} samples, fewer than a window of "
                f"n_fft={trained.config.spectrogram.n_fft}"
            )
        frames, lengths, _ = sequences.sequence_frames(
            samples, trained.sample_rate, trained.scale, trained.config
        )
        if not tf.size(frames):
            raise UnreadableRecording("has no vocalization, by the settings of the model's run")
        apart = tf.RaggedTensor.from_row_lengths(frames, lengths).to_tensor()
        return Heard({"file": file}, apart, tf.cast(lengths, tf.int32))

    def _of_stretches(self, table):
        trained, last, samples = self._trained, None, np.zeros(0)
        rate, n_fft = trained.sample_rate, trained.config.spectrogram.n_fft
        for number, (file, onset_s, offset_s) in enumerate(
            table[list(stretches.COLUMNS)].itertuples(index=False)
        ):
            if file != last:
                samples, last = sound.read(arguments.file_of(file, "file"), self._settings)[0], file
            duration_s = len(samples) / rate
            # Times in tables are rounded.
            if not 0 <= onset_s < offset_s <= duration_s + 0.01 or len(samples) < n_fft:
                raise ValueError(
                    "`recordings` must hold stretches within their files, of a window at least: "
                    f"0 <= onset_s < offset_s <= {duration_s:.6g} in {file}. Received: "
                    f"onset_s={onset_s}, offset_s={offset_s} in row {number}"
                )
            first, end = round(onset_s * rate), round(offset_s * rate)
            if end - first < n_fft:
                # As long as a window, about the middle.
                first = min(max((first + end - n_fft) // 2, 0), len(samples) - n_fft)
                end = first + n_fft
            power = spectrogram.power_spectrogram(
                samples[first:end], rate, trained.config.spectrogram
            )
            frames = spectrogram.to_model_frames(power, trained.scale)[tf.newaxis]
            columns = dict(zip(stretches.COLUMNS, (file, onset_s, offset_s), strict=True))
            yield Heard(columns, frames, tf.shape(frames)[1:2])


def _sequences_of(recordings, num_visible):
    several = recordings if isinstance(recordings, (list, tuple)) else [recordings]
    several = [np.asarray(frames) for frames in several]
    for frames in several:
        if (
            frames.dtype.kind not in "buif"
            or frames.shape[1:] != (num_visible,)
            or not len(frames)
            or not np.isfinite(frames).all()
        ):
            raise ValueError(
                f"`recordings` must be finite frames [L, {num_visible}], or a list of such, for a "
                f"model of frame sequences. Received: {frames.dtype} of shape {frames.shape}"
            )
    if not several:
        raise ValueError("`recordings` must hold a sequence at least. Received: none")
    return [frames.astype(np.float32) for frames in several]
