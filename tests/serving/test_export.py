"""The version folder, and that nothing in it needs Python: every endpoint answers the same bytes
through TensorFlow's C API.
"""

import base64
import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from neurovocal_tf.audio import wav
from neurovocal_tf.generation import songs
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.serving import export

MAX_FRAMES = 40


@pytest.fixture(scope="module")
def trained(trained_run):
    return load_trained(trained_run)


@pytest.fixture(scope="module")
def loaded(export_dir):
    """What TensorFlow makes of the export, without a line of this package."""
    return tf.saved_model.load(str(export_dir / "1"))


@pytest.fixture(scope="module")
def signatures(export_dir):
    """The graph's nodes behind each signature's inputs and outputs, as the file has them."""
    saved = saved_model_pb2.SavedModel.FromString(
        (export_dir / "1" / "saved_model.pb").read_bytes()
    )
    return saved.meta_graphs[0].signature_def


def rows(num_rows, endpoints, rng):
    """Different rows of every input."""
    state_size = endpoints.model.encoder.state_size
    recordings = [
        wav.encode(rng.uniform(-0.5, 0.5, 500 + 300 * i).astype(np.float32), 16_000).numpy()
        for i in range(num_rows)
    ]
    return {
        "seed": rng.integers(-(2**62), 2**62, num_rows),
        "num_frames": rng.integers(0, MAX_FRAMES + 9, num_rows).astype(np.int32),
        "temperature": rng.uniform(0.5, 2.0, num_rows).astype(np.float32),
        "frame": rng.integers(0, 2**40, num_rows),
        "state": rng.normal(size=(num_rows, state_size)).astype(np.float32),
        "spectrogram": rng.uniform(-60, 0, (num_rows, 12, 65)).astype(np.float32),
        "lengths": rng.integers(0, 14, num_rows).astype(np.int32),
        "known": rng.uniform(-0.5, 0.5, (num_rows, 300)).astype(np.float32),
        "num_known": rng.integers(0, 300, num_rows).astype(np.int32),
        "onsets": rng.integers(-50, 300, (num_rows, 3)),
        "offsets": rng.integers(200, 900, (num_rows, 3)),
        "num_calls": rng.integers(-2, 5, num_rows).astype(np.int32),
        "audio_bytes": np.array([*recordings[1:], b"not a recording"], object)
        if num_rows
        else np.zeros(0, object),
    }


def as_json(value):
    if value.dtype == object:
        return {
            "dtype": "string",
            "shape": value.shape,
            "values": [base64.b64encode(text).decode() for text in value],
        }
    return {
        "dtype": value.dtype.name,
        "shape": value.shape,
        "values": base64.b64encode(value.tobytes()).decode(),
    }


def from_json(dtype, shape, values):
    if dtype == "string":
        return np.array([base64.b64decode(value) for value in values], object).reshape(shape)
    return np.frombuffer(base64.b64decode(values), dtype).reshape(shape)


def node(tensor):
    name, index = tensor.name.split(":")
    return name, int(index)


def call(signature, values):
    """What the C API's client is asked."""
    return {
        "inputs": [
            [node(tensor)[0], as_json(values[name])] for name, tensor in signature.inputs.items()
        ],
        "outputs": [node(tensor) for tensor in signature.outputs.values()],
    }


def good_calls(endpoints, signatures):
    """(Name of a signature, its inputs), of three rows and of none."""
    for num_rows in (3, 0):
        values = rows(num_rows, endpoints, np.random.default_rng(20))
        yield from ((name, values) for name in signatures if name != "__saved_model_init_op")


def bad_calls(endpoints):
    """(Name of a signature, inputs of shapes that do not fit, what is to be said of them)."""
    values, other = (rows(num_rows, endpoints, np.random.default_rng(20)) for num_rows in (3, 2))
    same = "`seed`, `num_frames`, `temperature` must have the same first dimension"
    yield "generate", {**values, "temperature": other["temperature"]}, same
    yield (
        "generate_continue",
        {**values, "state": values["state"][:, 1:]},
        "not compatible with expected shape [?,136]",
    )
    yield (
        "encode",
        {**values, "spectrogram": values["spectrogram"][:, :, :64]},
        "not compatible with expected shape [?,?,65]",
    )
    yield (
        "score",
        {**values, "lengths": values["lengths"][:, np.newaxis]},
        "not compatible with expected shape [?]",
    )


@pytest.fixture(scope="module")
def answers_through_c_api(endpoints, signatures, export_dir, tmp_path_factory):
    """What a process that has the C libraries, and no TensorFlow for Python, is answered: to the
    good calls, and to the bad ones.
    """
    folder = tmp_path_factory.mktemp("c_api")
    libraries = os.path.dirname(importlib.util.find_spec("tensorflow").origin)
    client = pathlib.Path(__file__).resolve().parent.parent / "support" / "c_api_client.py"
    good, bad = list(good_calls(endpoints, signatures)), list(bad_calls(endpoints))
    calls = [call(signatures[name], values) for name, values, *_ in [*good, *bad]]
    (folder / "calls.json").write_text(json.dumps(calls))
    # -I: neither this repository nor PYTHONPATH is looked at.
    command = [
        sys.executable,
        "-I",
        client,
        libraries,
        export_dir / "1",
        folder / "calls.json",
        folder / "results.json",
    ]
    found = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stderr
    results = json.loads((folder / "results.json").read_text())
    return results[: len(good)], results[len(good) :]


def digests(folder):
    paths = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


# --- without Python


def test_every_endpoint_answers_the_same_bytes_through_the_c_api_as_in_python(
    endpoints, signatures, answers_through_c_api
):
    assert sorted(signatures) == sorted(
        [*endpoints.signatures, "serving_default", "__saved_model_init_op"]
    )
    functions = {**endpoints.signatures, "serving_default": endpoints.generate}
    for (name, values), found in zip(
        good_calls(endpoints, signatures), answers_through_c_api[0], strict=True
    ):
        assert not isinstance(found, str), f"{name}: {found}"
        answers = functions[name](
            *(
                tf.constant(values[spec.name], spec.dtype)
                for spec in functions[name].input_signature
            )
        )
        assert sorted(signatures[name].outputs) == sorted(answers)
        for output, array in zip(signatures[name].outputs, found, strict=True):
            np.testing.assert_array_equal(
                from_json(**array), answers[output].numpy(), err_msg=f"{name}: {output}"
            )


def test_shapes_that_do_not_fit_are_refused_by_name_without_python_too(
    endpoints, answers_through_c_api
):
    for (name, _, message), found in zip(
        bad_calls(endpoints), answers_through_c_api[1], strict=True
    ):
        assert isinstance(found, str) and message in found, f"{name}: {found}"


def test_nothing_in_the_graph_is_compiled_or_calls_python(export_dir):
    saved = saved_model_pb2.SavedModel.FromString(
        (export_dir / "1" / "saved_model.pb").read_bytes()
    )
    graph = saved.meta_graphs[0].graph_def
    nodes = [
        *graph.node,
        *(node for function in graph.library.function for node in function.node_def),
    ]
    kinds = {node.op for node in nodes}
    assert {"StatelessWhile", "EncodeWav", "EnsureShape", "Assert"} <= kinds
    assert not {
        kind for kind in kinds if kind.startswith(("Xla", "PyFunc", "EagerPy", "IO>"))
    } | kinds & {"DecodeWav", "DecodeRawV1"}
    assert not any(node.attr["_XlaMustCompile"].b for node in nodes)


# --- the folder


def test_the_songs_that_are_written_as_files_are_those_of_the_export(endpoints, loaded):
    some = {"seed": [7, 0], "num_frames": [25, 25], "temperature": [1.0, 1.0]}
    specs = {spec.name: spec.dtype for spec in endpoints.generate.input_signature}
    served = loaded.signatures["generate_audio"](
        **{name: tf.constant(values, specs[name]) for name, values in some.items()}
    )
    for i, song in enumerate(songs.generate_songs(endpoints.singer, some["seed"], 25)):
        np.testing.assert_array_equal(song.decibels, served["spectrogram"][i])
        np.testing.assert_array_equal(song.waveform, served["waveform"][i])


def test_the_export_tells_a_client_what_it_needs_to_know(export_dir, trained):
    metadata = json.loads(
        (export_dir / "1" / "assets.extra" / "neurovocal_tf.json").read_text(encoding="utf-8")
    )
    expected = dict(
        sample_rate_hz=16_000,
        n_fft=128,
        hop_length=64,
        num_bins=65,
        max_frames=MAX_FRAMES,
        default_temperature=1.0,
    )
    expected |= {"epoch": trained.epoch, "training_data": {"num_training_sources": 4}}
    assert {name: metadata[name] for name in expected} == expected
    assert metadata["scale"] == json.loads(trained.scale.to_json())
    assert (
        metadata["config"] == json.loads(trained.config.to_json())
        and metadata["detector"] == metadata["config"]["segmentation"]
    )
    assert (
        metadata["versions"]["tensorflow"] == tf.__version__
        and metadata["status"]["0"] == "nothing is wrong"
    )
    assert [ranges["num_frames"] for ranges in metadata["usual_ranges"]] == [1, 30]
    assert metadata["usual_ranges"][0] == {
        "num_frames": 1,
        "score": [-1.0, 1.0],
        "order_score": [0.0, 1.5],
        "surprise": [-5.0, None],
    }
    told = metadata["usual_calls"]
    assert told["scores"] == ["score", "order_score", "surprise", "duration"]
    assert (told["num_held_out_calls"], told["share_of_usual_calls_called_unusual"]) == (0, 0)


def test_the_batching_parameters_are_what_a_model_server_reads(export_dir):
    text = (export_dir / "1" / "batching_params.pbtxt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    # BatchingParameters itself is in no package: its fields, and their kinds.
    wrapped = [line.split(" { value: ") for line in lines if "{" in line]
    assert {name: int(value.removesuffix(" }")) for name, value in wrapped} == {
        "max_batch_size": 32,
        "batch_timeout_micros": 1_000,
        "max_enqueued_batches": 1_000,
    }
    plain = [line.split(": ") for line in lines if "{" not in line]
    assert [int(value) for name, value in plain if name == "allowed_batch_sizes"] == list(
        export.BATCH_SIZES
    )
    assert (
        plain[-1] == ["pad_variable_length_inputs", "true"]
        and len(plain) == len(export.BATCH_SIZES) + 1
    )


def test_an_export_takes_the_next_number_and_never_replaces_another(
    export_dir, trained, tmp_path, monkeypatch
):
    versions = tmp_path / "versions"
    shutil.copytree(export_dir / "1", versions / "1")
    before = digests(versions / "1")
    assert {
        "saved_model.pb",
        "batching_params.pbtxt",
        "assets.extra/tf_serving_warmup_requests",
    } <= before.keys()
    # Numbers count, not their order as text, and folders of other names are none of ours.
    for name in ("9", "notes"):
        (versions / name).mkdir()
        (versions / name / "kept.txt").write_text("kept")
    monkeypatch.setattr(
        export,
        "_save",
        lambda folder, endpoints: pathlib.Path(folder, "saved_model.pb").write_bytes(b"graph"),
    )
    assert export.export_saved_model(trained, str(versions), MAX_FRAMES) == str(versions / "10")
    assert sorted(os.listdir(versions)) == ["1", "10", "9", "notes"]
    assert digests(versions / "1") == before and os.listdir(versions / "9") == ["kept.txt"]
    assert oct(os.stat(versions / "10").st_mode & 0o777) == "0o755"


def test_an_export_that_fails_leaves_nothing(trained, tmp_path, monkeypatch):
    def full_disk(folder, endpoints):
        pathlib.Path(folder, "saved_model.pb").write_bytes(b"half")
        raise OSError("disk is full")

    monkeypatch.setattr(export, "_save", full_disk)
    with pytest.raises(OSError, match="disk is full"):
        export.export_saved_model(trained, tmp_path / "models")
    assert os.listdir(tmp_path / "models") == []


def test_a_number_that_someone_else_took_meanwhile_is_left_alone(tmp_path, monkeypatch):
    finished = tmp_path / ".export-x"
    finished.mkdir()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("theirs")
    listed = iter([[], ["1"]])  # at the first look the other export is not there yet
    monkeypatch.setattr(export.os, "listdir", lambda _: next(listed))
    assert export._publish(str(finished), str(tmp_path)) == str(tmp_path / "2")
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "theirs"


# --- warm-up


def test_the_warm_up_asks_every_endpoint_at_every_batch_size_and_none_of_it_fails(
    export_dir, loaded, signatures
):
    from tensorflow_serving.apis import prediction_log_pb2

    path = export_dir / "1" / "assets.extra" / "tf_serving_warmup_requests"
    records = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    asked = set()
    for record in records:
        request = record.predict_log.request
        name = request.model_spec.signature_name
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        assert inputs.keys() == signatures[name].inputs.keys()
        (num_rows,) = {value.shape[0] for value in inputs.values()}
        asked.add((name, num_rows))
        if num_rows == 2:
            assert loaded.signatures[name](**inputs)["status"].numpy().tolist() == [0] * num_rows, (
                name
            )
    names = set(signatures) - {"__saved_model_init_op"}
    assert asked == {(name, size) for name in names for size in export.BATCH_SIZES}
    assert len(asked) == len(records) <= 1000  # a model server takes no more


# --- the files for a model server


def test_the_configuration_of_the_model_server_is_what_it_reads(repository):
    from tensorflow_serving.config import model_server_config_pb2

    folder = repository / "export" / "serving"
    config = text_format.Parse(
        (folder / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, dict(model.version_labels)) == (
        "neurovocal",
        "/models/neurovocal",
        {"stable": 1},
    )
    for name in ("compose.yaml", "kubernetes.yaml"):
        text = (folder / name).read_text()
        flags = {
            line.strip("- ").partition("=")[0]
            for line in text.splitlines()
            if line.strip().startswith("- --")
        }
        assert {
            "enable_batching",
            "enable_per_model_batching_parameters",
            "grpc_max_threads",
            "model_config_file",
        } <= flags, name
        for file in ("models.config", "batching.config", "monitoring.config"):
            assert f"/config/{file}" in text and (folder / file).exists()
