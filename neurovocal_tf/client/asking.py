"""One row asked of an exported model behind a TensorFlow Serving model server, under the condition
that a client has.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from neurovocal_tf.client import transports
from neurovocal_tf.conditions import Given
from neurovocal_tf.status import DESCRIPTIONS, Status

# Of one row: arrays, NumPy's scalars where the row has but one number, and bytes.
Answer = dict[str, Any]
# Of a model with conditions, what begins nothing, or listens to nobody: it takes none.
_WITHOUT_CONDITIONS = ("generate_continue", "synthesise", "encode_text", "segment_audio")
_Self = TypeVar("_Self", bound="Asking")


class Asking:
    """A connection to a model, and how one row of it is asked; see `client.Client`."""

    def __init__(
        self,
        server: str = "http://localhost:8501",
        model: str = "neurovocal",
        version: int | None = None,
        timeout_s: float = 60.0,
        condition: Given = None,
    ) -> None:
        self._transport = transports.connect(server, model, version, timeout_s)
        self.condition = condition
        # How many conditions each signature takes, as far as it has been asked.
        self._num_conditions: dict[str, int] = {}

    def __enter__(self: _Self) -> _Self:
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
        if "condition" in inputs:
            return self.predict(signature, **inputs)
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


def _texts(condition: Given) -> list[str]:
    if condition is None or isinstance(condition, str):
        return [condition] if condition else []
    if isinstance(condition, Mapping):
        return [f"{name}={value}" for name, value in condition.items()]
    return list(condition)


def words(column: np.ndarray) -> np.ndarray:
    """Text, for which gRPC has bytes."""
    return np.array([x.decode() if isinstance(x, bytes) else str(x) for x in column], object)


def frame_inputs(spectrogram: npt.ArrayLike) -> dict[str, np.ndarray]:
    """One row of frames in dB [L, V].

    Raises: ValueError where there are none.
    """
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
