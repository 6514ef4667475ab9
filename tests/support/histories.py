"""What a run has written down, epoch by epoch."""

import csv

from neurovocal_tf.runs.run_folder import RunFolder


def history_of(workdir):
    """history.csv of a run: a dict of floats for each epoch."""
    with open(RunFolder(workdir).file("history.csv"), encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
