"""A second look, learned from what people have marked: which are calls, and where they end."""

import dataclasses
import json

import numpy as np
import pytest
import soundfile

from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import folder, refinement, tuning
from neurovocal_tf.segmentation.tuning import Example

RATE = 16_000
CONFIG = Config().replace(min_group_segments=2)
# People have marked every call so much later than the detector does.
LATE_S = 0.012


def recording(seed, num_sounds=14):
    """Tones, which are calls, and bursts of noise, which are none; each up to 70 ms long."""
    rng = np.random.default_rng(seed)
    samples = 1e-4 * rng.standard_normal(RATE * num_sounds // 2 + RATE)
    calls = []
    for place in range(num_sounds):
        onset = 0.5 + 0.5 * place + rng.uniform(0, 0.2)
        num = round(rng.uniform(0.04, 0.07) * RATE)
        first = round(onset * RATE)
        if rng.random() < 0.5:
            pitch = rng.uniform(1500, 5000)
            samples[first : first + num] += 0.2 * np.sin(2 * np.pi * pitch * np.arange(num) / RATE)
            calls.append((onset + LATE_S, onset + num / RATE + LATE_S))
        else:
            samples[first : first + num] += 0.1 * rng.standard_normal(num)
    return Example(samples.astype(np.float32), RATE, np.array(calls).reshape(-1, 2))


@pytest.fixture(scope="module")
def learned():
    return refinement.learn([recording(seed) for seed in range(6)], CONFIG)


def test_on_other_recordings_calls_stay_noises_go_and_boundaries_are_where_people_put_them(learned):
    others = [recording(seed) for seed in range(10, 14)]
    before = tuning.pooled_agreement(others, CONFIG, 0.005).scores()
    after = refinement.pooled_agreement(others, CONFIG, learned, 0.005).scores()
    assert before["segment_f1"] < 0.1 and after["segment_f1"] > 0.95
    assert abs(after["onset_error_ms"]) < 1.5 and abs(after["offset_error_ms"]) < 1.5


def test_a_refinement_is_the_same_from_its_file(learned, tmp_path):
    refinement.write(tmp_path / "refinement.json", learned)
    again = refinement.read(tmp_path / "refinement.json")
    for field in dataclasses.fields(learned):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(learned, field.name))


@pytest.mark.parametrize(
    "change",
    [
        lambda values: [],
        lambda values: {**values, "mean": values["mean"][:-1]},
        lambda values: {**values, "call": [*values["call"][:-1], "x"]},
        lambda values: {**values, "scale": [*values["scale"][:-1], float("nan")]},
        lambda values: {name: value for name, value in values.items() if name != "settings"},
    ],
)
def test_a_file_that_is_no_refinement_is_refused_in_words(change, learned, tmp_path):
    path = tmp_path / "refinement.json"
    path.write_text(json.dumps(change(json.loads(learned.to_json()))))
    with pytest.raises(
        ValueError, match="`refine` must be a file that `neurovocal segment --learn`"
    ):
        refinement.read(path)


def test_a_file_that_cannot_be_read_is_told_by_its_flag(tmp_path):
    for place in (tmp_path, tmp_path / "gone.json"):
        with pytest.raises(ValueError, match=rf"`refine` must be .*\. Received: refine={place}$"):
            refinement.read(place)


def test_other_settings_of_the_detector_are_refused_but_not_those_of_groups(learned):
    learned.check(CONFIG.replace(min_group_segments=5, buffer_ms=1.0))
    with pytest.raises(ValueError, match="`threshold` must be 7.0, with which the refinement was"):
        learned.check(CONFIG.replace(threshold=8.0))
    with pytest.raises(ValueError, match="`n_fft` must be 256"):
        learned.check(CONFIG.replace(n_fft=512))


def test_there_is_something_to_learn_only_where_some_is_marked_and_some_is_not():
    example = recording(0)
    nothing = dataclasses.replace(example, segments=np.zeros((0, 2)))
    with pytest.raises(ValueError, match="`truth` must mark some .* Received: 0 of 14 sounds"):
        refinement.learn([nothing], CONFIG)


def test_a_folder_is_segmented_with_it_and_remembers_which_it_was(learned, tmp_path):
    example = recording(20)
    (tmp_path / "data").mkdir()
    soundfile.write(tmp_path / "data" / "a.wav", example.samples, RATE, subtype="FLOAT")
    arguments = tmp_path / "data", tmp_path / "out", CONFIG
    run = folder.SegmentedFolder(*arguments, refinement=learned)
    run.run(1, lambda num_bytes: None)
    found = run.segments("a.wav")
    assert len(found) == len(example.segments)
    np.testing.assert_allclose(found, example.segments, atol=0.005)
    unlike = [reason for *_, reason in run.dropped("a.wav") if reason == "unlike a call"]
    assert run.figures()["num_unlike_a_call"] == len(unlike) == 14 - len(found)
    again = folder.SegmentedFolder(*arguments, refinement=learned)
    assert again.num_resumed == 1
    other = dataclasses.replace(learned, call=learned.call + 1)
    for refined in (None, other):
        with pytest.raises(ValueError, match="`refine` must be what .* was begun with"):
            folder.SegmentedFolder(*arguments, refinement=refined)
