"""Whether an exported model answers every caller the same, bit for bit, whoever else calls: through TensorFlow's batching scheduler."""

import collections
import concurrent.futures
import dataclasses
import os

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Load:
    """What is asked of a model, and how its requests are batched.

    Attributes:
        num_callers: that call at once.    calls_each: of one row, one after another.    max_frames: the longest song's.
        temperatures: from, to.    max_batch_size, batch_timeout_micros: of the scheduler.    seed: of all that is drawn.
    """

    num_callers: int = 200
    calls_each: int = 1
    max_frames: int = 40
    temperatures: tuple = (0.5, 2.0)
    max_batch_size: int = 32
    batch_timeout_micros: int = 5_000
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        num_rows: songs under load.    num_different: those that are not what they are alone.
        batch_sizes: how many requests were computed in batches of each size.
    """

    num_rows: int
    num_different: int
    batch_sizes: collections.Counter


def compare(folder, load):
    """Sings songs alone and under load: whole ones by `generate`, and the same ones in two parts, the second by `generate_continue`.

    Args:
        folder: of an exported version.    load: `Load`.

    Returns:
        `Comparison`.
    """
    requests = _requests(load)
    loaded = tf.saved_model.load(os.fspath(folder))
    signatures = loaded.signatures
    alone = [_arrays(signatures["generate"](**request)) for request in requests]
    generate, go_on = (_batched(name, signatures[name], load) for name in ("generate", "generate_continue"))

    def differs(i):
        request, expected = requests[i], alone[i]
        whole = _arrays(generate(**request))
        half = {**request, "num_frames": request["num_frames"] // 2}
        first = _arrays(generate(**half))
        rest = {**request, "num_frames": request["num_frames"] - half["num_frames"], "frame": first["next_frame"], "state": first["state"]}
        second = _arrays(go_on(**rest))
        parts = np.concatenate([_frames(first), _frames(second)])
        sizes = [int(answer["batch_size"][0]) for answer in (whole, first, second)]
        same = [
            np.array_equal(_frames(whole), _frames(expected)),
            np.array_equal(whole["state"], expected["state"]),
            np.array_equal(parts, _frames(expected)) and np.array_equal(second["state"], expected["state"]),
        ]
        return not all(same), sizes

    with concurrent.futures.ThreadPoolExecutor(load.num_callers) as callers:
        found = list(callers.map(differs, range(len(requests))))
    sizes = collections.Counter(size for _, three in found for size in three)
    return Comparison(len(found), sum(different for different, _ in found), sizes)


def _requests(load):
    rng = np.random.default_rng(load.seed)
    num_rows = load.num_callers * load.calls_each
    columns = {
        "seed": rng.integers(-(2**62), 2**62, num_rows),
        "num_frames": rng.integers(1, load.max_frames + 1, num_rows).astype(np.int32),
        "temperature": rng.uniform(*load.temperatures, num_rows).astype(np.float32),
    }
    return [{name: tf.constant(column[i : i + 1]) for name, column in columns.items()} for i in range(num_rows)]


def _batched(name, signature, load):
    """A signature behind the scheduler that a model server uses; `batch_size` int32 [B] tells how many rows were computed together."""
    _, specs = signature.structured_input_signature
    names = sorted(specs)

    @tf.nondifferentiable_batch_function(
        num_batch_threads=2,
        max_batch_size=load.max_batch_size,
        batch_timeout_micros=load.batch_timeout_micros,
        max_enqueued_batches=1000,
        autograph=False,
    )
    def run(*tensors):
        answers = signature(**dict(zip(names, tensors, strict=True)))
        num_rows = tf.shape(tensors[0])[:1]
        # The scheduler splits by rows, and gives no row of an answer to more than one caller.
        return {**answers, "batch_size": tf.fill(num_rows, num_rows[0])}

    def call(*rows):
        # A queue is known by the name of its node.
        with tf.name_scope(name):
            return run(*rows)

    # Of any number of rows: the scheduler takes what is known of one caller's shape for the whole batch's. Traced here, since
    # callers that trace at once would get a queue each.
    graph = tf.function(call, input_signature=[specs[key] for key in names], autograph=False).get_concrete_function()
    return lambda **request: graph(*(tf.convert_to_tensor(request[key]) for key in names))


def _frames(answer):
    """The frames that are a row's own; what follows them is as long as the longest song beside it."""
    return answer["spectrogram"][0, : answer["lengths"][0]]


def _arrays(answers):
    return {name: value.numpy() for name, value in answers.items()}
