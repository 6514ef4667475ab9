"""Damaged annotation files by number: truncations, flipped and inserted bytes, other encodings and
delimiters, lost and doubled lines, in every format that is read.

    python tests/campaigns/damaged_tables.py 10000

reads so many of them, each beside a good file in a folder, and prints how each ended: with
annotations, without some rows, or with a reason. A defect, which the command ends with 1 for, is
any other way, a reason that names no file or takes more than a line, times that are none, a good
file that is lost, or more than ten seconds.
"""

import collections
import io
import math
import pathlib
import re
import sys
import tempfile
import time
import warnings

import numpy as np
import scipy.io

_SLOW_S = 10.0
_TABLE = "file,onset_s,offset_s,label\n" + "a.wav,{0}.5,{0}.75,x\n" * 3
_RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    "Begin File\tFile Offset (s)\tSpecies\n"
    "1\tWaveform 1\t1\t1.5\t1.75\t0\t0\ta.wav\t1.5\t\n"
    "1\tSpectrogram 1\t1\t1.5\t1.75\t100\t900\ta.wav\t1.5\tx\n"
)
_TEXT_GRID = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 3\ntiers? <exists>\n'
    'size = 1\nitem []:\nitem [1]:\nclass = "IntervalTier"\nname = "calls"\nxmin = 0\nxmax = 3\n'
    'intervals: size = 2\nintervals [1]:\nxmin = 0\nxmax = 1\ntext = ""\nintervals [2]:\n'
    'xmin = 1\nxmax = 3\ntext = "x"\n'
)
_KOUMURA = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Sequences><Sequence><WaveFileName>a.wav'
    "</WaveFileName><Position>10</Position><Length>90</Length><Note><Position>1</Position>"
    "<Length>9</Length><Label>x</Label></Note></Sequence></Sequences>\n"
)


def whole_files():
    """Name and bytes of one good file in every format."""
    mat = io.BytesIO()
    times = np.array([[100.0], [300.0]])
    scipy.io.savemat(mat, {"onsets": times, "offsets": times + 50, "labels": "xy", "Fs": 8000})
    texts = {
        "t.csv": _TABLE.format(1),
        "s.csv": _TABLE.format(1).replace(",", ";").replace(".5", ",5").replace(".75", ",75"),
        "k.csv": "INDIR,FOLDER,IN FILE,OFFSET,DURATION,MANUAL ID\n/in,d,a.wav,1.5,0.25,x\n",
        "a.txt": "0.5\t1.5\tx\n\\\t100\t200\n2\t3\ty\n",
        "r.txt": _RAVEN,
        "a.TextGrid": _TEXT_GRID,
        "w.json": '{"onset": [0.5, 2], "offset": [1.5, 3], "cluster": ["x", "y"]}',
        "b.json": '{"id": "a.wav", "annotation": [{"start_time": 1, "end_time": 2, "class": "x"}]}',
        "k.xml": _KOUMURA,
        "a.phn": "0 100 h#\n100 200 x\n",
        "h.txt": "0.5 1.5 x\n2 3 y\n",
    }
    yield from ((name, text.encode()) for name, text in texts.items())
    yield "a.wav.not.mat", mat.getvalue()


def damaged(number, files):
    """Name and bytes of the damaged file of this number."""
    rng = np.random.default_rng(number)
    name, data = files[number % len(files)]
    lines = data.splitlines(keepends=True)
    kind = number // len(files) % 7
    place, length = rng.integers(0, len(data) + 1), int(rng.integers(0, 12))
    if kind == 0:
        return name, data[:place]
    if kind == 1:
        return name, data[:place] + rng.bytes(length) + data[place + length :]
    if kind == 2:
        odd = [
            b"nan",
            b"-1",
            b"1e400",
            b"inf",
            b"\r",
            b'"',
            b"\xef\xbb\xbf",
            b",",
            b";",
            b"\t",
            b"-0",
        ]
        return name, data[:place] + odd[rng.integers(len(odd))] + data[place + length :]
    if kind == 3:
        return name, b"".join(lines[i] for i in rng.integers(0, len(lines), len(lines)))
    if kind == 4:
        return name, b"".join(line for line in lines if rng.random() < 0.7)
    if kind == 5:
        pairs = [(b",", b";"), (b"\t", b" "), (b"\n", b"\r"), (b"\n", b"\r\n"), (b".", b",")]
        return name, data.replace(*pairs[rng.integers(len(pairs))])
    return name, data.decode("latin-1").encode(["utf-16", "utf-16-le", "utf-32"][rng.integers(3)])


def end_of(path, good):
    """How the reading of one file ended, alone and beside a good one."""
    from neurovocal_tf import annotations
    from neurovocal_tf.annotations import matching

    recordings = [str(path.parent / name) for name in ("a.wav", "good.wav")]
    try:
        found = matching.match(
            path.parent, recordings, length_of=lambda _: matching.Length(8000, 80_000)
        )
        if len(found.of.get(recordings[1], ())) != good:
            return "DEFECT: the good file beside is lost"
    except ValueError as error:
        # Both files may have come to name one recording.
        if "annotated twice" not in str(error):
            return f"DEFECT: the folder is refused: {error}"
    try:
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            found = annotations.read(path, sample_rate=8000)
    except ValueError as error:
        text = str(error)
        if not text.startswith(str(path)) or "\n" in text:
            return f"DEFECT: {text!r}"
        return f"reason: {re.sub('[0-9]+', 'N', text[len(str(path)) :].split('Received')[0])[:60]}"
    if not all(0 <= a.onset_s < a.offset_s < math.inf for a in found):
        return f"DEFECT: {found}"
    return "annotations, and notes" if noted else "annotations"


def tally(num_files):
    """How so many damaged files ended, a Counter, "DEFECT: ..." among them."""
    files, ends = list(whole_files()), collections.Counter()
    for number in range(num_files):
        name, data = damaged(number, files)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.write_bytes(data)
            (path.parent / "good.txt").write_text("1\t2\tx\n3\t4\ty\n")
            start = time.monotonic()
            try:
                end = end_of(path, good=2)
            # Whatever else comes out of it is what is looked for.
            except Exception as error:
                end = f"DEFECT: {type(error).__name__}: {error}"
        ends[f"{end} (file {number})" if end.startswith("DEFECT") else end] += 1
        if time.monotonic() - start > _SLOW_S:
            ends[f"DEFECT: file {number} took {time.monotonic() - start:.0f} s"] += 1
    return ends


if __name__ == "__main__":
    found = tally(int(sys.argv[1]))
    for end, count in found.most_common():
        print(f"{count:6}  {end}")
    sys.exit(any(end.startswith("DEFECT") for end in found))
