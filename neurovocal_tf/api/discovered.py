"""What `discover` gives: call types, their order, and how sure both are, as tables."""

import functools
import os
from typing import Any

import pandas as pd

from neurovocal_tf.api import found_calls
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.api.found_calls import FoundCalls
from neurovocal_tf.discovery import (
    fitted_file,
    identity_report,
    merges,
    report,
    tables,
    written,
)
from neurovocal_tf.discovery.discover import Asked, Discovery, discover
from neurovocal_tf.ownership import owned

_TEXTS = frozenset(
    ("type", "nearest", "type_a", "type_b", "example_a", "example_b", "reason", "accept")
)
_ANSWER_TEXTS = frozenset(("file", "given", "answer"))


class Discovered:
    """Call types of recordings, and what is known of their order.

    Attributes:
        calls: DataFrame, a row for each call: `file`, `onset_s`, `offset_s`, `type`, `confidence`
            (share of the fifteen nearest fitted calls of that type), `is_familiar`, `bout`, and
            `label` and `group` where they were given.
        types: DataFrame, a row for each type: `type`, `num_calls`, `share`, `stability_half`,
            `stability_bootstrap`, `nearest`, `valley` and more, see docs/discovery.md.
        transitions: DataFrame, how often the column's type follows the row's.
        syntax: dict of figures with their intervals, as syntax.json.
        merges: DataFrame of pairs of types that may be one, as merges.csv.
        identity: DataFrame, who sings in each recording, or None where nobody was named.
        identity_figures: dict, how well that is known, as identity.json, or None.
        caveats: list of sentences for whoever reads the figures.
        summary: list of lines.
        found: `neurovocal_tf.discovery.discover.Discovery`, the same as arrays.
    """

    def __init__(self, found: Discovery, asked: Asked, calls: FoundCalls) -> None:
        self.found, self._asked, self._given = found, asked, calls

    def __repr__(self) -> str:
        return f"<Discovered: {self.summary[0]}>"

    @functools.cached_property
    def calls(self) -> pd.DataFrame:
        """A row for each call."""
        found, bouts = self.found, self.found.bouts
        names = [found.names[number] for number in bouts.recordings]
        columns: dict[str, Any] = {
            "file": pd.Series([self._given.files[name] for name in names], dtype=object),
            "onset_s": bouts.onsets_s,
            "offset_s": bouts.offsets_s,
            "type": pd.Series([found.type_names[number] for number in bouts.types], dtype=object),
            "confidence": found.confidences,
            "is_familiar": found.is_familiar,
            "bout": (~bouts.follows).cumsum(),
        }
        if found.labels is not None:
            columns["label"] = pd.Series(found.labels, dtype=object)
        if self._asked.groups:
            groups = [self._asked.groups.get(name, "") for name in names]
            columns["group"] = pd.Series(groups, dtype=object)
        return pd.DataFrame(columns)

    @functools.cached_property
    def types(self) -> pd.DataFrame:
        """A row for each type."""
        return _frame(tables.TYPE_COLUMNS, tables.type_rows(self.found), _TEXTS)

    @property
    def transitions(self) -> pd.DataFrame:
        """How often the column's type follows the row's."""
        names = list(self.found.type_names)
        return pd.DataFrame(self.found.syntax["transitions"], index=names, columns=names)

    @property
    def syntax(self) -> dict[str, Any]:
        """Figures of the order, with intervals."""
        return tables.order(self.found)

    @functools.cached_property
    def merges(self) -> pd.DataFrame:
        """Pairs of types that may be one."""
        rows = merges.rows(
            self.found.suggestions, self.found.type_names, tables.examples(self.found)
        )
        return _frame(merges.COLUMNS, rows, _TEXTS)

    @functools.cached_property
    def identity(self) -> pd.DataFrame | None:
        """Who sings in each recording."""
        told = self.found.identity
        if told is None:
            return None
        table = _frame(identity_report.COLUMNS, identity_report.rows(told), _ANSWER_TEXTS)
        table["file"] = [self._given.files[name] for name in table["file"]]
        return table.astype({"is_held_out": bool})

    @property
    def identity_figures(self) -> dict[str, Any] | None:
        """How well it is known who sings."""
        return identity_report.content(self.found.identity) if self.found.identity else None

    @property
    def caveats(self) -> list[str]:
        """Sentences for whoever reads the figures."""
        return self.found.caveats

    @property
    def summary(self) -> list[str]:
        """What was found, in a few lines."""
        return written.summary(self.found)

    def assign(
        self, recordings: Any, rate: int | None = None, *, progress: bool = True
    ) -> pd.DataFrame:
        """What the calls of new recordings are, by these types; they stay as they are.

        Args:
            recordings, rate, progress: as of `discover`; calls are found with the same settings.

        Returns: DataFrame as `calls`.
        """
        given = found_calls.find(recordings, self._given.config, rate, {}, 0, progress)
        asked = Asked(given.config, self.found.fitted.recipe, self.found.fitted)
        found = discover(given.paths, given.spans_s, asked)
        return Discovered(found, asked, given).calls

    def write(self, out: Path, *, overwrite: bool = False) -> str:
        """Writes report.html and all tables into a folder, as `neurovocal discover` does.

        Args:
            out: the folder; made if it is not there.
            overwrite: whether to give up what people have changed there.

        Returns: path of report.html.
        """
        folder = os.path.expanduser(os.fspath(out))
        os.makedirs(folder, exist_ok=True)
        with owned(folder, "report"):
            page, _ = written.write(
                folder,
                self.found,
                self._given.paths,
                self._given.durations_s,
                self._given.config,
                self._asked.groups,
                overwrite,
            )
        return page

    def report(self, path: Path) -> str:
        """Writes report.html alone, as the file that is named, and returns its path."""
        name = os.path.expanduser(os.fspath(path))
        folder = os.path.dirname(os.path.abspath(name))
        os.makedirs(folder, exist_ok=True)
        given = self._given
        return report.write(
            folder,
            self.found,
            given.paths,
            given.config,
            written.parts(self.found),
            os.path.basename(name),
        )

    def save(self, folder: Path) -> None:
        """Writes the fitted types, call_types.json and call_types.npz, for the argument `types` of
        `discover` and `call_types`.
        """
        name = os.path.expanduser(os.fspath(folder))
        os.makedirs(name, exist_ok=True)
        fitted_file.save(name, self.found.fitted)


def _frame(columns: Any, rows: Any, texts: frozenset[str]) -> pd.DataFrame:
    """Rows as written, with numbers where they are such; what is not known is NaN."""
    table = pd.DataFrame([list(row) for row in rows], columns=list(columns), dtype=object)
    for name in table.columns:
        if name not in texts:
            table[name] = pd.to_numeric(table[name].replace("", float("nan")))
    return table
