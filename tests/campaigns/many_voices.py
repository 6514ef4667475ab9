"""What one model of six voices is worth, on spoken digits (takes 0 to 7 train, 8 and 9 are held
out), and what it gives a seventh voice's like:

    PYTHONPATH=tests/support python tests/campaigns/many_voices.py WORK

Trained are, each into a folder of WORK, where a run that is there goes on: six voices with
conditions and without; five of them with conditions; and of the sixth 30 recordings, fresh and from
the model of the five. Printed is the held-out one-step error of each, with the updates that its
kept epoch took, how many updates the run with a start took to the fresh one's best error, and of
voice by voice the errors with and without conditions. Exits with 1 where the conditions or the
start make the error larger.
"""

import argparse
import os
import pathlib
import sys

import numpy as np
from histories import history_of

from neurovocal_tf.config import Config
from neurovocal_tf.evaluation.one_step import one_step_error
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.training import trainer

_DIGITS, _NEW, _FEW_TAKES, _HELD_OUT = "spoken_digits_600", "theo", ("0", "1", "2"), ("8", "9")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--recordings", default="../shared/recordings")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    digits = pathlib.Path(given.recordings).resolve() / _DIGITS
    parts = _folders(given.work, sorted(digits.glob("*.wav")))
    (given.work / "held_out.txt").write_text("".join(f"*_{take}.wav\n" for take in _HELD_OUT))
    config = Config.preset("speech").replace(
        held_out_list=str(given.work / "held_out.txt"), num_song_checks=0, seed=given.seed
    )
    told = dict(condition_from="name_part:2")
    runs = {
        "six voices with conditions": ("six", told),
        "six voices without": ("six", {}),
        "five voices with conditions": ("five", told),
        f"30 recordings of {_NEW}, fresh": ("new", {}),
        f"30 recordings of {_NEW}, from the five": ("new", {"start_from": ""}),
    }
    histories, paths = [], []
    for number, (name, (part, settings)) in enumerate(runs.items()):
        if "start_from" in settings:
            settings = {"start_from": str(paths[2])}
        paths.append(given.work / f"run_{number}")
        trainer.train(config.replace(**settings), parts[part], paths[-1], pictures=False)
        histories.append(history_of(paths[-1]))
        best, updates = _best(histories[-1], paths[-1], config)
        print(f"{name:40} {best:.3f} dB after {updates} updates", flush=True)
    fresh, started = histories[3:]
    goal = min(row["val_one_step_error"] for row in fresh)
    reached = [i for i, row in enumerate(started, 1) if row["val_one_step_error"] <= goal]
    of_fresh, an_epoch = _best(fresh, paths[3], config)[1], _batches(paths[3], config)
    if reached:
        share = reached[0] * an_epoch / of_fresh
        print(
            f"to the fresh model's best error: {reached[0] * an_epoch} updates, {share:.2f} of it"
        )
    with_them, without = (_of_voices(path) for path in paths[:2])
    for voice, error in with_them.items():
        print(f"{voice:12} {error:.3f} dB with conditions, {without[voice]:.3f} without")
    is_worse = np.mean([*with_them.values()]) > np.mean([*without.values()]) or not reached
    print("worse than without" if is_worse else "better than without")
    return int(is_worse)


def _folders(work, paths):
    """Folders of links: to all recordings, to five voices, to a few of the new one."""
    chosen = {
        "six": paths,
        "five": [path for path in paths if f"_{_NEW}_" not in path.name],
        "new": [
            path
            for path in paths
            if f"_{_NEW}_" in path.name and path.stem.split("_")[2] in (*_FEW_TAKES, *_HELD_OUT)
        ],
    }
    for name, some in chosen.items():
        (work / name).mkdir(parents=True, exist_ok=True)
        for path in some:
            if not (work / name / path.name).exists():
                os.symlink(path, work / name / path.name)
    return {name: work / name for name in chosen}


def _batches(path, config):
    """Updates of an epoch of a run."""
    from neurovocal_tf.data import pipeline

    return pipeline.num_batches(RunFolder(path).data().training_frames, config)


def _best(history, path, config):
    """The smallest held-out error in a history, and the updates until then."""
    errors = [row["val_one_step_error"] for row in history]
    return min(errors), (1 + int(np.argmin(errors))) * _batches(path, config)


def _of_voices(path):
    """The error of each voice's held-out recordings, each under its own conditions."""
    trained, folder = load_trained(path), RunFolder(path)
    held_out = folder.data().parts_in(trained.config).validation
    found = {}
    for frames, number, _ in held_out.numbered_sequences().as_numpy_iterator():
        told = trained.model.conditions.row(held_out.condition_of(int(number)))
        batch = (frames[np.newaxis], None, None, *(np.array([row], np.int32) for row in told))
        predicted = np.asarray(trained.model.predict_step(batch))[0]
        voice = pathlib.Path(held_out.sources[int(number)].path).stem.split("_")[1]
        found.setdefault(voice, []).append((frames, predicted))
    return {
        voice: one_step_error(*map(np.concatenate, zip(*pairs, strict=True)))
        for voice, pairs in sorted(found.items())
    }


if __name__ == "__main__":
    sys.exit(main())
