"""EvTAF's recordings, which evsonganaly and evfuncs read: samples without a header in NAME.cbin,
and what they are in NAME.rec beside it.
"""

import os
import re

from neurovocal_tf.audio.unreadable import UnreadableRecording, cannot_be_opened

EXTENSION = "cbin"
#: How libsndfile is told what is in the file: integers of 16 bits, the larger byte first.
SAMPLES = {"format": "RAW", "subtype": "PCM_16", "endian": "BIG"}
_RATE = re.compile(r"^\s*AD\s*FREQ\s*=\s*([\d.eE+]+)\s*(?:Hz)?\s*$", re.IGNORECASE | re.MULTILINE)
_CHANNELS = re.compile(r"^\s*Chans\s*=\s*(\d+)\s*$", re.IGNORECASE | re.MULTILINE)


def rate_and_channels(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Sample rate in Hz and number of channels of a .cbin file, as its .rec file tells.

    Raises: UnreadableRecording if that is not there, or does not tell them.
    """
    beside = os.path.splitext(path)[0] + ".rec"
    name = os.path.basename(beside)
    try:
        with open(beside, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        raise UnreadableRecording(
            f"has no {name} beside it, which tells its rate: put it back, or make it a WAV file"
        ) from None
    except OSError as error:
        raise UnreadableRecording(f"needs {name}: {cannot_be_opened(beside, error)}") from None
    rate, channels = _RATE.search(text), _CHANNELS.search(text)
    for found, line in ((rate, "ADFREQ"), (channels, "Chans")):
        if found is None:
            raise UnreadableRecording(f"needs a line {line} = NUMBER in {name}, which has none")
    try:
        # EvTAF writes 3.200000E+04, too.
        return round(float(rate[1])), int(channels[1])
    except (ValueError, OverflowError):
        raise UnreadableRecording(f"needs a rate in {name}. Received: {rate[1]}") from None
