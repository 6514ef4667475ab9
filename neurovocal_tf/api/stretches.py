"""Tables whose rows are stretches of files, as `segment` gives them."""

import pandas as pd

COLUMNS = ("file", "onset_s", "offset_s")


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """A table that is one, as it is.

    Raises: ValueError that names `recordings`.
    """
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing or not len(table):
        raise ValueError(
            f"`recordings` must be a table with the columns {', '.join(COLUMNS)}, and a row at "
            f"least. Received: {len(table)} rows of {', '.join(map(str, table.columns))}"
        )
    if not (table["file"].astype(str).str.len() > 0).all():
        raise ValueError(
            "`recordings` must name a file in every row: samples in memory have none. Received: "
            "an empty file"
        )
    return table
