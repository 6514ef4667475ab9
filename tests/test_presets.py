"""The flag files as they are, against what people marked."""

import numpy as np
import pytest
import words_under_noise

from neurovocal_tf import detector_search, segment_folder, truth
from neurovocal_tf.agreement import agreement
from neurovocal_tf.audio import segmentation
from neurovocal_tf.config import Config


@pytest.fixture
def preset(repository, settings_of):
    """Detector settings of a flag file by its name."""
    return lambda name: settings_of(repository / "tools" / "flagfiles" / f"{name}.flags").segmentation


@pytest.mark.parametrize(("folder_name", "name", "least"), [("bengalese_finch_gy6or6", "songbird", 0.95), ("mouse_usv", "mouse_usv", 0.93)])
def test_a_preset_untuned_agrees_with_what_people_marked(shared_recordings, preset, folder_name, name, least):
    paths = segment_folder.recordings_by_name(str(shared_recordings / folder_name))
    true, _ = truth.segments_by_file(shared_recordings / folder_name / "annotations.csv", paths)
    found = truth.examples(paths, true, Config())
    pooled = detector_search.pooled_agreement(found, type("Settings", (), {"segmentation": preset(name)}), 0.01)
    assert pooled.scores()["segment_f1"] >= least


@pytest.mark.parametrize(
    ("range_db", "signal_to_noise_db", "least"),
    [(20.0, 20.0, 0.95), (20.0, 10.0, 0.9), (30.0, 20.0, 0.9), (30.0, 10.0, 0.75), (None, 20.0, 0.7), (None, 10.0, 0.55)],
)
def test_words_strung_together_under_noise_are_found(shared_recordings, preset, range_db, signal_to_noise_db, least):
    recordings = words_under_noise.read(shared_recordings / "spoken_digits")[::2]
    scores = words_under_noise.agreement_with(preset("speech"), recordings, range_db, signal_to_noise_db, seed=0).scores()
    assert scores["onset_f1"] >= least


def test_pulses_of_a_few_milliseconds_are_found_by_the_preset_for_bats(preset, rng):
    rate, true = 250_000, [(0.02 + 0.04 * i, 0.02 + 0.04 * i + 0.003 + 0.0005 * (i % 5)) for i in range(12)]
    samples = 1e-3 * rng.standard_normal(rate // 2)
    for onset, offset in true:
        time = np.arange(round((offset - onset) * rate)) / rate
        first = round(onset * rate)
        samples[first : first + len(time)] += 4e-3 * np.sin(2 * np.pi * (80e3 * time - 40e3 * time**2 / (2 * (offset - onset))))
    onsets, offsets, _ = segmentation.detect(samples, rate, preset("bat"))
    assert agreement(np.stack([onsets, offsets], axis=1) / rate, true, 0.002).scores()["segment_f1"] == 1.0
