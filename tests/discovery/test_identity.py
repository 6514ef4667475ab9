"""Who sings: told apart in held-out recordings, beside what chance and the background do."""

import csv
import dataclasses
import json

import numpy as np
import pytest
import simulated_birds
from scipy.special import log_softmax, softmax

from neurovocal_tf.config import Config
from neurovocal_tf.discovery import (
    cross_validation,
    features,
    identity,
    identity_report,
    silences,
    singers,
    telling_apart,
    written,
)
from neurovocal_tf.discovery.cross_validation import Labelled
from neurovocal_tf.discovery.identity import Heard
from neurovocal_tf.discovery.telling_apart import Calibration

SIZE = 8


def heard(rng, centres, calls_of_each=12, spread=1.0):
    """Calls about a centre for each recording, in songs of four."""
    centres = np.repeat(np.asarray(centres, float), calls_of_each, axis=0)
    recordings = np.repeat(np.arange(len(centres) // calls_of_each), calls_of_each)
    points = centres + spread * rng.standard_normal(centres.shape)
    return Heard(points.astype(np.float32), recordings, np.arange(len(centres)) // 4)


def identified(calls, owners, known=None, background=None):
    names = [f"r{number}.wav" for number in range(len(owners))]
    known = range(len(owners)) if known is None else known
    given = {names[number]: owners[number] for number in known}
    return identity.identify(names, calls, given, background)


def voices(rng, owners):
    """A centre for each recording: its individual's."""
    of = {owner: 2.5 * rng.standard_normal(SIZE) for owner in sorted(set(owners))}
    return [of[owner] for owner in owners]


def test_simulated_birds_are_told_apart_and_new_recordings_answered():
    found, _, birds, _ = simulated_birds.discovered()
    told = found.identity
    units = told.figures["units"]
    assert units["call"]["accuracy"] >= 0.9 and units["song"]["accuracy"] == 1.0
    assert told.figures["by_chance"]["p_value"] <= 0.05
    new = [answer for answer in told.answers if not answer.given]
    assert len(new) == 3
    assert [answer.answer for answer in new] == [birds[answer.recording] for answer in new]
    assert all(answer.probability > 0.8 and answer.familiar > 0.5 for answer in new)
    # All three sing over one kind of noise.
    assert told.figures["background"]["recording"]["accuracy"] < 0.8
    assert not [line for line in told.caveats if "Rig" in line]


def test_a_rig_that_hums_is_said_to_betray_the_individual(tmp_path, rng):
    paths, spans_s, birds = simulated_birds.write(tmp_path, count=6, duration_s=2.0, hum_hz=2500)
    names = sorted(paths)
    recordings = np.repeat(np.arange(len(names)), [len(spans_s[name]) for name in names])
    spans = np.concatenate([spans_s[name] for name in names])
    noise = rng.standard_normal((len(spans), SIZE)).astype(np.float32)
    audio = dataclasses.replace(Config().audio, sample_rate=simulated_birds.RATE)
    calls, recipe = Heard(noise, recordings, recordings), features.PRESETS["songbird"]
    told = singers.identify(paths, names, calls, spans, birds, recipe, audio)
    confusion = np.array(told.figures["background"]["recording"]["confusion"])
    assert confusion[0].tolist() == [6, 0, 0] and confusion[1:, 0].sum() == 0
    assert [line for line in told.caveats if "Rig, room or day may give individuals away" in line]
    # Calls that are noise tell nothing.
    assert told.figures["by_chance"]["p_value"] > 0.05


def test_silences_are_what_lies_apart_from_calls(tmp_path):
    paths, spans_s, _ = simulated_birds.write(tmp_path, count=1, duration_s=3.0, hum_hz=2000)
    audio = dataclasses.replace(Config().audio, sample_rate=simulated_birds.RATE)
    recipe = features.PRESETS["songbird"]
    levels = silences.measure(paths["ada_song_0.wav"], spans_s["ada_song_0.wav"], recipe, audio)
    hz = recipe.bins(simulated_birds.RATE) * simulated_birds.RATE
    hz = hz / recipe.n_fft(simulated_birds.RATE)
    # The hum is the loudest of all, which it is not within a call.
    assert len(levels) >= 5 and np.all(np.abs(hz[levels.argmax(axis=1)] - 2000) <= 125)
    nothing = silences.measure(paths["ada_song_0.wav"], np.array([[0.0, 3.0]]), recipe, audio)
    assert nothing.shape == (0, levels.shape[1])


def test_calls_of_one_recording_are_never_on_both_sides(rng):
    # Each recording has a background of its own and no voice at all: what has heard other calls
    # of a recording names all of it rightly.
    calls = heard(rng, 10 * rng.standard_normal((12, SIZE)))
    owners = np.arange(12) % 2
    labelled = Labelled(calls.points, owners[calls.recordings], 2, calls.recordings, calls.songs)
    held = cross_validation.hold_out(labelled, seed=0)
    assert np.mean(held.nearest == labelled.individuals) < 0.8
    assert held.distances.min() > 5
    assert {len(set(held.folds[calls.recordings == number])) for number in range(12)} == {1}


def test_a_calibration_finds_how_sharp_and_how_alike_calls_are(rng):
    scores = rng.standard_normal((4000, 3))
    truth = np.array([rng.choice(3, p=p) for p in softmax(2 * scores, axis=1)])
    found = telling_apart.calibrate(scores, truth, [np.arange(4000)])
    # The information of a call about the logarithm of the sharpness is some 0.5: 4000 of them tell
    # it to 1 / sqrt(2000), and this is four times that.
    assert np.log(found.sharpness / 2) == pytest.approx(0, abs=0.09)
    fours = np.repeat(np.arange(4000), 4)
    copied = telling_apart.calibrate(scores[fours], truth[fours], [fours])
    assert copied.correlation > 0.9
    np.testing.assert_allclose(
        Calibration(2.0, 1.0).log_probabilities(scores[fours], fours),
        log_softmax(2 * scores, axis=1),
    )
    np.testing.assert_allclose(
        Calibration(2.0, 0.0).log_probabilities(scores[fours], fours),
        log_softmax(8 * scores, axis=1),
    )


def test_what_is_judged_is_what_is_counted():
    told = np.log([[0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.75, 0.25]])
    of = np.array([0, 0, 0, 1])
    found = cross_validation.judged(told, of, np.arange(4), seed=0)
    assert found["confusion"] == [[2, 1], [1, 0]] and found["accuracy"] == 0.5
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 0) / 2, abs=1e-4)
    assert found["majority"] == 0.75 and found["accuracy_low"] is None
    # .8 alone; .7 and .75 together; .6 alone.
    assert found["bins"] == [[0.6, 0.0, 1], [0.725, 0.5, 2], [0.8, 1.0, 1]]
    error = (0.6 + 2 * 0.225 + 0.2) / 4
    assert found["calibration_error"] == pytest.approx(error, abs=1e-4)


def test_all_right_is_not_certain_and_few_recordings_have_no_interval():
    right = np.ones(40, bool)
    recordings = np.repeat(np.arange(8), 5)
    low, high = cross_validation.share_interval(right, recordings, recordings % 2, seed=0)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 8), abs=1e-4), 1.0)
    assert cross_validation.share_interval(right[:20], recordings[:20], right[:20], 0)[0] is None
    right[recordings == 0] = False
    low, high = cross_validation.share_interval(right, recordings, recordings % 2, seed=0)
    assert low < 35 / 40 <= high <= 1.0


def test_a_wrong_label_and_a_stranger_are_pointed_at(rng):
    owners = ["a", "b"] * 6 + ["c"] * 2
    calls = heard(rng, voices(rng, owners))
    said = [*owners[:5], "a", *owners[6:]]
    told = identified(calls, said, known=range(12))
    assert any("speak against: r5.wav (a, by its calls b)" in line for line in told.caveats)
    assert any(line.endswith("in r12.wav, r13.wav") for line in told.caveats)
    assert [a.answer for a in told.answers[:12]] == owners[:12]


def test_an_individual_of_one_recording_is_answered_but_not_validated(rng):
    owners = ["a", "b"] * 4 + ["c", "c"]
    told = identified(heard(rng, voices(rng, owners)), owners, known=range(9))
    assert [one["is_validated"] for one in told.figures["individuals"]] == [True, True, False]
    assert any("c have one labelled recording" in line for line in told.caveats)
    assert told.answers[8].answer == "" and told.answers[9].answer == "c"
    assert np.array(told.figures["units"]["call"]["confusion"])[2].tolist() == [0, 0, 0]


def test_one_recording_of_each_has_answers_without_probabilities(rng):
    owners = ["a", "b", "a", "b"]
    told = identified(heard(rng, voices(rng, owners)), owners, known=range(2))
    assert told.figures["units"] is None and "nothing is known" in told.caveats[0]
    assert [a.answer for a in told.answers] == ["", "", "a", "b"]
    assert all(np.isnan(a.probability) for a in told.answers)
    assert identity_report.summary(told) == [
        "who sings: 2 individuals; 2 recordings without a label are answered, see identity.csv"
    ]


@pytest.mark.parametrize("owners", [["a", "a", "a"], ["", "", ""]])
def test_one_individual_cannot_be_told_apart(rng, owners):
    with pytest.raises(ValueError, match="two individuals at least must be named"):
        identified(heard(rng, np.zeros((3, SIZE))), owners)


def test_calls_that_are_all_alike_are_told_by_chance(rng):
    owners = ["a", "b"] * 4
    calls = heard(rng, np.zeros((8, SIZE)), spread=0.0)
    told = identified(calls, owners)
    assert told.figures["units"]["call"]["accuracy"] <= 0.75
    assert np.isfinite([a.probability for a in told.answers]).all()


def test_what_is_written_reads_back(tmp_path):
    found, paths, _, _ = simulated_birds.discovered()
    durations_s = dict.fromkeys(paths, 5.0)
    page, kept = written.write(str(tmp_path), found, paths, durations_s, Config(), {})
    assert kept == [] and page == str(tmp_path / "report.html")
    with open(tmp_path / "identity.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["answer"]) for row in rows] == [
        (answer.recording, answer.answer) for answer in found.identity.answers
    ]
    told = json.loads((tmp_path / "identity.json").read_text())
    assert told["names"] == ["ada", "bob", "cid"] and told["units"]["call"]["num"] > 50
    assert "who sings: 3 individuals" in "\n".join(written.summary(found))
