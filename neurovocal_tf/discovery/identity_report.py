"""Who sings, as it is told: in a few lines, in identity.csv and identity.json, in the report."""

import math
from collections.abc import Mapping

from neurovocal_tf.discovery.identity import Identity

COLUMNS = (
    "file",
    "given",
    "answer",
    "probability",
    "familiar",
    "num_calls",
    "is_held_out",
)
_UNITS = {"call": "one call", "song": "a song", "recording": "a recording"}


def rows(told: Identity) -> list[list[object]]:
    """Rows of identity.csv, under `COLUMNS`; what is not known is empty."""
    return [
        [
            a.recording,
            a.given,
            a.answer,
            _number(a.probability),
            _number(a.familiar),
            a.num_calls,
            int(a.is_held_out),
        ]
        for a in told.answers
    ]


def content(told: Identity) -> dict[str, object]:
    """What identity.json holds, of JSON's kinds."""
    return {"names": list(told.names), **told.figures, "caveats": told.caveats}


def summary(told: Identity) -> list[str]:
    """Who sings, in a few lines for a terminal or the head of a page."""
    units, nearest, background = (
        told.figures[name] for name in ("units", "nearest_neighbour", "background")
    )
    new = [a for a in told.answers if not a.given and a.answer]
    answers = f"{len(new)} recordings without a label are answered, see identity.csv"
    if not isinstance(units, dict) or not isinstance(nearest, dict):
        return [f"who sings: {len(told.names)} individuals; {answers}"]
    parts = [f"{_UNITS[name]} {_share(of)}" for name, of in units.items()]
    lines = [
        f"who sings: {len(told.names)} individuals, named rightly in recordings held out by "
        f"{', '.join(parts)}; by the nearest labelled call {nearest['call']:.3f} of calls, "
        f"{nearest['song']:.3f} of songs; always the most frequent {units['call']['majority']:.3f}"
    ]
    if isinstance(background, dict):
        lines.append(
            "who sings, by the silence between the calls alone: a stretch of it "
            f"{_share(background['stretch'])}, a recording {_share(background['recording'])}"
        )
    return [*lines, f"who sings: {answers}"] if new else lines


def part(told: Identity) -> dict[str, object]:
    """What the report's section is told, of JSON's kinds."""
    return {
        **content(told),
        "answers": [dict(zip(COLUMNS, row, strict=True)) for row in rows(told)],
    }


def _share(judged: Mapping[str, object]) -> str:
    accuracy, low, high = (judged[f"accuracy{end}"] for end in ("", "_low", "_high"))
    between = f" ({low:.3f} to {high:.3f})" if isinstance(low, float) else ""
    return f"{accuracy:.3f}{between}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
