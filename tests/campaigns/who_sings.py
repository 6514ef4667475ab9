"""How well who sings is known from few labelled calls, on birds and speakers of a folder:

    python tests/campaigns/who_sings.py --recordings=../shared/recordings

From 1, 5, 20 and 50 labelled calls of each individual, drawn at random from half of its recordings,
all calls of the other half are told, alone and in songs of 5 to 10: neighbouring calls of a bird's
recording; of a speaker any, whose recordings are a word each. Beside it the nearest labelled call
(of a song: most of its calls'), and the same from stretches of the silence between calls: what the
rig tells. Means and standard deviations over draws. Settings were chosen on the speakers; the birds
are held out from that. Exits with 1 if 20 labelled calls of each tell less than .90 of the calls or
.98 of the songs of the birds.
"""

import argparse
import collections
import os
import sys
import tempfile

import numpy as np

from neurovocal_tf.annotations import matching, segments
from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import (
    cross_validation,
    features,
    identity,
    silences,
    telling_apart,
)
from neurovocal_tf.discovery.telling_apart import Calibration
from neurovocal_tf.segmentation import folder

# Folder, and the labels there that name no call.
_BIRDS = {
    "bengalese_finch_gy6or6_full": ("-", "x"),
    "bengalese_finch_bl26lb16": ("-", "0"),
    "zebra_finch_R402": (),
}
_SPEAKERS = "spoken_digits_600"
_NUM_LABELLED, _SONG_LENGTHS = (1, 5, 20, 50), (5, 11)
_AT, _LEAST_CALL, _LEAST_SONG = 20, 0.90, 0.98


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recordings", default="../shared/recordings")
    parser.add_argument("--num_draws", type=int, default=20)
    given = parser.parse_args()
    print(
        f"{'':9}{'labelled':>8} {'one call':>14} {'nearest':>14} {'a song':>14} {'nearest':>14} "
        f"{'silence alone':>14}"
    )
    _table("speakers", *_speakers(os.path.join(given.recordings, _SPEAKERS)), given.num_draws)
    found = _table("birds", *_birds(given.recordings), given.num_draws)
    call, _, song, *_ = found[_AT]
    is_less = call < _LEAST_CALL or song < _LEAST_SONG
    print("less than is asked for" if is_less else "as asked for")
    return int(is_less)


def _birds(base):
    """Paths, spans, who sings in each recording, the recipe, and whether songs are recorded."""
    paths, spans, who = {}, {}, {}
    for bird, ignored in _BIRDS.items():
        own = folder.recordings_by_name(os.path.join(base, bird))
        found = matching.match(os.path.join(base, bird, "annotations.csv"), own.values())
        for name, path in own.items():
            if path in found.of:
                kept = [s[:2] for s in segments.of(found.of[path]) if s[2] not in ignored]
                paths[name], who[name] = path, bird
                spans[name] = np.array(sorted(kept), float).reshape(-1, 2)
    return paths, spans, who, "songbird", True


def _speakers(base):
    paths = folder.recordings_by_name(base)
    with tempfile.TemporaryDirectory() as out:
        run = folder.SegmentedFolder(base, out, Config.preset("speech"), paths)
        run.run(2, lambda num_bytes: None)
        spans = {name: run.segments(name) for name in run.finished}
    return paths, spans, {name: name.split("_")[1] for name in spans}, "speech", False


def _table(what, paths, spans, who, preset, has_songs, num_draws):
    """Prints a line for each number of labelled calls.  -> number -> means of the columns"""
    config, recipe = Config.preset(preset), features.PRESETS[preset]
    names = sorted(spans)
    rates = collections.Counter(readers.probe(paths[name]).sample_rate for name in names)
    rate = max(rates, key=rates.get)
    audio = config.replace(sample_rate=rate).audio
    background = features.background_db([paths[name] for name in names], recipe, audio)
    measured, quiet = (
        [measure(name) for name in names]
        for measure in (
            lambda name: features.measure(paths[name], spans[name], background, recipe, audio),
            lambda name: silences.measure(paths[name], spans[name], recipe, audio),
        )
    )
    individuals = sorted(set(who.values()))
    owners = np.array([individuals.index(who[name]) for name in names])
    calls = identity.principal(np.concatenate(measured), recipe)
    of_call, of_quiet = (
        np.repeat(np.arange(len(names)), [len(m) for m in part]) for part in (measured, quiet)
    )
    quiet, means = np.concatenate(quiet), {}
    for number in _NUM_LABELLED:
        rows = []
        for draw in range(num_draws):
            rng = np.random.default_rng((draw, number))
            learned = _half(owners, rng)
            row = _told(calls, of_call, owners, learned, number, has_songs, rng)
            rows.append((*row, _told(quiet, of_quiet, owners, learned, number, has_songs, rng)[0]))
        means[number] = np.mean(rows, axis=0)
        shown = zip(means[number], np.std(rows, axis=0), strict=True)
        line = " ".join(f"{mean:7.3f} ± {spread:.3f}".rjust(14) for mean, spread in shown)
        print(f"{what:9}{number:8} {line}", flush=True)
    return means


def _half(owners, rng):
    """Which recordings labelled calls are drawn from, half of each individual's, bool."""
    found = np.zeros(len(owners), bool)
    for k in np.unique(owners):
        own = rng.permutation(np.flatnonzero(owners == k))
        found[own[: len(own) // 2]] = True
    return found


def _told(points, recordings, owners, learned, number, has_songs, rng):
    """Shares that are right, each individual counting the same: calls, by the nearest; songs, by
    the nearest.
    """
    of, size = owners[recordings], owners.max() + 1
    drawn = np.concatenate(
        [
            rng.permutation(np.flatnonzero((of == k) & learned[recordings]))[:number]
            for k in range(size)
        ]
    )
    told = np.flatnonzero(~learned[recordings])
    classifier = telling_apart.fit(points[drawn], of[drawn], size, 0)
    scores = classifier.scores(points[told])
    nearest = of[drawn][cross_validation.nearest_of(points[told], points[drawn], 0)[0]]
    songs = _songs(recordings[told] if has_songs else of[told], has_songs, rng)
    kept = songs >= 0
    units, truth = cross_validation.numbered(songs[kept]), of[told]
    of_songs = cross_validation.of_units(truth[kept], units)
    sung = Calibration().log_probabilities(scores[kept], units).argmax(axis=1)
    voted = cross_validation.votes(nearest[kept], units, size)
    return (
        _balanced(scores.argmax(axis=1), truth),
        _balanced(nearest, truth),
        _balanced(sung, of_songs),
        _balanced(voted, of_songs),
    )


def _songs(groups, are_in_order, rng):
    """Songs of 5 to 10 within groups, int, -1 for what is left over."""
    found, song = np.full(len(groups), -1), 0
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        own = own if are_in_order else rng.permutation(own)
        place = 0
        while len(own) - place >= _SONG_LENGTHS[0]:
            length = rng.integers(*_SONG_LENGTHS)
            found[own[place : place + length]] = song
            place, song = place + length, song + 1
    return found


def _balanced(answers, truth):
    return np.mean([np.mean(answers[truth == k] == k) for k in np.unique(truth)])


if __name__ == "__main__":
    sys.exit(main())
