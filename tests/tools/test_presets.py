"""The flag files as they are, against what people marked."""

import numpy as np
import pytest
import scipy.ndimage
import words_under_noise

from neurovocal_tf.config import Config
from neurovocal_tf.data import simulated_bats, simulated_song
from neurovocal_tf.segmentation import detector, folder, truth, tuning
from neurovocal_tf.segmentation.agreement import agreement


@pytest.fixture
def preset(repository, settings_of):
    """Detector settings of a flag file by its name."""
    return lambda name: (
        settings_of(repository / "tools" / "flagfiles" / f"{name}.flags").segmentation
    )


@pytest.mark.parametrize(
    ("folder_name", "name", "least"),
    [
        ("bengalese_finch_gy6or6", "songbird", 0.985),
        ("bengalese_finch_bl26lb16", "songbird", 0.90),
        ("zebra_finch_R402", "songbird", 0.93),
        ("mouse_usv", "mouse_usv", 0.98),
        ("mouse_usv_noisy", "mouse_usv", 0.65),
    ],
)
def test_a_preset_untuned_agrees_with_what_people_marked(
    shared_recordings, preset, folder_name, name, least
):
    paths = folder.recordings_by_name(str(shared_recordings / folder_name))
    true, _ = truth.segments_by_file(shared_recordings / folder_name / "annotations.csv", paths)
    found = truth.examples(paths, true, Config())
    pooled = tuning.pooled_agreement(
        found, type("Settings", (), {"segmentation": preset(name)}), 0.01
    )
    assert pooled.scores()["segment_f1"] >= least


def test_bats_with_echoes_are_found_by_the_preset_for_bats(preset):
    hits = []
    for seed in range(3):
        samples, calls = simulated_bats.simulate_pulses(seed, 2.0)
        onsets, offsets, _ = detector.detect(samples, simulated_bats.SAMPLE_RATE, preset("bat"))
        segments = np.stack([onsets, offsets], axis=1) / simulated_bats.SAMPLE_RATE
        true = [(call.onset_s, call.offset_s) for call in calls]
        hits.append(agreement(segments, true, 0.005).scores()["segment_f1"])
    assert np.mean(hits) >= 0.93


@pytest.mark.parametrize(
    ("range_db", "signal_to_noise_db", "least"),
    [
        (20.0, 20.0, 0.95),
        (20.0, 10.0, 0.9),
        (30.0, 20.0, 0.9),
        (30.0, 10.0, 0.75),
        (None, 20.0, 0.7),
        (None, 10.0, 0.55),
    ],
)
def test_words_strung_together_under_noise_are_found(
    shared_recordings, preset, range_db, signal_to_noise_db, least
):
    recordings = words_under_noise.read(shared_recordings / "spoken_digits")[::2]
    scores = words_under_noise.agreement_with(
        preset("speech"), recordings, range_db, signal_to_noise_db, seed=0
    ).scores()
    assert scores["onset_f1"] >= least


def hum(num_samples, rate):
    time_s = np.arange(num_samples) / rate
    return sum(0.2 / k * np.sin(2 * np.pi * 50 * k * time_s) for k in range(1, 10))


# What rooms, microphones and recorders do to the same song.
HARDSHIPS = {
    "as it is": lambda song, rate, rng: song,
    "noise 20 dB below": lambda song, rate, rng: song + 0.01 * rng.standard_normal(len(song)),
    "recorded 50 dB lower in 16 bit": lambda song, rate, rng: (
        np.round(song * 0.003 * 32768) / 32768
    ),
    "clipped": lambda song, rate, rng: np.clip(8 * song, -1, 1),
    "offset": lambda song, rate, rng: song / 2 + 0.3,
    "mains hum louder than the song": lambda song, rate, rng: song + hum(len(song), rate),
    "a click a second": lambda song, rate, rng: song + 0.5 * (np.arange(len(song)) % rate == 0),
    "a minute of the same noise after it": lambda song, rate, rng: np.append(
        song, 8e-4 * rng.standard_normal(60 * rate)
    ),
    "nine times as long in zeros": lambda song, rate, rng: np.concatenate(
        [np.zeros(len(song)), song, np.zeros(8 * len(song))]
    ),
    "zeros wherever nothing is loud": lambda song, rate, rng: np.where(
        scipy.ndimage.maximum_filter1d(np.abs(song), rate // 500) > 0.01, song, 0
    ),
}


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("hardship", HARDSHIPS)
def test_a_bird_that_nobody_tuned_for_is_found_by_the_preset_for_songbirds(
    preset, hardship, rate, rng
):
    song, truth = simulated_song.simulate_song(5, 6.0, rate)
    samples = HARDSHIPS[hardship](song.astype(np.float64), rate, rng)
    moved_s = len(song) / rate if hardship.startswith("nine") else 0.0
    true = [(call.onset_s + moved_s, call.offset_s + moved_s) for call in truth]
    onsets, offsets, _ = detector.detect(samples.astype(np.float32), rate, preset("songbird"))
    scores = agreement(np.stack([onsets, offsets], axis=1) / rate, true, 0.01).scores()
    assert len(true) > 20 and scores["segment_f1"] >= 0.95


def test_pulses_of_a_few_milliseconds_are_found_by_the_preset_for_bats(preset, rng):
    rate, true = (
        250_000,
        [(0.02 + 0.04 * i, 0.02 + 0.04 * i + 0.003 + 0.0005 * (i % 5)) for i in range(12)],
    )
    samples = 1e-3 * rng.standard_normal(rate // 2)
    for onset, offset in true:
        time = np.arange(round((offset - onset) * rate)) / rate
        first = round(onset * rate)
        samples[first : first + len(time)] += 4e-3 * np.sin(
            2 * np.pi * (80e3 * time - 40e3 * time**2 / (2 * (offset - onset)))
        )
    onsets, offsets, _ = detector.detect(samples, rate, preset("bat"))
    assert (
        agreement(np.stack([onsets, offsets], axis=1) / rate, true, 0.002).scores()["segment_f1"]
        == 1.0
    )
