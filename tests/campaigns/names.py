"""Files and folders by number whose names, links and paths are odd: letters that are no UTF-8,
control characters, $, names that fill the limit, links that lead nowhere or round, pipes, folders
too deep, audio under other names.

    python tests/campaigns/names.py 200

puts so many of them into one folder beside good recordings, runs tools/segment.py on it with
pictures and all formats and an output that knows ASCII alone, and prints how each ended: segmented,
or with a reason in skipped.csv. Exits with 1 if the tool fails, if one of them ended otherwise, or
if a good recording was left out.
"""

import collections
import csv
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import soundfile

_ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_RATE = 16_000
_NUM_GOOD = 3
# Bytes of a name: each is to be segmented.
_NAMES = (
    b"a$b$c",
    b"$\\frac{1}$",
    b"100$",
    b"\\alpha_{2}^",
    b'it\'s "quoted", with commas; semicolons',
    b"-rf",
    b"--out=x",
    b"#hash*star?mark[1]",
    b"50% {name} %s",
    b" blanks around ",
    b"~",
    b"caf\xc3\xa9",
    b"cafe\xcc\x81",
    b"\xe9\xb3\xa5\xe3\x81\xae\xe6\xad\x8c",
    b"\xf0\x9f\x90\xa6",
    b"\xd7\xa6\xd7\xa4\xd7\x95\xd7\xa8",
    b"a.b.c.selections",
    b"con",
    b"file:x",
    b"http:--x",
    b"x" * 240,
    b"x" * 251,
    "\u00e9".encode() * 125,
    "\u9ce5".encode() * 83,
)
# Each is to have a reason.
_BAD_NAMES = (
    b"caf\xe9",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"a\rb",
    b"a\nb",
    b"a\tb",
    b"\x1b[31mred",
    b"\x7f",
    b"a\r\nb",
)


def _sound(number):
    time_s = np.arange(_RATE) / _RATE
    tone = 0.3 * np.sin(2 * np.pi * (1500 + 7 * number) * time_s) * (time_s % 0.4 < 0.15)
    return tone + 1e-3 * np.random.default_rng(number).standard_normal(_RATE)


def _recording(path, number):
    """Writes a recording, under a path of bytes."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        soundfile.write(file, _sound(number), _RATE, format="WAV", subtype="PCM_16")


def _named(folder, number, rng):
    _recording(folder + b"/" + _NAMES[number % len(_NAMES)] + b".wav", number)


def _badly_named(folder, number, rng):
    _recording(folder + b"/" + _BAD_NAMES[number % len(_BAD_NAMES)] + b".wav", number)


def _in_a_named_folder(folder, number, rng):
    names = (*_NAMES, *_BAD_NAMES)
    _recording(folder + b"/" + names[number % len(names)] + b"/song.wav", number)


def _random(folder, number, rng):
    """Any bytes that a name may have."""
    name = bytes(rng.integers(1, 256, rng.integers(1, 200)).astype(np.uint8)).replace(b"/", b"_")
    _recording(folder + b"/" + name.lstrip(b".") + b"x.wav", number)


def _link(folder, number, rng):
    targets = (b"x.wav", b"nowhere.wav", b"/proc/self/nothing", b"..", b".", b"\xff", b"y/" * 50)
    os.symlink(targets[number // 6 % len(targets)], folder + b"/x.wav")


def _linked_folder(folder, number, rng):
    os.makedirs(folder + b"/real")
    _recording(folder + b"/real/song.wav", number)
    os.symlink((b"real", b"..", b"gone", b"round")[number % 4], folder + b"/round")


def _special(folder, number, rng):
    path = folder + b"/x.wav"
    kind = number // 8 % 4
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        os.makedirs(path)
        _recording(path + b"/inner.wav", number)
    elif kind == 2:
        _recording(folder + (b"/song.dat", b"/song", b"/song.WAV.bak")[number % 3], number)
    else:
        with open(folder + b"/x" + (b".m4a", b".wma", b".raw", b".mp3")[number % 4], "wb") as file:
            file.write(rng.bytes(500))


def _deep(folder, number, rng):
    """A path that is longer than the system takes; made step by step."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        for _ in range(18):
            os.mkdir(b"d" * 250)
            os.chdir(b"d" * 250)
        with open("deep.wav", "wb") as file:
            soundfile.write(file, _sound(number), _RATE, format="WAV")
    finally:
        os.fchdir(before)
        os.close(before)


_KINDS = (
    *(_named, _badly_named, _in_a_named_folder, _random, _link, _linked_folder, _special),
    _deep,
)


def _rows(path, *columns):
    with open(path, newline="", encoding="utf-8") as file:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


def _run(data_dir, out):
    """Exit code and last words of the tool."""
    command = [sys.executable, _ROOT / "tools" / "segment.py", f"--data_dir={data_dir}"]
    flags = [f"--out={out}", "--plot", "--format=audacity,raven,textgrid"]
    result = subprocess.run(
        [*command, *flags],
        env=os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=1800,
    )
    return result.returncode, result.stderr.decode("ascii", "replace")[-400:]


def tally(num_names):
    """How so many ended: Counter of "segmented", "reason: ..." and "DEFECT: ..."."""
    ends = collections.Counter()
    with tempfile.TemporaryDirectory() as temporary:
        data_dir = os.path.join(temporary, "data")
        for number in range(_NUM_GOOD):
            _recording(os.fsencode(f"{data_dir}/good/{number}.wav"), number)
        for number in range(num_names):
            folder = os.fsencode(f"{data_dir}/n{number:05}")
            os.makedirs(folder)
            _KINDS[number % len(_KINDS)](folder, number, np.random.default_rng(number))
        code, words = _run(data_dir, os.path.join(temporary, "out"))
        if code:
            return collections.Counter({f"DEFECT: the tool ended with {code}: {words}": 1})
        out = pathlib.Path(temporary) / "out"
        above = os.path.join("..", "data", "")
        segmented = {file.removeprefix(above) for (file,) in _rows(out / "files.csv", "file")}
        skipped = {
            file.removeprefix(above): why
            for file, why in _rows(out / "skipped.csv", "file", "reason")
        }
        kinds = (*(f"good/{number}.wav" for number in range(_NUM_GOOD)),)
        for name in kinds:
            ends["good"] += name in segmented
            if name not in segmented:
                ends[f"DEFECT: {name} was left out"] += 1
        for number in range(num_names):
            place = f"n{number:05}"
            heard = [name for name in segmented if name.startswith(place)]
            reasons = [why for name, why in skipped.items() if name.startswith(place)]
            what = _KINDS[number % len(_KINDS)].__name__.strip("_").replace("_", " ")
            if not heard and not reasons:
                ends[f"DEFECT: {place}, {what}, is nowhere"] += 1
            if _KINDS[number % len(_KINDS)] is _named and not heard:
                ends[f"DEFECT: {place}, {what}, was not segmented: {reasons}"] += 1
            ends["segmented"] += len(heard)
            for why in reasons:
                why = re.sub(r"(is a link to|is the folder) .*?(,| once)", r"\1 ...\2", why)
                ends[f"reason: {why.split(':')[0]}"] += 1
        pictures = list((out / "pictures").rglob("*.png"))
        if len(pictures) != len(segmented) + 1:
            ends[f"DEFECT: {len(pictures)} pictures of {len(segmented)} recordings"] += 1
    return ends


if __name__ == "__main__":
    found = tally(int(sys.argv[1]))
    for end, count in found.most_common():
        print(f"{count:6}  {end}")
    sys.exit(any(end.startswith("DEFECT") for end in found))
