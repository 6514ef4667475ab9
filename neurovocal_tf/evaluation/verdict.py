"""What the figures of an evaluation say, in words and in a table that fits on a screen."""

import re
from collections.abc import Iterator, Mapping

from neurovocal_tf.evaluation import likelihood, song_likeness, song_table
from neurovocal_tf.evaluation.song_measures import FEWEST_SYLLABLES
from neurovocal_tf.plots import canvas

Figures = Mapping[str, float | None]

# Names of baselines, of which the unit follows; likelihoods have some of the same names.
_OF_ERROR = r"baseline_(mean|previous_frame|ridge_var\d+)"
_OF_LIKELIHOOD = r"baseline_(\w+)_log_likelihood_nats"
# A ratio this far from 1 is said, either way: what other seconds of the same bird differ by.
_ALIKE = 1.25
_MANY_UNLIKE = 0.1
_ASPECTS = {
    "ratio_syllables_per_s": ("syllables a second", "more", "fewer"),
    "ratio_median_duration": ("their length", "longer", "shorter"),
    "ratio_median_gap": ("gaps", "longer", "shorter"),
    "ratio_median_peak_frequency": ("pitch", "higher", "lower"),
}
_ALONE = ("pseudo_log_likelihood_nats",)
# Of pieces: the name of what is counted, and its words.
_EVENTS = {
    "chord": "chords",
    "chord_change": "changes of chords",
    "highest_voice_step": "steps of the highest voice",
    "lowest_voice_step": "steps of the lowest voice",
}
_OF_PIECES = (
    "share_in_scale",
    "keys_a_frame",
    "share_triads_and_sevenths",
    "share_held",
    "share_repeated_passages",
    "share_known_passages",
)
_SIMPLE_PIECES = {"frame_chain": "frame chain", "independent": "independent keys"}
_OF_COUPLINGS = ("coupling_auc", "coupling_correlation", "coupling_delay_share", "assembly_auc")
_SIMPLE_COUPLINGS = {
    "model_null_high": "chance at most",
    "correlation": "cross-correlation",
    "regression": "logistic regression",
}


def verdict(figures: Figures) -> list[str]:
    """Whether a model is better than its baselines, whether its likelihood can be believed, and
    whether it sings like the recordings, plays like the pieces or knows who drives whom: a line
    each, for what there are figures of.

    Args:
        figures: as `report.evaluate` gives them.
    """
    told = (_next_frame, _likelihood, _sound, _songs, _pieces, _couplings)
    return [line for tell in told for line in tell(figures)]


def as_table(figures: Figures) -> str:
    """The figures that matter first as lines of text, twenty at most: name, value, and what stands
    beside it.
    """
    rows = [(name, value, beside) for name, value, beside in _rows(figures) if name]
    width = max(map(len, (name for name, *_ in rows)), default=0)
    return "\n".join(
        f"{name:{width}}  {_number(value):>11}  {beside}".rstrip() for name, value, beside in rows
    )


def _next_frame(figures: Figures) -> Iterator[str]:
    name, error = _error(figures)
    if error is None:
        return
    baselines = _baselines(figures, _OF_ERROR + name.removeprefix("one_step_error"))
    told = f"next frame: an error of {error:.4g}{_unit(name)}"
    worse = {label: value for label, value in baselines.items() if value > error}
    better = {label: value for label, value in baselines.items() if value <= error}
    if not better:
        label = min(worse, key=lambda label: worse[label], default="")
        nearest = f", the nearest {label} with {worse[label]:.4g}" if label else ""
        yield f"{told}, smaller than every baseline's{nearest}."
    else:
        best = min(better, key=lambda label: better[label])
        yield (
            f"{told}, no smaller than that of {_listed(better)} ({best} {better[best]:.4g}): what "
            "is predicted so needs no model."
        )


def _likelihood(figures: Figures) -> Iterator[str]:
    sides = [figures.get(f"log_likelihood_{side}_nats") for side in ("raise", "ais")]
    known = [side for side in sides if side is not None]
    if len(known) < len(sides):
        return
    low, high = min(known), max(known)
    baselines = _baselines(figures, _OF_LIKELIHOOD)
    told = f"likelihood: {low:.5g} to {high:.5g} nats a frame"
    if baselines:
        best = max(baselines, key=lambda label: baselines[label])
        beside = f"{best}, the best of the baselines, has {baselines[best]:.5g}"
        if low > baselines[best]:
            told += f", likelier than every baseline: {beside}"
        elif high < baselines[best]:
            told += f", less likely than a baseline: {beside}"
        else:
            told += f", which cannot be told from a baseline: {beside}"
    is_close = not likelihood.warning(figures)
    yield f"{told}; the two estimates {'agree' if is_close else 'do not agree, see below'}."


def _sound(figures: Figures) -> Iterator[str]:
    found, floor = (figures.get(f"resynthesis{of}_db") for of in ("", "_random_phases"))
    if found is None or floor is None:
        return
    yield (
        f"sound: made of their own frames, held-out recordings come within {found:.1f} dB of "
        f"themselves, under random phases within {floor:.1f} dB."
    )


def _songs(figures: Figures) -> Iterator[str]:
    count, real = figures.get("generated_num_syllables"), figures.get("real_num_syllables")
    if count is None or real is None:
        return
    if real < FEWEST_SYLLABLES:
        yield f"songs: the recordings have {real:g} syllables, too few to compare with."
    elif not count:
        yield (
            "songs: no syllable was found in them: the model is silent, or makes noise without "
            "pauses; songs.png shows which."
        )
    elif count < FEWEST_SYLLABLES:
        yield (
            f"songs: {count:g} syllables were found in them, too few to compare: the model is "
            "nearly silent, or runs its syllables together; songs.png shows which."
        )
    else:
        yield f"songs: {_likeness(figures)}."
        yield from _types(figures)
        yield from _measures(figures)


def _likeness(figures):
    ratios = {name: figures.get(name) for name in _ASPECTS}
    off = [
        f"{_ASPECTS[name][0]} {ratio:.2f} times those of the recordings "
        f"({_ASPECTS[name][1] if ratio > 1 else _ASPECTS[name][2]})"
        for name, ratio in ratios.items()
        if ratio is not None and not 1 / _ALIKE <= ratio <= _ALIKE
    ]
    alike = [
        _ASPECTS[name][0]
        for name, ratio in ratios.items()
        if ratio is not None and 1 / _ALIKE <= ratio <= _ALIKE
    ]
    if not off:
        return f"like the recordings in {_listed(alike)}, each within a quarter"
    like = f"like the recordings in {_listed(alike)}; but " if alike else "unlike the recordings: "
    return like + ", ".join(off)


def _types(figures):
    real, sung = figures.get("real_num_types"), figures.get("generated_num_types")
    share = figures.get("song_share_unlike")
    if real is not None and sung is not None and share is not None:
        told = f"songs: {sung:g} of the {real:g} call types of the recordings are sung"
        if share >= _MANY_UNLIKE:
            told += f"; {100 * share:.0f} % of the syllables are like none: blurred, or noise"
        yield f"{told}."


def _measures(figures):
    """Which measures of songs say what, by their verdicts."""
    said = {}
    for name in song_likeness.NAMES:
        said.setdefault(song_likeness.verdict(name, figures), []).append(song_table.NAMES[name])
    if said.get(song_likeness.LIKE_HALVES):
        yield f"songs: like the bird's own halves in {_listed(said[song_likeness.LIKE_HALVES])}."
    if said.get(song_likeness.NEITHER):
        yield (
            "songs: neither that nor better than a chain of frame codes in "
            f"{_listed(said[song_likeness.NEITHER])}."
        )


def _pieces(figures: Figures) -> Iterator[str]:
    within, beyond = [], []
    for event, words in _EVENTS.items():
        found = figures.get(f"{event}_divergence_bits_generated")
        most = figures.get(f"{event}_divergence_bits_null_high")
        if found is None or most is None:
            continue
        if found <= most:
            within.append(words)
        else:
            beyond.append(f"{words} {found:.2g} bits (real ones {most:.2g} at most)")
    if within:
        yield f"pieces: as near to the training pieces as other real ones in {_listed(within)}."
    if beyond:
        yield f"pieces: farther from the training pieces than real ones: {', '.join(beyond)}."


def _couplings(figures: Figures) -> Iterator[str]:
    found, chance = figures.get("coupling_auc_model"), figures.get("coupling_auc_model_null_high")
    if found is None or chance is None:
        return
    simple = figures.get("coupling_auc_regression")
    beside = "" if simple is None else f", by logistic regression {simple:.3f}"
    told = "are told from others" if found > chance else "cannot be told from others"
    yield f"couplings: the coupled pairs {told}, AUC {found:.3f} (chance {chance:.3f}{beside})."


def _rows(figures: Figures) -> Iterator[tuple[str, float | None, str]]:
    name, error = _error(figures)
    if name:
        beside = _baselines(figures, _OF_ERROR + name.removeprefix("one_step_error"))
        yield name, error, _beside(beside, ".4g")
    for side in ("ais", "raise"):
        key = f"log_likelihood_{side}_nats"
        if key in figures:
            spread = figures.get(f"log_likelihood_{side}_se_nats")
            yield key, figures[key], f"standard error {_number(spread)}"
    if "likelihood_gap_nats" in figures:
        yield "likelihood_gap_nats", figures["likelihood_gap_nats"], likelihood.warning(figures)
        baselines = _baselines(figures, _OF_LIKELIHOOD)
        for label, value in baselines.items():
            yield f"  log-likelihood of {label}", value, ""
    if "resynthesis_db" in figures:
        simple = {
            "random phases": figures.get("resynthesis_random_phases_db"),
            "on the frames' own grid": figures.get("resynthesis_own_grid_db"),
        }
        yield "resynthesis_db", figures["resynthesis_db"], _beside(simple, ".3g")
    if "generated_num_syllables" in figures:
        counted = f"recordings {_number(figures.get('real_num_syllables'))}"
        yield "generated_num_syllables", figures["generated_num_syllables"], counted
    for of, ratio in song_likeness.RATIOS.items():
        if f"generated_{of}" in figures:
            beside = f"recordings {_number(figures.get(f'real_{of}'))}"
            told = f"{beside}, ratio {_number(figures.get(ratio))}"
            yield f"generated_{of}", figures[f"generated_{of}"], told
    if "generated_num_types" in figures:
        found = f"recordings {_number(figures.get('real_num_types'))}"
        yield "generated_num_types", figures["generated_num_types"], found
    for event in _EVENTS:
        key = f"{event}_divergence_bits"
        real = {"real pieces at most": figures.get(f"{key}_null_high")}
        yield from _generated(figures, key, real)
    for key in _OF_PIECES:
        yield from _generated(figures, key, {"real": figures.get(f"{key}_real")})
    for key in _OF_COUPLINGS:
        if f"{key}_model" in figures:
            simple = {
                label: figures.get(f"{key}_{name}") for name, label in _SIMPLE_COUPLINGS.items()
            }
            yield f"{key}_model", figures[f"{key}_model"], _beside(simple, ".3g")
    for key in _ALONE:
        if key in figures:
            yield key, figures[key], ""


def _generated(figures, key, real):
    """The row of a figure of generated pieces, beside real and simple ones'."""
    if f"{key}_generated" in figures:
        simple = {label: figures.get(f"{key}_{name}") for name, label in _SIMPLE_PIECES.items()}
        yield f"{key}_generated", figures[f"{key}_generated"], _beside(real | simple, ".3g")


def _error(figures: Figures) -> tuple[str, float | None]:
    """The one-step error's name, with its unit, and value; "" where there is none."""
    names = (name for name in figures if re.fullmatch(r"one_step_error(_(?!of_label)\w+)?", name))
    name = next(names, "")
    return name, figures.get(name)


def _unit(name):
    unit = name.removeprefix("one_step_error").lstrip("_")
    return {"": "", "db": " dB"}.get(unit, f" ({unit.replace('_', ' ')})")


def _baselines(figures: Figures, pattern: str) -> dict[str, float]:
    """Label -> value of the baselines whose names a pattern matches as a whole."""
    found = {}
    for name, value in figures.items():
        match = re.fullmatch(pattern, name)
        if match and value is not None:
            found[canvas.baseline_label(match[1])] = value
    return found


def _beside(baselines, form):
    known = {label: value for label, value in baselines.items() if value is not None}
    return ", ".join(f"{label} {value:{form}}" for label, value in known.items())


def _listed(names):
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.5g}"
