"""Recordings replaced between two uses, in every way that a file can be another one.

    python tests/campaigns/replaced_recordings.py

goes on with a training, evaluates, measures for an export and segments, each after each kind of
change, with the file's old time and a new one; and changes recordings while a training reads them.
Prints how each ended, and exits with 1 on a defect: anything but a line that names the recording
where it is another one, or anything but going on where it is not.
"""

import collections
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import soundfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]
RATE = 16_000
_DAY_NS = 86_400 * 10**9


def _noise(path, seed=7, num_samples=24_000, rate=RATE, num_channels=1, **how):
    samples = np.random.default_rng(seed).normal(scale=0.05, size=(num_samples, num_channels))
    path.unlink(missing_ok=True)
    soundfile.write(path, samples, rate, **how)


def _as_long(path):
    """Of the same size to the byte, as fixed-length recorders write."""
    size = path.stat().st_size
    _noise(path)
    assert path.stat().st_size == size


def _silence(path):
    frames, rate = soundfile.info(path).frames, soundfile.info(path).samplerate
    soundfile.write(path, np.zeros(frames), rate, subtype="PCM_16")


def _other_rate(path):
    samples, _ = soundfile.read(path)
    soundfile.write(path, samples, 8_000, subtype="PCM_16")


def _broken_header(path):
    path.write_bytes(b"RIFX" + path.read_bytes()[4:])


def _one_sample(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _folder(path):
    path.unlink()
    path.mkdir()


def _dangling(path):
    path.unlink()
    path.symlink_to(path.with_suffix(".none"))


CHANGES = {
    "as long": _as_long,
    "silence": _silence,
    "one sample": _one_sample,
    "another rate": _other_rate,
    "shorter": lambda path: _noise(path, num_samples=9_000),
    "longer": lambda path: _noise(path, num_samples=60_000),
    "float": lambda path: _noise(path, subtype="FLOAT"),
    "24 bit": lambda path: _noise(path, subtype="PCM_24"),
    "stereo": lambda path: _noise(path, num_channels=2),
    "another format": lambda path: _noise(path, format="FLAC"),
    "broken header": _broken_header,
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-999]),
    "text": lambda path: path.write_text("no sound"),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "a folder": _folder,
    "a dangling link": _dangling,
}
SAME = {
    "nothing": lambda path: None,
    "touched": lambda path: os.utime(path),
    "copied": lambda path: (
        shutil.copyfile(path, path.with_suffix(".new"))
        and os.replace(path.with_suffix(".new"), path)
    ),
}


def uses(run, config):
    """Name -> function of a data folder that uses a run's recordings."""
    from neurovocal_tf.evaluation import report, usual_ranges
    from neurovocal_tf.runs.trained import load_trained
    from neurovocal_tf.training import trainer

    trained = load_trained(run)
    no_songs = report.SongOptions(seconds=0.1, num_songs=1)
    return {
        "train": lambda data: trainer.train(config, data, run, pictures=False),
        "evaluate": lambda data: report.evaluate(trained, run, data, no_songs),
        "export": lambda data: usual_ranges.usual_ranges(trained, run, data),
    }


def ended(use, path, is_same):
    """How a use of a folder with a changed recording ended."""
    try:
        use(path.parent)
        return "went on" if is_same else "DEFECT: went on silently"
    except ValueError as error:
        if not is_same and str(path) in str(error) and "\n" not in str(error):
            return "a line that names it"
        return f"DEFECT: {error}"
    except Exception as error:
        return f"DEFECT: {type(error).__name__}: {str(error)[:300]}"


def tally(base):
    """Counter of how all uses ended, as words."""
    import tiny_runs

    from neurovocal_tf.segmentation.folder import SegmentedFolder

    ends = collections.Counter()
    original = tiny_runs.recordings_in(base)
    for path in original.iterdir():
        old_ns = path.stat().st_mtime_ns - _DAY_NS
        os.utime(path, ns=(old_ns, old_ns))
    run = tiny_runs.trained_in(base, original)
    config = tiny_runs.CONFIG.replace(low_hz=500.0, high_hz=7000.0)
    for name, change in (CHANGES | SAME).items():
        is_same = name in SAME
        for keeps_time in (False, True):
            for use_name, use in uses(run, tiny_runs.CONFIG).items():
                data, path = changed(original, base, change, keeps_time)
                ends[_told(use_name, name, keeps_time, ended(use, path, is_same))] += 1
            data = fresh(original, base)
            out = base / "segments"
            shutil.rmtree(out, ignore_errors=True)
            SegmentedFolder(data, out, config).run(2, lambda num_bytes: None)
            data, path = changed(original, base, change, keeps_time)
            again = SegmentedFolder(data, out, config)
            finds = again.num_resumed == len(again.paths) - (
                not is_same and path.name in again.paths
            )
            is_named = is_same or path.name not in again.paths or path.name in again.changed
            ends[
                _told(
                    "segment",
                    name,
                    keeps_time,
                    "as it should" if finds and is_named else "DEFECT: kept",
                )
            ] += 1
    for name in ("as long", "another rate", "shorter", "gone", "text", "float"):
        ends[_told("read", name, False, changed_while_read(original, base, CHANGES[name]))] += 1
    return ends


def _told(use, change, keeps_time, end):
    if "DEFECT" not in end:
        return f"{use}: {end}"
    return f"{use}, {change}, {'old' if keeps_time else 'new'} time: {end}"


def fresh(original, base):
    data = base / "data"
    if data.exists():
        shutil.rmtree(data)
    return shutil.copytree(original, data)


def changed(original, base, change, keeps_time):
    data = fresh(original, base)
    path = data / "simulated_001.wav"
    before_ns = path.stat().st_mtime_ns
    change(path)
    if keeps_time and path.is_file():
        os.utime(path, ns=(before_ns, before_ns))
    return data, path


def changed_while_read(original, base, change):
    """How a training ended whose recordings are read in every epoch, and change in the second."""
    import keras
    import tiny_runs

    from neurovocal_tf.training import trainer

    data, workdir = fresh(original, base), base / "read"
    shutil.rmtree(workdir, ignore_errors=True)
    path = data / "simulated_001.wav"

    class Change(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                change(path)

    config = tiny_runs.CONFIG.replace(cache_mb=0)
    return ended(
        lambda folder: trainer.train(config, folder, workdir, callbacks=[Change()], pictures=False),
        path,
        is_same=False,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        found = tally(pathlib.Path(scratch))
    for end, count in found.most_common():
        print(f"{count:6}  {end}")
    sys.exit(any("DEFECT" in end for end in found))
