"""How well units like phones fit phones that people marked, in two sentences, and words, in digits:

    python tests/campaigns/speech_units.py --recordings=../shared/recordings

Printed is the F1 of cuts within 20 ms of a phone's edge, beside as many cuts evenly spaced (mean
over where these begin); the ABX error of phones by the units' features, beside plain cepstra of the
same pieces, of evenly spaced pieces and of the phones as people marked them; and how often a digit
of an unseen speaker is the one with the most similar string of units (by chance .10). The sentences
have 27 phones, so that one is 4 %. Exits with 1 where cuts or strings are no better than their
null.
"""

import argparse
import itertools
import os
import sys

import numpy as np
import soundfile

from neurovocal_tf import annotations
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import call_types, features, fitted_file, units

_SENTENCES = {"bobby": ("bobby_phones", "phone"), "mary": ("mary", "phone")}
# The two sentences are marked in two alphabets; what is not named here is in one of them alone.
_SAME = {"B": "b", "R": "r", "L": "l", "AH0": "ə", "IY0": "i", "DH": "θ", "ER0": "r"}
_RATE, _TOLERANCE_S = 16_000, 0.02
_DIGITS, _DIGITS_RATE, _NUM_ASKED = "spoken_digits_600", 8000, 200
_RECIPE = features.PRESETS["speech"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recordings", default="../shared/recordings")
    base = parser.parse_args().recordings
    faults = _sentences(os.path.join(base, "annotated_speech"))
    faults += _strings(os.path.join(base, _DIGITS))
    print("no better than chance: " + ", ".join(faults) if faults else "better than chance")
    return int(bool(faults))


def _sentences(folder):
    audio, cutting = AudioConfig(sample_rate=_RATE), units.cutting_recipe(_RECIPE)
    paths = {name: os.path.join(folder, f"{name}.wav") for name in _SENTENCES}
    behind = features.background_db(paths.values(), cutting, audio)
    phones, spans = {}, {"found": {}, "evenly spaced": {}, "as marked": {}}
    both = []
    for name, (file, tier) in _SENTENCES.items():
        marked = annotations.read(os.path.join(folder, f"{file}.TextGrid"), tier=tier)
        phones[name] = [(a.onset_s, a.offset_s, _SAME.get(a.label, a.label)) for a in marked]
        onset, offset = phones[name][0][0], phones[name][-1][1]
        whole = np.array([[onset, offset]])
        (found,) = units.pieces(paths[name], whole, behind, cutting, audio)
        edges = np.linspace(onset, offset, len(found) + 1)
        spans["found"][name] = found
        spans["evenly spaced"][name] = np.column_stack([edges[:-1], edges[1:]])
        spans["as marked"][name] = np.array([phone[:2] for phone in phones[name]])
        true_s = spans["as marked"][name][1:, 0]
        step = (offset - onset) / len(found)
        null = np.mean(
            [_f1(edges[:-1] + share * step, true_s) for share in np.linspace(0, 1, 21)[:-1]]
        )
        both.append((_f1(found[1:, 0], true_s), null))
        print(
            f"{name}: {len(true_s)} edges of phones, {len(found) - 1} cuts: F1 at 20 ms "
            f"{both[-1][0]:.3f}, evenly spaced {null:.3f}"
        )
    for kind, of_kind in spans.items():
        print(f"ABX error of phones, pieces {kind}: {_abx(paths, of_kind, phones, audio)}")
    ours, null = np.mean(both, axis=0)
    return ["cuts"] if ours <= null else []


def _f1(found_s, true_s):
    """Each edge is found by one cut at most, the nearest pairs first."""
    far = np.abs(found_s[:, None] - true_s)
    hits = 0
    while far.size and far.min() <= _TOLERANCE_S + 1e-9:
        cut, edge = np.unravel_index(far.argmin(), far.shape)
        far = np.delete(np.delete(far, cut, 0), edge, 1)
        hits += 1
    return 2 * hits / (len(found_s) + len(true_s))


def _abx(paths, spans, phones, audio):
    """Error in telling the pieces' phones apart, by the units' features and by plain cepstra."""
    behind = features.background_db(paths.values(), _RECIPE, audio)
    recipe = units.recipe_of(_RECIPE)
    measured, names, sentence = [], [], []
    for number, (name, path) in enumerate(paths.items()):
        measured.append(features.measure(path, spans[name], behind, recipe, audio))
        for onset, offset in spans[name]:
            shared = [min(offset, b) - max(onset, a) for a, b, _ in phones[name]]
            names.append(phones[name][int(np.argmax(shared))][2])
            sentence.append(number)
    measured, names = np.concatenate(measured), np.array(names)
    own = features.standardised(measured, recipe, np.array(sentence))
    plain = measured[:, :, : recipe.num_cepstra].astype(float).mean(axis=1)
    told = [_abx_error(p, names) for p in (features.as_points(own, recipe), plain)]
    return f"{told[0]:.3f}, plain cepstra {told[1]:.3f} ({len(names)} pieces)"


def _abx_error(points, names):
    """How often B, of another phone, is nearer to X than A is, another token of X's phone."""
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    errors = []
    for x, a in itertools.permutations(range(len(names)), 2):
        if names[x] == names[a]:
            others = distances[x, names != names[x]]
            errors.append(np.mean(others < distances[x, a]))
    return np.mean(errors)


def _strings(folder):
    """Words of unseen speakers by the strings of their units."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".wav"))
    paths = {name: os.path.join(folder, name) for name in names}
    digits, speakers = (np.array([n.split("_")[part] for n in names]) for part in (0, 1))
    audio = AudioConfig(sample_rate=_DIGITS_RATE)
    behind = features.background_db(paths.values(), _RECIPE, audio)
    spans = np.array([[0.0, soundfile.info(path).duration] for path in paths.values()])
    none = call_types.fit(np.zeros((1, 2), np.float32))
    found = units.find(
        paths,
        names,
        spans,
        np.arange(len(names)),
        np.unique(speakers, return_inverse=True)[1],
        fitted_file.Fitted(none, _RECIPE, _DIGITS_RATE, behind),
        audio,
    )
    strings = [found.types[found.recordings == number] for number in range(len(names))]
    asked = np.random.default_rng(0).permutation(len(names))[:_NUM_ASKED]
    right = 0
    for number in asked:
        others = np.flatnonzero(speakers != speakers[number])
        far = [_edits(strings[number], strings[other]) for other in others]
        right += digits[others[int(np.argmin(far))]] == digits[number]
    print(
        f"{len(found.types):,} units of {len(found.names)} kinds in {len(names)} digits: the word "
        f"of an unseen speaker by strings of units: {right / len(asked):.3f}, by chance .10"
    )
    return ["strings"] if right / len(asked) <= 0.2 else []


def _edits(one, other):
    """Edit distance over the longer length (Levenshtein, 1966)."""
    row = np.arange(len(other) + 1)
    for unit in one:
        new = np.minimum(row[1:] + 1, row[:-1] + (other != unit))
        steps = np.concatenate([[row[0] + 1], new]) - np.arange(len(row))
        row = np.minimum.accumulate(steps) + np.arange(len(row))
    return row[-1] / max(len(one), len(other), 1)


if __name__ == "__main__":
    sys.exit(main())
