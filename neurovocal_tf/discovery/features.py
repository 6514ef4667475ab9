"""What a call is to call types: its spectrum over a few columns, from onset to offset, by one
recipe whose settings differ between birds, mice and speech.

A column of a spectrogram is power in dB (Hann windows, half of them overlapping) over the
background, which is each bin's 20th percentile in the recordings and 6 dB more, from 0 to 50 dB;
what is compared lies within 20 dB of the call's own loudest. Of speech it is the mel-frequency
cepstrum of that and its slope: what is said, and less of who says it. Among twelve sets of features
on six birds none was better than levels as they are, and on three of them the range is.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import scipy.fft

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig

# What is quieter than that over the background is part of it.
_MARGIN_DB, _RANGE_DB = 6.0, 50.0
_BACKGROUND_PERCENTILE = 20.0
# The background is learned from so much of so many recordings, spread over all.
_MOST_BACKGROUNDS, _MOST_BACKGROUND_S = 60, 60.0
# Every other window is as good for a percentile as all of them, which overlap.
_BACKGROUND_HOPS = 3
# Of a call what lies so far under its own loudest counts: a soft call is then what the same call is
# when loud. The loudest is a percentile, which one bin of a click does not move.
_OWN_RANGE_DB, _LOUDEST_PERCENTILE = 20.0, 99.5
_SLOPE_WIDTH = 2


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How calls are measured.

    Attributes:
        window_ms: of a spectrum; rounded to a power of two samples.
        low_hz, high_hz: bins below and above are left out.
        num_columns: C, over which each call is stretched.
        num_cepstra: coefficients of the mel-frequency cepstrum, 0 for the spectrum itself.
        num_mels: bands that the cepstrum is made of.
        is_per_group: whether each group of recordings, such as a speaker's, is measured against its
            own mean and standard deviation.
    """

    window_ms: float = 8.0
    low_hz: float = 500.0
    high_hz: float = 1e6
    num_columns: int = 16
    num_cepstra: int = 0
    num_mels: int = 26
    is_per_group: bool = False

    def n_fft(self, sample_rate: float) -> int:
        """Samples of a window: 256 at 32 and at 44.1 kHz, where the recipe was measured."""
        return max(2 ** round(np.log2(self.window_ms * sample_rate / 1000)), 16)

    def bins(self, sample_rate: float) -> np.ndarray:
        """Which bins of the spectrum count, int `[V]`: all if none is above `low_hz`."""
        n_fft = self.n_fft(sample_rate)
        first = int(np.ceil(self.low_hz * n_fft / sample_rate))
        last = min(int(self.high_hz * n_fft / sample_rate), n_fft // 2)
        return np.arange(first if first < n_fft // 2 else 0, last + 1)


PRESETS: Mapping[str, Recipe] = {
    "songbird": Recipe(),
    "mouse_usv": Recipe(window_ms=2.0, low_hz=20_000.0),
    "bat": Recipe(window_ms=1.0, low_hz=10_000.0),
    "speech": Recipe(
        window_ms=24.0, low_hz=60.0, high_hz=8000.0, num_cepstra=13, is_per_group=True
    ),
}


def recipe_of(preset: str) -> Recipe:
    """The recipe for a preset of the package's, that of songbirds for those without one."""
    return PRESETS.get(preset, PRESETS["songbird"])


def background_db(paths: Iterable[str], recipe: Recipe, audio: AudioConfig) -> np.ndarray:
    """Each bin's level in the background of some recordings, dB `[n_fft / 2 + 1]`.

    Args:
        paths: of the recordings; sixty of them at most are read, spread over all, and a minute of
            each.
        recipe: `Recipe`.    audio: `AudioConfig`, whose `sample_rate` is not 0.

    Raises: `readers.UnreadableRecording` if none of them can be read.
    """
    n_fft, rate = recipe.n_fft(audio.sample_rate), audio.sample_rate
    heard = [
        decibels(samples, _centres(len(samples), n_fft), n_fft)
        for samples in _beginnings(_spread(list(paths)), audio)
    ]
    if not heard:
        raise readers.UnreadableRecording(f"no recording can be read at {rate} Hz")
    return np.percentile(np.concatenate(heard), _BACKGROUND_PERCENTILE, axis=0)


def measure(
    path: str, spans_s: np.ndarray, background: np.ndarray, recipe: Recipe, audio: AudioConfig
) -> np.ndarray:
    """The calls of one recording of any length, float16 `[S, C, F]`.

    Args:
        path: the file.    spans_s: `[S, 2]`, onsets and offsets in seconds, in order of the onsets.
        background: see `background_db`.    recipe: `Recipe`.
        audio: `AudioConfig`, whose `sample_rate` is not 0.

    Raises: `readers.UnreadableRecording`.
    """
    rate = audio.sample_rate
    n_fft = recipe.n_fft(rate)
    measured = np.empty((len(spans_s), recipe.num_columns, num_features(recipe, rate)), np.float16)
    cut = samples_of(path, spans_s, audio, margin_s=n_fft / rate)
    for place, (samples, first) in enumerate(cut):
        onset, offset = spans_s[place] * rate - first
        num_frames = max(int(np.ceil((offset - onset) / (n_fft / 2))), 1) + 1
        centres = np.linspace(onset, offset, num_frames)
        found = frames(samples, centres, background, recipe, rate)
        measured[place] = stretched(found, recipe.num_columns)
    return measured


def frames(
    samples: np.ndarray,
    centres: np.ndarray,
    background: np.ndarray,
    recipe: Recipe,
    sample_rate: float,
) -> np.ndarray:
    """What is measured around some samples: spectra over the background, or cepstra of these and
    their slopes from one to the next.  [N], [L] -> [L, F]
    """
    n_fft = recipe.n_fft(sample_rate)
    levels = over_background(decibels(samples, centres, n_fft), background)
    levels = levels[:, recipe.bins(sample_rate)]
    return _cepstrum(levels, recipe, sample_rate) if recipe.num_cepstra else levels


def over_background(levels_db: np.ndarray, background: np.ndarray) -> np.ndarray:
    """How far levels reach over the background and its margin, dB from 0 to 50.  [..., V]"""
    return np.clip(levels_db - background - _MARGIN_DB, 0.0, _RANGE_DB)


def num_features(recipe: Recipe, sample_rate: float) -> int:
    """F, how many numbers a column has."""
    return 2 * recipe.num_cepstra or len(recipe.bins(sample_rate))


def standardised(measured: np.ndarray, recipe: Recipe, groups: np.ndarray) -> np.ndarray:
    """Measured calls against their group's own mean and standard deviation, where the recipe says
    so; else as they are.

    Args:
        measured: `[S, C, F]`.    recipe: `Recipe`.    groups: int `[S]`, of each call.
    """
    if not recipe.is_per_group:
        return measured
    found = np.empty_like(measured)
    for group in np.unique(groups):
        own = measured[groups == group].astype(np.float32)
        spread = np.maximum(own.std(axis=(0, 1)), 1e-3)
        found[groups == group] = (own - own.mean(axis=(0, 1))) / spread
    return found


def as_points(measured: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Measured calls, `[S, C, F]`, as what is compared, float32 `[S, C * F]`: of spectra what is
    within 20 dB of the call's own loudest, over the square root of its norm, so that half of the
    differences in how much of it sounds stay; cepstra as directions, see `directions`.
    """
    if recipe.num_cepstra:
        return directions(measured).reshape(len(measured), -1)
    size = math.prod(measured.shape[1:])
    return over_root_of_norm(
        under_own_loudest(measured.reshape(len(measured), size).astype(np.float32))
    )


def directions(measured: np.ndarray) -> np.ndarray:
    """Each column of some calls over its norm, float32 `[S, C, F]`: against a speaker's own mean
    and standard deviation it says less of the voice, and nothing of the loudness.
    """
    columns = measured.astype(np.float32)
    return columns / np.maximum(np.linalg.norm(columns, axis=-1, keepdims=True), 1e-3)


def under_own_loudest(levels_db: np.ndarray) -> np.ndarray:
    """Levels of calls, dB over the background `[S, D]`, as dB over what lies 20 dB under each one's
    own loudest, or over the background where that is higher, from 0 to 20: how loud a call is, or
    how near its singer, is no part of it.
    """
    if not len(levels_db):
        return levels_db
    loudest = np.percentile(levels_db, _LOUDEST_PERCENTILE, axis=1, keepdims=True)
    floor = np.maximum(loudest - _OWN_RANGE_DB, 0.0)
    return np.clip(levels_db - floor, 0.0, _OWN_RANGE_DB)


def over_root_of_norm(points: np.ndarray) -> np.ndarray:
    """Each of some points `[S, D]` over the square root of its norm."""
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.sqrt(np.maximum(norms, np.finfo(np.float32).tiny))


def decibels(samples: np.ndarray, centres: np.ndarray, n_fft: int) -> np.ndarray:
    """Power in dB of Hann windows around some samples.  [N], [L] -> [L, n_fft / 2 + 1]"""
    padded = np.pad(samples, n_fft)
    firsts = np.clip(np.rint(centres), 0, len(samples)).astype(int) + n_fft - n_fft // 2
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    frames = padded[firsts[:, None] + np.arange(n_fft)] * window
    spectrum = scipy.fft.rfft(frames, axis=-1)
    return 10 * np.log10(np.square(np.abs(spectrum)) + 1e-12)


def samples_of(
    path: str, spans_s: np.ndarray, audio: AudioConfig, margin_s: float
) -> Iterator[tuple[np.ndarray, int]]:
    """The samples of each call of a recording, and the number of the first of them.

    No more of the recording is held than from the call's onset to its offset.

    Args:
        path: the file.    spans_s: `[S, 2]`, in order of the onsets.
        audio: `AudioConfig`, whose `sample_rate` is not 0.    margin_s: on both sides.

    Raises: `readers.UnreadableRecording`.
    """
    rate = audio.sample_rate
    firsts = np.maximum(np.floor((spans_s[:, 0] - margin_s) * rate), 0).astype(int)
    lasts = np.ceil((spans_s[:, 1] + margin_s) * rate).astype(int)
    blocks = readers.blocks(path, audio.channel, rate, audio.time_expansion, audio.float_scale)
    held, begin = np.zeros(0, np.float32), 0
    for first, last in zip(firsts, lasts, strict=True):
        while begin + len(held) < last:
            block = next(blocks, None)
            if block is None:
                break
            drop = min(max(first - begin, 0), len(held))
            held, begin = np.concatenate([held[drop:], block]), begin + drop
        yield held[max(first - begin, 0) : last - begin], max(first, begin)


def stretched(levels: np.ndarray, num_columns: int) -> np.ndarray:
    """Columns between the first and the last of some, linearly.  [L, F] -> [C, F]"""
    places = np.linspace(0, len(levels) - 1, num_columns)
    before = np.minimum(places.astype(int), max(len(levels) - 2, 0))
    after = np.minimum(before + 1, len(levels) - 1)
    share = (places - before)[:, None]
    return levels[before] * (1 - share) + levels[after] * share


def _cepstrum(levels: np.ndarray, recipe: Recipe, sample_rate: float) -> np.ndarray:
    """Cepstra of dB over the background, and their slopes.  [L, V] -> [L, 2 * num_cepstra]"""
    hz = recipe.bins(sample_rate) * sample_rate / recipe.n_fft(sample_rate)
    mels = levels @ mel_weights(hz, recipe.low_hz, recipe.num_mels)
    cepstra = scipy.fft.dct(mels, axis=1, norm="ortho")[:, : recipe.num_cepstra]
    return with_slopes(cepstra, _SLOPE_WIDTH)


def with_slopes(values: np.ndarray, width: int) -> np.ndarray:
    """Values frame by frame, and the slopes of straight lines through each and `width` frames on
    either side of it; beyond the ends stand the end's own.  [L, D] -> [L, 2 D]
    """
    padded = np.pad(values, ((width, width), (0, 0)), mode="edge")
    steps = np.arange(-width, width + 1)
    slopes = sum(step * padded[width + step : len(padded) - width + step] for step in steps)
    return np.concatenate([values, slopes / np.sum(steps**2)], axis=1)


def mel_weights(hz: np.ndarray, low_hz: float, num_mels: int) -> np.ndarray:
    """What bins at `hz`, `[V]`, add to bands from `low_hz` to the last bin: triangles on the mel
    scale (O'Shaughnessy, 1987), each of weight 1.  [V, num_mels]
    """
    low, high = _mel(np.array([low_hz, hz[-1]]))
    edges = np.linspace(low, high, num_mels + 2)
    rise = (_mel(hz)[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - _mel(hz)[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.maximum(np.minimum(rise, fall), 0.0)
    return weights / np.maximum(weights.sum(axis=0), 1e-9)


def _mel(hz: np.ndarray) -> np.ndarray:
    return 2595 * np.log10(1 + hz / 700)


def _centres(num_samples: int, n_fft: int) -> np.ndarray:
    return np.arange(0, max(num_samples, 1), _BACKGROUND_HOPS * n_fft // 2)


def _spread(paths: list[str]) -> list[str]:
    places = np.linspace(0, len(paths) - 1, min(len(paths), _MOST_BACKGROUNDS)).round()
    return [paths[int(place)] for place in places]


def _beginnings(paths: Iterable[str], audio: AudioConfig) -> Iterator[np.ndarray]:
    for path in paths:
        parts, length = [], 0
        try:
            for block in readers.blocks(
                path, audio.channel, audio.sample_rate, audio.time_expansion, audio.float_scale
            ):
                parts.append(block)
                length += len(block)
                if length >= _MOST_BACKGROUND_S * audio.sample_rate:
                    break
        except readers.UnreadableRecording:
            continue
        yield np.concatenate(parts)
