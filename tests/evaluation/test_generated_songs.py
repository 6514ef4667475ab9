"""A run's songs in the report: segmented and typed as the recordings were."""

import dataclasses
import json
import types

import numpy as np
import pytest
import simulated_calls

from neurovocal_tf.audio.spectrogram import OwnUnit
from neurovocal_tf.config import AudioConfig, Config
from neurovocal_tf.data import simulated_song
from neurovocal_tf.discovery import discover, features, generated_report
from neurovocal_tf.evaluation import generated_songs
from neurovocal_tf.generation.songs import Song

DURATIONS_S = {f"song_{number}.wav": 10.0 for number in range(6)}


@pytest.fixture
def sings(monkeypatch):
    """Lets a run sing what a function of (seed, samples) gives."""

    def use(waveform):
        def generate(singer, seeds, num_frames):
            seconds = num_frames * Config().spectrogram.hop_length / simulated_calls.SAMPLE_RATE
            for seed in seeds:
                yield Song(seed, None, waveform(seed, round(seconds, 2)))

        monkeypatch.setattr(generated_songs, "Singer", lambda trained, max_frames: None)
        monkeypatch.setattr(generated_songs.songs, "generate_songs", generate)

    return use


def trained(sample_rate=simulated_calls.SAMPLE_RATE, is_sound=True):
    scale = types.SimpleNamespace(is_sound=True) if is_sound else OwnUnit()
    return types.SimpleNamespace(config=Config(), scale=scale, sample_rate=sample_rate)


def beside(run, **changes):
    found, paths, _ = simulated_calls.discovered()
    asked = discover.Asked(Config(**changes), features.PRESETS["songbird"])
    return generated_songs.beside(run, found, paths, DURATIONS_S, asked)


def test_the_bird_s_own_songs_are_as_its_recordings_are(sings):
    rate = simulated_calls.SAMPLE_RATE
    sings(lambda seed, seconds: simulated_song.simulate_song((9, seed), seconds, rate)[0])
    heard = []
    found, paths, _ = simulated_calls.discovered(by_detector=True)
    # Songs are what they are, whatever the recordings are read as.
    asked = discover.Asked(Config(audio=AudioConfig(float_scale=2.0)), features.PRESETS["songbird"])
    told = generated_songs.beside(
        trained(), found, paths, DURATIONS_S, asked, on_song=lambda: heard.append(1)
    )
    assert told["note"] is None and len(heard) == 3 and told["seconds"] == 30.0
    rows = {row["measure"]: row for row in told["compared"]["measures"]}
    assert rows["transitions_bits"]["generated"] < 0.5 * rows["transitions_bits"]["shuffled"]
    assert rows["share_unfamiliar"]["generated"] < 0.1
    for kind in ("real", "generated"):
        for example in told["examples"][kind]:
            assert example["calls"] and example["calls"][0][0] == pytest.approx(0.0, abs=0.002)
            assert example["seconds"] == pytest.approx(3.0, abs=0.01)
    json.dumps(told, allow_nan=False)


def test_songs_without_a_call_are_said_to_have_none(sings):
    sings(lambda seed, seconds: np.zeros(round(seconds * simulated_calls.SAMPLE_RATE), np.float32))
    told = beside(trained())
    assert told["compared"] is None and told["note"].startswith("No call was found")


def test_songs_of_another_rate_are_measured_at_the_recordings_with_a_note(sings):
    sings(lambda seed, seconds: simulated_song.simulate_song((9, seed), seconds, 24_000)[0])
    told = beside(trained(sample_rate=24_000))
    assert "24,000 Hz, and measured at 16,000 Hz" in told["note"]
    assert told["compared"]["num_calls"][1] > 20


def test_a_run_of_frame_sequences_is_refused_in_a_line():
    with pytest.raises(ValueError, match="`workdir` must be a run that has learned recordings"):
        beside(trained(is_sound=False))


def test_what_is_like_no_type_is_marked_in_examples():
    found, paths, _ = simulated_calls.discovered()
    strange = dataclasses.replace(found, is_familiar=np.zeros_like(found.is_familiar))
    for one, is_marked in ((found, False), (strange, True)):
        (example, *_) = generated_report.examples(one, paths, Config().audio)
        marked = np.array([call[2] for call in example["calls"]]) == len(found.type_names)
        assert np.mean(marked == is_marked) > 0.9
