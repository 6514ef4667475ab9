"""A client of an exported model behind a TensorFlow Serving model server.

Over REST it needs NumPy alone, not TensorFlow.
"""

import dataclasses
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurovocal_tf.client import streaming, transports
from neurovocal_tf.status import DESCRIPTIONS, Status

# Of one row: arrays, NumPy's scalars where the row has but one number, and bytes.
Answer = dict[str, Any]
# Of a model with conditions, what begins nothing, or listens to nobody: it takes none.
_WITHOUT_CONDITIONS = ("generate_continue", "synthesise", "encode_text", "segment_audio")


@dataclasses.dataclass(frozen=True)
class Song:
    """Some frames of a song and how it goes on.

    Attributes:
        spectrogram: float32 [L, V], in dB.    state: float32 [R].    next_frame: int.
    """

    spectrogram: np.ndarray
    state: np.ndarray
    next_frame: int


@dataclasses.dataclass(frozen=True)
class Block:
    """What `Client.stream` yields.

    Attributes:
        song: `Song`, this block's frames.
        sound: `streaming.Sound`, whose samples join those of the blocks around it; the last few
            frames of a block sound with the next one. None if none was asked for.
        elapsed_s: seconds it took to make the block.
    """

    song: Song
    sound: streaming.Sound | None
    elapsed_s: float


class Client:
    """A model's endpoints (see `endpoints.Endpoints`), one row a call; `predict` takes batches.

    For one thread.

    All methods raise `transports.Refused`, a ValueError, with the server's own words for what it
    refuses, OSError where it cannot be reached or takes longer than `timeout_s`, and ValueError for
    a row that could not be answered, with the reason its status tells.

    Args:
        server: "http://HOST:PORT" (REST) or "grpc://HOST:PORT".    model: its name there.
        version: int; None: the newest.
        timeout_s: seconds, of each request.
        condition: who sings or is listened to, or what else a model with conditions has learned:
            {"individual": "gy6or6"}, "individual=gy6or6", or several of these; None: the unknown of
            each. An attribute, too, which counts for all that follows.
    """

    def __init__(
        self,
        server: str = "http://localhost:8501",
        model: str = "neurovocal",
        version: int | None = None,
        timeout_s: float = 60.0,
        condition: Mapping[str, str] | str | Iterable[str] | None = None,
    ) -> None:
        self._transport = transports.connect(server, model, version, timeout_s)
        self.condition = condition
        # How many conditions each signature takes, as far as it has been asked.
        self._num_conditions: dict[str, int] = {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the connection."""
        self._transport.close()

    def predict(self, signature: str, **inputs: npt.ArrayLike) -> dict[str, np.ndarray]:
        """Asks a signature as it is.  arrays [B, ...] -> dict of arrays [B, ...]"""
        return self._transport.predict(signature, inputs)

    def status(self) -> dict[int, str]:
        """State of each of the model's versions, "AVAILABLE" when it answers.

        -> dict of int -> str
        """
        return self._transport.status()

    # --- songs

    def generate(self, seed: int, num_frames: int, temperature: float = 0.0) -> Song:
        """The beginning of a song: a `Song` of at most as many frames as the export allows.

        Temperature 0 means the default.
        """
        return _song(self._row("generate", **_song_inputs(seed, num_frames, temperature)))

    def generate_continue(
        self, seed: int, num_frames: int, frame: int, state: npt.ArrayLike, temperature: float = 0.0
    ) -> Song:
        """The `Song` that goes on at `frame` from `state`,
        those of a `Song` before or of `encode`.
        """
        continuation: dict[str, np.ndarray] = {
            "frame": np.array([frame], np.int64),
            "state": np.asarray(state, np.float32)[np.newaxis],
        }
        return _song(
            self._row(
                "generate_continue", **_song_inputs(seed, num_frames, temperature), **continuation
            )
        )

    def generate_audio(self, seed: int, num_frames: int, temperature: float = 0.0) -> Answer:
        """A song that sounds.

        -> dict: spectrogram [L, V], waveform [N], sample_rate, wav_bytes, state, next_frame
        """
        answer = self._row("generate_audio", **_song_inputs(seed, num_frames, temperature))
        frames, samples = (
            answer["spectrogram"][: answer["lengths"]],
            answer["waveform"][: answer["num_samples"]],
        )
        return answer | {"spectrogram": frames, "waveform": samples}

    def generate_text(self, text: str, seed: int, temperature: float = 0.0) -> Answer:
        """A song of a text, as long as that, of a model that has learned labels.

        -> as `generate_audio`, and labels [M], onsets, offsets [M] in samples
        """
        answer = self._row(
            "generate_text",
            text=np.array([text.encode()], object),
            seed=np.array([seed], np.int64),
            temperature=np.array([temperature], np.float32),
        )
        count = answer["num_labels"]
        frames, samples = answer["lengths"], answer["num_samples"]
        return answer | {
            "spectrogram": answer["spectrogram"][:frames],
            "waveform": answer["waveform"][:samples],
            "labels": _words(answer["labels"][:count]),
            "onsets": answer["onsets"][:count].astype(np.int64),
            "offsets": answer["offsets"][:count].astype(np.int64),
        }

    def synthesise(self, spectrogram: npt.ArrayLike, known: npt.ArrayLike = ()) -> streaming.Sound:
        """The `streaming.Sound` of frames in dB [L, V], of which the first samples,
        `known` [P], have sounded already.
        """
        known = np.asarray(known, np.float32)[np.newaxis]
        answer = self._row(
            "synthesise",
            **_frame_inputs(spectrogram),
            known=known,
            num_known=np.array([known.size], np.int32),
        )
        return streaming.Sound(
            answer["waveform"][: answer["num_samples"]],
            int(answer["sample_rate"]),
            int(answer["hop_length"]),
        )

    def stream(
        self,
        seed: int,
        num_frames: int | None = None,
        temperature: float = 0.0,
        block_frames: int = streaming.DEFAULT_BLOCK_FRAMES,
        start: Song | None = None,
        with_sound: bool = True,
    ) -> Iterator[Block]:
        """A song of any length, block by block; the same song, bit for bit, whatever the blocks.

        Args:
            seed: int.    num_frames: int; None: without end.    temperature: float, 0 the default.
            block_frames: int, frames of the longest blocks;
                the first are shorter, to be heard soon.
            start: `Song` to go on from, or None.    with_sound: bool.

        Yields:
            `Block`.
        """
        joined = streaming.JoinedSound(self.synthesise) if with_sound else None
        song, num_sung = start, 0
        for size in streaming.block_sizes(num_frames, block_frames):
            # An export may allow fewer frames at once.
            while size:
                began = time.monotonic()
                if song is None:
                    song = self.generate(seed, size, temperature)
                else:
                    song = self.generate_continue(
                        seed, size, song.next_frame, song.state, temperature
                    )
                if not len(song.spectrogram):
                    raise ValueError(f"the server sang none of {size} frames")
                size -= len(song.spectrogram)
                num_sung += len(song.spectrogram)
                sound = (
                    joined.add(song.spectrogram, is_last=num_sung == num_frames) if joined else None
                )
                yield Block(song, sound, time.monotonic() - began)

    def prime(self, audio_bytes: bytes) -> Song:
        """What a song goes on from after a recording: a `Song` of no frames.

        A WAV file's bytes -> `Song`
        """
        answer = self.encode_audio(audio_bytes)
        return Song(np.zeros((0, 0), np.float32), answer["state"], 0)

    # --- spectrograms and recordings

    def encode(self, spectrogram: npt.ArrayLike) -> Answer:
        """Frames in dB [L, V] -> dict: embedding [E], frame_embedding [L, E], state [R]."""
        return self._row("encode", **_frame_inputs(spectrogram))

    def score(self, spectrogram: npt.ArrayLike) -> Answer:
        """Frames in dB [L, V] -> dict: score, order_score, surprise, frame_score [L],
        frame_surprise [L], is_unusual and its parts.
        """
        return self._row("score", **_frame_inputs(spectrogram))

    def encode_audio(self, audio_bytes: bytes) -> Answer:
        """A WAV file's bytes -> as `encode`, with lengths, and frame_onsets [L] in samples."""
        return self._row("encode_audio", audio_bytes=np.array([audio_bytes], object))

    def encode_text(self, text: str) -> Answer:
        """A text -> dict: joint_embedding [J], a unit vector, of which the dot product with that of
        `encode_audio` is the larger, the more the recording says it. Of a model that has learned
        texts.
        """
        return self._row("encode_text", text=np.array([text.encode()], object))

    def score_audio(self, audio_bytes: bytes) -> Answer:
        """A WAV file's bytes -> as `score`, with lengths, and frame_onsets [L] in samples."""
        return self._row("score_audio", audio_bytes=np.array([audio_bytes], object))

    def segment_audio(self, audio_bytes: bytes) -> Answer:
        """A WAV file's bytes -> dict: onsets, offsets [S] in samples, sample_rate.

        Without a vocalization S is 0.
        """
        answer = self._row(
            "segment_audio", may_be=(Status.NO_SOUND,), audio_bytes=np.array([audio_bytes], object)
        )
        count = answer["num_segments"]
        return answer | {
            name: answer[name][:count].astype(np.int64) for name in ("onsets", "offsets")
        }

    def score_calls_audio(
        self,
        audio_bytes: bytes,
        onsets: npt.ArrayLike | None = None,
        offsets: npt.ArrayLike | None = None,
    ) -> Answer:
        """How unusual each call in a WAV file is where it stands.

        Args:
            audio_bytes: the file.
            onsets, offsets: [S] in samples at the model's rate, as `segment_audio` tells them;
                None: of the calls that it finds.

        Returns:
            dict: onsets, offsets, score, order_score, surprise, duration (in seconds), p,
            is_unusual and fired, which of the scores says so, [S] each; sample_rate. Without a call
            S is 0.
        """
        first, last = (
            np.zeros(0, np.int64) if places is None else np.asarray(places, np.int64)
            for places in (onsets, offsets)
        )
        if (onsets is None) != (offsets is None) or first.ndim != 1 or first.shape != last.shape:
            raise ValueError(
                "`onsets` and `offsets` must be given together, one of each for every call. "
                f"Received: onsets of shape {first.shape}, offsets of shape {last.shape}"
            )
        answer = self._row(
            "score_calls_audio",
            may_be=(Status.NO_SOUND,),
            audio_bytes=np.array([audio_bytes], object),
            onsets=first[np.newaxis],
            offsets=last[np.newaxis],
            num_calls=np.array([-1 if onsets is None else len(first)], np.int32),
        )
        count = answer["num_calls"]
        answer |= {"fired": _words(answer["fired"])}
        return {name: x if np.ndim(x) == 0 else x[:count] for name, x in answer.items()}

    def _row(
        self, signature: str, may_be: Collection[Status] = (), **inputs: npt.ArrayLike
    ) -> Answer:
        """The answer to one row, without its first dimension."""
        answer = {name: value[0] for name, value in self._asked(signature, inputs).items()}
        status = int(answer["status"])
        if status > Status.CLEANED and status not in may_be:
            reason = DESCRIPTIONS.get(status, f"status {status}")
            raise ValueError(f"{signature}: the server could not answer: {reason}")
        return answer

    def _asked(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        if not self.condition and signature not in self._num_conditions:
            try:
                return self.predict(signature, **inputs)
            except transports.Refused:
                # A model with conditions wants to be told that there is none.
                if signature in _WITHOUT_CONDITIONS or not self._takes(signature):
                    raise
        return self.predict(signature, **inputs, **self._conditions_of(signature))

    def _takes(self, signature: str) -> int:
        if signature not in self._num_conditions:
            sizes = self._transport.input_sizes(signature)
            self._num_conditions[signature] = sizes.get("condition", (0,))[0]
        return self._num_conditions[signature]

    def _conditions_of(self, signature: str) -> dict[str, np.ndarray]:
        """The inputs of one row that say `condition`."""
        if signature in _WITHOUT_CONDITIONS:
            return {}
        texts, size = _texts(self.condition), self._takes(signature)
        if len(texts) > size:
            raise ValueError(
                f"`condition` must be {size} of NAME=VALUE at most, as many as the model has. "
                f"Received: condition={', '.join(texts)}"
            )
        if not size:
            return {}
        row = [text.encode() for text in texts] + [b""] * (size - len(texts))
        numbers = np.zeros((1, size), np.int32)
        return {"condition": np.array([row], object), "condition_number": numbers}


def _texts(condition: Mapping[str, str] | str | Iterable[str] | None) -> list[str]:
    if condition is None or isinstance(condition, str):
        return [condition] if condition else []
    if isinstance(condition, Mapping):
        return [f"{name}={value}" for name, value in condition.items()]
    return list(condition)


def _words(column: np.ndarray) -> np.ndarray:
    """Text, for which gRPC has bytes."""
    return np.array([x.decode() if isinstance(x, bytes) else str(x) for x in column], object)


def _song_inputs(seed: int, num_frames: int, temperature: float) -> dict[str, np.ndarray]:
    return {
        "seed": np.array([seed], np.int64),
        "num_frames": np.array([num_frames], np.int32),
        "temperature": np.array([temperature], np.float32),
    }


def _frame_inputs(spectrogram: npt.ArrayLike) -> dict[str, np.ndarray]:
    spectrogram = np.asarray(spectrogram, np.float32)
    if spectrogram.ndim != 2 or not spectrogram.size:
        raise ValueError(
            "`spectrogram` must have frames [L, V], L at least 1. "
            f"Received: spectrogram of shape {spectrogram.shape}"
        )
    return {
        "spectrogram": spectrogram[np.newaxis],
        "lengths": np.array([len(spectrogram)], np.int32),
    }


def _song(answer: Answer) -> Song:
    return Song(
        answer["spectrogram"][: answer["lengths"]], answer["state"], int(answer["next_frame"])
    )
