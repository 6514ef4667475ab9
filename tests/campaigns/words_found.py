r"""Whether words find their recordings, and recordings their words: spoken digits of six voices.

    python tests/campaigns/words_found.py WORK
    python tests/campaigns/words_found.py WORK --unheard=theo,jackson

For each seed a small model of the preset for speech, and then texts, are learned of takes 0 to 6,
take 7 choosing the updates; a run that is there goes on. Takes 8 and 9, which nobody has seen, are
asked for: each of the ten words for the recordings that say it (is the first of 120 right; mean
average precision), and each recording for its word (is the first of ten right). Beside that stand
chance, and the nearest of the takes 0 to 7 by cepstra (13 coefficients of 26 mel bands, brought to
24 frames). With --unheard all takes of that voice are asked for, and the model and the texts are
learned of the others' takes 0 to 7, 8 and 9 choosing. Exits with 1 where the mean of the first, or
of the last, is below 0.9, without --unheard.
"""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import scipy.fft

from neurovocal_tf import load, load_model
from neurovocal_tf.audio.spectrogram import power_spectrogram
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import features
from neurovocal_tf.training import trainer

_DIGITS = "spoken_digits_600"
_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_GOAL = 0.9
_NUM_MELS, _NUM_CEPSTRA, _NUM_FRAMES = 26, 13, 24


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--recordings", default="../shared/recordings", type=pathlib.Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--unheard", default="", help="voices, with commas between")
    parser.add_argument("--updates", default=800, type=int)
    given = parser.parse_args()
    paths = sorted((given.recordings.resolve() / _DIGITS).glob("*.wav"))
    if given.unheard:
        for voice in given.unheard.split(","):
            asked = [path for path in paths if _parts(path)[1] == voice]
            others = [path for path in paths if path not in asked]
            _print(f"{voice}, cepstra", _by_cepstra(others, asked))
            model = _learned(given, f"without_{voice}", others, "89", 0)
            _print(f"{voice}, never heard", _by_texts(model, asked))
        return 0
    heard = [path for path in paths if int(_parts(path)[2]) < 8]
    asked = [path for path in paths if path not in heard]
    print(f"{len(asked)} recordings; chance 0.100", flush=True)
    _print("nearest by cepstra", _by_cepstra(heard, asked))
    found = []
    for seed in map(int, given.seeds.split(",")):
        model = _learned(given, f"seed_{seed}", heard, "7", seed)
        found.append(_by_texts(model, asked))
        _print(f"seed {seed}", found[-1])
    _print("mean", np.mean(found, axis=0))
    _print("standard deviation", np.std(found, axis=0, ddof=min(len(found) - 1, 1)))
    return int(min(np.mean(found, axis=0)[[0, 2]]) < _GOAL)


def _parts(path):
    """Digit, voice and take."""
    return path.stem.split("_")


def _learned(given, name, paths, choosing_takes, seed):
    """The model of a run on some recordings, of which some takes choose."""
    data = given.work / f"recordings_{name}"
    data.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if not (data / path.name).exists():
            os.symlink(path, data / path.name)
    held_out = given.work / f"held_out_{name}.txt"
    held_out.write_text("".join(f"*_{take}.wav\n" for take in choosing_takes))
    config = Config.preset("speech").replace(
        held_out_list=str(held_out),
        num_song_checks=0,
        epochs_per_rate=(4, 1, 1),
        condition_from="name_part:2",
        texts="name_part:1",
        spellings=",".join(f"{digit}={word}" for digit, word in enumerate(_WORDS)),
        text_updates=given.updates,
        parallel_parts=1,
        compiled=False,
        seed=seed,
    )
    run = given.work / f"run_{name}"
    trainer.train(config, data, run, lambda line: print(f"  {line}", flush=True), pictures=False)
    return load_model(run)


def _by_texts(model, paths):
    points = _points(model.encode_audio(list(map(str, paths)), progress=False))
    return _measures(points @ _points(model.encode_text(_WORDS)).T, paths)


def _points(table):
    return table.filter(like="joint_embedding_").to_numpy()


def _by_cepstra(known, asked):
    known_points, points = (np.stack(list(map(_cepstra, some))) for some in (known, asked))
    mean, spread = known_points.mean(axis=0), known_points.std(axis=0)
    known_points, points = (known_points - mean) / spread, (points - mean) / spread
    distances = np.linalg.norm(points[:, None] - known_points, axis=2)
    words = np.array([int(_parts(path)[0]) for path in known])
    nearest = [distances[:, words == word].min(axis=1) for word in range(len(_WORDS))]
    return _measures(-np.stack(nearest, axis=1), asked)


def _cepstra(path):
    samples, rate = load(str(path))
    power = np.asarray(power_spectrogram(samples, rate, Config().spectrogram))
    weights = features.mel_weights(np.linspace(0, rate / 2, power.shape[1]), 0.0, _NUM_MELS)
    logs = np.log(power @ weights + 1e-10)
    cepstra = scipy.fft.dct(logs, norm="ortho")[:, :_NUM_CEPSTRA]
    places = np.linspace(0, len(cepstra) - 1, _NUM_FRAMES)
    columns = [np.interp(places, np.arange(len(cepstra)), column) for column in cepstra.T]
    return np.concatenate(columns)


def _measures(scores, paths):
    """Share of words whose first recording is right, mean average precision, and share of
    recordings whose first word is right, of scores [recordings, words].
    """
    words = np.array([int(_parts(path)[0]) for path in paths])
    firsts, precisions = [], []
    for word in range(len(_WORDS)):
        is_right = words[np.argsort(-scores[:, word], kind="stable")] == word
        firsts.append(is_right[0])
        precisions.append(np.mean((np.cumsum(is_right) / np.arange(1, len(words) + 1))[is_right]))
    return np.array([np.mean(firsts), np.mean(precisions), np.mean(scores.argmax(axis=1) == words)])


def _print(name, measures):
    first, precision, word = measures
    print(
        f"{name:22} word to recording {first:.3f}, mean average precision {precision:.3f}; "
        f"recording to word {word:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
