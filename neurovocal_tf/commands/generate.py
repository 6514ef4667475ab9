r"""Sings new songs with a trained model.

    neurovocal generate --workdir=/runs/finch --num_songs=4 --seconds=10 --seed=7
    neurovocal generate --workdir=/runs/finches --condition=individual=gy6or6 --text=iiabcdeefg

Writes song_SEED.wav, .png and .npz (spectrogram in dB, waveform) into --out, and with --text .csv,
what is sung when. Song i has the seed
--seed + i, and is the same whatever songs are asked for beside it. A model of frame sequences gives
.npz (frames) and .png, and of piano keys .wav and, with mido, .mid. Settings that are not given
are those of the run.
"""

import os
import sys

from absl import flags

from neurovocal_tf import flags as setting_flags

_DEFAULT_FRAMES, _MOST_FRAMES = 1000, 1_000_000
_WORKDIR = setting_flags.define_path(
    "workdir", None, "Run folder that `neurovocal train` has written.", required=True
)
_OUT = setting_flags.define_path(
    "out", None, "Folder for the songs; default: songs, in the run folder."
)
_NUM_SONGS = flags.DEFINE_integer(
    "num_songs", 4, "How many songs.", lower_bound=1, upper_bound=100_000
)
_SECONDS = flags.DEFINE_float(
    "seconds", None, "Length of each song, in seconds of sound.", lower_bound=0.001
)
_NUM_FRAMES = flags.DEFINE_integer(
    "num_frames",
    None,
    "The same in frames, for --seconds; default: 1000, or those of --text.",
    lower_bound=1,
    upper_bound=_MOST_FRAMES,
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the first song.", lower_bound=0, upper_bound=2**62)
_TEMPERATURE = flags.DEFINE_float(
    "temperature",
    1.0,
    "Below 1: more usual songs; above 1: more varied ones.",
    lower_bound=0.01,
    upper_bound=100,
)
_CONDITION = flags.DEFINE_multi_string(
    "condition",
    None,
    "Who is to sing, or what else a model with conditions has learned, as NAME=VALUE, such as "
    "individual=gy6or6; again for another condition. Default: the unknown of each.",
)
_TEXT = flags.DEFINE_string(
    "text",
    None,
    "What a model that was trained with --labels is to sing: labels with spaces between them, or "
    "where every label is one character, characters. Each song sings it in its own time, and is "
    "as long as its text unless --seconds or --num_frames says otherwise.",
)
_PRIME = setting_flags.define_path("prime", None, "Recording that every song goes on from.")
setting_flags.define(["generation", "picture_format", "picture_dpi"])


def main(argv: list[str]) -> int | None:
    # Before the long way to a model.
    setting_flags.one_of(_SECONDS, _NUM_FRAMES, required=False)
    from neurovocal_tf.generation import songs  # here, so that --help needs no TensorFlow
    from neurovocal_tf.ownership import owned
    from neurovocal_tf.runs.trained import load_trained

    trained = load_trained(_WORKDIR.value, setting_flags.config_from_flags)
    condition = trained.model.conditions.numbers_of(_CONDITION.value) or None
    text = None if _TEXT.value is None else trained.model.labels.numbers_in(_TEXT.value)
    num_frames = _num_frames(songs, trained)
    out = _OUT.value or os.path.join(_WORKDIR.value, "songs")
    os.makedirs(out, exist_ok=True)
    # Whoever sings other seeds may do so beside this.
    with owned(out, f"songs_{_SEED.value}_{_NUM_SONGS.value}"):
        _generate(songs, trained, num_frames, out, condition, text)


def _generate(songs, trained, num_frames, out, condition, text):
    from neurovocal_tf.generation.singer import Singer

    seeds = range(_SEED.value, _SEED.value + _NUM_SONGS.value)
    singer = Singer(trained, max_frames=num_frames or _MOST_FRAMES)
    if not trained.scale.is_sound:
        return _generate_frames(songs, singer, seeds, num_frames, out)
    for song in songs.generate_songs(
        singer, seeds, num_frames, _TEMPERATURE.value, _PRIME.value, condition, text
    ):
        stem = os.path.join(out, f"song_{song.seed}")
        songs.write_song(stem, song, singer)
        print(
            f"{stem}.wav: {len(song.waveform) / singer.sample_rate:.2f} s",
            file=sys.stderr,
            flush=True,
        )


def _num_frames(songs, trained):
    if _SECONDS.value is None:
        # None: as long as the text.
        return _NUM_FRAMES.value or (_DEFAULT_FRAMES if _TEXT.value is None else None)
    if not trained.scale.is_sound:
        raise ValueError(
            "`seconds` must not be given for a model of frame sequences, --num_frames instead. "
            f"Received: seconds={_SECONDS.value:g}"
        )
    num_frames = songs.frames_in(_SECONDS.value, trained)
    if num_frames > _MOST_FRAMES:
        raise ValueError(
            f"`seconds` must be of {_MOST_FRAMES} frames at most. Received: "
            f"seconds={_SECONDS.value:g}, {num_frames} frames"
        )
    return num_frames


def _generate_frames(songs, singer, seeds, num_frames, out):
    if _PRIME.value:
        raise ValueError(
            "`prime` must not be given for a model of frame sequences. "
            f"Received: prime={_PRIME.value}"
        )
    from neurovocal_tf.audio.spectrogram import PianoKeys
    from neurovocal_tf.music import midi

    if isinstance(singer.scale, PianoKeys) and not midi.is_installed():
        setting_flags.say("no .mid is written: MIDI needs mido, pip install mido")
    for seed, frames in songs.generate_frames(singer, seeds, num_frames, _TEMPERATURE.value):
        stem = os.path.join(out, f"song_{seed}")
        songs.write_frames(stem, frames, singer)
        print(f"{stem}.npz: {len(frames)} frames", file=sys.stderr, flush=True)
