"""A run's own songs beside the recordings that were looked into: sung, segmented and typed as they
were.
"""

import dataclasses
import math
import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping

import numpy as np

from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import generated, generated_report
from neurovocal_tf.discovery.discover import Asked, Discovery, discover
from neurovocal_tf.generation import songs
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.runs.trained import Trained
from neurovocal_tf.segmentation.folder import SegmentedFolder
from neurovocal_tf.segmentation.refinement import Refinement

_MOST_S = 240.0
_SHORTEST_S, _LONGEST_S = 1.0, 20.0


def beside(
    trained: Trained,
    found: Discovery,
    paths: Mapping[str, str],
    durations_s: Mapping[str, float],
    asked: Asked,
    refinement: Refinement | None = None,
    num_workers: int = 1,
    on_song: Callable[[], object] = lambda: None,
) -> dict[str, object]:
    """What the report says of generated songs.

    They are about half as long as the recordings together, four minutes at most, each as long as
    the median recording, 1 to 20 s.

    Args:
        trained: `Trained`.    found: `Discovery` of the recordings.
        paths, durations_s: dicts of recording's name -> path, seconds.
        asked: `Asked`, what was found by.    refinement: the second look that was taken, or None.
        num_workers: songs that are segmented at once.    on_song: called after each song.

    Returns: dict of JSON's kinds: `seconds` sung; `note`, a sentence or None; `compared`, see
        `generated.compare`, None if there are no calls in the songs; `examples`, of "generated" and
        "real", see `generated_report.examples`.

    Raises: ValueError if the model has learned frame sequences, which nobody can hear.
    """
    if not trained.scale.is_sound:
        raise ValueError(
            "`workdir` must be a run that has learned recordings, and this one has learned frame "
            "sequences, which have no sound"
        )
    lengths = [durations_s[name] for name in found.names]
    length_s = float(np.clip(np.median(lengths), _SHORTEST_S, _LONGEST_S))
    num_songs = max(math.ceil(min(sum(lengths) / 2, _MOST_S) / length_s), 1)
    # Whatever the recordings were read as, songs are what they are.
    audio = AudioConfig(sample_rate=asked.config.audio.sample_rate)
    config = dataclasses.replace(asked.config, audio=audio)
    with tempfile.TemporaryDirectory(prefix="neurovocal_tf_") as folder:
        sung = os.path.join(folder, "songs")
        _sing(trained, sung, num_songs, length_s, on_song)
        run = SegmentedFolder(sung, os.path.join(folder, "segments"), config, refinement=refinement)
        run.run(num_workers, lambda num_bytes: None)
        spans_s = {name: run.segments(name) for name in run.finished}
        told: dict[str, object] = {
            "seconds": round(num_songs * length_s, 1),
            "note": None,
            "compared": None,
            "examples": {"real": [], "generated": []},
        }
        if not any(map(len, spans_s.values())):
            return told | {"note": "No call was found in the generated songs."}
        of_songs = dataclasses.replace(
            asked, config=config, known=found.fitted, merges=(), groups={}, labels={}
        )
        theirs = discover(run.paths, spans_s, of_songs)
        if trained.sample_rate != found.fitted.sample_rate:
            told["note"] = (
                f"Songs are generated at {trained.sample_rate:,} Hz, and measured at "
                f"{found.fitted.sample_rate:,} Hz as the recordings are."
            )
        return told | {
            "compared": generated.compare(found, theirs, asked.seed),
            "examples": {
                "real": generated_report.examples(found, paths, asked.config.audio),
                "generated": generated_report.examples(theirs, run.paths, audio),
            },
        }


def _sing(
    trained: Trained, folder: str, num_songs: int, length_s: float, on_song: Callable[[], object]
) -> None:
    """Songs of the seeds 0, 1 and so on, as WAV files of a new folder."""
    os.makedirs(folder)
    singer = Singer(trained, max_frames=_frames(trained, _LONGEST_S))
    sung = songs.generate_songs(singer, range(num_songs), _frames(trained, length_s))
    for song in sung:
        stem = pathlib.Path(folder) / f"seed_{song.seed:03d}"
        songs.write_sound(stem, song.waveform, trained.sample_rate)
        on_song()


def _frames(trained: Trained, seconds: float) -> int:
    hops = seconds * trained.sample_rate / trained.config.spectrogram.hop_length
    return max(math.ceil(hops), 1)
