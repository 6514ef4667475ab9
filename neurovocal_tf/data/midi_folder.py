"""A folder of MIDI files as frame sequences: piano rolls, parted into what trains, validates and
tests.
"""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np

from neurovocal_tf.audio import listing
from neurovocal_tf.config import DataConfig
from neurovocal_tf.data.frame_sequences import PIANO_KEYS, SPLITS
from neurovocal_tf.music import midi


@dataclasses.dataclass(frozen=True, eq=False)
class Pieces:
    """What a folder gives.

    Attributes:
        arrays: those of an .npz file of frame sequences.
        skipped: tuple of (path, reason).    notes: tuple of sentences for the user.
    """

    arrays: Mapping[str, np.ndarray]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def holds_pieces(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a MIDI file, or of a folder with MIDI files and no recordings."""
    if not os.path.isdir(path):
        return midi.is_midi(path)
    if not _paths_in(path):
        return False
    try:
        return not listing.list_recordings(path)
    except ValueError:
        return True


def read_folder(folder: str | os.PathLike[str], settings: DataConfig, seed: int) -> Pieces:
    """The pieces of a folder and the folders below it, a sequence each.

    Where the folder has folders `train`, `valid` and `test` and all pieces are in them, these part
    the pieces; else `validation_fraction` of them validate, as many test, drawn by `seed`.

    Args:
        folder: path.    settings: for `frame_beats`, `frame_s` and `validation_fraction`.

    Raises:
        ValueError: mido is not installed, or fewer than three pieces can be read, or a part has
            none.
    """
    midi.check_installed()
    rolls, skipped, lost = {}, [], [0, 0, 0]
    for path in _paths_in(folder):
        try:
            piece = midi.read(path, settings.frame_beats, settings.frame_s)
        except ValueError as reason:
            skipped.append((path, str(reason)))
            continue
        rolls[path] = piece.roll
        lost = [a + b for a, b in zip(lost, (piece.num_notes, piece.num_between, piece.num_beyond))]
    parts = _parted(folder, list(rolls), settings.validation_fraction, seed, skipped)
    arrays = {"frames_are": np.array(PIANO_KEYS)}
    for name, paths in parts.items():
        arrays[name] = np.concatenate([rolls[path] for path in paths])
        arrays[f"{name}_lengths"] = np.array([len(rolls[path]) for path in paths])
    return Pieces(arrays, tuple(skipped), tuple(_notes(*lost, settings)))


def _paths_in(path):
    if not os.path.isdir(path):
        return [os.fspath(path)]
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            os.path.join(folder, name)
            for name in sorted(names)
            if midi.is_midi(name) and not name.startswith(".")
        ]
    return found


def _parted(folder, paths, fraction, seed, skipped):
    of_part = {
        name: [path for path in paths if os.path.relpath(path, folder).split(os.sep)[0] == name]
        for name in SPLITS
    }
    if paths and all(of_part.values()) and sum(map(len, of_part.values())) == len(paths):
        return of_part
    num_held_out = max(round(fraction * len(paths)), 1)
    if len(paths) <= 2 * num_held_out:
        first = f"; the first that cannot be read: {skipped[0][0]} {skipped[0][1]}" * bool(skipped)
        raise ValueError(
            "`frames` must hold three MIDI files at least, and more of them than twice "
            f"validation_fraction. Received: {len(paths)} that can be read, with "
            f"validation_fraction={fraction:g}, in frames={folder}{first}"
        )
    order = [paths[i] for i in np.random.default_rng(seed).permutation(len(paths))]
    ends = len(order) - 2 * num_held_out, len(order) - num_held_out
    parts = {"train": order[: ends[0]], "test": order[ends[0] : ends[1]], "valid": order[ends[1] :]}
    return {name: sorted(parts[name]) for name in SPLITS}


def _notes(num_notes, num_between, num_beyond, settings):
    frame = (
        f"--frame_s={settings.frame_s:g}"
        if settings.frame_s
        else f"--frame_beats={settings.frame_beats:g}"
    )
    if num_between:
        yield (
            f"{num_between} of {num_notes} notes lie between two frames of {frame} and are left "
            "out; shorter frames hold more of them"
        )
    if num_beyond:
        yield f"{num_beyond} of {num_notes} notes lie beyond a piano's keys and are left out"
