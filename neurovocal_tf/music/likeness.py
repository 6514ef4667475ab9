"""How like real pieces generated ones are: their keys, chords, steps and repeats, beside those of
real pieces among themselves and of two simple models.
"""

import collections
import math
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

from neurovocal_tf.music import harmony

_NUM_SPLITS = 20
Rolls = Sequence[np.ndarray]


def compare_pieces(
    training: Rolls, real: Rolls, generated: Rolls, seed: int = 0
) -> dict[str, float]:
    """Generated pieces beside real ones: flat dict of figures, NaN where there is nothing to tell.

    Each set of pieces has as many as `real`, as long as these: so all divergences, which small
    samples raise, are raised alike.
        `_real` is what held-out pieces have, `_generated` the model's; `_frame_chain` is of a
        Markov chain of whole frames, which copies what it has heard frame by frame, and
        `_independent` of keys on their own.
        `_divergence_bits`, the Jensen-Shannon divergence from the training pieces, has in the place
        of `_real` the null: `_null` and `_null_high`, mean and 97.5th percentile over twenty random
        partings of all real pieces into so many and the rest.

    Args:
        training, real, generated: lists of zeros and ones `[L, 88]`.
        seed: of the simple models and the partings.
    """
    rng = np.random.default_rng(seed)
    lengths = [len(roll) for roll in real]
    sets = {
        "real": real,
        "generated": [roll[:length] for roll, length in zip(generated, lengths, strict=True)],
        "frame_chain": _chained_frames(training, lengths, rng),
        "independent": _independent_keys(training, lengths, rng),
    }
    known = {passage for roll in training for passage in harmony.passages_of(roll)}
    figures: dict[str, float] = {}
    for measure, of in _MEASURES.items():
        figures |= {f"{measure}_{name}": _mean(map(of, rolls)) for name, rolls in sets.items()}
    figures |= {
        f"share_known_passages_{name}": _mean(
            passage in known for roll in rolls for passage in harmony.passages_of(roll)
        )
        for name, rolls in sets.items()
    }
    everything = [*training, *real]
    partings = [rng.permutation(len(everything)) for _ in range(_NUM_SPLITS)]
    for name, events_of in _EVENTS.items():
        all_events = [events_of(roll) for roll in everything]
        null = [
            divergence_bits(
                _counted(all_events[i] for i in order[len(real) :]),
                _counted(all_events[i] for i in order[: len(real)]),
            )
            for order in partings
        ]
        reference = _counted(all_events[: len(training)])
        figures[f"{name}_divergence_bits_null"] = float(np.mean(null))
        figures[f"{name}_divergence_bits_null_high"] = float(np.quantile(null, 0.975))
        for who in ("generated", "frame_chain", "independent"):
            figures[f"{name}_divergence_bits_{who}"] = divergence_bits(
                reference, _counted(map(events_of, sets[who]))
            )
    return figures


def divergence_bits(
    counts: "collections.Counter[Hashable]", other: "collections.Counter[Hashable]"
) -> float:
    """Jensen-Shannon divergence of two counts, 0 to 1 bit (Lin, 1991); NaN where one is empty.
    Small samples raise it.
    """
    totals = counts.total(), other.total()
    if not all(totals):
        return math.nan
    bits = 0.0
    for one, of_one, two, of_two in (
        (counts, totals[0], other, totals[1]),
        (other, totals[1], counts, totals[0]),
    ):
        for event, count in one.items():
            share = count / of_one
            bits += 0.5 * share * math.log2(2 * share / (share + two[event] / of_two))
    return bits


def _key_fit(roll: np.ndarray) -> float:
    key = harmony.key_of(roll)
    return math.nan if key is None else key.fit


def _is_major(roll: np.ndarray) -> float:
    key = harmony.key_of(roll)
    return math.nan if key is None else float(key.is_major)


def _share_in_scale(roll: np.ndarray) -> float:
    key, classes = harmony.key_of(roll), harmony.pitch_classes(roll)
    return math.nan if key is None else classes[:, sorted(key.scale)].sum() / classes.sum()


def _polyphony(roll: np.ndarray) -> float:
    return float(np.sum(harmony.is_on(roll), axis=1).mean())


def _share_chords(roll: np.ndarray) -> float:
    sounding = [chord for chord in harmony.chords(roll) if len(chord) > 2]
    return _mean(map(harmony.is_triad_or_seventh, sounding))


def _share_held(roll: np.ndarray) -> float:
    """Frames that are the one before."""
    roll = harmony.is_on(roll)
    return float(np.all(roll[1:] == roll[:-1], axis=1).mean()) if len(roll) > 1 else math.nan


def _voice(highest: bool) -> Callable[[np.ndarray], list[int]]:
    return lambda roll: harmony.steps_of_voice(roll, highest)


_MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "key_fit": _key_fit,
    "share_major": _is_major,
    "share_in_scale": _share_in_scale,
    "keys_a_frame": _polyphony,
    "share_triads_and_sevenths": _share_chords,
    "share_held": _share_held,
    "share_repeated_passages": harmony.repeats,
}
_EVENTS: dict[str, Callable[[np.ndarray], Iterable[Hashable]]] = {
    "chord": harmony.chords,
    "chord_change": lambda roll: harmony.changes(harmony.chords(roll)),
    "highest_voice_step": _voice(True),
    "lowest_voice_step": _voice(False),
}


def _counted(pieces: Iterable[Iterable[Hashable]]) -> "collections.Counter[Hashable]":
    return collections.Counter(event for events in pieces for event in events)


def _mean(values: Iterable[float]) -> float:
    """Of the finite ones; NaN of none."""
    numbers = np.array(list(values), np.float64)
    numbers = numbers[np.isfinite(numbers)]
    return float(numbers.mean()) if len(numbers) else math.nan


def _chained_frames(
    training: Rolls, lengths: Sequence[int], rng: np.random.Generator
) -> list[np.ndarray]:
    """Walks from frame to frame: what follows is what followed this frame somewhere in training;
    after what never went on, a piece's first frame.
    """
    frames = np.concatenate(training)
    ends = np.cumsum([len(roll) for roll in training])
    firsts, lasts = ends - [len(roll) for roll in training], set((ends - 1).tolist())
    names = [frame.tobytes() for frame in np.packbits(harmony.is_on(frames), axis=1)]
    following = collections.defaultdict(list)
    for place, name in enumerate(names):
        if place not in lasts:
            following[name].append(place + 1)
    walks = []
    for length in lengths:
        walk = [int(rng.choice(firsts))]
        while len(walk) < length:
            walk.append(int(rng.choice(following.get(names[walk[-1]], firsts))))
        walks.append(frames[walk])
    return walks


def _independent_keys(
    training: Rolls, lengths: Sequence[int], rng: np.random.Generator
) -> list[np.ndarray]:
    share = np.concatenate(training).mean(axis=0)
    return [(rng.random((length, len(share))) < share).astype(np.uint8) for length in lengths]
