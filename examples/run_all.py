"""Runs all notebooks of this folder from their first cell to their last, each in an empty folder:

    python examples/run_all.py            (all)
    python examples/run_all.py 1_ 3_      (those whose names begin so)

Exits with 1 if a cell fails, and names it. Needs the extra `notebooks`. Nothing is written into the
notebooks.
"""

import os
import pathlib
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
FOLDER = pathlib.Path(__file__).resolve().parent
_MOST_S = 600


def main() -> int:
    beginnings = tuple(sys.argv[1:]) or ("",)
    failed = 0
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not path.name.startswith(beginnings):
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(
                nbformat.read(path, as_version=4),
                timeout=_MOST_S,
                resources={"metadata": {"path": folder}},
            )
            try:
                client.execute()
                said = "ran"
            except CellExecutionError as error:
                failed += 1
                said = f"failed:\n{error}"
        print(f"{path.name}: {said} in {time.monotonic() - began:.0f} s", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
