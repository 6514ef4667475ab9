"""The endpoints, and the SavedModel that a process with nothing but TensorFlow can sing from."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from neurovocal_tf import serving, songs, trainer
from neurovocal_tf.audio import spectrogram

MAX_FRAMES = 40
SEEDS = [7, 0, 2**62, -1, 7]
NUM_FRAMES = [25, 40, 0, 1, 99]
TEMPERATURES = [1.0, 0.5, 1.0, 2.0, 0.0]

# What a client that has TensorFlow alone does with an export: argv is the version's folder and the file of results.
CLIENT = """
import sys
import numpy as np
import tensorflow as tf

folder, inputs, results = sys.argv[1:]
loaded = tf.saved_model.load(folder)
arrays = {}
for name, signature in loaded.signatures.items():
    rows = {key: tf.constant(value) for key, value in np.load(inputs).items()}
    arrays |= {f"{name}/{key}": value.numpy() for key, value in signature(**rows).items()}
assert not [name for name in sys.modules if name.startswith("neurovocal")]
np.savez(results, **arrays)
"""


@pytest.fixture(scope="module")
def trained(trained_run):
    return trainer.load_trained(trained_run)


@pytest.fixture(scope="module")
def endpoints(trained):
    return serving.Endpoints(trained, MAX_FRAMES)


@pytest.fixture(scope="module")
def export_dir(trained, tmp_path_factory):
    """Folder of versions that holds a first one."""
    folder = tmp_path_factory.mktemp("models") / "bird"
    assert serving.export_saved_model(trained, folder, MAX_FRAMES) == os.path.join(folder, "1")
    return folder


def rows(seeds=SEEDS, num_frames=NUM_FRAMES, temperatures=TEMPERATURES):
    return tf.constant(seeds, tf.int64), tf.constant(num_frames, tf.int32), tf.constant(temperatures, tf.float32)


def digests(folder):
    paths = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


# --- endpoints


def test_rows_have_their_lengths_and_are_silent_after_their_end(endpoints):
    song = {name: value.numpy() for name, value in endpoints.generate(*rows()).items()}
    assert {name: (value.dtype.name, value.shape) for name, value in song.items()} == {
        "spectrogram": ("float32", (5, 40, 65)),
        "lengths": ("int32", (5,)),
        "state": ("float32", (5, endpoints.model.encoder.state_size)),
        "next_frame": ("int64", (5,)),
    }
    assert song["lengths"].tolist() == song["next_frame"].tolist() == [25, 40, 0, 1, 40]  # the last one asked for more than may be
    for row, length in zip(song["spectrogram"], song["lengths"], strict=True):
        assert (row[length:] == -endpoints.scale.dynamic_range_db).all() and np.isfinite(row).all()
        assert not (row[:length] == -endpoints.scale.dynamic_range_db).any()


def test_a_temperature_that_is_none_is_the_default_one(endpoints):
    strange = [0.0, -1.0, np.nan, np.inf, -np.inf]
    found = endpoints.generate(*rows([3] * 6, [10] * 6, [1.0, *strange]))
    for row in found["spectrogram"][1:]:
        np.testing.assert_array_equal(row, found["spectrogram"][0])
    # So small a model's weights hardly matter: its few hidden units take a long song, or several, to differ.
    (default, hotter) = (endpoints.generate(*rows(SEEDS, [MAX_FRAMES] * len(SEEDS), [t] * len(SEEDS))) for t in (0.0, 100.0))
    assert not np.array_equal(hotter["spectrogram"], default["spectrogram"])


def test_a_song_is_the_same_whatever_is_sung_beside_it(endpoints):
    together = endpoints.generate(*rows(range(11), [30] * 11, np.linspace(0.5, 1.5, 11)))
    for i in (0, 6, 10):
        alone = endpoints.generate(*rows([i], [30], np.linspace(0.5, 1.5, 11)[i : i + 1]))
        for name in ("spectrogram", "state"):
            np.testing.assert_array_equal(alone[name][0], together[name][i])


def test_no_frames_and_no_rows_are_no_error(endpoints):
    for generate in (endpoints.generate, endpoints.generate_audio):
        none = generate(*rows([1, 2], [0, -5], [1.0, 1.0]))
        assert none["spectrogram"].shape == (2, 0, 65) and none["lengths"].numpy().tolist() == [0, 0]
        empty = generate(*rows([], [], []))
        assert empty["spectrogram"].shape == (0, 0, 65) and empty["state"].shape == (0, endpoints.model.encoder.state_size)
        if "waveform" in none:
            assert none["waveform"].shape == (2, 0) and none["num_samples"].numpy().tolist() == [0, 0]
            assert empty["waveform"].shape == (0, 0)


def test_sound_has_the_samples_that_its_frames_span_and_then_silence(endpoints):
    song = endpoints.generate_audio(*rows())
    waveform, lengths = song["waveform"].numpy(), song["lengths"].numpy()
    expected = [(length - 1) * 64 + 128 if length else 0 for length in lengths.tolist()]
    assert song["num_samples"].numpy().tolist() == expected and waveform.shape == (5, max(expected))
    assert song["sample_rate"].numpy().tolist() == [16_000] * 5
    for row, num_samples in zip(waveform, expected, strict=True):
        assert not row[num_samples:].any() and np.isfinite(row).all()
        assert row[:num_samples].any() or not num_samples
    np.testing.assert_array_equal(song["spectrogram"], endpoints.generate(*rows())["spectrogram"])


def test_to_go_on_from_the_first_state_is_to_begin(endpoints):
    first = endpoints.model.encoder.initial_state(tf.ones([2], tf.bool))
    song, after = (
        endpoints.generate(*rows([1, 2], [20, 20], [1.0, 1.0])),
        endpoints.generate_after(*rows([1, 2], [20, 20], [1.0, 1.0]), first),
    )
    np.testing.assert_array_equal(song["spectrogram"], after["spectrogram"])


# --- the export


def test_a_process_with_tensorflow_alone_sings_the_same_songs_bit_for_bit(endpoints, export_dir, tmp_path):
    seeds, num_frames, temperatures = rows()
    np.savez(tmp_path / "inputs.npz", seed=seeds, num_frames=num_frames, temperature=temperatures)
    # -I: neither this repository nor PYTHONPATH is looked at.
    command = [sys.executable, "-I", "-c", CLIENT, str(export_dir / "1"), str(tmp_path / "inputs.npz"), str(tmp_path / "results.npz")]
    client = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert client.returncode == 0, client.stderr
    results = dict(np.load(tmp_path / "results.npz"))
    generated, sounding = endpoints.generate(seeds, num_frames, temperatures), endpoints.generate_audio(seeds, num_frames, temperatures)
    expected = {f"{name}/{key}": value for name in ("generate", "serving_default") for key, value in generated.items()}
    expected |= {f"generate_audio/{key}": value for key, value in sounding.items()}
    assert results.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(results[name], value, err_msg=name)
    # And so do the songs that are written as files.
    for song in songs.sing_songs(endpoints, SEEDS[:2], NUM_FRAMES[0]):
        alone = endpoints.generate(*rows([song.seed], [NUM_FRAMES[0]], [1.0]))["spectrogram"][0]
        np.testing.assert_array_equal(song.decibels, alone)
        if song.seed == SEEDS[0]:
            np.testing.assert_array_equal(song.decibels, results["generate/spectrogram"][0, : NUM_FRAMES[0]])


def test_the_export_tells_a_client_what_it_needs_to_know(export_dir, trained):
    metadata = json.loads((export_dir / "1" / "assets.extra" / "neurovocal_tf.json").read_text(encoding="utf-8"))
    expected = dict(sample_rate_hz=16_000, n_fft=128, hop_length=64, num_bins=65, max_frames=MAX_FRAMES, default_temperature=1.0)
    assert {name: metadata[name] for name in expected} == expected
    assert metadata["scale"] == json.loads(trained.scale.to_json())
    assert metadata["versions"]["tensorflow"] == tf.__version__


def test_an_export_takes_the_next_number_and_never_replaces_another(export_dir, trained):
    before = digests(export_dir / "1")
    assert "saved_model.pb" in before
    # Numbers count, not their order as text, and folders of other names are none of ours.
    for name in ("9", "notes"):
        (export_dir / name).mkdir()
        (export_dir / name / "kept.txt").write_text("kept")
    assert serving.export_saved_model(trained, str(export_dir), MAX_FRAMES) == str(export_dir / "10")
    assert sorted(os.listdir(export_dir)) == ["1", "10", "9", "notes"]
    assert digests(export_dir / "1") == before and os.listdir(export_dir / "9") == ["kept.txt"]
    assert oct(os.stat(export_dir / "10").st_mode & 0o777) == "0o755"


def test_an_export_that_fails_leaves_nothing(trained, tmp_path, monkeypatch):
    class FullDisk:
        def track(self, model): ...

        def add_endpoint(self, name, function): ...

        def write_out(self, folder, verbose):
            pathlib.Path(folder, "saved_model.pb").write_bytes(b"half")
            raise OSError("disk is full")

    monkeypatch.setattr(serving.keras.export, "ExportArchive", FullDisk)
    with pytest.raises(OSError, match="disk is full"):
        serving.export_saved_model(trained, tmp_path / "models")
    assert os.listdir(tmp_path / "models") == []


def test_a_number_that_someone_else_took_meanwhile_is_left_alone(tmp_path, monkeypatch):
    finished = tmp_path / ".export-x"
    finished.mkdir()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("theirs")
    listed = iter([[], ["1"]])  # at the first look the other export is not there yet
    monkeypatch.setattr(serving.os, "listdir", lambda _: next(listed))
    assert serving._publish(str(finished), str(tmp_path)) == str(tmp_path / "2")
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "theirs"


# --- priming


def test_priming_is_encoding_the_recording(endpoints, simulated_recordings):
    samples, rate = soundfile.read(simulated_recordings / "simulated_000.wav")
    power = spectrogram.power_spectrogram(samples, rate, endpoints.config.spectrogram)[:60]
    frames = spectrogram.to_model_frames(power, endpoints.scale)[tf.newaxis]
    # Frame by frame, as a song advances its state.
    encoder, state = endpoints.model.encoder, endpoints.model.encoder.initial_state(tf.ones([1], tf.bool))
    standardised = endpoints.model.standardisation(frames)
    for t in range(60):
        state = encoder.step(standardised[:, t], state)
    # 60 steps of float32 with values up to 10.
    np.testing.assert_allclose(endpoints.prime(power), state, atol=60 * 10 * 2.0**-23)
