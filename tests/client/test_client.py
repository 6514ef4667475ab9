"""The client: the same answers by REST and gRPC, songs of any length,
and a plain word for whatever goes wrong.
"""

import contextlib
import http.server
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import wave

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf import Client
from neurovocal_tf.audio import wav
from neurovocal_tf.client import streaming, transports

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The export takes no more than 40 frames at once.
NUM_FRAMES = 90


@pytest.fixture(scope="module", params=["http", "grpc"])
def server(request, model_server):
    """Where the server is, in the client's words."""
    return (
        f"{request.param}://127.0.0.1:"
        f"{model_server.rest if request.param == 'http' else model_server.grpc}"
    )


@pytest.fixture
def client(server):
    with Client(server, "bird") as client:
        yield client


@pytest.fixture(scope="module")
def recording():
    rng = np.random.default_rng(4)
    samples = np.concatenate([np.zeros(300), rng.uniform(-0.5, 0.5, 900), np.zeros(300)]).astype(
        np.float32
    )
    return wav.encode(samples, 16_000).numpy()


def row(endpoint, **inputs):
    """The endpoint's own answer to one row."""
    specs = {spec.name: spec.dtype for spec in endpoint.input_signature}
    return {
        name: value[0].numpy()
        for name, value in endpoint(
            *(tf.constant([inputs[name]], specs[name]) for name in specs)
        ).items()
    }


def run_client(*arguments, **options):
    command = [sys.executable, str(ROOT / "export" / "client.py"), *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )


# --- answers


def test_songs_are_those_of_the_endpoints(client, endpoints):
    expected = row(endpoints.generate, seed=2**62, num_frames=30, temperature=0.7)
    song = client.generate(2**62, 20, 0.7)
    rest = client.generate_continue(2**62, 10, song.next_frame, song.state, 0.7)
    np.testing.assert_array_equal(
        np.concatenate([song.spectrogram, rest.spectrogram]), expected["spectrogram"]
    )
    np.testing.assert_array_equal(rest.state, expected["state"])
    assert rest.next_frame == 30
    sounding = client.generate_audio(2**62, 30, 0.7)
    waveform = row(endpoints.generate_audio, seed=2**62, num_frames=30, temperature=0.7)
    np.testing.assert_array_equal(sounding["waveform"], waveform["waveform"])
    assert sounding["wav_bytes"] == waveform["wav_bytes"] and sounding["sample_rate"] == 16_000
    sound = client.synthesise(song.spectrogram, sounding["waveform"][:700])
    known = row(
        endpoints.synthesise,
        spectrogram=song.spectrogram,
        lengths=20,
        known=sounding["waveform"][:700],
        num_known=700,
    )
    np.testing.assert_array_equal(sound.samples, known["waveform"])


def test_recordings_and_spectrograms_are_judged_as_the_endpoints_judge_them(
    client, endpoints, recording
):
    song = client.generate(1, 12)
    lengths = {"lengths": 12, "spectrogram": song.spectrogram}
    for found, expected in (
        (client.encode(song.spectrogram), row(endpoints.encode, **lengths)),
        (client.score(song.spectrogram), row(endpoints.score, **lengths)),
        (client.encode_audio(recording), row(endpoints.encode_audio, audio_bytes=recording)),
        (client.score_audio(recording), row(endpoints.score_audio, audio_bytes=recording)),
    ):
        assert found.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])
    segments, expected = (
        client.segment_audio(recording),
        row(endpoints.segment_audio, audio_bytes=recording),
    )
    np.testing.assert_array_equal(segments["onsets"], expected["onsets"])
    assert len(segments["offsets"]) == expected["num_segments"] > 0
    detected = client.score_calls_audio(recording)
    given = client.score_calls_audio(recording, segments["onsets"], segments["offsets"])
    for found in (detected, given):
        expected = row(
            endpoints.score_calls_audio,
            audio_bytes=recording,
            onsets=[0],
            offsets=[0],
            num_calls=-1,
        )
        for name in ("onsets", "offsets", "score", "order_score", "surprise", "duration", "p"):
            np.testing.assert_array_equal(found[name], expected[name])
        assert len(found["fired"]) == len(segments["onsets"]) and set(found["fired"]) <= {""}
    with pytest.raises(ValueError, match="`onsets` and `offsets` must be given together"):
        client.score_calls_audio(recording, onsets=[3])
    silence = client.segment_audio(wav.encode(np.zeros(900, np.float32), 16_000).numpy())
    assert len(silence["onsets"]) == 0
    np.testing.assert_array_equal(
        client.prime(recording).state, row(endpoints.encode_audio, audio_bytes=recording)["state"]
    )
    assert client.status() == {1: "AVAILABLE"}


def test_a_stream_is_one_song_whatever_its_blocks_and_its_sound_is_made_of_all_of_it(
    client, endpoints
):
    first = endpoints.generate(tf.constant([5], tf.int64), tf.constant([40]), tf.constant([1.0]))
    for block_frames in (7, 60):
        blocks = list(client.stream(5, NUM_FRAMES, 1.0, block_frames=block_frames))
        frames = np.concatenate([block.song.spectrogram for block in blocks])
        np.testing.assert_array_equal(frames[:40], first["spectrogram"][0])
        assert len(frames) == NUM_FRAMES == blocks[-1].song.next_frame
        assert sum(len(block.sound.samples) for block in blocks) == (NUM_FRAMES - 1) * 64 + 128
        assert {(block.sound.sample_rate, block.sound.hop_length) for block in blocks} == {
            (16_000, 64)
        }
    silent = list(client.stream(5, NUM_FRAMES, 1.0, with_sound=False))
    np.testing.assert_array_equal(
        np.concatenate([block.song.spectrogram for block in silent]), frames
    )
    assert {block.sound for block in silent} == {None}
    halfway = next(
        block.song for block in client.stream(5, None, 1.0, block_frames=8, with_sound=False)
    )
    (rest,) = client.stream(5, 8, 1.0, start=halfway, with_sound=False)
    np.testing.assert_array_equal(rest.song.spectrogram, frames[8:16])


# --- what goes wrong


def test_a_row_that_cannot_be_answered_is_an_error_that_says_why(client, recording):
    with pytest.raises(
        ValueError, match="score_audio: the server could not answer: not a WAV file"
    ):
        client.score_audio(b"nothing")
    with pytest.raises(ValueError, match="another sample rate than the model's"):
        client.segment_audio(wav.encode(np.ones(900, np.float32), 8_000).numpy())
    with pytest.raises(ValueError, match="`spectrogram` must have frames"):
        client.encode(np.zeros((0, 65)))


def test_the_servers_own_words_are_passed_on(server, client):
    with (
        Client(server, "cat") as stranger,
        pytest.raises(transports.Refused, match="Servable not found for request: Latest"),
    ):
        stranger.generate(1, 2)
    with (
        Client(server, "bird", version=9) as stranger,
        pytest.raises(transports.Refused, match="9"),
    ):
        stranger.generate(1, 2)
    with pytest.raises(transports.Refused, match="width|shape"):
        client.encode(np.zeros((3, 64)))


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_server_that_is_not_there_or_does_not_answer_is_an_error_of_the_system(kind):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        with (
            Client(f"{kind}://127.0.0.1:{port}", "bird", timeout_s=10) as client,
            pytest.raises(ConnectionError, match=str(port)),
        ):
            client.generate(1, 2)
        silent.listen()
        with (
            Client(f"{kind}://127.0.0.1:{port}", "bird", timeout_s=0.2) as client,
            pytest.raises(OSError, match=str(port)),
        ):
            client.generate(1, 2)


@contextlib.contextmanager
def web_server(answer):
    """A web server that closes every connection after its answer, unannounced.  -> port"""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_connection_that_was_closed_meanwhile_is_made_anew_and_no_model_server_is_told_from_one():
    status = json.dumps({"model_version_status": [{"version": "3", "state": "AVAILABLE"}]}).encode()
    with web_server(status) as port, Client(f"http://127.0.0.1:{port}", "bird") as client:
        assert [client.status() for _ in range(3)] == [{3: "AVAILABLE"}] * 3
    with (
        web_server(b"<html>") as port,
        Client(f"http://127.0.0.1:{port}", "bird") as client,
        pytest.raises(transports.Refused) as refusal,
    ):
        client.status()
    assert "is no model server" in str(refusal.value)


@pytest.mark.parametrize(
    "server",
    ["localhost:8501", "ftp://localhost", "http://", "http://localhost:x", "grpc://localhost/v1"],
)
def test_an_address_that_is_none_is_refused(server):
    with pytest.raises(
        ValueError, match="`server` must be http://HOST:PORT or grpc://HOST:PORT. Received: server="
    ):
        Client(server)


# --- the command


def test_a_song_is_written_as_a_file_and_streamed_to_standard_output_the_same(
    model_server, tmp_path
):
    where = [
        f"--server=http://127.0.0.1:{model_server.rest}",
        "--model=bird",
        "--seed=5",
        f"--num_frames={NUM_FRAMES}",
    ]
    written = run_client(
        *where, f"--out={tmp_path / 'song.wav'}", f"--json={tmp_path / 'figures.json'}"
    )
    assert written.returncode == 0, written.stderr
    with wave.open(str(tmp_path / "song.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        samples = file.readframes(file.getnframes())
    assert file.getnframes() == (NUM_FRAMES - 1) * 64 + 128
    assert sorted(os.listdir(tmp_path)) == ["figures.json", "song.wav"]
    with Client(where[0].removeprefix("--server="), "bird") as client:
        expected = [
            streaming.to_pcm(block.sound.samples)[0] for block in client.stream(5, NUM_FRAMES, 1.0)
        ]
    assert b"".join(expected) == samples
    told = written.stderr.decode()
    assert told.count("x real time") == len(expected) and "first_block_ms" in told
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["num_blocks"] == len(expected) and figures["song_s"] == len(samples) / 2 / 16_000
    streamed = run_client(*where, "--out=-")
    # A header that leaves the length open, and then the same.
    assert streamed.stdout[:4] == b"RIFF" and streamed.stdout[44:] == samples
    assert run_client(*where, "--out=-", "--format=pcm").stdout == samples
    # As many seconds of a song without end, to the sample.
    begun = run_client(*where[:-1], "--seconds=0.04", "--out=-", "--format=pcm")
    assert begun.stdout == samples[: 2 * 640]


def test_over_rest_it_never_imports_tensorflow(model_server, tmp_path):
    code = (
        "import sys; from neurovocal_tf import Client; [*Client(sys.argv[1], 'bird').stream(1, "
        "5)]; sys.exit('tensorflow' in sys.modules)"
    )
    where = f"http://127.0.0.1:{model_server.rest}"
    assert subprocess.run([sys.executable, "-c", code, where], cwd=ROOT, timeout=60).returncode == 0


def test_a_mistake_is_told_in_one_line_and_leaves_no_file(model_server, tmp_path):
    where = f"--server=http://127.0.0.1:{model_server.rest}"
    for arguments, message in (
        (
            [where, "--model=cat", f"--out={tmp_path / 'a.wav'}"],
            "error: the server refused (404): Servable not found for request",
        ),
        (
            [where, "--model=bird", f"--out={tmp_path / 'none' / 'a.wav'}"],
            "error: `out` must be a file in a folder that exists",
        ),
    ):
        failed = run_client(*arguments)
        assert (
            failed.returncode == 1
            and failed.stderr.decode().startswith(message)
            and failed.stderr.count(b"\n") == 1
        )
    assert os.listdir(tmp_path) == []


def test_a_wrong_address_is_told_in_one_line_with_what_to_do(model_server, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    rest, grpc = f"127.0.0.1:{model_server.rest}", f"127.0.0.1:{model_server.grpc}"
    for server, message in (
        (f"http://{grpc}", f"does not speak HTTP. Is it the port for gRPC?{{}} grpc://{grpc}"),
        (f"grpc://{rest}", f"does not speak gRPC, but HTTP. {{}} http://{rest}"),
        (f"http://127.0.0.1:{free}", "nothing listens there. Start a server"),
        (f"grpc://127.0.0.1:{free}", "nothing listens there. Start a server"),
        ("http://nobody.invalid", "cannot be reached: is it the server's address?"),
        ("grpc://nobody.invalid", "cannot be reached: is it the server's address?"),
    ):
        with (
            Client(server, "bird", timeout_s=20) as client,
            pytest.raises(ConnectionError) as refused,
        ):
            client.status()
        told = str(refused.value)
        assert told.startswith(server) and told.isprintable(), told
        assert all(part in told for part in message.split("{}")), told
    failed = run_client(f"--server=http://{grpc}", f"--out={tmp_path / 'a.wav'}")
    assert failed.returncode == 1 and failed.stderr.count(b"\n") == 1, failed.stderr
    assert b"error: http://" in failed.stderr and os.listdir(tmp_path) == []


def test_a_reader_that_has_heard_enough_ends_the_song_quietly(model_server):
    command = [
        sys.executable,
        str(ROOT / "export" / "client.py"),
        f"--server=http://127.0.0.1:{model_server.rest}",
        "--model=bird",
    ]
    endless = subprocess.Popen(
        [*command, "--num_frames=0", "--out=-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert len(endless.stdout.read(20_000)) == 20_000
    endless.stdout.close()
    told = endless.stderr.read().decode()
    assert endless.wait(60) == 0 and "Traceback" not in told and "error" not in told


def test_a_recording_is_told_of(model_server, recording, tmp_path):
    (tmp_path / "call.wav").write_bytes(recording)
    found = run_client(
        f"--server=http://127.0.0.1:{model_server.rest}",
        "--model=bird",
        f"--recording={tmp_path / 'call.wav'}",
    )
    told = json.loads(found.stdout)
    assert 0 <= told["segments_s"][0][0] < told["segments_s"][0][1] <= 1500 / 16_000
    assert isinstance(told["is_unusual"], bool) and np.isfinite(told["surprise"])


class Conditioned:
    """Stands in for the connection to a model with two conditions."""

    def __init__(self):
        self.asked = []

    def input_sizes(self, signature):
        self.asked.append("sizes")
        return {"seed": (), "condition": (2,), "condition_number": (2,)}

    def predict(self, signature, inputs):
        self.asked.append(inputs.get("condition"))
        if signature == "generate" and "condition" not in inputs:
            raise transports.Refused(400, "Missing named input")
        return {
            "spectrogram": np.ones((1, 2, 3)),
            "lengths": np.array([2]),
            "state": np.zeros((1, 1)),
            "next_frame": np.array([2]),
            "status": np.array([0]),
        }


def test_a_client_says_its_conditions_where_they_are_taken(monkeypatch):
    server = Conditioned()
    monkeypatch.setattr(transports, "connect", lambda *_: server)
    client = Client()
    song = client.generate(1, 2)
    # Refused once, it asks, and says from then on that there is none.
    client.generate(1, 2)
    assert [x if isinstance(x, str) else x is not None for x in server.asked] == [
        False,
        "sizes",
        True,
        True,
    ]
    assert server.asked[-1].tolist() == [[b"", b""]]
    client.condition = {"individual": "a"}
    client.generate(1, 2)
    assert server.asked[-1].tolist() == [[b"individual=a", b""]]
    client.generate_continue(1, 2, song.next_frame, song.state)
    assert server.asked[-1] is None
    client.condition = ["a=b", "c=d", "e=f"]
    with pytest.raises(ValueError, match="must be 2 of NAME=VALUE at most, as many as the model"):
        client.generate(1, 2)
