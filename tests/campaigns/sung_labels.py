r"""Whether a model that was told of labels along time sings what is written.

    python tests/campaigns/sung_labels.py words FOLDER --recordings=../shared/recordings
    python tests/campaigns/sung_labels.py syllables FOLDER --recordings=../shared/recordings

`words`: six voices say the ten digits. A model learns takes 0 to 7, the words as labels
(`--labels=name_part:1`) and the voices as conditions; takes 8 and 9 are held out. A classifier of
words (mel-frequency cepstra, a support vector machine) learns the real words that train; its
accuracy on those that are held out is stated, and of the digits that the model says from text, each
in each voice, 0.8 of that have to be told rightly.

`syllables`: one finch, its hand labels, two days that train and two that are held out. The
classifier learns the labelled syllables of the days that train (levels under each one's own
loudest), and its accuracy on those of the other days is stated; the texts are the labels of
held-out recordings, and of the sung syllables 0.9 of that have to be of the type that was asked
for.

What is heard of a label are the frames between its onset and its offset, stretched to the same
number: how long it is tells the classifier nothing, since a song has that from the label itself.
The training is that of the preset with the settings
that follow, such as --epochs_per_rate=16,6,5; a run that is in the folder is taken as it is, and of
the settings those of songs count, such as --guidance=1. Beside the accuracy stands how often a sung
span is told as each label, how sung durations compare with real ones, and how much spans of one
label vary beside real ones that train: songs that are told rightly because all are alike would show
there. Exits with 1 below what is asked for. Some minutes, and with the whole training of the preset
for songbirds half an hour.
"""

import argparse
import collections
import dataclasses
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import scipy.fft
import scipy.stats
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import features
from neurovocal_tf.labels import FIRST_LABEL

_FOLDERS = {"words": "spoken_digits_600", "syllables": "bengalese_finch_gy6or6_full"}
_HELD_OUT = {"words": ("*_8.wav", "*_9.wav"), "syllables": ("*_25031?_*.wav", "*_26031?_*.wav")}
_SETTINGS = {
    "words": ("--preset=speech", "--labels=name_part:1", "--condition_from=name_part:2"),
    "syllables": ("--preset=songbird", "--labels=annotations"),
}
_LEAST = {"words": 0.8, "syllables": 0.9}
_SEEDS_A_WORD, _MOST_SONGS, _MOST_LABELS = 4, 20, 60
_NUM_COMPONENTS = 60
_NUM_COLUMNS, _NUM_MELS, _NUM_CEPSTRA = 12, 26, 13
# Labels of which fewer train are no types to be told.
_FEWEST = 20
# What people have marked as not to be used.
_NOT_USED = ("-", "x")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=_FOLDERS)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--recordings", default="../shared/recordings", type=pathlib.Path)
    arguments, settings = parser.parse_known_args()
    trained, training, held_out = _trained(arguments, settings)
    heard = [_heard(trained, part) for part in (training, held_out)]
    listener = _Listener(arguments.what, *heard[0], trained)
    real = listener.tell(*heard[1])
    print(f"real {arguments.what}, held out: {len(real)}, told rightly {np.mean(real):.3f}")
    sung = _sung(arguments.what, trained, held_out, listener)
    for name, part in (("training", heard[0]), ("held out", heard[1])):
        apart = _durations_apart(sung, part)
        print(f"KS of durations, sung and {name}: {apart:.3f}")
    for name, part in (("real ones, held out", heard[1]), ("sung", sung)):
        print(f"variance within a label, {name}: {listener.variance(*part):.2f} of real ones'")
    told = listener.tell(*sung, says=True)
    share = np.mean(told) / np.mean(real)
    print(
        f"sung {arguments.what}: {len(told)}, told rightly {np.mean(told):.3f}, {share:.3f} of it"
    )
    is_good = share >= _LEAST[arguments.what]
    print("as asked for" if is_good else f"below {_LEAST[arguments.what]} of real ones")
    return int(not is_good)


def _trained(arguments, settings):
    """The run's model, trained if it is not, and its `Recordings`."""
    from neurovocal_tf.runs.run_folder import RunFolder
    from neurovocal_tf.runs.trained import load_trained
    from neurovocal_tf.training import trainer

    what, folder, run = arguments.what, arguments.folder, arguments.folder / "run"
    folder.mkdir(parents=True, exist_ok=True)
    listed, flagfile = folder / "held_out.txt", folder / "settings.flags"
    if not RunFolder(run).has_run():
        listed.write_text("\n".join(_HELD_OUT[what]) + "\n")
        lines = [*_SETTINGS[what], f"--held_out_list={listed.resolve()}", "--num_song_checks=0"]
        flagfile.write_text("\n".join([*lines, *settings]) + "\n")
        trainer.train(Config.from_flagfile(flagfile), arguments.recordings / _FOLDERS[what], run)
    # Of a run that is there the settings of songs may be others.
    of_songs = folder / "songs.flags"
    of_songs.write_text("\n".join([_SETTINGS[what][0], *settings]) + "\n")
    generation = Config.from_flagfile(of_songs).generation
    trained = load_trained(run, lambda kept: dataclasses.replace(kept, generation=generation))
    parts = RunFolder(run).data().parts_in(trained.config)
    return trained, parts.training, parts.validation


def _singer(trained):
    from neurovocal_tf.generation.singer import Singer

    return Singer(trained, 100_000)


def _heard(trained, recordings):
    """Of some recordings' labelled spans: (first frame, frame after the last, all frames in dB) of
    each, and its label.
    """
    spans, labels, settings = [], [], trained.config.spectrogram
    for source, (samples, rate) in zip(recordings.sources, recordings.heard(), strict=True):
        track = [span for span in source.track or () if span[2] not in _NOT_USED]
        power = spectrogram.power_spectrogram(samples, rate, settings)
        frames = spectrogram.to_model_frames(power, trained.scale)
        decibels = np.asarray(trained.scale.shown(frames))
        spans += [(*_frames_of(trained, *span[:2]), decibels) for span in track]
        labels += [label for *_, label in track]
    return spans, np.array(labels)


def _frames_of(trained, *edges_s):
    """The frames whose middles lie between two times: the first, and the one after the last."""
    settings, rate = trained.config.spectrogram, trained.sample_rate
    first, last = (
        int(np.ceil((edge * rate - settings.n_fft / 2) / settings.hop_length - 1e-6))
        for edge in edges_s
    )
    return max(first, 0), max(last, first + 1, 1)


def _sung(what, trained, held_out, listener):
    """The same of songs from text: of each digit in each voice some, or of the labels of held-out
    recordings.
    """
    from neurovocal_tf.generation import songs

    singer, known, conditions = _singer(trained), trained.model.labels, trained.model.conditions
    texts, numbers = [], []
    if what == "words":
        for name, values in conditions.values.items():
            for value in values[1:]:
                for word in known.known:
                    texts += [known.numbers_in(word)] * _SEEDS_A_WORD
                    numbers += [conditions.numbers_of({name: value})] * _SEEDS_A_WORD
    else:
        for source in held_out.sources[:_MOST_SONGS]:
            asked = [label for *_, label in source.track if label in listener.labels]
            texts.append(known.numbers_in(" ".join(asked[:_MOST_LABELS])))
    seeds = range(len(texts))
    tracks = [singer.track(*pair) for pair in zip(texts, seeds, strict=True)]
    longest = max(int(track.num_frames) for track in tracks)
    sung = songs.generate_frames(singer, seeds, longest, condition=numbers or None, texts=texts)
    spans, labels = [], []
    for track, (_, decibels) in zip(tracks, sung, strict=True):
        for number, first, last in zip(*(column.numpy() for column in track[:3]), strict=True):
            spans.append((int(first), int(last), decibels))
            labels.append(known.known[number - FIRST_LABEL])
    return spans, np.array(labels)


def _durations_apart(sung, real):
    (ours, theirs) = ([last - first for first, last, _ in spans] for spans, _ in (sung, real))
    return float(scipy.stats.ks_2samp(ours, theirs).statistic)


class _Listener:
    """A classifier of spans of frames by their labels."""

    def __init__(self, what, spans, labels, trained):
        self._is_speech = what == "words"
        self._range_db = trained.scale.dynamic_range_db
        hz = np.linspace(0, trained.sample_rate / 2, trained.model.num_visible)
        self._mels = features.mel_weights(hz, 0.0, _NUM_MELS)
        counts = collections.Counter(labels.tolist())
        self.labels = sorted(label for label, count in counts.items() if count >= _FEWEST)
        chosen = np.isin(labels, self.labels)
        points = self._points([spans[place] for place in np.flatnonzero(chosen)])
        self._classifier = make_pipeline(
            PCA(min(_NUM_COMPONENTS, len(points) - 1), random_state=0),
            StandardScaler(),
            SVC(C=10.0, random_state=0),
        ).fit(points, labels[chosen])
        self._variance = self._within(points, labels[chosen])

    def tell(self, spans, labels, says=False):
        """Which spans of labels that were learned are told rightly, bool [S]."""
        chosen = np.flatnonzero(np.isin(labels, self.labels))
        told = self._classifier.predict(self._points([spans[place] for place in chosen]))
        asked = labels[chosen]
        for label in self.labels if says else ():
            of_label = collections.Counter(told[asked == label].tolist()).most_common(4)
            print(f"  {label} told as " + ", ".join(f"{b} {n}" for b, n in of_label))
        return told == asked

    def variance(self, spans, labels):
        """The variance of spans of one label, over that of those that were learned."""
        chosen = np.flatnonzero(np.isin(labels, self.labels))
        points = self._points([spans[place] for place in chosen])
        return self._within(points, labels[chosen]) / self._variance

    def _within(self, points, labels):
        components = self._classifier[0].transform(points)
        of_labels = (components[labels == label] for label in np.unique(labels))
        return np.mean([np.var(some, axis=0, ddof=1).sum() for some in of_labels if len(some) > 1])

    def _points(self, spans):
        return np.array([self._point(decibels[a:b]) for a, b, decibels in spans], np.float32)

    def _point(self, decibels):
        levels = np.maximum(decibels + self._range_db, 0.0)
        if self._is_speech:
            cepstra = scipy.fft.dct(levels @ self._mels, axis=1, norm="ortho")
            levels = cepstra[:, 1:_NUM_CEPSTRA]
        else:
            levels = np.maximum(levels - np.percentile(levels, 99.5) + 30.0, 0.0)
        return features.stretched(levels, _NUM_COLUMNS).ravel()


if __name__ == "__main__":
    sys.exit(main())
