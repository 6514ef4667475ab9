"""Under which conditions recordings were made: by a table of them, by the folders they lie in, or
by parts of their names.

Each column of `condition_columns` is a condition of its name. With `condition_from` there is one
more: `folder`, the folder that a recording lies in, or `name_part`, one of the parts that `_` makes
of its name without the extension, counted from 1: of 7_jackson_3.wav `name_part:2` is jackson. What
lies in the data folder itself has no folder, and a name of fewer parts no such part. A recording of
which nothing is said is of the unknown.
"""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from neurovocal_tf.annotations import recordings_table
from neurovocal_tf.audio import listing
from neurovocal_tf.conditions import UNKNOWN, Conditions
from neurovocal_tf.config import DataConfig
from neurovocal_tf.data.sequence_data import SequenceData
from neurovocal_tf.data.sources import Source

_MOST_NAMED = 3


def names_of(config: DataConfig) -> tuple[str, ...]:
    """Names of the conditions that the settings ask for."""
    return (*config.columns_of_conditions, *filter(None, [config.condition_from.split(":")[0]]))


def values_of(
    paths: Iterable[str], data_dir: str | os.PathLike[str], config: DataConfig
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The value of each condition, "" where there is none, of each recording.

    Args:
        paths: of the recordings.    data_dir: as `listing.look_at` takes it.
        config: `DataConfig`.

    Returns:
        (dict of path -> values in the order of `names_of`; sentences for the user).

    Raises:
        ValueError: the table does not serve, see `recordings_table.values_of`, or no recording has
            such a folder or part of its name.
    """
    paths, names = list(paths), names_of(config)
    if not names:
        return dict.fromkeys(paths, ()), []
    folder = listing.folder_of(os.fspath(data_dir))
    recordings = {os.path.relpath(path, folder): path for path in paths}
    found, notes = [], []
    for column in config.columns_of_conditions:
        of_column, told = recordings_table.values_of(
            config.recordings_table, column, recordings, "condition_columns"
        )
        found.append(of_column)
        notes += told
    if config.condition_from:
        found.append({name: part_of(name, config.condition_from) for name in recordings})
        notes += _notes_of_parts(found[-1], config.condition_from)
    values = {
        path: tuple(of_one.get(name, "") for of_one in found) for name, path in recordings.items()
    }
    return values, list(dict.fromkeys(notes))


def known_of(training: Sequence[Source], config: DataConfig) -> Conditions:
    """What a model can learn of: the values of the sources that train."""
    names = names_of(config)
    return Conditions.of(
        {name: [s.conditions[place] for s in training] for place, name in enumerate(names)}
    )


def notes_of_held_out(held_out: Sequence[Source], known: Conditions) -> list[str]:
    """Sentences about recordings whose values do not train."""
    notes = []
    for place, (name, values) in enumerate(known.values.items()):
        new = [s for s in held_out if s.conditions[place] not in ("", *values)]
        if new:
            told = ", ".join(sorted({s.conditions[place] for s in new})[:_MOST_NAMED])
            notes.append(
                f"{len(new)} of {len(held_out)} held-out recordings have a value of {name} that "
                f"does not train, and are of the unknown one: {told}"
            )
    return notes


def notes_of_others(held_out: Sequence[Source], known: Conditions) -> list[str]:
    """Sentences about recordings that a run has not seen: those without a value, and those whose
    values do not train.
    """
    notes = []
    for place, name in enumerate(known.values):
        without = [os.path.basename(s.path) for s in held_out if not s.conditions[place]]
        if without:
            notes.append(
                f"{len(without)} of {len(held_out)} held-out recordings have no {name}, and are of "
                f"the unknown one: {', '.join(without[:_MOST_NAMED])}"
            )
    return notes + notes_of_held_out(held_out, known)


def in_turn(sources: Sequence[Source], known: Conditions, count: int) -> np.ndarray | None:
    """The conditions of so many songs, which have them as often as the sources do, int32 [N, K];
    None where there are none.
    """
    if not known:
        return None
    chosen = np.arange(count) * len(sources) // count
    return np.array([known.numbers(sources[place].conditions) for place in chosen], np.int32)


def those_of(recordings: SequenceData, asked: Mapping[int, int], what: str) -> SequenceData:
    """The recordings whose values are those that somebody has named, all where nothing is named.

    Args:
        recordings: `SequenceData`.    asked: what is named, as of `Conditions.named`.
        what: what they do in words, such as "train".

    Raises:
        ValueError: none has these values.
    """
    known = recordings.conditions
    if not asked:
        return recordings
    found = [known.numbers(source.conditions) for source in recordings.sources]
    chosen = [
        index
        for index, numbers in enumerate(found)
        if all(numbers[place] == number for place, number in asked.items())
    ]
    if not chosen:
        values = list(known.values.items())
        told = (f"{values[place][0]}={values[place][1][number]}" for place, number in asked.items())
        raise ValueError(
            f"`condition` must be one of which recordings {what}. "
            f"Received: condition={', '.join(told)}"
        )
    return recordings.some(chosen)


def check_unchanged(sources: Sequence[Source], config: DataConfig) -> None:
    """Raises ValueError unless the table says of each source what the source itself says."""
    paths = {source.path: source.path for source in sources}
    for place, column in enumerate(config.columns_of_conditions):
        if not any(source.conditions[place] for source in sources):
            continue
        found, _ = recordings_table.values_of(
            config.recordings_table, column, paths, "condition_columns"
        )
        for source in sources:
            if found.get(source.path, "") != source.conditions[place]:
                raise ValueError(
                    f"`recordings_table` cannot change when a run goes on, and the {column} of "
                    f"{source.path} is another than it began with, "
                    f"{source.conditions[place] or UNKNOWN}. Use another --workdir. "
                    f"Received: recordings_table={config.recordings_table}"
                )


def part_of(name: str, how: str) -> str:
    """What a recording's name tells, "" for nothing.

    Args:
        name: relative to the data folder.    how: folder or name_part:N.
    """
    if how == "folder":
        return os.path.basename(os.path.dirname(name))
    parts = os.path.splitext(os.path.basename(name))[0].split("_")
    number = int(how.partition(":")[2] or 1)
    return parts[number - 1].strip() if number <= len(parts) else ""


def _notes_of_parts(found, how):
    left = [name for name, value in found.items() if not value]
    what = how.split(":")[0]
    if found and len(left) == len(found):
        raise ValueError(
            f"`condition_from` must be what the recordings have, and none has a {what}. "
            f"Received: condition_from={how}, and recordings such as {left[0]}"
        )
    if left:
        first = ", ".join(left[:_MOST_NAMED])
        yield f"{len(left)} of {len(found)} recordings have no {what}: {first}"
