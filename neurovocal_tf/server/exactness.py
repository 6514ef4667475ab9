"""Whether an exported model answers every caller the same, bit for bit, whoever else calls: through
TensorFlow's batching scheduler.
"""

import concurrent.futures
import dataclasses
import os

import numpy as np

from neurovocal_tf.server.loaded_version import LoadedVersion

_BATCHES_AT_ONCE = 2


@dataclasses.dataclass(frozen=True)
class Load:
    """What is asked of a model.

    Attributes:
        num_callers: that call at once.    calls_each: of one row, one after another.
        max_frames: the longest song's.
        temperatures: from, to.    seed: of all that is drawn.
    """

    num_callers: int = 200
    calls_each: int = 1
    max_frames: int = 40
    temperatures: tuple[float, float] = (0.5, 2.0)
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        num_rows: songs under load.    num_different: those that are not what they are alone.
        num_answers: of whole songs and of parts.
        num_together: those as long as somebody else's, whose row was computed with theirs.
        layout: in which this machine sings them, a `tiling.Layout`;
            -1 where the model does not tell.
    """

    num_rows: int
    num_different: int
    num_answers: int
    num_together: int
    layout: int


def compare(folder: str | os.PathLike[str], load: Load) -> Comparison:
    """Sings songs alone and under load: whole ones by `generate`, and the same ones in two parts,
    the second by `generate_continue`.

    Args:
        folder: of an exported version, which is batched as its batching_params.pbtxt says.
        load: `Load`.

    Returns:
        `Comparison`.

    Raises:
        ValueError: it has no batching_params.pbtxt, or is no SavedModel that can be served.
    """
    loaded = LoadedVersion(folder, _BATCHES_AT_ONCE)
    try:
        if not loaded.is_batched:
            raise ValueError(f"`folder` must hold batching_params.pbtxt. Received: folder={folder}")
        requests = _requests(load, loaded)
        alone = [loaded.predict("generate", request) for request in requests]
        with concurrent.futures.ThreadPoolExecutor(load.num_callers) as callers:
            found = list(
                callers.map(
                    lambda request, expected: _compare(loaded, request, expected), requests, alone
                )
            )
    finally:
        loaded.close()
    together = [was_together for _, of_one in found for was_together in of_one]
    layout = int(alone[0]["layout"][0]) if "layout" in alone[0] else -1
    return Comparison(
        len(found),
        sum(is_different for is_different, _ in found),
        len(together),
        sum(together),
        layout,
    )


def _compare(
    loaded: LoadedVersion, request: dict[str, np.ndarray], expected: dict[str, np.ndarray]
) -> tuple[bool, list[bool]]:
    """Whether a song under load, whole or in parts, is not what it is alone; and of each answer
    whether others were computed with it.
    """
    whole = loaded.predict("generate", request)
    half = {**request, "num_frames": request["num_frames"] // 2}
    first = loaded.predict("generate", half)
    rest = {
        **{name: column for name, column in request.items() if not name.startswith("condition")},
        "num_frames": request["num_frames"] - half["num_frames"],
        "frame": first["next_frame"],
        "state": first["state"],
    }
    second = loaded.predict("generate_continue", rest)
    parts = np.concatenate([_frames(first), _frames(second)])
    same = [
        np.array_equal(_frames(whole), _frames(expected)),
        np.array_equal(whole["state"], expected["state"]),
        np.array_equal(parts, _frames(expected))
        and np.array_equal(second["state"], expected["state"]),
    ]
    return not all(same), [
        answer["spectrogram"].shape[1] > answer["lengths"][0] for answer in (whole, first, second)
    ]


def _requests(load: Load, loaded: LoadedVersion) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(load.seed)
    num_rows = load.num_callers * load.calls_each
    columns: dict[str, np.ndarray] = {
        "seed": rng.integers(-(2**62), 2**62, num_rows),
        "num_frames": rng.integers(1, load.max_frames + 1, num_rows).astype(np.int32),
        "temperature": rng.uniform(*load.temperatures, num_rows).astype(np.float32),
    }
    if "condition_number" in (inputs := loaded.signatures["generate"].inputs):
        # Each row under one that the version knows, or none.
        shape = num_rows, inputs["condition_number"].tensor_shape.dim[1].size
        places = np.zeros(shape, np.int32)
        places[:, 0] = rng.integers(0, max(loaded.num_condition_texts, 1), num_rows)
        columns |= {"condition": np.full(shape, b"", object), "condition_number": places}
    return [{name: column[i : i + 1] for name, column in columns.items()} for i in range(num_rows)]


def _frames(answer: dict[str, np.ndarray]) -> np.ndarray:
    """The frames that are a row's own; what follows them is as long as the
    longest song beside it.
    """
    return answer["spectrogram"][0, : answer["lengths"][0]]
