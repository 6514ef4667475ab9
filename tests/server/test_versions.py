"""The local model server's versions and limits,
with models that do nothing but wait until a test lets them go on.
"""

import concurrent.futures
import os
import socket
import threading
import time
import weakref

import grpc
import pytest
import tensorflow as tf
from running_server import ask, running
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from neurovocal_tf.server.limits import Limits
from neurovocal_tf.server.refusals import Refusal
from neurovocal_tf.server.versions import State, Versions

PREDICT = "/v1/models/m:predict"
BATCHING = """max_batch_size { value: 8 }
batch_timeout_micros { value: 300000 }
max_enqueued_batches { value: 9 }
"""


def publish(folder, number, batching=""):
    """A version whose answers tell its number and how many rows were computed together, once there
    is a file of the first row's name.
    """

    class Gate(tf.Module):
        def __init__(self):
            self.number = tf.Variable(number)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="gate")])
        def wait(self, gate):
            def is_closed(i):
                # With the turn in it, so that no optimiser looks but once.
                path = tf.strings.regex_replace(
                    tf.strings.join([gate[0], "#", tf.strings.as_string(i)]), "#.*", ""
                )
                return (tf.strings.length(path) > 0) & (tf.size(tf.io.matching_files(path)) == 0)

            (turns,) = tf.while_loop(is_closed, lambda i: [i + 1], [0])
            told = {"version": self.number, "rows": tf.shape(gate)[0], "turns": turns}
            return {name: tf.fill(tf.shape(gate), value) for name, value in told.items()}

    gate = Gate()
    tf.saved_model.save(gate, str(folder / "unfinished"), {"serving_default": gate.wait})
    if batching:
        (folder / "unfinished" / "batching_params.pbtxt").write_text(batching)
    os.rename(folder / "unfinished", folder / str(number))


def rows(*gates):
    return {"inputs": {"gate": [str(gate) for gate in gates]}}


AT_ONCE = rows("")


@pytest.fixture
def folder(tmp_path):
    publish(tmp_path, 1)
    return tmp_path


@pytest.fixture
def versions(folder):
    versions = Versions(folder)
    versions.refresh()
    yield versions
    versions.close()


def until(holds, timeout_s=30.0):
    """Waits for a condition; fails when it does not come."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def version_of(answer):
    status, content = answer
    assert status == 200, content
    return content["outputs"]["version"][0]


# --- versions


def test_a_new_version_takes_over_and_the_old_one_goes_when_its_last_request_is_answered(
    folder, versions, tmp_path
):
    with running(versions, "m") as ports, concurrent.futures.ThreadPoolExecutor() as callers:
        versions.watch(0.05)
        (tmp_path / "next").mkdir()
        publish(tmp_path / "next", 2)
        slow = callers.submit(ask, ports.rest, "POST", PREDICT, rows(tmp_path / "gate"))
        until(lambda: versions._num_leases.get(1))
        publish(folder, 2)
        until(lambda: versions.statuses.get(2) and versions.statuses[2].state == State.AVAILABLE)
        assert version_of(ask(ports.rest, "POST", PREDICT, AT_ONCE)) == 2
        until(lambda: versions.statuses[1].state == State.UNLOADING)
        assert not slow.done()
        (tmp_path / "gate").touch()
        assert version_of(slow.result()) == 1
        until(lambda: versions.statuses[1].state == State.END)
        assert ask(ports.rest, "POST", "/v1/models/m/versions/1:predict", AT_ONCE)[0] == 404
        told = ask(ports.rest, "GET", "/v1/models/m")[1]["model_version_status"]
        assert [(version["version"], version["state"]) for version in told] == [
            ("2", "AVAILABLE"),
            ("1", "END"),
        ]


def test_requests_that_keep_the_old_version_busy_keep_no_new_one_from_loading(
    folder, versions, tmp_path
):
    # More than a pool of TensorFlow's has threads by default.
    num_busy = os.cpu_count() + 1
    (tmp_path / "next").mkdir()
    publish(tmp_path / "next", 2)
    with (
        running(versions, "m", limits=Limits(rest_timeout_s=60.0)) as ports,
        concurrent.futures.ThreadPoolExecutor(num_busy) as callers,
    ):
        busy = [
            callers.submit(ask, ports.rest, "POST", PREDICT, rows(tmp_path / "gate"))
            for _ in range(num_busy)
        ]
        try:
            until(lambda: versions._num_leases[1] == num_busy)
            versions.watch(0.05)
            os.rename(tmp_path / "next" / "2", folder / "2")
            until(lambda: 2 in versions.statuses and versions.statuses[2].state == State.AVAILABLE)
            assert version_of(ask(ports.rest, "POST", PREDICT, AT_ONCE)) == 2
        finally:
            (tmp_path / "gate").touch()
        assert [version_of(call.result()) for call in busy] == [1] * num_busy


def test_an_unloaded_version_leaves_nothing_behind(folder, versions):
    with versions.lease("m") as (_, loaded):
        graph = weakref.ref(loaded._session.graph)
    del loaded
    publish(folder, 2)
    assert graph() is not None
    versions.refresh()
    assert graph() is None


def test_no_request_fails_while_versions_change(folder, versions):
    found, is_over = [], threading.Event()

    def keep_asking(port):
        while not is_over.is_set():
            found.append(version_of(ask(port, "POST", PREDICT, AT_ONCE)))

    with running(versions, "m") as ports, concurrent.futures.ThreadPoolExecutor() as callers:
        asking = [callers.submit(keep_asking, ports.rest) for _ in range(3)]
        for number in (2, 3):
            publish(folder, number)
            versions.refresh()
            num_answers = len(found)
            until(lambda: len(found) > num_answers + 6)  # noqa: B023
        is_over.set()
        for caller in asking:
            caller.result()
    assert set(found) == {1, 2, 3} and found[-1] == 3


def test_a_version_that_does_not_load_leaves_the_old_one_and_is_tried_again_when_it_has_changed(
    folder, versions
):
    (folder / "2").mkdir()
    versions.refresh()
    assert list(versions.statuses) == [1]  # without a graph it is not there yet
    (folder / "2" / "saved_model.pb").write_bytes(b"half a graph")
    versions.refresh()
    broken = versions.statuses[2]
    assert (broken.state, versions.statuses[1].state) == (
        State.END,
        State.AVAILABLE,
    ) and "must hold a SavedModel" in broken.error
    with versions.lease("m") as (number, _):
        assert number == 1
    publish(folder, 3)
    os.rename(folder / "2", folder / "two")
    os.rename(folder / "3", folder / "2")
    versions.refresh()
    with versions.lease("m") as (number, _):
        assert number == 2


def test_a_server_starts_with_the_newest_versions_that_load(folder):
    for number in (2, 3):
        publish(folder, number)
    for number in (4, 5):
        (folder / str(number)).mkdir()
        (folder / str(number) / "saved_model.pb").write_bytes(b"half a graph")
    versions = Versions(folder, num_versions=2)
    versions.refresh()
    states = {number: status.state for number, status in versions.statuses.items()}
    assert states == {
        5: State.END,
        4: State.END,
        3: State.AVAILABLE,
        2: State.AVAILABLE,
    }
    versions.close()


def break_link(folder):
    folder.symlink_to("/nowhere/at/all")


def break_graph_link(folder):
    folder.mkdir()
    (folder / "saved_model.pb").symlink_to("/nowhere/at/all")


def no_graph(folder):
    folder.mkdir()
    (folder / "variables").mkdir()


def no_folder(folder):
    folder.write_text("3")


def broken_weights(folder):
    (folder.parent / "next").mkdir()
    publish(folder.parent / "next", 2)
    os.rename(folder.parent / "next" / "2", folder)
    (data,) = (folder / "variables").glob("*.data*")
    os.truncate(data, 3)


def no_weights(folder):
    broken_weights(folder)
    (folder / "variables" / "variables.index").unlink()


def broken_batching(folder):
    broken_weights(folder)
    (folder / "batching_params.pbtxt").write_text("allowed_batch_sizes: 3")


@pytest.mark.parametrize(
    "broken, words",
    [
        (break_link, "is a link to /nowhere/at/all, where there is nothing"),
        (break_graph_link, "saved_model.pb is a link to /nowhere/at/all, where there is nothing"),
        (no_graph, "has no saved_model.pb: it is no export, or is still being copied"),
        (no_folder, "is no folder"),
        (broken_weights, "the weights in variables/ cannot be read: "),
        (no_weights, "the weights in variables/ cannot be read: "),
        (broken_batching, "batching_params.pbtxt cannot be used: "),
    ],
)
def test_the_status_says_in_words_what_is_wrong_and_a_whole_version_is_served(
    broken, words, folder
):
    broken(folder / "2")
    # Such as a file of an editor beside: no part of the model.
    (folder / "1" / "lock").symlink_to("/nowhere/at/all")
    versions = Versions(folder)
    versions.refresh()
    with running(versions, "m") as ports:
        assert version_of(ask(ports.rest, "POST", PREDICT, AT_ONCE)) == 1
        told, fine = ask(ports.rest, "GET", "/v1/models/m")[1]["model_version_status"]
    assert (told["version"], told["state"], fine["state"]) == ("2", "END", "AVAILABLE")
    message = told["status"]["error_message"]
    assert words in message and "export the model again" in message
    assert "\n" not in message and "version 2: " in versions.faults()
    os.rename(folder / "2", folder / "away")
    versions.refresh()
    assert list(versions.statuses) == [1] and versions.faults() == ""
    versions.close()


@pytest.mark.parametrize("cut", [0, 3])
def test_a_failing_warm_up_keeps_a_version_from_being_served(cut, folder, versions):
    publish(folder, 2)
    extra = folder / "2" / "assets.extra"
    extra.mkdir()
    path = extra / "tf_serving_warmup_requests"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"no message")
    os.truncate(path, path.stat().st_size - cut)
    versions.refresh()
    assert versions.statuses[2].state == State.END and versions.statuses[1].state == State.AVAILABLE


def test_labels_and_the_version_before_are_served_where_they_are_wanted(folder):
    publish(folder, 2)
    publish(folder, 3)
    versions = Versions(folder, num_versions=2, labels={"stable": 2, "gone": 1})
    versions.refresh()
    with running(versions, "m") as ports:
        for path, number in (("m", 3), ("m/labels/stable", 2), ("m/versions/2", 2)):
            assert (
                version_of(ask(ports.rest, "POST", f"/v1/models/{path}:predict", AT_ONCE)) == number
            )
        assert ask(ports.rest, "POST", "/v1/models/m/labels/gone:predict", AT_ONCE)[0] == 404
        assert ask(ports.rest, "POST", "/v1/models/m/versions/1:predict", AT_ONCE)[0] == 404
    versions.close()


def test_a_folder_that_is_emptied_leaves_what_is_served(folder, versions):
    os.rename(folder / "1", folder / "away")
    versions.refresh()
    assert versions.statuses[1].state == State.AVAILABLE
    os.rename(folder / "away", folder / "7")
    versions.refresh()
    assert {number: status.state for number, status in versions.statuses.items()} == {
        7: State.AVAILABLE,
        1: State.END,
    }


def test_a_folder_without_versions_serves_none(tmp_path):
    versions = Versions(tmp_path)
    versions.refresh()
    with (
        pytest.raises(Refusal, match=r"Servable not found for request: Latest\(m\)"),
        versions.lease("m"),
    ):
        pass
    versions.close()


# --- batching


def test_callers_at_once_are_computed_together_and_a_request_that_does_not_fit_spoils_no_batch(
    tmp_path,
):
    publish(tmp_path, 1, BATCHING)
    versions = Versions(tmp_path)
    versions.refresh()
    with running(versions, "m") as ports, concurrent.futures.ThreadPoolExecutor(8) as callers:
        bodies = [AT_ONCE] * 7 + [{"inputs": {"gate": [["", ""]]}}]
        answers = list(callers.map(lambda body: ask(ports.rest, "POST", PREDICT, body), bodies))
        assert [status for status, _ in answers] == [200] * 7 + [400]
        assert max(content["outputs"]["rows"][0] for _, content in answers[:7]) > 1
        status, content = ask(ports.rest, "POST", PREDICT, rows(*[""] * 9))
        assert (status, content["error"]) == (
            400,
            "Task size 9 is larger than maximum input batch size 8",
        )
    versions.close()


# --- limits


def grpc_request(gate=""):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["gate"].CopyFrom(tf.make_tensor_proto([str(gate)]))
    return request


def test_requests_beyond_the_number_that_is_taken_are_refused_at_once(versions, tmp_path):
    with (
        running(versions, "m", limits=Limits(max_requests=2)) as ports,
        concurrent.futures.ThreadPoolExecutor() as callers,
    ):
        slow = [
            callers.submit(ask, ports.rest, "POST", PREDICT, rows(tmp_path / "gate"))
            for _ in range(2)
        ]
        until(lambda: versions._num_leases[1] == 2)
        status, content = ask(ports.rest, "POST", PREDICT, AT_ONCE)
        assert (status, content["error"]) == (429, "There are 2 requests already.")
        with (
            grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel,
            pytest.raises(grpc.RpcError) as refused,
        ):
            prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(
                grpc_request(), timeout=60
            )
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        (tmp_path / "gate").touch()
        assert [version_of(call.result()) for call in slow] == [1, 1]
        assert version_of(ask(ports.rest, "POST", PREDICT, AT_ONCE)) == 1


def test_who_waits_too_long_or_leaves_gives_the_place_back(versions, tmp_path):
    with running(versions, "m", limits=Limits(max_requests=3, rest_timeout_s=0.5)) as ports:
        late = ask(ports.rest, "POST", PREDICT, rows(tmp_path / "gate"))
        assert late == (504, {"error": "Timed out waiting for the answer"})
        with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError) as too_late:
                stub.Predict(grpc_request(tmp_path / "gate"), timeout=0.5)
            assert too_late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            left = stub.Predict.future(grpc_request(tmp_path / "gate"))
            until(lambda: versions._num_leases[1] == 3)
            left.cancel()
        # TensorFlow goes on for all three, and then there is room again.
        assert ask(ports.rest, "POST", PREDICT, AT_ONCE)[0] == 429
        (tmp_path / "gate").touch()
        until(lambda: ask(ports.rest, "POST", PREDICT, AT_ONCE)[0] == 200)


def test_a_request_or_an_answer_that_is_too_large_is_refused(versions):
    with running(
        versions, "m", limits=Limits(max_request_bytes=1_000, max_response_bytes=1_000)
    ) as ports:
        status, content = ask(ports.rest, "POST", PREDICT, rows(*[""] * 1_000))
        assert (status, content["error"]) == (413, "The request has more than 1000 bytes")
        assert ask(ports.rest, "POST", PREDICT, rows(*[""] * 100))[0] == 429
        request = grpc_request()
        request.inputs["gate"].CopyFrom(tf.make_tensor_proto([""] * 120))
        with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError) as refused:
                stub.Predict(request, timeout=60)
            assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "The answer has about 1440 bytes, more than 1000" in refused.value.details()
            request.output_filter.append("rows")
            assert len(stub.Predict(request, timeout=60).outputs) == 1
        assert ask(ports.rest, "POST", PREDICT, AT_ONCE)[0] == 200


def test_a_connection_that_dawdles_is_closed(versions):
    limits = Limits(idle_timeout_s=0.4, body_timeout_s=0.3)
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n".encode()
    with running(versions, "m", limits=limits) as ports:
        for sent, expected in ((b"", b""), (b"POST /v1/mod", b""), (head + b"{", b"HTTP/1.1 408 ")):
            with socket.create_connection(("127.0.0.1", ports.rest), timeout=20) as connection:
                # A byte now and then does not help.
                connection.sendall(sent)
                began, received = time.monotonic(), b""
                connection.settimeout(0.1)
                while time.monotonic() - began < 20:
                    try:
                        if not (chunk := connection.recv(10_000)):
                            break
                        received += chunk
                    except TimeoutError:
                        if sent:
                            connection.sendall(b"x")
                    except ConnectionError:
                        break
                assert received[: len(expected)] == expected and bool(received) == bool(expected)
                assert 0.2 < time.monotonic() - began < 10


# --- the page


def test_the_page_is_one_file_and_nothing_beside_it(versions, tmp_path):
    (tmp_path / "page").mkdir()
    page = tmp_path / "page" / "index.html"
    page.write_text("<title>bird</title>")
    (tmp_path / "page" / "secret.txt").write_text("secret")
    with running(versions, "m", str(page)) as ports:
        assert ask(ports.rest, "GET", "/") == (200, b"<title>bird</title>")
        assert ask(ports.rest, "POST", "/")[0] == 405
        for path in ("/secret.txt", "/index.html", "/page/secret.txt", "/./secret.txt"):
            assert ask(ports.rest, "GET", path)[0] == 404
