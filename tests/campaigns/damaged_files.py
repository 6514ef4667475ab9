"""Damaged recordings by number: random bytes, truncations, flipped header bytes, absurd samples,
in every format that is written here; and headers whose sizes are not true, of which every sample
must be read all the same, and what is wrong be said.

    python tests/campaigns/damaged_files.py 10000

segments so many of them and prints how each ended: with samples, with a reason, or, which is a
defect, in any other way; exits with 1 if there was a defect.
"""

import collections
import io
import pathlib
import re
import resource
import struct
import sys
import tempfile
import time

import numpy as np
import soundfile

_FORMATS = [
    *(
        ("wav", "WAV", "PCM_16"),
        ("wav", "WAV", "PCM_24"),
        ("wav", "WAV", "FLOAT"),
        ("wav", "WAV", "ULAW"),
        ("wav", "WAV", "IMA_ADPCM"),
    ),
    *(
        ("wav", "WAVEX", "PCM_16"),
        ("rf64", "RF64", "PCM_16"),
        ("w64", "W64", "PCM_16"),
        ("aiff", "AIFF", "PCM_16"),
        ("au", "AU", "PCM_16"),
    ),
    *(
        ("caf", "CAF", "PCM_16"),
        ("flac", "FLAC", "PCM_16"),
        ("ogg", "OGG", "VORBIS"),
        ("mp3", "MP3", "MPEG_LAYER_III"),
    ),
]
# Formats that keep the size of their samples in one place: how they are called, what stands before
# the size, how it is written, and how many bytes beside the samples it counts.
_SIZED = (
    ("wav", "WAV", b"data", "<I", 0),
    ("w64", "W64", b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", "<Q", 24),
    ("aiff", "AIFF", b"SSND", ">I", 8),
    ("caf", "CAF", b"data", ">Q", 4),
    ("au", "AU", b".snd\0\0\0\x18", ">I", 0),
)
# What programs write that do not know the size.
_UNKNOWN = (0x7FFFF000, 0x7FFFFFFF, 0x80000000, 2**32 - 1)
_NUM_SAMPLES, _RATE = 16_000, 16_000
_SLOW_S = 10.0


def whole_files():
    """Extension and bytes of one recording in every format."""
    for extension, name, subtype in _FORMATS:
        yield extension, written(sound(), name, subtype)


def sound():
    """Bursts of a tone over noise."""
    place = np.arange(_NUM_SAMPLES)
    bursts = 0.1 * np.sin(place / 3) * (place % 3000 < 1500)
    return bursts + 1e-3 * np.random.default_rng(0).standard_normal(_NUM_SAMPLES)


def written(samples, name, subtype="PCM_16"):
    """A file as bytes."""
    file = io.BytesIO()
    soundfile.write(file, samples, _RATE, format=name, subtype=subtype)
    return file.getvalue()


def lying(number):
    """Extension and bytes of a file whose header tells a size that is not true, and the beginning
    of what must be said of it.
    """
    rng = np.random.default_rng(number)
    extension, name, before, form, extra = _SIZED[rng.integers(len(_SIZED))]
    contents = bytearray(written(sound(), name))
    place, num_bytes = contents.index(before) + len(before), 2 * _NUM_SAMPLES
    kind = rng.integers(3)
    if kind == 0:
        size, said = int(rng.integers(0, num_bytes - 64)) // 2 * 2, "holds more than its header"
    elif kind == 1:
        size, said = num_bytes + int(rng.integers(2, 2**30)), "is cut off"
    elif form.endswith("I"):
        size, said = int(rng.choice(_UNKNOWN)), ""
    else:
        size, said = num_bytes, ""
    struct.pack_into(form, contents, place, size + extra if size < 2**31 - 2**16 else size)
    return extension, bytes(contents), said


def absurd(number):
    """Extension and bytes of floating-point samples of which some are none."""
    rng, samples = np.random.default_rng(number), sound()
    values = (np.nan, np.inf, 1e15, 1e29, 1e300, 9830.0, -17.0)
    samples[rng.integers(0, _NUM_SAMPLES, rng.integers(1, 9))] = rng.choice(values)
    kinds = (("wav", "WAV"), ("w64", "W64"), ("aiff", "AIFF"), ("au", "AU"), ("caf", "CAF"))
    extension, name = kinds[rng.integers(len(kinds))]
    return extension, written(samples, name, ("FLOAT", "DOUBLE")[number % 2])


def damaged(number, files):
    """Extension and bytes of the damaged file of this number."""
    rng = np.random.default_rng(number)
    extension, data = files[rng.integers(len(files))]
    if number % 3 == 0:
        return extension, data[: rng.integers(0, 64)] + rng.bytes(rng.integers(0, 3000))
    if number % 3 == 1:
        return extension, data[: rng.integers(0, len(data))]
    flipped = bytearray(data)
    for place in rng.integers(0, min(128, len(data)), rng.integers(1, 6)):
        flipped[place] = rng.integers(256)
    return extension, bytes(flipped)


def largest_resident_kb():
    """Of this process alone, where the system tells:
    `getrusage` counts that of the process which started this one.
    """
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(re.search(r"VmHWM:\s*(\d+)", status.read_text())[1])


def end_of(path, expected):
    """How one file ends: what is read of it, or why nothing is; `expected` is what must be said of
    one whose samples are all there, None of others.
    """
    from neurovocal_tf.audio.readers import UnreadableRecording
    from neurovocal_tf.config import Config
    from neurovocal_tf.segmentation.segmented_file import segment_file

    try:
        found = segment_file(path, Config())
    except UnreadableRecording as reason:
        kind = re.sub("[0-9]+", "N", str(reason).split(":")[0].split(";")[0])
        return f"reason: {kind}" if expected is None else f"DEFECT: a lying header: {reason}"
    # Whatever else comes out of it is what is looked for.
    except Exception as error:
        return f"DEFECT: {type(error).__name__}: {error}"
    if expected is None:
        return "samples"
    if found.duration_s != _NUM_SAMPLES / _RATE:
        return f"DEFECT: a lying header: {found.duration_s} s were read"
    if not found.note.startswith(expected) or bool(found.note) != bool(expected):
        return f"DEFECT: a lying header: {found.note!r} was said, not {expected!r}"
    return "samples, all, of a header that lies"


def tally(num_files):
    """How so many damaged files ended: Counter of "samples", "reason: ..." and "DEFECT: ..."."""
    files, ends = list(whole_files()), collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(num_files):
            expected = None
            if number % 5 == 3:
                extension, data, expected = lying(number)
            elif number % 5 == 4:
                extension, data = absurd(number)
            else:
                extension, data = damaged(number, files)
            path = pathlib.Path(folder) / f"damaged.{extension}"
            path.write_bytes(data)
            start = time.monotonic()
            end = end_of(path, expected)
            if number % 5 == 4 and not end.startswith(("reason: holds", "DEFECT")):
                end = "DEFECT: absurd samples were taken"
            ends[f"{end} (file {number})" if end.startswith("DEFECT") else end] += 1
            if time.monotonic() - start > _SLOW_S:
                ends[f"DEFECT: file {number} took {time.monotonic() - start:.0f} s"] += 1
    return ends


if __name__ == "__main__":
    found = tally(int(sys.argv[1]))
    for end, count in found.most_common():
        print(f"{count:6}  {end}")
    print(f"largest resident memory {largest_resident_kb() / 1024:.0f} MB")
    sys.exit(any(end.startswith("DEFECT") for end in found))
