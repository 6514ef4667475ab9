"""Parquet: tables with types, as pandas, polars and DuckDB read them. Needs pyarrow, the extra
`parquet`.
"""

import contextlib
import functools
import importlib
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

from neurovocal_tf import files
from neurovocal_tf.annotations.annotation import Annotation

EXTENSION = ".parquet"
# Of the tables of this package; the others hold numbers.
# fmt: off
_TEXTS = frozenset((
    "file", "label", "reason", "note", "type", "fired", "group", "nearest", "type_a", "type_b",
    "example_a", "example_b", "accept", "given", "answer", "speaker", "word", "kind",
))
# fmt: on
_FLOATS = ("onset_s", "offset_s", "score")
_OPTIONAL = ("channel", "low_hz", "high_hz", "score")
_ROWS_AT_ONCE = 2**18


def check() -> None:
    """Raises ValueError, one line, where Parquet cannot be read or written."""
    try:
        importlib.import_module("pyarrow")
    except ImportError as error:
        raise ValueError(
            f"Parquet needs pyarrow: pip install 'pyarrow<19' (the extra `parquet`). {error}"
        ) from None


def is_one(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a Parquet table by its name."""
    return os.fspath(path).lower().endswith(EXTENSION)


def as_csv(content: bytes, path: str | os.PathLike[str]) -> str:
    """A Parquet table as the text of a CSV table, which every reader of tables takes.

    Args:
        content: of the file.    path: names it in errors.

    Raises: ValueError, one line.
    """
    check()
    # Here, so that who has no such table waits for no library.
    import pandas as pd

    try:
        table = pd.read_parquet(io.BytesIO(content))
    # What pyarrow raises of a damaged file is of many kinds.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: is not a Parquet table: {reason}") from None
    return table.to_csv(index=False, lineterminator="\n")


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """Annotations as `csv_table.write` has them, with numbers as numbers."""
    check()
    import pandas as pd

    columns: dict[str, Any] = {
        "file": pd.Series([a.file for a in annotations], dtype=str),
        "onset_s": pd.Series([a.onset_s for a in annotations], dtype=float),
        "offset_s": pd.Series([a.offset_s for a in annotations], dtype=float),
        "label": pd.Series([a.label for a in annotations], dtype=str),
    }
    for name in _OPTIONAL:
        values = [getattr(a, name) for a in annotations]
        if any(value is not None for value in values):
            columns[name] = pd.Series(values, dtype="Int64" if name == "channel" else float)
    with files.replacing(path) as temporary:
        pd.DataFrame(columns).to_parquet(temporary, index=False)


def write_from_csv(
    path: str | os.PathLike[str],
    table: str | os.PathLike[str],
    constants: Mapping[str, int | None] | None = None,
) -> None:
    """A CSV table of this package once more as Parquet: what is empty of its numbers is null.

    Args:
        path: of it.    table: the CSV table.
        constants: columns of one number that stand before the score; None of one: it is left out.
    """
    check()
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    header = pd.read_csv(table, nrows=0).columns
    numbers = [name for name in header if name not in _TEXTS]
    read = functools.partial(
        pd.read_csv,
        table,
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
        # So that the table may be larger than memory.
        chunksize=_ROWS_AT_ONCE,
    )
    # Of a table without rows, too.
    floats = set(_FLOATS).intersection(header)
    for part in read(usecols=numbers) if numbers else ():
        # What is a whole number in one part need not be in another.
        floats |= {name for name in numbers if part[name].dtype.kind == "f"}
    kinds = {name: str for name in header if name in _TEXTS} | dict.fromkeys(floats, float)
    with files.replacing(path) as temporary, contextlib.ExitStack() as stack:
        writer = None
        for part in read(dtype=kinds):
            for name, value in (constants or {}).items():
                if value is not None:
                    column = pd.Series(value, index=part.index, dtype="Int64")
                    part.insert(part.columns.get_loc("score"), name, column)
            rows = pa.Table.from_pandas(part, preserve_index=False)
            writer = writer or stack.enter_context(pq.ParquetWriter(temporary, rows.schema))
            writer.write_table(rows)
