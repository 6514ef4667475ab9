"""A recording of any length -> excerpts small enough for a page each: what one sees and hears.

A page has to open in a browser and stay quick there. An excerpt therefore has at most so many
pixels and samples: columns become wider than the spectrogram's hop, sound beyond the detector's
band is left out, and what is longer still is cut into several excerpts of one length.
"""

import dataclasses
import math
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation.detector import blocks_of
from neurovocal_tf.segmentation.overview import spectrogram

# Bytes before compression. Together some 30 MB of HTML at most.
_MAX_PIXELS = 2**24
_MAX_SAMPLES = 2**24
_MAX_SECONDS = 660.0
# Samples in memory while an excerpt is made.
_MAX_READ = 2**25
# Enough for the ears wherever the detector listens lower than this.
_LEAST_SOUND_RATE_HZ = 24_000
_NYQUIST_MARGIN = 2.2
# More levels would fill the file with the noise's last bits, and nobody sees them.
_NUM_LEVELS = 64
_RANGE_DB = 80.0
_TOP_PERCENTILE = 99.99
_MU = 255.0
_BLOCK = 2**20


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """What a page shows and plays: C columns, V bins.

    Attributes:
        start_s, duration_s: where it is in the recording.
        column_s: seconds of a column.    max_hz: frequency of the last bin.
        num_columns, num_bins: C and V.
        levels: bytes, `[C, V]`, zlib; levels are `step_db` apart, and the highest is that of
            the loudest.
        sound_rate: Hz, of the sound itself.
        sound: bytes, mu-law of 8 bits of samples over the loudest.
    """

    start_s: float
    duration_s: float
    column_s: float
    max_hz: float
    num_columns: int
    num_bins: int
    levels: bytes
    step_db: float
    sound_rate: int
    sound: bytes


def excerpts(path: str, duration_s: float, config: Config) -> Iterator[Excerpt]:
    """The excerpts of a recording, one after another.

    Args:
        path: the file.    duration_s: how long it is.
        config: `Config`; its `audio`, `spectrogram` and `segmentation.high_hz` count.

    Raises: `readers.UnreadableRecording`.
    """
    audio = config.audio
    rate, heard = _rates(path, config)
    length = excerpt_samples(round(duration_s * rate), rate, heard)
    both = (
        _cut(
            readers.blocks(path, audio.channel, hz, audio.time_expansion, audio.float_scale),
            round(length * share),
        )
        for hz, share in ((rate, 1.0), (heard, heard / rate))
    )
    start = 0
    for samples, sound in zip(*both, strict=False):
        yield _excerpt(samples, sound, start, rate, heard, config)
        start += len(samples)


def num_excerpts(path: str, duration_s: float, config: Config) -> int:
    """How many excerpts `excerpts` gives."""
    rate, heard = _rates(path, config)
    num_samples = round(duration_s * rate)
    return math.ceil(num_samples / excerpt_samples(num_samples, rate, heard))


def sound_rate(sample_rate: int, high_hz: float) -> int:
    """Hz of the sound in a page: all that the detector hears, and not much more."""
    if high_hz <= 0:
        return sample_rate
    return min(sample_rate, max(_LEAST_SOUND_RATE_HZ, round(_NYQUIST_MARGIN * high_hz)))


def excerpt_samples(num_samples: int, sample_rate: int, heard_rate: int) -> int:
    """How many samples each excerpt of a recording has, but for the last, which may have fewer.

    `heard_rate` is the Hz of its sound.
    """
    longest_s = min(_MAX_SECONDS, _MAX_SAMPLES / heard_rate, _MAX_READ / sample_rate)
    return max(math.ceil(num_samples / math.ceil(num_samples / sample_rate / longest_s)), 1)


def mu_law(samples: np.ndarray) -> np.ndarray:
    """Samples `[N]` around their mean, over the loudest of them, logarithmically in 8 bits: uint8
    `[N]`.

    sign(x) ln(1 + 255 |x|) / ln(256), from -1 to 1 as 0 to 254. Source: ITU-T G.711's law, without
    its segments.
    """
    mean = float(np.mean(samples, dtype=np.float64))
    loudest = max(float(np.max(samples)) - mean, mean - float(np.min(samples))) or 1.0
    codes = np.empty(len(samples), np.uint8)
    # In blocks, or each step would hold all samples once more.
    for first in range(0, len(samples), _BLOCK):
        part = (samples[first : first + _BLOCK] - mean) / loudest
        compressed = np.sign(part) * np.log1p(_MU * np.abs(part)) / np.log1p(_MU)
        codes[first : first + _BLOCK] = np.rint(127 + 127 * compressed)
    return codes


def _rates(path: str, config: Config) -> tuple[int, int]:
    """Hz of what is seen, and of what is heard."""
    rate = readers.probe(path, config.audio.time_expansion).rate_at(config.audio.sample_rate)
    return rate, sound_rate(rate, config.segmentation.high_hz)


def _excerpt(
    samples: np.ndarray, sound: np.ndarray, start: int, rate: int, heard: int, config: Config
) -> Excerpt:
    num_bins = config.spectrogram.n_fft // 2 + 1
    column = max(config.spectrogram.hop_length, math.ceil(len(samples) * num_bins / _MAX_PIXELS))
    decibels = spectrogram(lambda: blocks_of(samples), config.spectrogram, column)
    step_db = _RANGE_DB / (_NUM_LEVELS - 1)
    top_db = np.percentile(decibels[:: max(len(decibels) // 5000, 1)], _TOP_PERCENTILE)
    low_db = float(top_db) - _RANGE_DB
    decibels -= low_db
    decibels /= step_db
    levels = np.clip(np.rint(decibels, out=decibels), 0, _NUM_LEVELS - 1, out=decibels)
    return Excerpt(
        start_s=start / rate,
        duration_s=len(samples) / rate,
        column_s=column / rate,
        max_hz=rate / 2,
        num_columns=len(levels),
        num_bins=num_bins,
        levels=zlib.compress(levels.astype(np.uint8).tobytes()),
        step_db=step_db,
        sound_rate=heard,
        sound=mu_law(sound).tobytes(),
    )


def _cut(blocks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Blocks of any lengths as such of `length`, the last of what is left."""
    piece, filled = np.empty(length, np.float32), 0
    for block in blocks:
        while len(block):
            part = block[: length - filled]
            piece[filled : filled + len(part)] = part
            block, filled = block[len(part) :], filled + len(part)
            if filled == length:
                yield piece
                piece, filled = np.empty(length, np.float32), 0
    if filled:
        yield piece[:filled]
