"""Who sings: individuals, or species, told apart by calls of recordings that people have named, how
well that is done, and what the other recordings hold by it.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from neurovocal_tf.discovery import call_types, cross_validation, features, telling_apart
from neurovocal_tf.discovery.cross_validation import HeldOut, Labelled, numbered, of_units
from neurovocal_tf.discovery.features import Recipe
from neurovocal_tf.discovery.telling_apart import Calibration

_NUM_COMPONENTS = 50
_CHUNK = 4096
# More calls of a recording tell little more of who sings there.
_MOST_OF_ONE = 200
# With fewer calls of the least known individual, answers may be much better or worse than told.
_ENOUGH_CALLS = 20
_OF_HELD_OUT = ("num_folds", "units", "nearest_neighbour", "by_chance", "calibration")
_DOUBT, _STRANGE = 0.9, 0.5


@dataclasses.dataclass(frozen=True)
class Answer:
    """Who sings in a recording.

    Attributes:
        recording: its name.    given: who people said it is, "" where they did not.
        answer: the likeliest individual, "" where there is none: the recording is the only one of
            its individual, or without calls.
        probability: of that, or NaN.
        familiar: share of the recording's calls that are no farther from the nearest labelled call
            of another recording than 95 % of held-out labelled ones; NaN where that is not known.
        num_calls: that were heard.
        is_held_out: whether the answer for a labelled recording comes from the other recordings
            alone; one without a label always does.
    """

    recording: str
    given: str
    answer: str
    probability: float
    familiar: float
    num_calls: int
    is_held_out: bool


@dataclasses.dataclass(frozen=True)
class Identity:
    """Who sings, and how well that is known.

    Attributes:
        names: of the individuals, K.
        figures: dict of JSON's kinds: `individuals`, a list of `name`, `num_recordings`,
            `num_calls`, `is_validated`; and, None where nothing could be held out, `units` (of
            "call", "song" and "recording", see `cross_validation.judged`), `nearest_neighbour` (the
            accuracy of the individual of the nearest call, and of most of these in a song),
            `by_chance` (see `cross_validation.against_chance`), `background` (the same as `units`
            of "stretch" and "recording", by the silence between the calls alone),
            `calibration` and `num_folds`.
        answers: list of `Answer`, a recording each.
        caveats: sentences for whoever reads the figures.
    """

    names: tuple[str, ...]
    figures: dict[str, object]
    answers: list[Answer]
    caveats: list[str]


@dataclasses.dataclass(frozen=True)
class Heard:
    """S calls, or stretches of silence, in order.

    Attributes:
        points: `[S, D]`, of any features: spectra, or a model's embeddings.
        recordings: int `[S]`, not decreasing.
        songs: int `[S]`, which calls were sung together.
    """

    points: np.ndarray
    recordings: np.ndarray
    songs: np.ndarray


def principal(measured: np.ndarray, recipe: Recipe, seed: int = 0) -> np.ndarray:
    """Measured calls, `[S, C, F]`, along their fifty principal components, float32 `[S, P]`."""
    chosen = features.as_points(measured[call_types.sample(len(measured), seed)], recipe)
    size = min(_NUM_COMPONENTS, max(len(chosen) - 1, 1), chosen.shape[1])
    with threadpool_limits(1), np.errstate(invalid="ignore"):
        projection = PCA(size, random_state=seed).fit(chosen)
    parts = [
        projection.transform(features.as_points(measured[first : first + _CHUNK], recipe))
        for first in range(0, len(measured), _CHUNK)
    ]
    return np.concatenate(parts).astype(np.float32)


def identify(
    names: Sequence[str],
    calls: Heard,
    given: Mapping[str, str],
    silences: Heard | None = None,
    seed: int = 0,
) -> Identity:
    """Tells individuals apart by the calls of the recordings that are named.

    Args:
        names: of the recordings, R.    calls: `Heard`.
        given: dict of a recording's name -> the individual, or species; others are told.
        silences: what is heard between the calls, `Heard`, to measure how much of it the background
            tells.
        seed: int.

    Raises: ValueError, one line, if no two individuals have calls.
    """
    # Threads cost more than they save on a few hundred points.
    with threadpool_limits(1):
        return _identify(names, _first(calls), given, silences, seed)


def _identify(
    names: Sequence[str],
    calls: Heard,
    given: Mapping[str, str],
    silences: Heard | None,
    seed: int,
) -> Identity:
    of_recording = [given.get(name, "") for name in names]
    individuals = tuple(sorted({of_recording[number] for number in calls.recordings} - {""}))
    if len(individuals) < 2:
        raise ValueError(
            "two individuals at least must be named, in recordings that have calls. "
            f"Received: {', '.join(individuals) or 'none'}"
        )
    owners = np.array([individuals.index(o) if o in individuals else -1 for o in of_recording])
    labelled = _labelled(calls, owners, len(individuals))
    tested = cross_validation.can_be_held_out(labelled)
    caveats = _thin(individuals, labelled, tested)
    held = cross_validation.hold_out(labelled, seed) if len(tested) >= 2 else None
    figures: dict[str, object] = {
        "individuals": [
            {
                "name": name,
                "num_recordings": int(np.sum(owners == k)),
                "num_calls": int(np.sum(labelled.individuals == k)),
                "is_validated": bool(k in tested),
            }
            for k, name in enumerate(individuals)
        ],
        **_validated(held, labelled, seed),
        "background": None,
    }
    if held and silences is not None:
        figures["background"] = _background(_first(silences), owners, len(individuals), seed)
    answers = _answers(names, calls, of_recording, individuals, labelled, held, seed)
    caveats += _rig(figures) + _doubts(answers, held)
    return Identity(individuals, figures, answers, caveats)


def _first(heard: Heard) -> Heard:
    """The first two hundred of each recording."""
    starts = np.searchsorted(heard.recordings, heard.recordings)
    few = np.arange(len(heard.recordings)) - starts < _MOST_OF_ONE
    return Heard(heard.points[few], heard.recordings[few], heard.songs[few])


def _labelled(heard: Heard, owners: np.ndarray, num_individuals: int) -> Labelled:
    own = owners[heard.recordings]
    all_of_them = Labelled(heard.points, own, num_individuals, heard.recordings, heard.songs)
    return all_of_them.part(own >= 0)


def _validated(held: HeldOut | None, labelled: Labelled, seed: int) -> dict[str, object]:
    if held is None:
        return dict.fromkeys(_OF_HELD_OUT)
    own = held.labelled
    songs = numbered(own.songs)
    units = {
        "call": np.arange(len(own.points)),
        "song": songs,
        "recording": numbered(own.recordings),
    }
    by_vote = cross_validation.votes(held.nearest, songs, own.num_individuals)
    return {
        "num_folds": held.num_folds,
        "units": {name: _judged(held, of, seed) for name, of in units.items()},
        "nearest_neighbour": {
            "call": round(float(np.mean(held.nearest == own.individuals)), 4),
            "song": round(float(np.mean(by_vote == of_units(own.individuals, songs))), 4),
        },
        "by_chance": cross_validation.against_chance(labelled, seed),
        "calibration": dataclasses.asdict(held.calibration),
    }


def _judged(held: HeldOut, units: np.ndarray, seed: int) -> dict[str, object]:
    own = held.labelled
    sizes = np.bincount(units)
    return cross_validation.judged(
        held.log_probabilities(units),
        of_units(own.individuals, units),
        of_units(own.recordings, units),
        seed,
    ) | {"median_num_calls": float(np.median(sizes))}


def _background(
    silences: Heard, owners: np.ndarray, num_individuals: int, seed: int
) -> dict[str, object] | None:
    labelled = _labelled(silences, owners, num_individuals)
    if not len(labelled.points) or len(cross_validation.can_be_held_out(labelled)) < 2:
        return None
    held = cross_validation.hold_out(labelled, seed, with_neighbours=False)
    return {
        "stretch": _judged(held, np.arange(len(held.labelled.points)), seed),
        "recording": _judged(held, numbered(held.labelled.recordings), seed),
    }


def _answers(
    names: Sequence[str],
    calls: Heard,
    given: Sequence[str],
    individuals: Sequence[str],
    labelled: Labelled,
    held: HeldOut | None,
    seed: int,
) -> list[Answer]:
    calibration = held.calibration if held else Calibration()
    told: dict[int, tuple[np.ndarray, float]] = {}
    if held:
        numbers = numbered(held.labelled.recordings)
        log_probabilities = held.log_probabilities(numbers)
        near = np.bincount(numbers, held.distances <= held.reach) / np.bincount(numbers)
        for place, number in enumerate(np.unique(held.labelled.recordings).tolist()):
            told[number] = log_probabilities[place], float(near[place])
    is_new = ~np.isin(calls.recordings, labelled.recordings)
    if is_new.any():
        learned = telling_apart.fit(
            labelled.points, labelled.individuals, labelled.num_individuals, seed
        )
        numbers = numbered(calls.recordings[is_new])
        log_probabilities = calibration.log_probabilities(
            learned.scores(calls.points[is_new]), numbers
        )
        _, distances = cross_validation.nearest_of(calls.points[is_new], labelled.points, seed)
        is_near = distances <= (held.reach if held else np.nan)
        near = np.bincount(numbers, is_near) / np.bincount(numbers)
        for place, number in enumerate(np.unique(calls.recordings[is_new]).tolist()):
            told[number] = log_probabilities[place], float(near[place]) if held else np.nan
    counts = np.bincount(calls.recordings, minlength=len(names))
    return [
        Answer(
            name,
            given[number],
            individuals[int(told[number][0].argmax())] if number in told else "",
            float(np.exp(told[number][0].max())) if number in told and held else np.nan,
            told[number][1] if number in told else np.nan,
            int(counts[number]),
            number in told,
        )
        for number, name in enumerate(names)
    ]


def _thin(individuals: Sequence[str], labelled: Labelled, tested: np.ndarray) -> list[str]:
    """What is said of individuals that little is known of."""
    told = []
    alone = [name for k, name in enumerate(individuals) if k not in tested]
    if len(tested) < 2:
        told.append(
            "who sings: two individuals with two labelled recordings each are needed to hold one "
            "out, so that nothing is known of how often the answers are right, and none has a "
            "probability"
        )
    elif alone:
        told.append(
            f"who sings: {_some(alone)} have one labelled recording each: they can be answered, "
            "but how well they are told apart cannot be measured, and the background of that "
            "recording may be all that is known of them"
        )
    counts = np.bincount(labelled.individuals, minlength=len(individuals))
    few = [f"{individuals[k]} ({counts[k]})" for k in np.flatnonzero(counts < _ENOUGH_CALLS)]
    if few:
        told.append(f"who sings: fewer than {_ENOUGH_CALLS} labelled calls of {_some(few)}")
    return told


def _rig(figures: Mapping[str, object]) -> list[str]:
    """What is said of how much the silence between the calls tells."""
    background = figures["background"]
    if not isinstance(background, dict):
        return []
    of = background["recording"]
    low = of["accuracy_low"]
    if low is None:
        return [
            f"who sings: in {of['num']} labelled recordings it cannot be told whether their "
            "background gives individuals away"
        ]
    if low <= of["majority"]:
        return []
    return [
        "who sings: the background between the calls alone names "
        f"{of['accuracy']:.0%} of held-out recordings rightly, always naming the most frequent "
        f"would {of['majority']:.0%}. Rig, room or day may give individuals away, and how much of "
        "the accuracy of calls is the voice cannot be told from these recordings: record several "
        "individuals with one rig, or one with several"
    ]


def _doubts(answers: Sequence[Answer], held: HeldOut | None) -> list[str]:
    told = []
    differing = [
        f"{a.recording} ({a.given}, by its calls {a.answer})"
        for a in answers
        if a.given and a.answer not in ("", a.given) and a.probability >= _DOUBT
    ]
    if differing:
        told.append(f"who sings: labels that the calls speak against: {_some(differing)}")
    strange = [a.recording for a in answers if not a.given and a.familiar < _STRANGE]
    if strange:
        told.append(
            "who sings: most calls are unlike those of all named individuals, and someone else may "
            f"sing, in {_some(strange)}"
        )
    return told


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
