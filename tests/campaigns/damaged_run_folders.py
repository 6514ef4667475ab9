"""Damaged run folders by number: bytes flipped, files cut off, emptied, gone, replaced by folders,
values of other types and sizes in their JSON.

    python tests/campaigns/damaged_run_folders.py 1000

loads the model of so many of them, as evaluation, generation and export do, and makes each whole,
as a training that goes on does; prints how each ended, and exits with 1 on a defect: anything but
the whole run's model, or a line that names a file of the folder.
"""

import collections
import json
import pathlib
import re
import shutil
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
_EARLIER = ROOT / "tests" / "support" / "earlier_run"
_FILES = (
    *("checkpoint.npz", "checkpoint.npz", "checkpoint_before.npz", "data.json", "data.json"),
    *("config.json", "config.json", "history.csv", "model.keras", "skipped.csv"),
)
_VALUES = (None, "", "x", -1, 0, 1e300, float("nan"), [], {}, [[]], True, 2**70, "\0", "a" * 10_000)


def damage(folder, rng):
    """Damages one or two files of a run folder, and says how."""
    told = []
    for name in rng.choice(_FILES, rng.integers(1, 3)):
        path = folder / name
        if not path.is_file():
            continue
        kinds = [flip, flip, cut, empty, remove, noise, replace_by_folder]
        if path.suffix == ".json":
            kinds += [change_json, change_json, change_json, nest, swap_digit]
        kind = kinds[rng.integers(len(kinds))]
        kind(path, rng)
        told.append(f"{kind.__name__} {name}")
    return ", ".join(told)


def flip(path, rng):
    content = bytearray(path.read_bytes())
    for place in rng.integers(0, max(len(content), 1), rng.integers(1, 4)):
        if content:
            content[place] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def cut(path, rng):
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(0, max(len(content), 1))])


def empty(path, rng):
    path.write_bytes(b"")


def remove(path, rng):
    path.unlink()


def noise(path, rng):
    path.write_bytes(rng.bytes(rng.integers(1, 3000)))


def replace_by_folder(path, rng):
    path.unlink()
    path.mkdir()


def nest(path, rng):
    path.write_text("[" * 200_000)


def swap_digit(path, rng):
    text = path.read_text()
    places = [match.start() for match in re.finditer(r"\d", text)]
    if places:
        place = places[rng.integers(len(places))]
        path.write_text(text[:place] + str(rng.integers(10)) + text[place + 1 :])


def change_json(path, rng):
    """Another value, or none, in a place anywhere in the file."""
    try:
        values = json.loads(path.read_text())
    except ValueError:
        return
    holder = values
    while isinstance(holder, (dict, list)) and holder:
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = keys[rng.integers(len(keys))]
        if isinstance(holder[key], (dict, list)) and holder[key] and rng.random() < 0.8:
            holder = holder[key]
            continue
        if rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = _VALUES[rng.integers(len(_VALUES))]
        break
    path.write_text(json.dumps(values))


def known(trained):
    """What has to be the same of a model, whatever was damaged."""
    from neurovocal_tf.config import may_change_on_resume, settings

    default = {field.name: field.default for _, field in settings()}
    weights = b"".join(np.asarray(variable).tobytes() for variable in trained.model.variables)
    may_change = {name: default[name] for name in may_change_on_resume()}
    return weights, trained.config.replace(**may_change), trained.scale, trained.sample_rate


def outcome(use, folder):
    """("result", what it gave), or ("line", the words), or ("DEFECT", the error)."""
    try:
        return "result", use(folder)
    except ValueError as error:
        text = str(error)
        is_line = "\n" not in text and str(folder) in text and len(text) < 2000
        return ("line" if is_line else "DEFECT"), f"{type(error).__name__}: {text[:300]}"
    except Exception as error:
        return "DEFECT", f"{type(error).__name__}: {str(error)[:300]}"


def tally(num_folders, base):
    """Counter of how so many damaged folders ended, as words."""
    import tiny_runs

    from neurovocal_tf.runs import checkpoint, recovery
    from neurovocal_tf.runs.run_folder import RunFolder
    from neurovocal_tf.runs.trained import load_trained

    run = tiny_runs.trained_in(base, tiny_runs.recordings_in(base))
    # Weights that a whole run may give: those of its last checkpoint, and of the one before.
    whole = [known(load_trained(run))]
    before = shutil.copytree(run, base / "before")
    shutil.copy(before / "checkpoint_before.npz", before / "checkpoint.npz")
    whole.append(known(load_trained(before)))
    ends = collections.Counter()
    for number in range(num_folders):
        rng, folder = np.random.default_rng(number), base / "damaged"
        is_earlier = number % 5 == 4
        shutil.copytree(_EARLIER if is_earlier else run, folder)
        told = damage(folder, rng)
        contents = {
            path.name: path.read_bytes()
            for path in folder.glob("checkpoint*.npz")
            if path.is_file()
        }
        kind, found = outcome(load_trained, folder)
        if kind == "result":
            # An earlier version's files say nothing of each other.
            is_whole = is_earlier or known(found) in whole
            kind = "the whole run's model" if is_whole else f"DEFECT {number} ({told}): another"
        ends[f"load: {kind}" if kind != "DEFECT" else f"DEFECT {number} ({told}): {found}"] += 1
        kind, found = outcome(lambda path: recovery.recover(RunFolder(path), str), folder)
        if kind == "result":
            kind, found = outcome(load_trained, folder)
            if kind == "result" and (is_earlier or known(found) in whole):
                kind = "made whole"
            elif kind == "result":
                kind = f"DEFECT {number} ({told}): another model"
            elif not checkpoint.read(RunFolder(folder).checkpoint).epoch:
                kind = "no epoch yet"
        if kind in ("line", "DEFECT"):
            kind = kind if kind == "line" else f"DEFECT {number} ({told}): {found}"
        ends[f"recover: {kind}"] += 1
        kept = [path.read_bytes() for path in folder.glob("checkpoint*.npz") if path.is_file()]
        lost = [name for name, content in contents.items() if content not in kept]
        if lost:
            ends[f"DEFECT {number} ({told}): {lost} written over"] += 1
        shutil.rmtree(folder)
    return ends


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        found = tally(int(sys.argv[1]), pathlib.Path(scratch))
    for end, count in found.most_common():
        print(f"{count:6}  {end}")
    sys.exit(any("DEFECT" in end for end in found))
