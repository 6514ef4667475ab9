"""EvTAF's recordings are read by what stands in the .rec file beside them."""

import re

import numpy as np
import pytest

from neurovocal_tf.audio import listing, readers
from neurovocal_tf.audio.unreadable import UnreadableRecording

REC = "File created: x\nCatch = 0\nChans = {channels}\nADFREQ = {rate}\nSamples = 5\n"


@pytest.fixture
def written(tmp_path):
    """Function: writes int16 [N, C] as EvTAF does -> path of the .cbin file."""

    def write(samples, rec=REC, rate="32000", name="bird.1.cbin"):
        path = tmp_path / name
        samples.astype(">i2").tofile(path)
        if rec is not None:
            text = rec.format(channels=samples.shape[1], rate=rate)
            path.with_suffix(".rec").write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("rate", ["32000", "3.200000E+04", "32000 Hz"])
@pytest.mark.parametrize("num_channels", [1, 2])
def test_samples_and_rate_are_those_that_were_written(rate, num_channels, written):
    # The first bytes are those of frames of MPEG audio, as small negative numbers are.
    samples = np.random.default_rng(0).integers(-32768, 32767, (9000, num_channels), np.int16)
    samples[:2] = -5
    path = written(samples, rate=rate)
    recording = readers.probe(path)
    assert recording.sample_rate == 32_000
    found = readers.read(path, "0", 32_000)
    np.testing.assert_array_equal(found, (samples[:, 0] / 32768).astype(np.float32))
    assert listing.list_recordings(path.parent) == [str(path)]


@pytest.mark.parametrize(
    "rec, expected",
    [
        (None, "has no bird.1.rec beside it, which tells its rate"),
        ("Chans = 1\n", "needs a line ADFREQ = NUMBER in bird.1.rec, which has none"),
        ("ADFREQ = 32000\n", "needs a line Chans = NUMBER in bird.1.rec, which has none"),
        ("ADFREQ = 1e\nChans = 1\n", "needs a rate in bird.1.rec. Received: 1e"),
        ("ADFREQ = 1E+999\nChans = 1\n", "needs a rate in bird.1.rec. Received: 1E+999"),
        ("ADFREQ = 3\nChans = 1\n", "3 Hz"),
        ("ADFREQ = 32000\nChans = 0\n", "names no sample rate or no channels"),
        ("ADFREQ = 32000\nChans = 99999\n", "names no sample rate or no channels"),
    ],
)
def test_what_the_rec_file_does_not_tell_is_a_reason(rec, expected, written):
    path = written(np.ones((50, 1), np.int16), rec)
    with pytest.raises(UnreadableRecording, match=re.escape(expected)):
        readers.probe(path)
