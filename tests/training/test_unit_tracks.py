"""A run that learns units of its own recordings, and says what it has heard in another voice."""

import os
import types

import numpy as np
import pytest
import simulated_voice
import soundfile
import tiny_runs
from command_modules import functions_of

from neurovocal_tf import flags as setting_flags
from neurovocal_tf.api.loading import load_model
from neurovocal_tf.discovery import phone_units
from neurovocal_tf.generation import singer
from neurovocal_tf.runs import trained
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.training import trainer

RATE = simulated_voice.SAMPLE_RATE


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
    config = tiny_runs.CONFIG.replace(
        labels="units:3",
        condition_from="name_part:2",
        sequence="recording",
        batch_size=64,
        epochs_per_rate=(1, 1),
    )
    with tiny_runs.quick_training():
        trainer.train(config, folder / "data", folder / "run", pictures=False)
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
    with pytest.raises(ValueError, match="a name_part that the model has heard: unknown, ada, bob"):
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
    monkeypatch.setattr(trained, "load_trained", lambda workdir: model)
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
