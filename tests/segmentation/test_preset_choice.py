"""Which preset fits: told from the recordings themselves."""

import re

import numpy as np
import pytest
import soundfile

from neurovocal_tf.config import AudioConfig
from neurovocal_tf.data import simulated_bats, simulated_song
from neurovocal_tf.segmentation.folder import recordings_by_name
from neurovocal_tf.segmentation.preset_choice import choose, choose_for_folder


@pytest.mark.parametrize(
    ("folder", "preset"),
    [
        ("bengalese_finch_gy6or6", "songbird"),
        ("bengalese_finch_bl26lb16", "songbird"),
        ("zebra_finch_R402", "songbird"),
        ("mouse_usv", "mouse_usv"),
        ("mouse_usv_noisy", "mouse_usv"),
        ("spoken_digits", "speech"),
        ("annotated_speech", "speech"),
    ],
)
def test_each_recording_alone_and_the_folder_have_their_preset(shared_recordings, folder, preset):
    paths = recordings_by_name(shared_recordings / folder)
    every = max(len(paths) // 6, 1)
    for name in sorted(paths)[::every]:
        assert choose({name: paths[name]}, AudioConfig())[0] == preset, name
    name, reason = choose(paths, AudioConfig())
    assert name == preset and re.match(r"the rate is [\d,]+ Hz, .*(Hz|ms|birds)$", reason)


def test_the_simulated_bird_is_one_and_the_simulated_bats_are_bats(tmp_path):
    simulated_song.write_recordings(tmp_path / "bird", 2, 3.0)
    simulated_song.write_recordings(
        tmp_path / "bats", 2, 2.0, 1, simulated_bats.SAMPLE_RATE, simulated_bats.simulate_pulses
    )
    assert choose_for_folder(tmp_path / "bird", AudioConfig())[0] == "songbird"
    assert choose_for_folder(tmp_path / "bats", AudioConfig())[0] == "bat"


def test_what_cannot_be_read_is_passed_over_and_nothing_is_not_chosen_by(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(ValueError, match="`preset` must be named, since no recording can be read"):
        choose_for_folder(tmp_path, AudioConfig())
    soundfile.write(tmp_path / "short.wav", 0.1 * np.ones(3), 44_100)
    assert choose_for_folder(tmp_path, AudioConfig())[0] in ("songbird", "speech")
    with pytest.raises(ValueError, match="`preset` must be named, since there are no recordings"):
        choose_for_folder(None, AudioConfig())
