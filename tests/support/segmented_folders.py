"""What two runs of the detector over the same recordings write alike."""

import pathlib

#: What they never have alike: when recordings were looked at, in how many steps tables grew.
OF_A_RUN = {"recordings.csv", "written.csv"}


def tables_in(folder):
    """Dict of name -> bytes of the tables and settings in a folder that two runs have alike."""
    return {
        path.name: path.read_bytes()
        for path in sorted(pathlib.Path(folder).iterdir())
        if path.suffix in (".csv", ".json") and path.name not in OF_A_RUN
    }
