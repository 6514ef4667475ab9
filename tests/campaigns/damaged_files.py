"""Damaged recordings by number: random bytes, truncations, flipped header bytes,
in every format that is written here.

    python tests/campaigns/damaged_files.py 10000

segments so many of them and prints how each ended: with samples, with a reason, or, which is a
defect, in any other way.
"""

import collections
import io
import pathlib
import re
import resource
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
_SLOW_S = 10.0


def whole_files():
    """Extension and bytes of one recording in every format."""
    rng = np.random.default_rng(0)
    samples = 0.1 * np.sin(np.arange(16_000) / 3) * (
        np.arange(16_000) % 3000 < 1500
    ) + 1e-3 * rng.standard_normal(16_000)
    for extension, name, subtype in _FORMATS:
        file = io.BytesIO()
        soundfile.write(file, samples, 16_000, format=name, subtype=subtype)
        yield extension, file.getvalue()


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


def tally(num_files):
    """How so many damaged files ended: Counter of "samples", "reason: ..." and "DEFECT: ..."."""
    from neurovocal_tf.audio.readers import UnreadableRecording
    from neurovocal_tf.config import Config
    from neurovocal_tf.segmentation.segmented_file import segment_file

    files, ends = list(whole_files()), collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(num_files):
            extension, data = damaged(number, files)
            path = pathlib.Path(folder) / f"damaged.{extension}"
            path.write_bytes(data)
            start = time.monotonic()
            try:
                segment_file(path, Config())
                end = "samples"
            except UnreadableRecording as reason:
                end = f"reason: {re.sub('[0-9]+', 'N', str(reason).split(':')[0].split(';')[0])}"
            # Whatever else comes out of it is what is looked for.
            except Exception as error:
                end = f"DEFECT: file {number}: {type(error).__name__}: {error}"
            ends[end] += 1
            if time.monotonic() - start > _SLOW_S:
                ends[f"DEFECT: file {number} took {time.monotonic() - start:.0f} s"] += 1
    return ends


if __name__ == "__main__":
    for end, count in tally(int(sys.argv[1])).most_common():
        print(f"{count:6}  {end}")
    print(f"largest resident memory {largest_resident_kb() / 1024:.0f} MB")
