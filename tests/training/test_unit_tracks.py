"""A run that learns units of its own recordings, and says what it has heard in another voice."""

import os
import shutil
import types

import numpy as np
import pytest
import simulated_voice
import soundfile
import tiny_runs
from command_modules import functions_of

from neurovocal_tf import flags as setting_flags
from neurovocal_tf.api.loading import load_model
from neurovocal_tf.data.survey import survey, survey_held_out
from neurovocal_tf.discovery import phone_units
from neurovocal_tf.generation import singer
from neurovocal_tf.runs import recording_units, trained
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.training import starting, trainer
from neurovocal_tf.training.unit_tracks import with_units

RATE = simulated_voice.SAMPLE_RATE
CONFIG = tiny_runs.CONFIG.replace(
    labels="units:3",
    condition_from="name_part:2",
    sequence="recording",
    batch_size=64,
    epochs_per_rate=(1, 1),
)


def said(hz, vowels):
    rng = np.random.default_rng(0)
    return np.concatenate([simulated_voice.say(np.full(1600, hz), v, rng) for v in vowels])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    (folder / "data").mkdir()
    for voice, hz in {"ada": 210.0, "bob": 110.0}.items():
        for vowels in ("ai", "ia", "aia"):
            soundfile.write(folder / "data" / f"{vowels}_{voice}.wav", said(hz, vowels), RATE)
    with tiny_runs.quick_training():
        trainer.train(CONFIG, folder / "data", folder / "run", pictures=False)
    return folder / "run"


def test_tracks_are_the_units_of_each_recording_and_are_kept_with_the_run(run):
    data, units = RunFolder(run).data(), phone_units.load(run / phone_units.FILE_NAME)
    assert set(data.labels.known) <= set(units.names) and units.voices == ("ada", "bob")
    for source in data.training + data.validation:
        times = np.array([span[:2] for span in source.track])
        # Without a gap, by whole frames of 64 samples, the first of which begins after 32.
        np.testing.assert_allclose(times[1:, 0], times[:-1, 1])
        frames = (times * RATE - 32) / 64
        np.testing.assert_allclose(frames, frames.round(), atol=1e-6)


def test_held_out_recordings_that_are_named_anew_have_the_units_that_they_had(run, tmp_path):
    data = RunFolder(run).data()
    named = tmp_path / "held_out.txt"
    named.write_text("".join(f"{os.path.basename(s.path)}\n" for s in data.validation))
    training = data.parts_in(CONFIG).training
    others, _, _ = survey_held_out(run.parent / "data", str(named), CONFIG, training)
    units = phone_units.load(run / phone_units.FILE_NAME)
    found = recording_units.with_units(others, recording_units.measured(others), units)
    assert [s.track for s in found.sources] == [s.track for s in data.validation]


def test_a_run_that_starts_from_another_one_has_its_units_and_knows_further_voices(run, tmp_path):
    (tmp_path / "data").mkdir()
    for voice, hz in {"bob": 110.0, "cat": 300.0}.items():
        soundfile.write(tmp_path / "data" / f"a_{voice}.wav", said(hz, "aa"), RATE)
    start, config = starting.read(str(run)), CONFIG.replace(labels="units", validation="temporal")
    found = survey(tmp_path / "data", config)
    told = with_units(found, config, RunFolder(tmp_path), start)
    kept, units = start.units, phone_units.load(tmp_path / phone_units.FILE_NAME)
    np.testing.assert_array_equal(units.centres, kept.centres)
    assert kept.voices == ("ada", "bob") and units.voices == ("ada", "bob", "cat")
    np.testing.assert_array_equal(units.maps[:2], kept.maps)
    # A vowel alone is not all that may be said.
    assert told.training.labels.known == start.model.labels.known
    for changes, message in (
        ({"labels": "units:4"}, "`labels` must be units, or units:3, since `start_from` has so"),
        ({"sample_rate": 4000}, "`sample_rate` must be 8000, that of `start_from`, where"),
    ):
        other = config.replace(**changes)
        with pytest.raises(ValueError, match=message):
            with_units(survey(tmp_path / "data", other), other, RunFolder(tmp_path), start)
    shutil.copy(run / "model.keras", tmp_path / "alone.keras")
    (tmp_path / phone_units.FILE_NAME).unlink()
    alone = starting.read(str(tmp_path / "alone.keras"))
    with pytest.raises(ValueError, match="`start_from` must have its units beside it, phone_units"):
        with_units(found, config, RunFolder(tmp_path), alone)


@pytest.fixture(scope="module")
def model(run):
    return load_model(run)


def test_what_one_voice_has_said_is_said_by_another(model, tmp_path):
    source = said(160.0, "ai")
    bob = model.convert(source, RATE, to="bob", keep="energy")
    assert bob.decibels.shape == ((len(source) - 64) // 64, 65)
    soundfile.write(tmp_path / "ai.wav", source, RATE, subtype="FLOAT")
    same = model.convert(tmp_path / "ai.wav", to={"name_part": "bob"}, keep="energy")
    np.testing.assert_array_equal(bob.waveform, same.waveform)
    with pytest.raises(
        ValueError, match="one of name_part that the model has heard: unknown, ada, bob"
    ):
        model.convert(source, RATE, to="eve")
    with pytest.raises(ValueError, match="`rate` must be 8000, that of the model"):
        model.convert(source, 16_000, to="bob")
    copy = model.save(tmp_path / "copy")
    assert phone_units.load(os.path.join(copy, phone_units.FILE_NAME)).voices == ("ada", "bob")


def command(**given):
    """`neurovocal convert` with these flags, in this process."""
    main = functions_of("convert")["main"]
    for name in ("annotations", "format", "data_dir", "input", "workdir", "to", "out"):
        holder = types.SimpleNamespace(name=name, value=given.get(name))
        main.__globals__[f"_{name.upper()}"] = holder
    for name, default in {"keep": "", "seed": 0, "temperature": 1.0, "overwrite": False}.items():
        holder = types.SimpleNamespace(name=name, value=given.get(name, default))
        main.__globals__[f"_{name.upper()}"] = holder
    return main([])


def test_the_command_writes_the_sound_and_says_what_it_did(
    run, model, tmp_path, capsys, monkeypatch
):
    # Its graphs are those of the test before.
    monkeypatch.setattr(singer, "Singer", lambda *arguments: model._singer)
    monkeypatch.setattr(trained, "load_trained", lambda workdir, configured: model)
    # No flags are read here.
    monkeypatch.setattr(setting_flags, "leave_out", lambda *names: None)
    soundfile.write(tmp_path / "ai.wav", np.repeat(said(160.0, "ai"), 2), 2 * RATE)
    out = tmp_path / "said" / "ada.wav"
    given = {"input": tmp_path / "ai.wav", "workdir": run, "to": ["ada:0.5,bob:0.5"], "out": out}
    given = {name: os.fspath(v) if name != "to" else v for name, v in given.items()}
    command(**given)
    told = capsys.readouterr()
    assert "ai.wav is resampled from 16000 to 8000 Hz" in told.err
    assert f"{out}: 0.4" in told.out and "units" in told.out
    samples, rate = soundfile.read(out)
    assert rate == RATE and len(samples) == pytest.approx(3200, abs=64)
    with pytest.raises(ValueError, match="`out` must not be there already, unless --overwrite"):
        command(**given)
    with pytest.raises(ValueError, match="`out` must be a WAV file, such as said.wav"):
        command(**given | {"out": os.fspath(tmp_path / "said")})
