"""How well call types agree with people's labels, on the birds of a folder of recordings:

    python tests/campaigns/call_types_by_hand.py --recordings=../shared/recordings

Each bird's calls are typed twice: cut where people cut them, and where the detector of
--preset=songbird does, each segment under the label that it overlaps most. What does best on
two of the birds was looked at on the third, each in turn. Then the simulated bird, whose six types
are known, as often as there are seeds, a minute of song each. Exits with 1 if the mean over the
birds is below what the types are held to: V .90, adjusted Rand index .82, types per label .9 to
1.25; with the detector's own segments within .02 of that, where its F1 is .9 or more.
"""

import argparse
import dataclasses
import os
import sys
import tempfile

import numpy as np

from neurovocal_tf.annotations import matching, segments
from neurovocal_tf.config import Config
from neurovocal_tf.data import simulated_song
from neurovocal_tf.discovery import call_types, discover, features, labels
from neurovocal_tf.segmentation import folder, truth

# Folder, and the labels there that name no type.
_BIRDS = {
    "bengalese_finch_gy6or6_full": ("-", "x"),
    "bengalese_finch_bl26lb16": ("-", "0"),
    "zebra_finch_R402": (),
}
_LEAST_V, _LEAST_ARI, _FEWEST_PER_LABEL, _MOST_PER_LABEL = 0.90, 0.82, 0.9, 1.25
_MOST_LOST, _GOOD_F1 = 0.02, 0.9
_SEEDS, _NUM_SONGS, _SONG_S, _RATE = range(20, 40), 6, 10.0, 16_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recordings", default="../shared/recordings")
    base = parser.parse_args().recordings
    print(
        f"{'bird':28} {'segments':8} {'calls':>5} {'F1':>5} {'V':>6} {'ARI':>6} {'per label':>9} "
        f"{'types':>12} {'entropy rate: found, labels':>28} {'merged: V':>9} {'ARI':>6}"
    )
    rows = {"hand": [], "detector": []}
    for bird, ignored in _BIRDS.items():
        config = Config.preset("songbird")
        paths = folder.recordings_by_name(os.path.join(base, bird))
        given = os.path.join(base, bird, "annotations.csv")
        found = matching.match(given, paths.values())
        labelled = {n: list(segments.of(found.of[p])) for n, p in paths.items() if p in found.of}
        paths = {name: paths[name] for name in labelled}
        true = {n: np.array([s[:2] for s in own]).reshape(-1, 2) for n, own in labelled.items()}
        wanted = {n: [s for s in own if s[2] not in ignored] for n, own in labelled.items()}
        hand = {n: np.array([s[:2] for s in own]).reshape(-1, 2) for n, own in wanted.items()}
        with tempfile.TemporaryDirectory() as out:
            run = folder.SegmentedFolder(os.path.join(base, bird), out, config, paths)
            run.run(2, lambda num_bytes: None)
            detected = {name: run.segments(name) for name in run.finished}
        f1 = truth.score(detected, true, 0.01)[-1]["segment_f1"]
        for kind, spans in (("hand", hand), ("detector", detected)):
            asked = discover.Asked(config, features.PRESETS["songbird"], labels=wanted)
            rows[kind].append((f1, *_row(bird, kind, paths, spans, asked, f1)))
    _simulated_birds()
    return _verdict(np.array(rows["hand"]), np.array(rows["detector"]))


def _simulated_birds():
    """Prints how many types each simulated bird is found to have, and how well they agree."""
    recipe = features.PRESETS["songbird"]
    audio = dataclasses.replace(Config().audio, sample_rate=_RATE)
    found = []
    for seed in _SEEDS:
        with tempfile.TemporaryDirectory() as base:
            write = simulated_song.write_recordings
            paths = write(base, _NUM_SONGS, _SONG_S, seed, _RATE)
            given = matching.match(os.path.join(base, "annotations.csv"), paths)
            own = [segments.of(given.of[path]) for path in paths]
            background = features.background_db(paths, recipe, audio)
            measured = [
                features.measure(path, np.array([s[:2] for s in calls]), background, recipe, audio)
                for path, calls in zip(paths, own, strict=True)
            ]
        types = call_types.fit(features.as_points(np.concatenate(measured), recipe))
        names = np.array([s[2] for calls in own for s in calls])
        agreed = labels.agreement(types.types, names)
        found.append((len(types.names), agreed.v_measure, agreed.adjusted_rand))
    counts, v, ari = np.array(found).T
    told = ", ".join(f"{number:.0f} in {(counts == number).sum()}" for number in np.unique(counts))
    print(
        f"simulated birds, six types each: {told} of {len(found)}, "
        f"V {v.mean():.3f}, ARI {ari.mean():.3f}",
        flush=True,
    )


def _row(bird, kind, paths, spans, asked, f1):
    """Prints a line.  -> V, ARI, types per label"""
    result = discover.discover(paths, spans, asked)
    told, sure = result.agreement, result.stability
    rates = [s["entropy_rate_bits"] for s in (result.syntax, result.label_syntax)]
    merged = _merged_as_people_do(result, paths, spans, asked)
    print(
        f"{bird:28} {kind:8} {told.num_calls:5} {f1 if kind == 'detector' else 1:5.3f} "
        f"{told.v_measure:6.3f} {told.adjusted_rand:6.3f} {told.types_per_label:9.2f} "
        f"{len(result.type_names):3} ({sure.num_types_low} to {sure.num_types_high}) "
        f"{rates[0]:20.3f}, {rates[1]:.3f} {merged.v_measure:12.3f} {merged.adjusted_rand:6.3f}",
        flush=True,
    )
    return told.v_measure, told.adjusted_rand, told.types_per_label


def _merged_as_people_do(result, paths, spans, asked):
    """The agreement when of the suggested merges those are accepted whose types have one label."""
    common = [
        _most_common(result.labels[result.bouts.types == k]) for k in range(len(result.type_names))
    ]
    pairs = [
        tuple(result.type_names[k] for k in suggestion.types)
        for suggestion in result.suggestions
        if common[suggestion.types[0]] == common[suggestion.types[1]]
    ]
    joined = result.fitted.types.joined(pairs)
    number_of = {name: k for k, name in enumerate(joined.names)}
    into = np.array(
        [
            joined.types[np.flatnonzero(result.fitted.types.types == k)[0]]
            for k in range(len(result.type_names))
        ]
    )
    assert len(number_of) == into.max() + 1
    return labels.agreement(into[result.bouts.types], result.labels)


def _most_common(names):
    values, counts = np.unique(names[names != ""].astype(str), return_counts=True)
    return values[counts.argmax()] if len(values) else ""


def _verdict(hand, detected):
    faults = []
    _, v, ari, per_label = hand.mean(axis=0)
    print(f"mean, cut by hand: V {v:.3f}, ARI {ari:.3f}, types per label {per_label:.2f}")
    is_fine = _FEWEST_PER_LABEL <= per_label <= _MOST_PER_LABEL
    if v < _LEAST_V or ari < _LEAST_ARI or not is_fine:
        faults.append("cut by hand")
    good = detected[:, 0] >= _GOOD_F1
    if good.any():
        lost = (hand - detected)[good][:, 1:3].mean(axis=0)
        print(
            f"by the detector, where its F1 is {_GOOD_F1} or more ({good.sum()} birds): "
            f"V {lost[0]:+.3f}, ARI {lost[1]:+.3f} less"
        )
        if lost[0] > _MOST_LOST:
            faults.append("by the detector")
    print("below what is asked for: " + ", ".join(faults) if faults else "as asked for")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
