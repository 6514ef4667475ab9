"""Songs of an exported model, as a client asks for them."""

import dataclasses
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from neurovocal_tf.client import streaming
from neurovocal_tf.client.asking import Answer, Asking, frame_inputs, words
from neurovocal_tf.conditions import Given, shares_of


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


class Singing(Asking):
    """The endpoints that sing; see `client.Client`."""

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
        return _sounding(self._row("generate_audio", **_song_inputs(seed, num_frames, temperature)))

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
        return _sounding(answer) | {
            "labels": words(answer["labels"][:count]),
            "onsets": answer["onsets"][:count].astype(np.int64),
            "offsets": answer["offsets"][:count].astype(np.int64),
        }

    def convert_audio(
        self, audio_bytes: bytes, to: Given, seed: int = 0, temperature: float = 0.0
    ) -> Answer:
        """What a voice has said, said by another that the model has learned, of a model with
        conditions and units.

        Args:
            audio_bytes: a WAV file, at the model's rate.
            to: whose voice, {"individual": "theo"}, "individual=theo", or several of these where
                there are several conditions, in the place of `condition`; mixed by shares,
                "individual=theo:0.7,lucas:0.3".
            seed, temperature: as of `generate`.

        Returns: as `generate_audio`, as long as the recording.
        """
        named = shares_of(to)
        answer = self._row(
            "convert_audio",
            audio_bytes=np.array([audio_bytes], object),
            seed=np.array([seed], np.int64),
            temperature=np.array([temperature], np.float32),
            condition=np.array([[text.encode() for text, _ in named]], object),
            condition_number=np.zeros((1, len(named)), np.int32),
            shares=np.array([[share for _, share in named]], np.float32),
            num_named=np.array([len(named)], np.int32),
        )
        return _sounding(answer)

    def synthesise(self, spectrogram: npt.ArrayLike, known: npt.ArrayLike = ()) -> streaming.Sound:
        """The `streaming.Sound` of frames in dB [L, V], of which the first samples,
        `known` [P], have sounded already.
        """
        known = np.asarray(known, np.float32)[np.newaxis]
        answer = self._row(
            "synthesise",
            **frame_inputs(spectrogram),
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
        answer = self._row("encode_audio", audio_bytes=np.array([audio_bytes], object))
        return Song(np.zeros((0, 0), np.float32), answer["state"], 0)


def _song_inputs(seed: int, num_frames: int, temperature: float) -> dict[str, np.ndarray]:
    return {
        "seed": np.array([seed], np.int64),
        "num_frames": np.array([num_frames], np.int32),
        "temperature": np.array([temperature], np.float32),
    }


def _song(answer: Answer) -> Song:
    return Song(
        answer["spectrogram"][: answer["lengths"]], answer["state"], int(answer["next_frame"])
    )


def _sounding(answer: Answer) -> Answer:
    """An answer that sounds, without what other rows would be longer by."""
    return answer | {
        "spectrogram": answer["spectrogram"][: answer["lengths"]],
        "waveform": answer["waveform"][: answer["num_samples"]],
    }
