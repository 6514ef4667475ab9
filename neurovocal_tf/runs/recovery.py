"""A run folder that a crash, a disk or a hand has damaged, made whole from what is left: the
checkpoint before the last, and what a checkpoint remembers of the folder's JSON files.
"""

import json
import os
from collections.abc import Callable

from neurovocal_tf import files
from neurovocal_tf.config import Config, changed_settings, may_change_on_resume
from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.checkpoint import Checkpoint
from neurovocal_tf.runs.run_folder import RunFolder


def recover(folder: RunFolder, report: Callable[[str], object]) -> Checkpoint | None:
    """Makes a folder whole before its run goes on.

    Nothing is written over: what is damaged is kept beside, with "_damaged" in its name.

    Args:
        folder: `RunFolder`.    report: called with a line for each thing that was missing.

    Returns:
        The checkpoint to go on from; None where no run has begun.

    Raises:
        ValueError: what is missing is nowhere else, or the files contradict each other.
    """
    before = checkpoint.path_before(folder.checkpoint)
    if not folder.has_run() and not os.path.exists(before):
        return None
    try:
        found = checkpoint.read(folder.checkpoint)
    except ValueError as reason:
        if not os.path.exists(before):
            raise
        found = checkpoint.read(before)
        kept = _put_aside(folder.checkpoint)
        checkpoint.copy(before, folder.checkpoint)
        report(
            f"{str(reason).split('. ')[0]}: going on from the one before it, after epoch "
            f"{found.epoch}{kept}"
        )
    for name, text in _remembered(found).items():
        _restore_file(folder, name, text, report)
    check_agreement(folder, found)
    return found


def check_agreement(folder: RunFolder, found: Checkpoint) -> None:
    """Raises ValueError where config.json or data.json cannot be read, or are others than those
    that a checkpoint remembers, in more than may change.
    """
    config, path = folder.config(), found.path
    # Which says what is wrong with it where something is.
    folder.data()
    if found.memory is None:
        return
    for name, before, now in changed_settings(Config.from_json(found.memory.config), config):
        if name not in may_change_on_resume():
            raise ValueError(
                f"{folder.file('config.json')} has {name}={now}, and {path} has learned with "
                f"{name}={before}: put that back, or remove config.json and repeat the "
                "`neurovocal train` command of this run, which writes it anew."
            )
    if _canonical(folder.data_text()) != _canonical(found.memory.data):
        raise ValueError(
            f"{folder.file('data.json')} is not as it was when {path} was written: put it back, or "
            "remove it and repeat the `neurovocal train` command of this run, which writes it anew."
        )


def _remembered(found):
    """Dict of file name -> text."""
    if found.memory is None:
        return {"config.json": None, "data.json": None}
    return {"config.json": found.memory.config + "\n", "data.json": found.memory.data}


def _restore_file(folder, name, text, report):
    path = folder.file(name)
    if text is None:
        if not os.path.exists(path):
            raise ValueError(
                f"{path} is not there, and {folder.checkpoint}, of an earlier version, does not "
                "remember it: put back a copy of it, or use another --workdir."
            )
        return
    if os.path.exists(path):
        try:
            # Of config.json the settings, of data.json what it says.
            {"config.json": folder.config, "data.json": folder.data}[name]()
            return
        except ValueError as reason:
            what = str(reason).split(". The `neurovocal")[0]
    else:
        what = f"{path} was not there"
    kept = _put_aside(path)
    files.write_text(path, text)
    report(f"{what}: written anew from the checkpoint{kept}")


def _put_aside(path):
    """Renames a file, if it is there, and says where to."""
    stem, extension = os.path.splitext(path)
    if not os.path.exists(path):
        return ""
    os.replace(path, f"{stem}_damaged{extension}")
    return f"; the damaged one is {stem}_damaged{extension}"


def _canonical(text):
    return json.dumps(json.loads(text), sort_keys=True)
