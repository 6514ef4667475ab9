"""From segments in recordings to call types, their order, and how sure both are."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig, Config
from neurovocal_tf.discovery import (
    call_types,
    features,
    groups,
    identity,
    merges,
    reach,
    singers,
    stability,
    syntax,
)
from neurovocal_tf.discovery.bouts import Bouts, bouts_of
from neurovocal_tf.discovery.fitted_file import Fitted
from neurovocal_tf.discovery.labels import Label, LabelAgreement, agreement, overlapping

# With fewer, what is one type and what is two is little more than a guess.
ENOUGH_CALLS = 300
_CHUNK = 4096
_LOW_STABILITY = 0.75


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is to be found, and by which means.

    Attributes:
        config: `Config`; its `audio` and `bout_gap_s` count.
        recipe: `features.Recipe`, of types that are fitted.
        known: `Fitted` call types of other recordings, or None to find them here.
        merges: pairs of names of types to be joined.
        groups: dict of recording's name -> its group, or empty.
        individuals: dict of recording's name -> who sings there, or empty; others are told.
        speakers: dict of recording's name -> who speaks there, or empty: then the groups are whose
            mean and standard deviation count, where the recipe says so.
        labels: dict of recording's name -> what people labelled there, in seconds; or empty.
        seed: int.
    """

    config: Config
    recipe: features.Recipe
    known: Fitted | None = None
    merges: Sequence[tuple[str, str]] = ()
    groups: Mapping[str, str] = dataclasses.field(default_factory=dict)
    individuals: Mapping[str, str] = dataclasses.field(default_factory=dict)
    speakers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, list[Label]] = dataclasses.field(default_factory=dict)
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Discovery:
    """What was found, S calls of K types in R recordings.

    Attributes:
        names: of the recordings, R.
        bouts: `Bouts`, the calls in order with their types.
        confidences, is_familiar: `[S]`, see `call_types.Assigned`.
        labels: str `[S]`, what people called each, "" where no label overlaps it; of no labels
            None.
        measured: float16 `[S, C, F]`, see `features.measure`.
        points: float32 `[S, P + 1]`, see `CallTypes`.
        fitted: `Fitted`.
        chosen: int `[N]`, which calls the fitted ones are; None where the types were known.
        stability: `Stability`, or None where the types were known or are too few.
        syntax, reach, groups: see `syntax.describe`, `reach.held_out_bits` and `groups.compare`,
            the last None without groups.
        label_syntax: `syntax.describe` of people's labels, or None.
        agreement: `LabelAgreement`, or None.
        identity: `Identity`, or None where nobody was named.
        suggestions: list of `merges.Suggestion`.
        caveats: sentences for whoever reads the figures.
    """

    names: tuple[str, ...]
    bouts: Bouts
    confidences: np.ndarray
    is_familiar: np.ndarray
    labels: np.ndarray | None
    measured: np.ndarray
    points: np.ndarray
    fitted: Fitted
    chosen: np.ndarray | None
    stability: stability.Stability | None
    syntax: dict[str, object]
    reach: dict[str, object]
    groups: dict[str, object] | None
    label_syntax: dict[str, object] | None
    agreement: LabelAgreement | None
    identity: identity.Identity | None
    suggestions: list[merges.Suggestion]
    caveats: list[str]

    @property
    def type_names(self) -> tuple[str, ...]:
        """Of the types, K."""
        return self.fitted.types.names


def discover(
    paths: Mapping[str, str],
    spans_s: Mapping[str, np.ndarray],
    asked: Asked,
    on_recording: Callable[[], object] = lambda: None,
) -> Discovery:
    """Finds the call types of segmented recordings, and their order.

    Args:
        paths: dict of recording's name -> path.
        spans_s: dict of recording's name -> `[S, 2]`, seconds; those of all are gone through in the
            order of their names.
        asked: `Asked`.
        on_recording: called after each recording was measured.

    Raises: ValueError if there are no calls.
    """
    names = tuple(sorted(spans_s))
    caveats: list[str] = []
    audio = _audio(paths, names, asked, caveats)
    fitted_before = asked.known
    recipe = fitted_before.recipe if fitted_before else asked.recipe
    background = (
        fitted_before.background
        if fitted_before
        else features.background_db([paths[name] for name in names], recipe, audio)
    )
    measured, spans, recordings = _measured(
        paths, spans_s, names, background, recipe, audio, caveats, on_recording
    )
    if not len(spans):
        raise ValueError(
            "`data_dir` must hold recordings with calls, and nothing in them stands out of its "
            "background as one. --preset=auto chooses a detector by the recordings; segments/ in "
            "the report's folder tells what was dropped"
        )
    # A voice is what standing against its own group takes away.
    voices = identity.principal(measured, recipe, asked.seed) if asked.individuals else None
    known = asked.speakers or asked.groups
    in_group = np.array([known.get(name, "") for name in names])[recordings]
    measured = features.standardised(measured, recipe, in_group)
    if fitted_before:
        fitted, chosen = fitted_before, None
    else:
        chosen = call_types.sample(len(measured), asked.seed)
        types = call_types.fit(features.as_points(measured[chosen], recipe), asked.seed)
        fitted = Fitted(types, recipe, audio.sample_rate, background)
    sure = None
    if chosen is not None and fitted.types.types.max() > 0:
        points = fitted.types.points.astype(float)
        sure = stability.stability(points, fitted.types.types, recordings[chosen], asked.seed)
    if asked.merges:
        joined = fitted.types.joined(asked.merges)
        sure = sure and _joined_stability(sure, fitted.types, joined)
        fitted = dataclasses.replace(fitted, types=joined)
    points, assigned = _assigned(measured, fitted, chosen)
    bouts = bouts_of(
        assigned.types,
        len(fitted.types.names),
        spans,
        recordings,
        len(names),
        asked.config.data.bout_gap_s,
    )
    found = syntax.describe(bouts, asked.seed)
    suggestions = merges.suggest(fitted.types, np.array(found["transitions"]))
    compared = None
    if asked.groups:
        numbered = {
            names.index(name): group for name, group in asked.groups.items() if name in names
        }
        compared, notes = groups.compare(bouts, numbered, asked.seed)
        caveats += notes
    told = None
    if voices is not None:
        heard = identity.Heard(voices, recordings, np.cumsum(~bouts.follows))
        try:
            told = singers.identify(
                paths, names, heard, spans, asked.individuals, recipe, audio, asked.seed
            )
            caveats += told.caveats
        except ValueError as reason:
            caveats.append(f"who sings is left out: {reason}")
    own_labels = _labels(asked.labels, names, bouts) if asked.labels else None
    discovery = Discovery(
        names,
        bouts,
        assigned.confidences,
        assigned.is_familiar,
        own_labels,
        measured,
        points,
        fitted,
        chosen,
        sure,
        found,
        reach.held_out_bits(bouts, asked.seed),
        compared,
        None if own_labels is None else _label_syntax(bouts, own_labels, asked.seed),
        None if own_labels is None else agreement(assigned.types, own_labels),
        told,
        suggestions,
        caveats,
    )
    discovery.caveats[:0] = _caveats(discovery)
    return discovery


def _audio(
    paths: Mapping[str, str], names: Sequence[str], asked: Asked, caveats: list[str]
) -> AudioConfig:
    """With the one rate at which all are measured."""
    audio = asked.config.audio
    rate, rates = measured_rate([paths[name] for name in names], asked)
    others = {r: count for r, count in rates.items() if r != rate}
    if others and not audio.sample_rate:
        told = ", ".join(f"{count} at {r:,} Hz" for r, count in sorted(others.items()))
        lacking = (
            "; what is recorded at less lacks the highest frequencies, which may part call types"
            if min(others) < rate
            else ""
        )
        caveats.append(
            f"recordings of several rates: all are measured at {rate:,} Hz, also {told}{lacking}"
        )
    return dataclasses.replace(audio, sample_rate=rate)


def measured_rate(paths: Iterable[str], asked: Asked) -> tuple[int, collections.Counter[int]]:
    """The one rate in Hz at which recordings are measured, and how many have which rate."""
    audio = asked.config.audio
    rates = collections.Counter(
        readers.probe(path, audio.time_expansion).sample_rate for path in paths
    )
    if asked.known:
        return asked.known.sample_rate, rates
    # The lower of equals: what is not in all recordings cannot be compared.
    return audio.sample_rate or min(rates, key=lambda r: (-rates[r], r), default=0), rates


def _measured(
    paths: Mapping[str, str],
    spans_s: Mapping[str, np.ndarray],
    names: Sequence[str],
    background: np.ndarray,
    recipe: features.Recipe,
    audio: AudioConfig,
    caveats: list[str],
    on_recording: Callable[[], object],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """float16 [S, C, F], seconds [S, 2] and number of the recording [S] of all calls."""
    size = recipe.num_columns, features.num_features(recipe, audio.sample_rate)
    parts, spans, recordings = [np.empty((0, *size), np.float16)], [np.empty((0, 2))], []
    for number, name in enumerate(names):
        own = spans_s[name][np.argsort(spans_s[name][:, 0], kind="stable")]
        try:
            if len(own):
                parts.append(features.measure(paths[name], own, background, recipe, audio))
                spans.append(own)
                recordings += [number] * len(own)
        except readers.UnreadableRecording as reason:
            caveats.append(f"{name} is left out: {reason}")
        on_recording()
    return np.concatenate(parts), np.concatenate(spans), np.array(recordings, int)


def _assigned(
    measured: np.ndarray, fitted: Fitted, chosen: np.ndarray | None
) -> tuple[np.ndarray, call_types.Assigned]:
    """Points [S, P + 1] of all calls, and what they are."""
    place = np.full(len(measured), -1)
    if chosen is not None:
        place[chosen] = np.arange(len(chosen))
    points, parts = [], []
    for first in range(0, len(measured), _CHUNK):
        part = slice(first, first + _CHUNK)
        points.append(fitted.types.project(features.as_points(measured[part], fitted.recipe)))
        parts.append(fitted.types.assign(points[-1], place[part]))
    columns = (
        np.concatenate([getattr(part, field.name) for part in parts])
        for field in dataclasses.fields(call_types.Assigned)
    )
    return np.concatenate(points), call_types.Assigned(*columns)


def _joined_stability(
    sure: stability.Stability, before: call_types.CallTypes, after: call_types.CallTypes
) -> stability.Stability:
    """Of joined types, the least stable part's; the interval moves by what a person decided."""
    parts = [np.unique(before.types[after.types == k]) for k in range(len(after.names))]
    fewer = len(before.names) - len(after.names)
    return dataclasses.replace(
        sure,
        subsampled=np.array([sure.subsampled[own].min() for own in parts]),
        bootstrapped=np.array([sure.bootstrapped[own].min() for own in parts]),
        num_types_low=max(sure.num_types_low - fewer, 1),
        num_types_high=sure.num_types_high - fewer,
    )


def _labels(given: Mapping[str, list[Label]], names: Sequence[str], bouts: Bouts) -> np.ndarray:
    found = np.full(len(bouts.types), "", dtype=object)
    spans = np.stack([bouts.onsets_s, bouts.offsets_s], axis=1)
    for number in np.unique(bouts.recordings):
        own = bouts.recordings == number
        found[own] = overlapping(spans[own], given.get(names[number], []))
    return found


def _label_syntax(bouts: Bouts, own_labels: np.ndarray, seed: int) -> dict[str, object] | None:
    """The order of the labels of those calls that have one, as far as no call between has none."""
    is_labelled = own_labels != ""
    if not is_labelled.any():
        return None
    names, numbers = np.unique(own_labels[is_labelled].astype(str), return_inverse=True)
    broken = np.cumsum(~is_labelled)[is_labelled]
    follows = bouts.follows[is_labelled]
    follows[1:] &= broken[1:] == broken[:-1]
    kept = dataclasses.replace(
        bouts,
        types=numbers,
        num_types=len(names),
        onsets_s=bouts.onsets_s[is_labelled],
        offsets_s=bouts.offsets_s[is_labelled],
        recordings=bouts.recordings[is_labelled],
        follows=follows,
    )
    return syntax.describe(kept, seed) | {"names": names.tolist()}


def _caveats(found: Discovery) -> list[str]:
    told, num_calls = [], len(found.bouts.types)
    num_recordings = len(np.unique(found.bouts.recordings))
    sure = found.stability
    if num_calls < ENOUGH_CALLS:
        told.append(
            f"{num_calls} calls are fewer than {ENOUGH_CALLS}: rare types may be missing, and what "
            "is one type or two is little more than a guess"
            + (
                f"; refits give {sure.num_types_low} to {sure.num_types_high} types"
                if sure
                else "; there are too few, or they are too much alike, to refit"
            )
        )
    if len(found.type_names) == 1:
        told.append(
            "no group of calls stands apart from the others, so that all are one type, without an "
            "order to speak of: they may be alike, or too few, or grade into each other"
        )
    if num_recordings < syntax.MIN_RECORDINGS:
        told.append(
            f"calls in {num_recordings} recording{'s' * (num_recordings > 1)}: intervals over "
            f"recordings need {syntax.MIN_RECORDINGS}, and are left out"
        )
    if sure:
        loose = [
            name
            for name, value in zip(found.type_names, sure.subsampled, strict=True)
            if value < _LOW_STABILITY
        ]
        if loose:
            told.append(
                f"types that half of the calls do not bring about again: {', '.join(loose)}; they "
                "may be parts of others, see the suggested merges"
            )
    unfamiliar = float(np.mean(~found.is_familiar))
    if unfamiliar > 0.05:
        told.append(f"{unfamiliar:.0%} of the calls are far from all that the types were fitted to")
    if found.agreement and found.agreement.num_unmatched:
        told.append(
            f"{found.agreement.num_unmatched} of {num_calls} calls have no label, and do not count "
            "where types are compared with labels"
        )
    return told
