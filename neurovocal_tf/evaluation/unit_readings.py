"""What a run's hidden units and embedding do during the calls of recordings."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import readers, spectrogram
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import features
from neurovocal_tf.discovery.discover import Discovery
from neurovocal_tf.discovery.hidden_units import Readings, Units, tell
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.rbm.energy import hidden_logits
from neurovocal_tf.runs.trained import Trained

# As many tell a unit's part in a type as well as all, which would take minutes.
_MOST_CALLS = 3000
# A recurrence over longer stretches takes the memory of all of its frames.
_LONGEST_S, _BEFORE_S = 30.0, 0.5


def units_of(
    trained: Trained,
    found: Discovery,
    paths: Mapping[str, str],
    audio: AudioConfig,
    seed: int = 0,
    on_stretch: Callable[[], object] = lambda: None,
) -> Units | None:
    """A run's units, and what they tell of call types; None if no call can be read. See `read`."""
    calls, hidden, embedding = read(trained, found, paths, audio, seed, on_stretch)
    if not len(calls):
        return None
    types, recordings = found.bouts.types[calls], found.bouts.recordings[calls]
    told = [
        tell(readings.means, types, len(found.type_names), recordings, seed)
        for readings in (hidden, embedding)
    ]
    return Units(calls, hidden, *told, *filters_db(trained))


def read(
    trained: Trained,
    found: Discovery,
    paths: Mapping[str, str],
    audio: AudioConfig,
    seed: int = 0,
    on_stretch: Callable[[], object] = lambda: None,
) -> tuple[np.ndarray, Readings, Readings]:
    """Readings of some calls: 3,000 in whole bouts at random, or all of fewer.

    A hidden unit's is p(h = 1 | the frame and those before it), an embedding dimension's what
    `Encoder.embedding` has after the frame; each bout is read from half a second before its first
    call.

    Args:
        trained: `Trained`.    found: `Discovery`.
        paths: dict of recording's name -> path.    audio: `AudioConfig` to read them with.
        seed: int.    on_stretch: called after each stretch of a recording.

    Returns: which calls, int `[N]`, increasing; `Readings` of hidden units and of the embedding.
    """
    model = trained.model
    values = tf.function(
        lambda frames: _values(model, frames),
        input_signature=[tf.TensorSpec([1, None, model.num_visible])],
        autograph=False,
    )
    calls: list[np.ndarray] = []
    parts: list[list[tuple[np.ndarray, ...]]] = [[], []]
    at_rate = dataclasses.replace(audio, sample_rate=trained.sample_rate)
    for name, stretches in _chosen(found, seed):
        spans = np.array(
            [
                [found.bouts.onsets_s[own[0]] - _BEFORE_S, found.bouts.offsets_s[own[-1]]]
                for own in stretches
            ]
        )
        margin_s = trained.config.spectrogram.n_fft / trained.sample_rate
        try:
            for own, (samples, first) in zip(
                stretches, features.samples_of(paths[name], spans, at_rate, margin_s), strict=True
            ):
                frames, times_s = _frames(trained, samples, first)
                on_stretch()
                if not len(times_s):
                    continue
                calls.append(own)
                for part, value in zip(parts, values(frames[tf.newaxis]), strict=True):
                    part += [_of_call(value.numpy(), times_s, found, call) for call in own]
        except readers.UnreadableRecording:
            continue
    chosen = np.concatenate(calls) if calls else np.zeros(0, int)
    order = np.argsort(chosen, kind="stable")
    hidden, embedding = (_stacked(part, order) for part in parts)
    return chosen[order], hidden, embedding


def filters_db(trained: Trained) -> tuple[np.ndarray, np.ndarray]:
    """By how many dB each hidden unit raises each bin of the mean frame when it is on, `[V, H]`,
    and the bins' frequencies in Hz, `[V]`.
    """
    model = trained.model
    rbm = model.conditional_rbm
    # Of a standardised frame the mean is 0; of units that hold probabilities, it is their bias's.
    bias = tf.zeros_like(rbm.bv) if rbm.visible_units == "gaussian" else rbm.bv
    units, fields = rbm.units(), tf.transpose(rbm.W)
    off, on = (
        trained.scale.shown(model.standardisation.inverse(units.mean(bias, field)))
        for field in (tf.zeros_like(fields[:1]), fields)
    )
    frequencies = spectrogram.bin_frequencies_hz(trained.sample_rate, trained.config.spectrogram)
    return np.asarray(on - off).T, frequencies


def _values(model: RNNRBM, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Hidden units' chances to be on `[L, H]`, and the embedding `[L, E]`.  [1, L, V]"""
    hidden = tf.sigmoid(hidden_logits(model(frames), model.standardisation(frames)))
    return hidden[0], model.encoder.embedding(model.states(frames))[0]


def _chosen(found: Discovery, seed: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Names of recordings, with stretches of calls that are read in one piece."""
    bouts = found.bouts
    pieces = np.split(np.arange(len(bouts.types)), bouts.starts[1:])
    order = np.random.default_rng(seed).permutation(len(pieces))
    ends = np.cumsum([len(pieces[row]) for row in order])
    kept = np.sort(order[ends - ends[:1] < _MOST_CALLS])
    by_recording: dict[int, list[np.ndarray]] = {}
    for row in kept:
        own = pieces[row]
        numbers = ((bouts.onsets_s[own] - bouts.onsets_s[own[0]]) // _LONGEST_S).astype(int)
        edges = np.flatnonzero(np.diff(numbers)) + 1
        by_recording.setdefault(int(bouts.recordings[own[0]]), []).extend(np.split(own, edges))
    for number, stretches in by_recording.items():
        yield found.names[number], stretches


def _frames(trained: Trained, samples: np.ndarray, first: int) -> tuple[tf.Tensor, np.ndarray]:
    """Model frames [L, V], and when the middle of each is heard, seconds [L]."""
    settings = trained.config.spectrogram
    padded = np.pad(samples, (0, max(settings.n_fft - len(samples), 0)))
    power = spectrogram.power_spectrogram(padded, trained.sample_rate, settings)
    frames = spectrogram.to_model_frames(power, trained.scale)
    middles = first + settings.n_fft / 2 + settings.hop_length * np.arange(frames.shape[0])
    return frames, middles / trained.sample_rate


def _of_call(
    values: np.ndarray, times_s: np.ndarray, found: Discovery, call: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, peak and the peak's time of each unit in a call: of the nearest frame if none has its
    middle there.
    """
    onset, offset = found.bouts.onsets_s[call], found.bouts.offsets_s[call]
    begin = min(int(np.searchsorted(times_s, onset)), len(times_s) - 1)
    end = max(int(np.searchsorted(times_s, offset)), begin + 1)
    own = values[begin:end]
    return own.mean(axis=0), own.max(axis=0), times_s[begin + own.argmax(axis=0)]


def _stacked(calls: list[tuple[np.ndarray, ...]], order: np.ndarray) -> Readings:
    if not calls:
        return Readings(*(np.zeros((0, 0)) for _ in range(3)))
    return Readings(*(np.stack(column)[order] for column in zip(*calls, strict=True)))
