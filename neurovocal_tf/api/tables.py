"""What a model tells of recordings, as a table with a row for each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from neurovocal_tf.api import arguments
from neurovocal_tf.api.hearing import Heard, Hearing
from neurovocal_tf.conditions import Given
from neurovocal_tf.runs.trained import Trained
from neurovocal_tf.serving.readings import Reading


def table_of(
    trained: Trained,
    reading: Reading,
    names: Sequence[str],
    recordings: Any,
    rate: int | None,
    condition: Given,
    progress: bool,
) -> pd.DataFrame:
    """One reading of recordings; `names` are those of its answers that are wanted, and all else is
    as of `Model.embed`.
    """
    told = trained.model.conditions.row(trained.model.conditions.numbers_of(condition))
    hearing = Hearing(trained, recordings, rate)
    rows = [
        heard.columns | _answers(reading, names, heard, told)
        for heard in tqdm(hearing, unit="recording", disable=not progress)
    ]
    arguments.warn_of(hearing.skipped)
    table = pd.DataFrame(rows)
    if isinstance(recordings, pd.DataFrame):
        table.index = recordings.index
    table.attrs["skipped"] = hearing.skipped
    return table


def _answers(reading: Reading, names: Sequence[str], heard: Heard, told: list) -> dict[str, float]:
    answers: dict[str, float] = {}
    is_enough = int(np.max(heard.lengths)) >= reading.least_frames
    found = reading.function(heard.frames, heard.lengths, *told)
    for name in names:
        value = np.asarray(found[name]) if is_enough else np.float32(np.nan)
        if np.ndim(value):
            answers |= {f"{name}_{i}": number for i, number in enumerate(value.tolist())}
        else:
            answers[name] = float(value)
    return answers
