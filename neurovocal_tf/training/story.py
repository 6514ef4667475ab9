"""A run's own story: which epoch is kept, and why, in words."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from neurovocal_tf.plots import canvas
from neurovocal_tf.runs.checkpoint import BestWeights

Row = Mapping[str, float]
History = Sequence[Row]


def monitored_error(row: Row) -> float:
    """What tells the best epoch, from its row of the history: of binary units the
    pseudo-likelihood, negated, else the one-step error.
    """
    return (
        -row["val_pseudo_log_likelihood"]
        if "val_pseudo_log_likelihood" in row
        else row["val_one_step_error"]
    )


def kept_epochs(history: History) -> list[int]:
    """After each epoch the one that is kept, counted from 1, as `BestWeights` chooses.

    Args:
        history: a dict of figures for each epoch.
    """
    best, kept = BestWeights(), []
    for row in history:
        known = monitored_error(row), int(row["epoch"]), int(row["cd_steps"])
        best.offer([np.zeros(0)], *known, row.get("song_distance", math.inf))
        kept.append(best.epoch)
    return kept


def line_of(history: History, unit: str) -> str | None:
    """What is to be said of the last epoch of a history: that it is kept or, where it sang, not,
    and why. None where there is nothing to say.

    Args:
        history: a dict of figures for each epoch, one at least.    unit: of the errors.
    """
    kept, row = kept_epochs(history), history[-1]
    if len(history) == 1:
        return f"epoch 1 is kept, the first: {_measure(row, unit)}"
    before = _row_of(history, kept[-2])
    if kept[-1] != kept[-2]:
        return f"{_named(row)} is kept: {_reason(row, before, unit)}"
    if not math.isfinite(monitored_error(row)):
        return f"{_named(row)} is not kept: its error is not finite"
    if _sang(row):
        return f"{_named(row)} is not kept: {_songs(row)}; {_named(before)} has {_songs(before)}"
    return None


def story(history: History, unit: str) -> list[str]:
    """Which epoch a run keeps, why not another, and how that is beside its baselines, as lines.

    Args:
        history: a dict of figures for each epoch, one at least.    unit: of the errors.
    """
    kept = _row_of(history, kept_epochs(history)[-1])
    songs = f", {_songs(kept)}" if _sang(kept) else ""
    return [
        f"{_named(kept)} of {len(history)} is kept: {_measure(kept, unit)}{songs}",
        *_why(history, kept),
        *_nearer_to_the_next_frame(history, kept, unit),
        *_beside_baselines(kept, unit),
        *_left_out(history),
    ]


def _reason(row, before, unit):
    """Why an epoch takes the place of the one that was kept before it."""
    measure = _measure(row, unit)
    if not math.isfinite(monitored_error(before)):
        return f"{measure}; that of {_named(before)} is not finite"
    if row["cd_steps"] > before["cd_steps"]:
        return f"{measure}, and the first with {_steps(row)}"
    if not _sang(row):
        return f"{measure}, before {_number(before)}"
    if not _sang(before):
        return f"{_songs(row)}{_halves(row)}, the first to sing; {measure}"
    return f"{_songs(row)}{_halves(row)}; {measure}; {_named(before)} has {_number(before)} " + (
        f"{'but' if _is_smaller(before, row) else 'and'} {_songs(before)}"
    )


def _why(history, kept):
    peers = [row for row in history if row["cd_steps"] == kept["cd_steps"]]
    sang = [row for row in peers if _sang(row)]
    most = f"{len(peers)} epochs with {_steps(kept)}" + (
        ", the most" if len(peers) < len(history) else ""
    )
    if not _sang(kept):
        return [f"Of the {most}, it has the best of these figures."] if len(peers) > 1 else []
    told = ", ".join(f"{row['epoch']:g}: {_distance(row)}" for row in sang)
    lines = [f"Of the {most}, {len(sang)} sang; the nearest songs are kept ({told})."]
    if math.isfinite(kept.get("baseline_song_distance", math.nan)):
        lines.append(
            f"One half of the recordings is {kept['baseline_song_distance']:.2f} from the other: "
            "songs that near are as like them as they are like each other."
        )
    return lines


def _nearer_to_the_next_frame(history, kept, unit):
    """Of the epoch with the best figure, where it is not the one that is kept."""
    finite = [row for row in history if math.isfinite(monitored_error(row))]
    best = min(finite, key=monitored_error, default=kept)
    if best is kept:
        return []
    if best["cd_steps"] < kept["cd_steps"]:
        why = f"it was trained with {_steps(best)}"
    else:
        why = f"it has {_songs(best)}" if _sang(best) else "it was not asked to sing"
    return [f"{_named(best)} has a better {_measure(best, unit)}, but {why}."]


def _beside_baselines(kept, unit):
    error = kept["val_one_step_error"]
    baselines = {
        canvas.baseline_label(name.removeprefix("baseline_")): value
        for name, value in kept.items()
        if name.startswith("baseline_") and name != "baseline_song_distance"
    }
    if not baselines:
        return []
    told = ", ".join(f"{name} {value:.4g}" for name, value in baselines.items())
    better = [name for name, value in baselines.items() if not error < value]
    verdict = f"{' and '.join(better)} no worse" if better else "all of them worse"
    return [f"Baselines of the one-step error ({error:.4g} {unit}): {told}; {verdict}."]


def _left_out(history):
    count = int(history[-1].get("num_bad_steps", 0))
    return [f"{count} updates were left out, whose gradients were not finite."] if count else []


def _measure(row, unit):
    if "val_pseudo_log_likelihood" in row:
        return f"held-out pseudo-log-likelihood {_number(row)} nats"
    return f"held-out one-step error {_number(row)} {unit}".rstrip()


def _number(row):
    is_likelihood = "val_pseudo_log_likelihood" in row
    return f"{row['val_pseudo_log_likelihood' if is_likelihood else 'val_one_step_error']:.4g}"


def _sang(row):
    return not math.isnan(row.get("song_distance", math.nan))


def _songs(row):
    if not _sang(row):
        return "no songs"
    if math.isinf(row["song_distance"]):
        return "songs of too few syllables to compare"
    return f"songs {row['song_distance']:.2f} from the recordings"


def _distance(row):
    return (
        "too few syllables" if math.isinf(row["song_distance"]) else f"{row['song_distance']:.2f}"
    )


def _halves(row):
    apart = row.get("baseline_song_distance", math.nan)
    return f" (halves of these: {apart:.2f})" if math.isfinite(apart) else ""


def _is_smaller(row, other):
    return monitored_error(row) < monitored_error(other)


def _steps(row):
    return f"{row['cd_steps']:g} Gibbs step{'s' * (row['cd_steps'] != 1)}"


def _named(row):
    return f"epoch {row['epoch']:g}"


def _row_of(history, epoch):
    return next(row for row in history if row["epoch"] == epoch)
