"""Long calls of this package's exports in parts: between two of them it is noticed that a caller is
gone, and others get their turn. TensorFlow itself cannot be told to stop.

It rests on what an export promises, that a row's answer is the same bit for bit whatever is
computed beside it, and that a song is the same whole or in parts.
"""

import contextlib
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from neurovocal_tf.server import refusals

Arrays = Mapping[str, np.ndarray]
Compute = Callable[[str, Arrays], dict[str, np.ndarray]]
Signatures = Mapping[str, meta_graph_pb2.SignatureDef]

# A sixth of a second on one slow core; each part costs a few milliseconds beside.
_PART_FRAMES = 128
# Of rows of sound or spectrograms that are computed together: some seconds of sound.
_PART_BYTES = 1 << 18
_LOOK_S = 0.1
_BEGIN, _GO_ON, _SOUND = "generate", "generate_continue", "synthesise"
_BEGINNING = {"seed", "num_frames", "temperature"}
# Of a model with conditions, by which a song begins; what goes on has them in its state.
_CONDITIONS = {"condition", "condition_number"}
# As in `audio.wav.encode`.
_LOUDEST, _FULL_SCALE = 0.99, 32_768


def rows_apart(metadata: Mapping[str, Any], signatures: Signatures) -> set[str]:
    """Names of the signatures that an export computes row by row, so that a batch of many callers
    would only make each of them wait for all; none where it is no export of this package.
    """
    if not _is_known(metadata, signatures):
        return set()
    # How long a song of a text or of a recording is, nobody knows before.
    return {name for name, signature in signatures.items() if "num_frames" not in signature.inputs}


class LongCalls:
    """How long calls of an export are answered.

    Songs are sung a part at a time, each from the state of the one before. All else is done row by
    row, so many callers of a signature at once.

    Args:
        metadata: dict, what the export tells of itself.    signatures: name -> SignatureDef.
        num_at_once: int.
    """

    def __init__(
        self, metadata: Mapping[str, Any], signatures: Signatures, num_at_once: int
    ) -> None:
        self._signatures = signatures
        self._sings_in_parts = _is_known(metadata, signatures)
        self._max_frames = metadata.get("max_frames", 0)
        self._places = {
            name: threading.Semaphore(num_at_once) for name in rows_apart(metadata, signatures)
        }

    def answer(
        self, call: Compute, name: str, inputs: Arrays, is_wanted: Callable[[], bool]
    ) -> dict[str, np.ndarray]:
        """What `call(name, inputs)` answers, in as many calls as it takes.

        Args:
            call: computes a signature.    name: of the signature.
            inputs: dict of input name -> NumPy array.
            is_wanted: tells whether the caller still waits.

        Raises:
            refusals.Refusal: what `call` raises, or that the caller is gone.
        """
        if name in self._places:
            return self._row_by_row(call, name, inputs, is_wanted)
        if not self._sings_in_parts or np.max(inputs["num_frames"], initial=0) <= _PART_FRAMES:
            return call(name, inputs)
        song = self._sing(call, inputs, is_wanted)
        if "waveform" in self._signatures[name].outputs:
            return song | self._sound(call, song, is_wanted)
        return song

    def _sing(
        self, call: Compute, inputs: Arrays, is_wanted: Callable[[], bool]
    ) -> dict[str, np.ndarray]:
        left = np.clip(inputs["num_frames"], 0, self._max_frames)
        lengths = left
        same = {name: inputs[name] for name in ("seed", "temperature")}
        begins = {name: inputs[name] for name in _CONDITIONS if name in inputs}
        going_on = {name: inputs[name] for name in ("frame", "state") if name in inputs}
        parts: list[dict[str, np.ndarray]] = []
        while left.any():
            _check(is_wanted)
            num_frames = np.minimum(left, _PART_FRAMES)
            part = call(
                _GO_ON if going_on else _BEGIN,
                {**same, **(going_on or begins), "num_frames": num_frames},
            )
            if not parts and begins:
                # A row that cannot be answered has no frames, and none are to follow.
                is_sung = part["lengths"] >= num_frames
                left, lengths, num_frames = (
                    np.where(is_sung, count, 0) for count in (left, lengths, num_frames)
                )
            # Others of its batch may have been longer.
            parts.append(part | {"spectrogram": part["spectrogram"][:, : num_frames.max()]})
            going_on = {"frame": part["next_frame"], "state": part["state"]}
            left = left - num_frames
        frames = np.concatenate([part["spectrogram"] for part in parts], axis=1)
        # What was wrong with the state that the song went on from, its first part tells.
        return parts[-1] | {
            "spectrogram": frames,
            "lengths": lengths,
            "status": parts[0]["status"],
        }

    def _sound(
        self, call: Compute, song: Arrays, is_wanted: Callable[[], bool]
    ) -> dict[str, np.ndarray]:
        """What `generate_audio` adds to a song."""
        sounds = [
            self._row_by_row(
                call,
                _SOUND,
                {
                    "spectrogram": frames[np.newaxis, :length],
                    "lengths": np.array([length], np.int32),
                    "known": np.zeros((1, 0), np.float32),
                    "num_known": np.zeros(1, np.int32),
                },
                is_wanted,
            )
            for frames, length in zip(song["spectrogram"], song["lengths"], strict=True)
        ]
        names = ("waveform", "num_samples", "sample_rate")
        answer = {name: _one_below_another([sound[name] for sound in sounds]) for name in names}
        files = [
            _wav_file(waveform[:count], int(rate))
            for waveform, count, rate in zip(*(answer[name] for name in names), strict=True)
        ]
        return answer | {"wav_bytes": np.array(files, object)}

    def _row_by_row(
        self, call: Compute, name: str, inputs: Arrays, is_wanted: Callable[[], bool]
    ) -> dict[str, np.ndarray]:
        parts = []
        for part in _parts(inputs):
            with self._turn(name, is_wanted):
                parts.append(call(name, part))
        if len(parts) == 1:
            return parts[0]
        return {key: _one_below_another([part[key] for part in parts]) for key in parts[0]}

    @contextlib.contextmanager
    def _turn(self, name: str, is_wanted: Callable[[], bool]) -> Iterator[None]:
        _check(is_wanted)
        while not self._places[name].acquire(timeout=_LOOK_S):
            _check(is_wanted)
        try:
            yield
        finally:
            self._places[name].release()


def _is_known(metadata: Mapping[str, Any], signatures: Signatures) -> bool:
    return (
        isinstance(metadata.get("max_frames"), int)
        and _BEGIN in signatures
        and _GO_ON in signatures
        and set(signatures[_BEGIN].inputs) - _CONDITIONS == _BEGINNING
        and set(signatures[_GO_ON].inputs) == {*_BEGINNING, "frame", "state"}
    )


def _check(is_wanted: Callable[[], bool]) -> None:
    if not is_wanted():
        raise refusals.cancelled()


def _parts(inputs: Arrays) -> Iterator[Arrays]:
    """Rows by rows of inputs, as many together as are small enough, one at least."""
    num_rows = {len(array) for array in inputs.values()}
    if len(num_rows) > 1 or num_rows == {0}:
        yield inputs
        return
    sizes = np.sum([_row_bytes(array) for array in inputs.values()], axis=0)
    start = 0
    while start < len(sizes):
        num_fitting = int(np.searchsorted(np.cumsum(sizes[start:]), _PART_BYTES, side="right"))
        end = start + max(num_fitting, 1)
        yield {name: array[start:end] for name, array in inputs.items()}
        start = end


def _row_bytes(array: np.ndarray) -> np.ndarray:
    """[B, ...] -> int [B]"""
    if array.dtype == object:
        sizes = np.array([len(item) for item in array.ravel()], int)
        return sizes.reshape(len(array), -1).sum(axis=1)
    return np.full(len(array), array.nbytes // len(array))


def _one_below_another(arrays: list[np.ndarray]) -> np.ndarray:
    """Rows of several answers, filled up with zeros or empty strings to the longest, as a graph
    does.

    list of [B_i, T_i, ...] -> [sum of B_i, max of T_i, ...]
    """
    longest = max(array.shape[1] if array.ndim > 1 else 0 for array in arrays)
    filled = []
    for array in arrays:
        if array.ndim > 1:
            missing = [(0, 0), (0, longest - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
            filling: bytes | int = b"" if array.dtype == object else 0
            array = np.pad(array, missing, constant_values=filling)
        filled.append(array)
    return np.concatenate(filled)


def _wav_file(samples: np.ndarray, sample_rate: int) -> bytes:
    """The bytes that `audio.wav.encode` makes in a graph: 16 bit, one channel, turned down if it
    would clip.  float32 [N], Hz -> bytes
    """
    peak = np.max(np.abs(samples), initial=np.float32(0))
    quiet_enough = samples * (np.float32(_LOUDEST) / peak if peak > _LOUDEST else np.float32(1))
    data = np.rint(quiet_enough * np.float32(_FULL_SCALE)).astype("<i2").tobytes()
    header = struct.pack("<IHHIIHH", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    size = struct.pack("<I", len(data))
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + header + b"data" + size + data
    )
