"""Folders of MIDI files that train as frame sequences."""

import csv
import types

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from neurovocal_tf.audio.spectrogram import PianoKeys
from neurovocal_tf.config import Config, DataConfig
from neurovocal_tf.data import frame_sequences, midi_folder
from neurovocal_tf.generation import songs
from neurovocal_tf.music import midi
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.training.preparation import prepare_data

pytest.importorskip("mido", reason="mido, of the extra music, is not installed")

SETTINGS = DataConfig()
CONFIG = Config().replace(
    visible_units="bernoulli",
    num_layers=1,
    num_direct_frames=1,
    num_hidden=4,
    num_recurrent=4,
    window_frames=8,
    batch_size=2,
    learning_rates=(1e-2,),
    epochs_per_rate=(1,),
    cd_steps=(1,),
    compiled=False,
)


def pieces_in(folder, *names):
    """MIDI files by their names; how many frames is in them.  -> the rolls"""
    rng, rolls = np.random.default_rng(1), {}
    for index, name in enumerate(names):
        roll = (rng.random((8 + index, 88)) < 0.05).astype(np.uint8)
        roll[-1, 0] = 1
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        midi.write(path, roll, 0.6)
        rolls[name] = roll
    return rolls


def sequences_of(arrays, name):
    return np.split(arrays[name], np.cumsum(arrays[f"{name}_lengths"])[:-1])


def test_folders_named_as_the_splits_part_the_pieces(tmp_path):
    rolls = pieces_in(tmp_path, "train/a.mid", "train/b.MID", "valid/c.midi", "test/d.mid")
    arrays = midi_folder.read_folder(tmp_path, SETTINGS, seed=0).arrays
    for part, names in {"train": ["train/a.mid", "train/b.MID"], "test": ["test/d.mid"]}.items():
        for found, name in zip(sequences_of(arrays, part), names, strict=True):
            np.testing.assert_array_equal(found, rolls[name])


def test_other_folders_are_parted_by_the_seed_and_every_piece_is_in_one_part(tmp_path):
    rolls = pieces_in(tmp_path, *(f"{name}/{name}.mid" for name in "abcdefghij"))
    first, same, other = (
        midi_folder.read_folder(tmp_path, SETTINGS, seed).arrays for seed in (0, 0, 1)
    )
    assert [len(first[f"{name}_lengths"]) for name in frame_sequences.SPLITS] == [6, 2, 2]
    lengths = np.concatenate([first[f"{name}_lengths"] for name in frame_sequences.SPLITS])
    assert sorted(lengths.tolist()) == sorted(map(len, rolls.values()))
    assert all(np.array_equal(first[name], same[name]) for name in first)
    assert not np.array_equal(first["test_lengths"], other["test_lengths"])


def test_what_cannot_be_read_and_what_is_left_out_is_said(tmp_path):
    pieces_in(tmp_path, "a.mid", "b.mid", "c.mid", "d.mid")
    (tmp_path / "bad.mid").write_bytes(b"no MIDI")
    found = midi_folder.read_folder(tmp_path, DataConfig(frame_beats=3.0), seed=0)
    ((path, reason),) = found.skipped
    assert path.endswith("bad.mid") and "is no MIDI file" in reason
    assert "lie between two frames of --frame_beats=3 and are left out" in found.notes[0]


@pytest.mark.parametrize("names", [(), ("a.mid", "b.mid")])
def test_fewer_than_three_pieces_are_refused_in_one_line(names, tmp_path):
    pieces_in(tmp_path, *names)
    (tmp_path / "bad.mid").write_bytes(b"no MIDI")
    with pytest.raises(ValueError, match=f"Received: {len(names)} that can be read.*bad.mid is no"):
        midi_folder.read_folder(tmp_path, SETTINGS, seed=0)


def test_a_folder_with_recordings_is_one_of_recordings(tmp_path, simulated_recordings):
    assert not midi_folder.holds_pieces(simulated_recordings)
    pieces_in(tmp_path, "a.mid")
    assert midi_folder.holds_pieces(tmp_path) and midi_folder.holds_pieces(tmp_path / "a.mid")
    (tmp_path / "b.wav").write_bytes(b"")
    assert not midi_folder.holds_pieces(tmp_path)


def prepared(folder, workdir):
    return prepare_data(CONFIG, folder, RunFolder(workdir), tf.Variable(0, dtype=tf.int64), print)


def test_a_run_keeps_its_pieces_and_goes_on_with_them_alone(tmp_path):
    folder, workdir = tmp_path / "pieces", tmp_path / "run"
    pieces_in(folder, *(f"{name}.mid" for name in "abcdef"))
    (folder / "bad.mid").write_bytes(b"no MIDI")
    workdir.mkdir()
    prepared(folder, workdir)
    RunFolder(workdir).write_config(CONFIG)
    with open(workdir / "skipped.csv", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["../pieces/bad.mid"]
    data = RunFolder(workdir).data()
    assert isinstance(data.scale, PianoKeys) and data.data_dir == str(workdir / "frames.npz")
    assert isinstance(data.parts_in(CONFIG).test.scale, PianoKeys)
    assert prepared(folder, workdir).summary == data
    pieces_in(folder, "g.mid")
    with pytest.raises(ValueError, match="must hold the sequences that the run in `workdir` began"):
        prepared(folder, workdir)


@pytest.mark.parametrize("frame", [{"frame_beats": 0.5}, {"frame_s": 0.25}])
def test_songs_of_piano_keys_are_midi_and_sound_too(tmp_path, rng, frame):
    frames = (rng.random((6, 88)) < 0.2).astype(np.float32)
    singer = types.SimpleNamespace(scale=PianoKeys(), config=CONFIG.replace(**frame))
    songs.write_frames(tmp_path / "song", frames, singer)
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz", ".png", ".wav", ".mid"}
    np.testing.assert_array_equal(midi.read(tmp_path / "song.mid", **frame).roll, frames)
    assert soundfile.info(tmp_path / "song.wav").duration == pytest.approx(
        6 * midi.seconds_of_frame(**{"frame_beats": 1.0, "frame_s": 0.0, **frame}) + 0.08, abs=0.001
    )
