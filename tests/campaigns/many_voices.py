"""What one model of six voices is worth, on spoken digits (takes 0 to 7 train, 8 and 9 are held
out), and what it gives a seventh voice's like; and what one of three birds is:

    PYTHONPATH=tests/support python tests/campaigns/many_voices.py WORK --only=start,own

Without --only all four parts are measured. Runs are trained by the preset for speech, or for
songbirds, each into a folder of WORK; one that is there goes on.

conditions: six voices with conditions and without: the held-out one-step error of each and voice by
    voice, and who sings in a held-out recording, and in ten of one voice, by their likelihood under
    each voice. Wrong where conditions make the error larger.
start: of each voice of --new 30 recordings, fresh, and from five others: the held-out one-step
    error before the first update, the smallest and when, and when the fresh run's smallest is
    reached. Wrong where that takes more than a quarter of the fresh run's updates.
own: six voices with conditions beside a model of each, as many epochs, so that all updates together
    are as many, and at one floor, so that all have as much to foretell: held-out log-likelihood
    (AIS), voice by voice. Wrong where a voice loses more than half a nat a frame, or the mean does
    not gain.
birds: three finches of two species with conditions beside a model of each, likewise: the measures
    of songs that `evaluate` prints, each bird's under its own condition. Wrong where one is neither
    within a fifth of that of the bird's own model nor better.

Exits with 1 where something is wrong.
"""

import argparse
import dataclasses
import os
import pathlib
import sys

import keras
import numpy as np
from histories import history_of

from neurovocal_tf.api.loading import load_model
from neurovocal_tf.config import Config
from neurovocal_tf.data import pipeline
from neurovocal_tf.data.survey import survey
from neurovocal_tf.evaluation import identification, song_table, songs_of_run
from neurovocal_tf.evaluation.likelihood import LikelihoodOptions, log_likelihood_bracket
from neurovocal_tf.evaluation.one_step import one_step_error
from neurovocal_tf.evaluation.song_measures import badness
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.training import trainer

_DIGITS, _FEW_TAKES, _HELD_OUT = "spoken_digits_600", ("0", "1", "2"), ("8", "9")
_TOLD = dict(condition_from="name_part:2")
_LARGEST_LOSS_NATS = 0.5
# Of one model of six digit voices and of three birds, so that the faintest has the 60 dB of a model
# of its own: what training says.
_RANGE_DB = 81.0, 72.0
# Of each bird what is there of it, but for the last days of two and a third of the last one's.
_BIRDS = {
    "bengalese_finch_gy6or6_full": ("*_230312_*", "*_240312_*"),
    "bengalese_finch_bl26lb16": ("*_190412_*", "*_200412_*"),
    "zebra_finch_R402": ("*",),
}
_LEFT_OUT = "zebra_finch_R402", slice(1, None, 3)
# A fifth of them validates, the same in all runs.
_VALIDATED = (
    *("0810.148", "0813.163", "0817.183", "240312_0834.1336"),
    *("0723.20150", "0723.20152", "0725.32134"),
    *("9_19_7_11_30", "9_19_8_0_41", "9_19_8_6_44", "9_19_16_38_27"),
)
_FURTHEST = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--recordings", default="../shared/recordings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="conditions,start,own,birds")
    parser.add_argument("--new", default="theo,george,jackson,yweweler")
    parser.add_argument("--epochs", default="", help="--epochs_per_rate of runs of many voices")
    given = parser.parse_args()
    parts = {"conditions": _conditions, "start": _start, "own": _own, "birds": _birds}
    unknown = set(given.only.split(",")) - set(parts)
    if unknown:
        parser.error(f"--only must be of {', '.join(parts)}. Received: {', '.join(unknown)}")
    digits = sorted((pathlib.Path(given.recordings).resolve() / _DIGITS).glob("*.wav"))
    runs = _Runs(given, digits)
    wrong = [name for name in given.only.split(",") if not parts[name](runs, given)]
    print(f"wrong: {', '.join(wrong)}" if wrong else "all as it should be")
    return int(bool(wrong))


class _Runs:
    """Trains what is asked for, once."""

    def __init__(self, given, paths):
        self.work, self.paths, self.epochs = given.work, paths, given.epochs
        self.voices = sorted({_voice(path) for path in paths})
        self.work.mkdir(parents=True, exist_ok=True)
        held_out = self.work / "held_out.txt"
        held_out.write_text("".join(f"*_{take}.wav\n" for take in _HELD_OUT))
        self.config = Config.preset("speech").replace(
            held_out_list=str(held_out), num_song_checks=0, seed=given.seed
        )

    def of_six(self, name, **settings):
        return self._trained(name, "six", lambda path: True, self._many(settings))

    def of_others(self, voice):
        return self._trained(
            f"without_{voice}",
            f"others_of_{voice}",
            lambda path: _voice(path) != voice,
            self._many(_TOLD),
        )

    def of_one(self, voice, floor_power):
        """A voice's own, of frames whose floor is that power."""
        part = f"all_of_{voice}", lambda path: _voice(path) == voice
        scale = survey(self._folder(*part), self.config).training.scale
        range_db = 10 * np.log10(scale.reference_power / floor_power)
        settings = self._many({"dynamic_range_db": float(np.round(range_db, 1))})
        return self._trained(f"own_{voice}", *part, settings)

    def of_few(self, name, voice, **settings):
        takes = (*_FEW_TAKES, *_HELD_OUT)
        return self._trained(
            f"{name}_{voice}",
            f"few_of_{voice}",
            lambda path: _voice(path) == voice and path.stem.split("_")[2] in takes,
            settings,
        )

    def of_birds(self, name, paths):
        """A run of the birds whose recordings these are, under conditions where they are several;
        its folder.
        """
        folder, run = self.work / f"birds_{name}", self.work / f"run_birds_{name}"
        several, held_out = len(paths) > 1, []
        for bird, of_bird in paths.items():
            (folder / bird).mkdir(parents=True, exist_ok=True)
            for path in of_bird:
                if not (folder / bird / path.name).exists():
                    os.symlink(path, folder / bird / path.name)
                if path.stem.endswith(_VALIDATED):
                    held_out.append(f"{bird}/{path.name}\n")
        (self.work / f"held_out_{name}.txt").write_text("".join(held_out))
        config = Config.preset("songbird").replace(
            sample_rate=32_000,
            held_out_list=str(self.work / f"held_out_{name}.txt"),
            **(dict(condition_from="folder", dynamic_range_db=_RANGE_DB[1]) if several else {}),
            seed=self.config.training.seed,
        )
        trainer.train(config, folder, run, pictures=False)
        return run

    def _many(self, settings):
        return settings | ({"epochs_per_rate": _numbers(self.epochs)} if self.epochs else {})

    def _folder(self, part, is_chosen):
        folder = self.work / part
        folder.mkdir(exist_ok=True)
        for source in filter(is_chosen, self.paths):
            if not (folder / source.name).exists():
                os.symlink(source, folder / source.name)
        return folder

    def _trained(self, name, part, is_chosen, settings):
        folder, path = self._folder(part, is_chosen), self.work / f"run_{name}"
        first = _ErrorBefore()
        config = self.config.replace(**settings)
        first.path, first.config = path, config
        trainer.train(config, folder, path, callbacks=[first], pictures=False)
        return _Run(path, config, first.error)


class _Run:
    """A trained run: its history, updates and the error before the first."""

    def __init__(self, path, config, error_before):
        self.path, self.error_before = path, error_before
        self.errors = [row["val_one_step_error"] for row in history_of(path)]
        self.an_epoch = pipeline.num_batches(RunFolder(path).data().training_frames, config)

    @property
    def best(self):
        return min(self.errors)

    def updates_to(self, error):
        """Updates until an error is reached; None: it is not."""
        if self.error_before is not None and self.error_before <= error:
            return 0
        reached = [i for i, found in enumerate(self.errors, 1) if found <= error]
        return reached[0] * self.an_epoch if reached else None


class _ErrorBefore(keras.callbacks.Callback):
    """The held-out one-step error before the first update; None of a run that has trained."""

    error = None

    def on_train_begin(self, logs=None):
        if not int(np.asarray(self.model.num_train_steps)):
            of_voices = _pairs_of_voices(self.model, self.path, self.config).values()
            self.error = _error([pair for pairs in of_voices for pair in pairs])


def _conditions(runs, given):
    told, untold = runs.of_six("with", **_TOLD), runs.of_six("without")
    with_them, without = (_errors_of_voices(run.path) for run in (told, untold))
    print(f"six voices: {told.best:.3f} dB with conditions, {untold.best:.3f} without")
    for voice, error in with_them.items():
        print(f"  {voice:12} {error:.3f} dB with conditions, {without[voice]:.3f} without")
    trained, folder = load_trained(told.path), RunFolder(told.path)
    parts = folder.data().parts_in(trained.config)
    training, held_out = (_sequences(data) for data in (parts.training, parts.validation))
    figures = identification.who_sings(trained.model, held_out, training, None)
    print(identification.as_table(figures, trained.model.conditions))
    return told.best <= untold.best


def _start(runs, given):
    is_right = True
    for voice in given.new.split(","):
        others, fresh = runs.of_others(voice), runs.of_few("fresh", voice)
        started = runs.of_few("started", voice, start_from=str(others.path))
        for_it, needed = fresh.updates_to(fresh.best), started.updates_to(fresh.best)
        before = "?" if started.error_before is None else f"{started.error_before:.3f}"
        print(
            f"30 of {voice:12} fresh: {fresh.best:.3f} dB after {for_it} updates; started: "
            f"{before} dB before the first, {started.best:.3f} after "
            f"{started.updates_to(started.best)}; the fresh one's reached after {needed}",
            flush=True,
        )
        is_right &= needed is not None and needed <= for_it / 4
    return is_right


def _own(runs, given):
    six, changes = runs.of_six("range", dynamic_range_db=_RANGE_DB[0], **_TOLD).path, []
    scale = RunFolder(six).data().scale
    floor_power = scale.reference_power * 10 ** (-scale.dynamic_range_db / 10)
    for voice in runs.voices:
        of_six, of_own = (
            _nats_of_power(path, voice, given.seed)
            for path in (six, runs.of_one(voice, floor_power).path)
        )
        changes.append(of_six.value - of_own.value)
        print(
            f"  {voice:12} {of_six.value:.2f} nats a frame in the model of six, {of_own.value:.2f} "
            f"in its own: {changes[-1]:+.2f}, s.e. "
            f"{np.hypot(of_six.standard_error, of_own.standard_error):.2f} at most",
            flush=True,
        )
    print(f"six models of their own: {np.mean(changes):+.2f} nats a frame on average")
    return min(changes) >= -_LARGEST_LOSS_NATS and np.mean(changes) > 0


def _nats_of_power(path, voice, seed):
    """A voice's held-out log-likelihood, of frames of power: the 0 dB of each run follow the level
    of its recordings, so that the dB of two do not compare.
    """
    trained, folder = load_trained(path), RunFolder(path)
    held_out = folder.data().parts_in(trained.config).validation
    is_of_voice = [_voice(source.path) == voice for source in held_out.sources]
    held_out = held_out.some(np.flatnonzero(is_of_voice))
    sequences = _sequences(held_out).frames
    told = [held_out.condition_of(0)] * len(sequences) if held_out.conditions else None
    options = LikelihoodOptions(num_frames=200, seed=seed)
    bracket = log_likelihood_bracket(trained.model, sequences, options, conditions=told)
    # d dB / d power = (10 / log 10) / (reference 10^(dB / 10)), at the soft floor, too.
    dB = np.concatenate(sequences)[bracket.chosen].astype(np.float64)
    log_slope = np.log(10 / np.log(10) / held_out.scale.reference_power) - dB * np.log(10) / 10
    side = bracket.optimistic
    return dataclasses.replace(side, value=side.value + log_slope.sum(axis=1).mean())


def _birds(runs, given):
    recordings, paths = pathlib.Path(given.recordings).resolve(), {}
    for bird, patterns in _BIRDS.items():
        found = sorted({path for p in patterns for path in (recordings / bird).glob(f"{p}.wav")})
        left_out = found[_LEFT_OUT[1]] if bird == _LEFT_OUT[0] else []
        paths[bird] = [path for path in found if path not in left_out]
    three, is_right = runs.of_birds("three", paths), True
    for bird in paths:
        of_three, of_own = (
            load_model(path).evaluate(num_temperatures=0, condition=told, progress=False)
            for path, told in (
                (three, f"folder={bird}"),
                (runs.of_birds(bird, {bird: paths[bird]}), None),
            )
        )
        for name, words in song_table.NAMES.items():
            three_s, own_s = of_three[f"song_{name}"], of_own[f"song_{name}"]
            is_near = _is_no_worse(name, three_s, own_s)
            is_right &= is_near
            print(
                f"  {bird:27} {words:22} {song_table.number(three_s):>6} in the model of three, "
                f"{song_table.number(own_s):>6} in its own{'' if is_near else ': worse'}",
                flush=True,
            )
    return is_right


def _is_no_worse(name, value, own):
    if value is None or own is None:
        return value is own
    is_near = abs(value - own) <= _FURTHEST * abs(own)
    return is_near or badness(name, value) <= badness(name, own)


def _numbers(text):
    return tuple(map(int, text.split(",")))


def _voice(path):
    return pathlib.Path(path).stem.split("_")[1]


def _sequences(data):
    heard, frames, *_ = songs_of_run.sequences_of(data)
    return identification.Sequences(frames, data, heard)


def _errors_of_voices(path):
    """The error of each voice's held-out recordings, each under its own conditions."""
    trained = load_trained(path)
    pairs = _pairs_of_voices(trained.model, path, trained.config)
    return {voice: _error(of_voice) for voice, of_voice in sorted(pairs.items())}


def _pairs_of_voices(model, path, config):
    """Of each voice pairs of held-out frames and their predictions."""
    held_out = RunFolder(path).data().parts_in(config).validation
    found = {}
    for frames, number, *_ in held_out.numbered_sequences().as_numpy_iterator():
        told = held_out.condition_of(int(number)) if held_out.conditions else ()
        batch = (frames[np.newaxis], None, None, *([np.array([told], np.int32)] if told else []))
        predicted = np.asarray(model.predict_step(batch))[0]
        voice = _voice(held_out.sources[int(number)].path)
        found.setdefault(voice, []).append((frames, predicted))
    return found


def _error(pairs):
    return one_step_error(*map(np.concatenate, zip(*pairs, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
