"""Speech from recordings to tables, on simulated voices whose words are known."""

import csv
import importlib.util

import numpy as np
import pytest
import simulated_speech
import simulated_voice
import soundfile
from simulated_voice import SAMPLE_RATE

from neurovocal_tf import annotations
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import (
    atypical,
    features,
    prosody_report,
    speech,
    speech_tables,
    units,
)

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("parselmouth"), reason="praat-parselmouth is not installed"
)
PITCH = atypical.COLUMNS.index("f0_median_hz")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    out = tmp_path_factory.mktemp("tables")
    said, _, paths, _ = simulated_speech.described()
    durations_s = {name: soundfile.info(path).duration for name, path in paths.items()}
    assert speech_tables.write(str(out), said, paths, durations_s) == []
    return out


def test_each_voice_has_its_pitch_and_the_odd_word_is_found():
    said, *_ = simulated_speech.described()
    for voice, hz in simulated_speech.VOICES.items():
        own = said.values[said.speakers == voice, PITCH]
        assert np.median(own) == pytest.approx(hz, rel=0.05)
    farthest = int(np.nanargmax(said.judged.atypical))
    assert said.names[said.recordings[farthest]] == simulated_speech.ODD
    assert said.judged.reason(farthest) == "long"
    assert prosody_report.reason(said, farthest).startswith("long: length 0.")
    assert "speaker" not in " ".join(said.caveats)


def test_without_speakers_and_words_that_is_said():
    _, found, paths, _ = simulated_speech.described()
    said = speech.describe(found, paths, AudioConfig(), {}, {})
    assert set(said.speakers) == set(said.words) == {""}
    one, two = said.caveats
    assert one.startswith("all utterances are taken as one speaker's") and "no words" in two


def test_a_recording_that_is_gone_is_left_out(tmp_path):
    _, found, paths, _ = simulated_speech.described()
    lacking = paths | {simulated_speech.ODD: str(tmp_path / "nowhere.wav")}
    said = speech.describe(found, lacking, AudioConfig(), {}, {})
    assert len(said.heard) == len(paths) - 1


def test_a_cut_is_where_one_vowel_becomes_another():
    said, *_ = simulated_speech.described()
    errors_s = []
    for number in range(len(said.names)):
        own = said.units.spans_s[said.units.recordings == number]
        onset, offset = said.spans_s[said.recordings == number][0]
        assert own[0, 0] == onset and own[-1, 1] == pytest.approx(offset)
        np.testing.assert_array_equal(own[1:, 0], own[:-1, 1])
        errors_s.append(np.abs(own[1:, 0] - (onset + offset) / 2).min(initial=1.0))
    assert np.median(errors_s) <= 0.005 and np.max(errors_s) <= 0.015


def test_an_even_sound_is_one_piece(tmp_path, rng):
    path = str(tmp_path / "even.wav")
    vowel = simulated_voice.say(simulated_voice.glide(0.6, 150), rng=rng, noise=1e-4)
    soundfile.write(path, np.concatenate([np.zeros(4000), vowel]), SAMPLE_RATE)
    audio = AudioConfig(sample_rate=SAMPLE_RATE)
    recipe = units.cutting_recipe(features.PRESETS["speech"])
    background = features.background_db([path], recipe, audio)
    (alone,) = units.pieces(path, np.array([[0.1, 0.4]]), background, recipe, audio)
    np.testing.assert_allclose(alone, [[0.1, 0.4]])


def test_the_table_has_a_row_for_each_utterance(tables):
    said, *_ = simulated_speech.described()
    with open(tables / "utterances.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(said.heard) and set(rows[0]) == set(speech_tables.UTTERANCE_COLUMNS)
    odd = next(row for row in rows if row["file"] == simulated_speech.ODD)
    assert (odd["speaker"], odd["word"], odd["reason"]) == ("bob", "ai", "long")
    assert float(odd["length_s_z_low"]) < float(odd["length_s_z"]) < float(odd["length_s_z_high"])
    assert int(odd["num_others"]) == 5


def test_praat_reads_the_tiers(tables):
    import parselmouth

    path = tables / "prosody" / simulated_speech.ODD.replace(".wav", ".TextGrid")
    grid = parselmouth.read(str(path))
    praat = parselmouth.praat
    tiers = [praat.call(grid, "Get tier name", n) for n in range(1, 5)]
    assert tiers == ["words", "units", "f0", "score"]
    assert not praat.call(grid, "Is interval tier", 3)
    assert praat.call(grid, "Get label of interval", 1, 2) == "ai"
    assert praat.call(grid, "Get label of interval", 4, 2).endswith(" long")
    assert 80 < float(praat.call(grid, "Get label of point", 3, 5)) < 140
    read = annotations.read(path, tier="words")
    assert [a.label for a in read] == ["ai"]
