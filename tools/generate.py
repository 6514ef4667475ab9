r"""Sings new songs with a trained model.

    python tools/generate.py --workdir=/runs/finch --num_songs=4 --num_frames=2500 --seed=7

Writes song_SEED.wav, .png and .npz (spectrogram in dB, waveform) into --out. Song i has the seed --seed + i, and is the same
whatever songs are asked for beside it.
"""

import os
import sys

from absl import flags

from neurovocal_tf import flags as setting_flags

_WORKDIR = flags.DEFINE_string("workdir", None, "Run folder that tools/train.py has written.", required=True)
_OUT = flags.DEFINE_string("out", None, "Folder for the songs; default: songs, in the run folder.")
_NUM_SONGS = flags.DEFINE_integer("num_songs", 4, "How many songs.", lower_bound=1, upper_bound=100_000)
_NUM_FRAMES = flags.DEFINE_integer("num_frames", 1000, "Frames of each song.", lower_bound=1, upper_bound=1_000_000)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the first song.", lower_bound=0, upper_bound=2**62)
_TEMPERATURE = flags.DEFINE_float(
    "temperature", 1.0, "Below 1: more usual songs; above 1: more varied ones.", lower_bound=0.01, upper_bound=100
)
_PRIME = flags.DEFINE_string("prime", None, "Recording that every song goes on from.")
setting_flags.define(["generation"])


def main(argv):
    from neurovocal_tf import songs, trainer  # here, so that --help needs no TensorFlow
    from neurovocal_tf.endpoints import Endpoints

    trained = trainer.load_trained(_WORKDIR.value, setting_flags.config_from_flags)
    endpoints = Endpoints(trained, max_frames=_NUM_FRAMES.value)
    out = _OUT.value or os.path.join(_WORKDIR.value, "songs")
    os.makedirs(out, exist_ok=True)
    seeds = range(_SEED.value, _SEED.value + _NUM_SONGS.value)
    for song in songs.sing_songs(endpoints, seeds, _NUM_FRAMES.value, _TEMPERATURE.value, _PRIME.value):
        stem = os.path.join(out, f"song_{song.seed}")
        songs.write_song(stem, song, endpoints)
        print(f"{stem}.wav: {len(song.waveform) / endpoints.sample_rate:.2f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    setting_flags.run(main)
