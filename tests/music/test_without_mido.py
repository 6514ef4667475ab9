"""What is said, and what still works, where mido is not installed."""

import sys
import types

import numpy as np
import pytest

from neurovocal_tf.audio.spectrogram import PianoKeys
from neurovocal_tf.config import Config, DataConfig
from neurovocal_tf.data import midi_folder
from neurovocal_tf.generation import songs
from neurovocal_tf.music import midi


@pytest.fixture(autouse=True)
def no_mido(monkeypatch):
    monkeypatch.setitem(sys.modules, "mido", None)


def test_a_folder_of_midi_files_is_refused_with_what_to_install(tmp_path):
    (tmp_path / "a.mid").write_bytes(b"MThd")
    with pytest.raises(ValueError, match="MIDI needs mido, .* pip install mido") as refused:
        midi_folder.read_folder(tmp_path, DataConfig(), seed=0)
    assert "\n" not in str(refused.value)


def test_songs_of_piano_keys_are_frames_picture_and_sound(tmp_path, rng):
    frames = (rng.random((4, 88)) < 0.2).astype(np.float32)
    singer = types.SimpleNamespace(scale=PianoKeys(), config=Config())
    songs.write_frames(tmp_path / "song", frames, singer)
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz", ".png", ".wav"}
    assert not midi.is_installed()
