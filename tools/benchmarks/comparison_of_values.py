"""The values in the files of two folders, compared one by one:
equal bit for bit, or by how much they differ.
"""

import csv
import dataclasses
import json
import pathlib

import numpy as np

# Times that something took, and versions: they differ between two runs of the same code.
_LEFT_OUT_KEYS = {"epoch_s", "versions"}
# Pictures of TensorBoard's are dated, and so are Keras' files and graphs: what these hold is asked
# for instead, see `comparison_answers`.
_LEFT_OUT_FOLDERS = {"tensorboard", "variables"}
_LEFT_OUT_FILES = {"model.keras", "saved_model.pb", "fingerprint.pb"}
_MOST_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What one file holds in both folders.

    Attributes:
        what: its path.    num_values: arrays and single values that both have.
        different: dict of the name of each that differs -> by how much, in words.
        largest: the largest difference of numbers.
        only_before, only_after: names of those that are in one only.
    """

    what: str
    num_values: int
    different: dict
    largest: float
    only_before: tuple
    only_after: tuple

    @property
    def is_equal(self):
        """Whether both hold the same, bit for bit."""
        return not (self.different or self.only_before or self.only_after)


def compared_folders(before, after):
    """A `Comparison` of every file of two folders, in the order of their paths;
    times and versions are left out by name.
    """
    files, found = [_files(folder) for folder in (before, after)], []
    for path in sorted(set.union(*files)):
        values = [
            values_of(folder, path) if path in own else None
            for folder, own in zip((before, after), files, strict=True)
        ]
        if None in values:
            only = [("the file",) if of_one is not None else () for of_one in values]
            found.append(Comparison(path, 0, {}, 0.0, *only))
        else:
            found.append(compared(path, *values))
    return found


def compared(what, before, after):
    """`Comparison` of two dicts of name -> NumPy array."""
    common = [name for name in before if name in after]
    differences = {name: difference(before[name], after[name]) for name in common}
    different = {name: words for name, (_, words) in differences.items() if words}
    largest = max((size for size, _ in differences.values()), default=0.0)
    only = [
        tuple(name for name in one if name not in other)
        for one, other in ((before, after), (after, before))
    ]
    return Comparison(what, len(common), different, largest, *only)


def difference(before, after):
    """(largest difference of two arrays, 0 if none can be told;
    the difference in words, "" if they are equal bit for bit).
    """
    if before.dtype != after.dtype and not {before.dtype.kind, after.dtype.kind} <= {"U"}:
        return 0.0, f"{before.dtype} became {after.dtype}"
    if before.shape != after.shape:
        return 0.0, f"shape {before.shape} became {after.shape}"
    if before.dtype.kind in "USO":
        num_different = int(np.sum(before != after))
        first = (
            ""
            if not num_different
            else f": {before[before != after][0]!s:.40} became {after[before != after][0]!s:.40}"
        )
        return 0.0, f"{num_different} of {before.size} differ{first}" if num_different else ""
    if before.tobytes() == after.tobytes():
        return 0.0, ""
    is_other = (
        ~((before == after) | (np.isnan(before) & np.isnan(after)))
        if before.dtype.kind in "fc"
        else before != after
    )
    num_different = int(np.sum(is_other))
    # Of numbers that are equal, and yet not bit for bit, one is a negative zero or another NaN.
    size = float(
        np.max(
            np.abs(before[is_other].astype(np.float64) - after[is_other].astype(np.float64)),
            initial=0.0,
        )
    )
    return (
        size,
        (
            f"{num_different} of {before.size} differ, by at most {size:.3g} of "
            f"{np.max(np.abs(before), initial=0):.3g}"
        ),
    )


def values_of(folder, name):
    """What a file in a folder holds: dict of name -> NumPy array, of text and of other files their
    bytes. Paths begin at the folder.
    """
    path = pathlib.Path(folder, name)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            values = dict(arrays)
        if "meta" in values:  # of a checkpoint
            values |= _flat(json.loads(bytes(values.pop("meta"))), "meta")
    elif path.suffix == ".json":
        values = _flat(json.loads(_text(path, folder)))
    elif path.suffix == ".csv":
        values = _columns(_text(path, folder))
    else:
        values = {"bytes": np.frombuffer(path.read_bytes(), np.uint8)}
    return {name: values[name] for name in values if not _LEFT_OUT_KEYS & set(name.split("/"))}


def table(title, comparisons):
    """Comparisons as lines of text: a file each, and below it what differs."""
    lines = [title]
    for found in comparisons:
        values = f"{found.num_values} value" + "s" * (found.num_values != 1)
        lines.append(f"  {found.what:50}{values:>12}   {_verdict(found)}")
        lines += [f"      {name}: {words}" for name, words in _first(found.different.items())]
        lines += [f"      ... and {len(found.different) - _MOST_NAMED} more"] * (
            len(found.different) > _MOST_NAMED
        )
        for when, names in (("before", found.only_before), ("after", found.only_after)):
            if names:
                more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
                lines.append(f"      only {when}: {', '.join(_first(names))}{more}")
    return "\n".join(lines) + "\n"


def figures(title, comparisons):
    """Comparisons as a flat dict of JSON values: of each file how many values, how many of them
    differ, by how much at most.
    """
    kept = {
        "values": lambda found: found.num_values,
        "different": lambda found: len(found.different),
    }
    kept |= {"largest_difference": lambda found: found.largest}
    kept |= {
        "only_before": lambda found: list(found.only_before),
        "only_after": lambda found: list(found.only_after),
    }
    return {
        f"bits/{title}/{found.what}/{name}": value(found)
        for found in comparisons
        for name, value in kept.items()
    }


def _verdict(found):
    if found.is_equal:
        return "equal bit for bit"
    return f"{len(found.different)} DIFFER" if found.different else "one has more, else the same"


def _files(folder):
    paths = [path.relative_to(folder) for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {
        str(path)
        for path in paths
        if path.name not in _LEFT_OUT_FILES and not _LEFT_OUT_FOLDERS & set(path.parts)
    }


def _flat(value, name=""):
    """Dict of name/name/... -> array of one value, of nested dicts and lists."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list) and any(isinstance(part, (dict, list)) for part in value):
        parts = enumerate(value)
    else:
        return {name: np.array(value if value is not None else "null")}
    return {
        key: array
        for part, inner in parts
        for key, array in _flat(inner, f"{name}/{part}" if name else str(part)).items()
    }


def _text(path, folder):
    return path.read_text(encoding="utf-8").replace(str(folder), "")


def _columns(text):
    names, *rows = csv.reader(text.splitlines())
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return {name: _numbers(texts) for name, texts in columns.items()}


def _numbers(texts):
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        return np.array(texts)


def _first(names):
    return list(names)[:_MOST_NAMED]
