"""What is heard between the calls of a recording: its background, by which a rig, a room or a day
may be known as well as a voice.
"""

import numpy as np

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import features
from neurovocal_tf.discovery.features import Recipe

# From calls, which fade away slowly in rooms.
_MARGIN_S = 0.02
_SHORTEST_S, _LONGEST_S, _MOST = 0.03, 0.2, 100


def measure(path: str, spans_s: np.ndarray, recipe: Recipe, audio: AudioConfig) -> np.ndarray:
    """Spectra of stretches of 30 to 200 ms between calls, dB `[B, V]`: each bin's median, so that a
    click is not heard. A hundred at most, spread over the recording.

    Args:
        path: the file.    spans_s: `[S, 2]`, of the calls, in order of the onsets.
        recipe: `Recipe`.    audio: `AudioConfig`, whose `sample_rate` is not 0.

    Raises: `readers.UnreadableRecording`.
    """
    rate = audio.sample_rate
    n_fft, bins = recipe.n_fft(rate), recipe.bins(rate)
    told = readers.probe(path, audio.time_expansion)
    stretches = _between(spans_s, told.num_samples / told.sample_rate, 2 * n_fft / rate)
    found = [np.empty((0, len(bins)))]
    for (begin, end), (samples, first) in zip(
        stretches, features.samples_of(path, stretches, audio, margin_s=0.0), strict=True
    ):
        onset, offset = begin * rate - first, end * rate - first
        centres = np.arange(onset + n_fft / 2, offset - n_fft / 2, n_fft / 2)
        if len(centres) and offset <= len(samples) + 1:
            levels = features.decibels(samples, centres, n_fft)[:, bins]
            found.append(np.median(levels, axis=0, keepdims=True))
    return np.concatenate(found)


def _between(spans_s: np.ndarray, duration_s: float, least_s: float) -> np.ndarray:
    """Onsets and offsets in seconds [B, 2] of what lies apart from all calls."""
    found, heard_until = [], -_MARGIN_S
    for onset, offset in [*spans_s.tolist(), [duration_s + _MARGIN_S, duration_s]]:
        begin, end = heard_until + _MARGIN_S, onset - _MARGIN_S
        number = int(np.ceil((end - begin) / _LONGEST_S)) if end > begin else 0
        edges = np.linspace(begin, end, number + 1)
        found += [
            pair
            for pair in zip(edges[:-1], edges[1:], strict=True)
            if pair[1] - pair[0] >= max(_SHORTEST_S, least_s)
        ]
        heard_until = max(heard_until, offset)
    places = np.linspace(0, len(found) - 1, min(len(found), _MOST)).round().astype(int)
    return np.array(found, float).reshape(-1, 2)[places]
