"""What a run's units do during calls: read as the model computes it, frame by frame."""

import csv
import json

import numpy as np
import pytest
import simulated_calls
import soundfile
import tensorflow as tf
import tiny_runs

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import discover, features, generated, hidden_report
from neurovocal_tf.evaluation import generated_songs, run_report, unit_readings
from neurovocal_tf.rbm.energy import hidden_logits, visible_mean
from neurovocal_tf.runs.trained import Trained, build_model

RATE = simulated_calls.SAMPLE_RATE


@pytest.fixture(scope="module")
def trained():
    model = build_model(tiny_runs.CONFIG)
    model.standardisation.set(-40.0, 10.0)
    # As large as learned ones, so that units differ.
    model.conditional_rbm.W.assign(30 * model.conditional_rbm.W)
    return Trained(model, tiny_runs.CONFIG, FrameScale(), RATE, 1)


@pytest.fixture(scope="module")
def units(trained):
    found, paths, _ = simulated_calls.discovered()
    return unit_readings.units_of(trained, found, paths, Config().audio)


def test_a_call_is_the_mean_of_its_frames_after_those_before_them(trained, units):
    found, paths, _ = simulated_calls.discovered()
    assert units.calls.tolist() == list(range(len(found.bouts.types)))
    first = int(found.bouts.starts[1])
    name = found.names[found.bouts.recordings[first]]
    samples, _ = soundfile.read(paths[name], dtype="float32")
    settings = trained.config.spectrogram
    begin = max(found.bouts.onsets_s[first] - 0.5 - settings.n_fft / RATE, 0)
    begin = int(np.floor(begin * RATE))
    power = spectrogram.power_spectrogram(samples[begin:], RATE, settings)
    frames = spectrogram.to_model_frames(power, trained.scale)[tf.newaxis, :400]
    model = trained.model
    hidden = tf.sigmoid(hidden_logits(model(frames), model.standardisation(frames)))[0].numpy()
    middles = (begin + settings.n_fft / 2 + settings.hop_length * np.arange(400)) / RATE
    own = (middles >= found.bouts.onsets_s[first]) & (middles < found.bouts.offsets_s[first])
    np.testing.assert_allclose(units.readings.means[first], hidden[own].mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(units.readings.peaks[first], hidden[own].max(axis=0), atol=1e-4)


def test_a_filter_is_what_a_unit_adds_to_the_mean_frame_in_decibels(trained, units):
    model, size = trained.model, trained.model.conditional_rbm.num_hidden
    rbm = model.conditional_rbm.machine(tf.zeros([1, model.encoder.output_size]))
    off, on = (
        model.standardisation.inverse(visible_mean(rbm, h[tf.newaxis]))
        for h in (tf.zeros(size), tf.one_hot(3, size))
    )
    np.testing.assert_allclose(units.filters_db[:, 3], np.asarray(on - off)[0], atol=1e-3)
    assert units.frequencies_hz[-1] == RATE / 2


def test_the_table_has_a_row_for_each_unit_and_the_page_those_that_tell_most(tmp_path, units):
    found, paths, _ = simulated_calls.discovered()
    assert hidden_report.write(str(tmp_path), found, units) == []
    with open(tmp_path / hidden_report.TABLE, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(units.hidden.bits) + len(units.embedding.bits)
    assert float(rows[0]["mean_A"]) == pytest.approx(units.hidden.means[0, 0], rel=1e-4)
    part = hidden_report.part(found, units, paths, Config().audio)
    json.dumps(part, allow_nan=False)
    bits = [unit["bits"] for unit in part["units"]]
    assert bits == sorted(bits, reverse=True) and bits[0] == round(units.hidden.bits.max(), 3)
    assert all(len(unit["frames"]) == 4 for unit in part["units"])
    assert len(part["map"]["means"][0]) == len(found.type_names)


def test_a_run_s_parts_are_its_songs_and_its_units(tmp_path, trained, units, monkeypatch):
    found, paths, _ = simulated_calls.discovered()
    told = {
        "seconds": 1.0,
        "note": None,
        "compared": generated.compare(found, found),
        "examples": {"real": [], "generated": []},
    }
    monkeypatch.setattr(generated_songs, "beside", lambda *_: told)
    monkeypatch.setattr(unit_readings, "units_of", lambda *_: units)
    asked = discover.Asked(Config(), features.PRESETS["songbird"])
    for _ in range(2):
        parts, lines, kept = run_report.parts(trained, found, paths, {}, asked, str(tmp_path))
        assert set(parts) == {"generated", "hidden"} and kept == []
        assert lines[0].startswith("6 generated songs with") and "hidden units tell" in lines[1]
    with open(tmp_path / generated.FILE_NAME, encoding="utf-8") as file:
        assert json.load(file)["compared"]["types"] == [*found.type_names, "unfamiliar"]
    # What people have changed stays, and is named.
    with open(tmp_path / hidden_report.TABLE, "a", encoding="utf-8") as file:
        file.write("mine,0\n")
    *_, kept = run_report.parts(trained, found, paths, {}, asked, str(tmp_path))
    assert kept == [hidden_report.TABLE]


def test_recordings_that_are_gone_are_not_read(trained):
    found, paths, _ = simulated_calls.discovered()
    gone = dict.fromkeys(paths, "/nowhere/song.wav")
    assert unit_readings.units_of(trained, found, gone, Config().audio) is None
