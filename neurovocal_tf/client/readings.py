"""What an exported model reads in recordings and spectrograms, as a client asks it."""

import numpy as np
import numpy.typing as npt

from neurovocal_tf.client.asking import Answer, Asking, frame_inputs, words
from neurovocal_tf.status import Status


class Reading(Asking):
    """The endpoints that read; see `client.Client`."""

    def encode(self, spectrogram: npt.ArrayLike) -> Answer:
        """Frames in dB [L, V] -> dict: embedding [E], frame_embedding [L, E], state [R]."""
        return self._row("encode", **frame_inputs(spectrogram))

    def score(self, spectrogram: npt.ArrayLike) -> Answer:
        """Frames in dB [L, V] -> dict: score, order_score, surprise, frame_score [L],
        frame_surprise [L], is_unusual and its parts.
        """
        return self._row("score", **frame_inputs(spectrogram))

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
        answer |= {"fired": words(answer["fired"])}
        return {name: x if np.ndim(x) == 0 else x[:count] for name, x in answer.items()}
