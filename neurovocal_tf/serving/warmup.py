"""Requests that a model server sends itself before it answers others,
so that no caller pays for a first run.

A record that fails keeps the whole model from being loaded.
https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

import os
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from neurovocal_tf.audio import synthesis, wav
from neurovocal_tf.serving.endpoints import Endpoints

_NUM_FRAMES = 2
_RECORDING_S = 0.25


def requests(
    endpoints: Endpoints, batch_sizes: Iterable[int]
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """One small request for each signature and batch size.

    Args:
        endpoints: `endpoints.Endpoints`.    batch_sizes: ints.

    Yields:
        (name of the signature, dict of input name -> NumPy array with so many equal rows).
    """
    rows = _example_rows(endpoints)
    # The default signature is a function of its own to a server.
    default = next(iter(endpoints.signatures.values()))
    for name, function in [*endpoints.signatures.items(), ("serving_default", default)]:
        for batch_size in batch_sizes:
            yield (
                name,
                {
                    spec.name: np.repeat(rows[spec.name], batch_size, axis=0)
                    for spec in function.input_signature
                },
            )


def write(
    path: str | os.PathLike[str], logged: Iterable[tuple[str, Mapping[str, np.ndarray]]]
) -> None:
    """Writes requests, as `requests` yields them, as the TFRecord file that a
    model server looks for.
    """
    with tf.io.TFRecordWriter(path) as writer:
        for name, inputs in logged:
            writer.write(_prediction_log(name, inputs).SerializeToString())


def _prediction_log(signature, inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )


def _example_rows(endpoints):
    """One row of every input by its name."""
    longest = synthesis.num_output_samples(endpoints.max_frames, endpoints.config.spectrogram)
    num_samples = min(
        max(int(_RECORDING_S * endpoints.sample_rate), 2 * endpoints.config.spectrogram.n_fft),
        longest,
    )
    # With silence around it: something for a detector to find.
    recording = np.random.default_rng(0).uniform(-0.5, 0.5, num_samples).astype(np.float32)
    recording[: num_samples // 4] = recording[-num_samples // 4 :] = 0.0
    file_rate = endpoints.sample_rate // endpoints.config.audio.time_expansion
    num_conditions = len(endpoints.model.conditions)
    text = endpoints.model.labels.known[:1] or ("",)
    return {
        "text": np.array([label.encode() for label in text], object),
        "condition": np.full((1, num_conditions), b"", object),
        "condition_number": np.zeros((1, num_conditions), np.int32),
        "shares": np.zeros((1, num_conditions), np.float32),
        "num_named": np.zeros(1, np.int32),
        "seed": np.zeros(1, np.int64),
        "num_frames": np.full(1, _NUM_FRAMES, np.int32),
        "temperature": np.ones(1, np.float32),
        "frame": np.zeros(1, np.int64),
        "state": np.zeros((1, endpoints.model.encoder.state_size), np.float32),
        "spectrogram": np.zeros((1, _NUM_FRAMES, endpoints.model.num_visible), np.float32),
        "lengths": np.full(1, _NUM_FRAMES, np.int32),
        "known": np.zeros((1, endpoints.config.spectrogram.hop_length), np.float32),
        "num_known": np.zeros(1, np.int32),
        "onsets": np.full((1, 1), num_samples // 3, np.int64),
        "offsets": np.full((1, 1), 2 * num_samples // 3, np.int64),
        "num_calls": np.ones(1, np.int32),
        "audio_bytes": np.array([wav.encode(recording, file_rate).numpy()], object),
    }
