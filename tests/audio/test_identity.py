"""Whether a file is still the recording that was read before."""

import os
import re

import numpy as np
import pytest
import soundfile

from neurovocal_tf.audio import identity
from neurovocal_tf.audio.readers import UnreadableRecording

RATE = 16_000
DAY_NS = 86_400 * 10**9


def write(path, seed=0, num_samples=4000, rate=RATE, **how):
    samples = np.random.default_rng(seed).normal(scale=0.1, size=(num_samples, 1))
    soundfile.write(path, samples, rate, **how)


@pytest.fixture
def known(tmp_path):
    """(path, identity) of a recording that is a day old."""
    path = tmp_path / "a.wav"
    write(path)
    made_ns = os.stat(path).st_mtime_ns - DAY_NS
    os.utime(path, ns=(made_ns, made_ns))
    return path, identity.identity_of(path)


def test_a_recording_that_nobody_has_touched_is_the_same_and_so_is_a_copy_and_a_touched_one(known):
    path, before = known
    assert identity.difference(path, before) == ""
    os.utime(path)
    assert identity.difference(path, before) == ""


@pytest.mark.parametrize("keeps_time", [True, False])
@pytest.mark.parametrize(
    "change, words",
    [
        (lambda path: write(path, seed=1), "is another recording: as long, of other content"),
        (lambda path: write(path, num_samples=3999), "3999 samples for 4000"),
        (lambda path: write(path, rate=8000), "8000 Hz for 16000"),
        (
            lambda path: write(path, subtype="FLOAT"),
            "is another recording: 16\\d\\d\\d bytes for 8",
        ),
        (lambda path: write(path, format="FLAC"), "is another recording: .* bytes for 8044"),
        (lambda path: path.write_bytes(b"text"), "is another file, which is not audio"),
        (lambda path: path.write_bytes(b""), "is another file, which is an empty file"),
        (lambda path: path.unlink(), "is not there any more"),
    ],
)
def test_every_other_file_is_told_in_words_whatever_its_time(change, words, keeps_time, known):
    path, before = known
    change(path)
    if keeps_time and path.exists():
        os.utime(path, ns=(before.modified_ns, before.modified_ns))
    assert re.search(words, identity.difference(path, before))


def test_a_time_that_may_be_anothers_is_not_trusted(tmp_path):
    """Written, read and written again within the file system's tick, and not within a sample."""
    path = tmp_path / "a.wav"
    write(path, num_samples=2_000_000)
    before = identity.identity_of(path)
    content = bytearray(path.read_bytes())
    # Between two of the pieces that are compared.
    place = identity._PIECE_BYTES + 100
    content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.modified_ns, before.modified_ns))
    assert "of other content" in identity.difference(path, before)


def test_of_a_large_file_pieces_all_over_are_compared_where_size_and_time_are_the_same(tmp_path):
    path = tmp_path / "a.wav"
    write(path, num_samples=2_000_000)
    made_ns = os.stat(path).st_mtime_ns - DAY_NS
    os.utime(path, ns=(made_ns, made_ns))
    before = identity.identity_of(path)
    write(path, seed=1, num_samples=2_000_000)
    os.utime(path, ns=(made_ns, made_ns))
    assert "of other content" in identity.difference(path, before)


def test_what_is_no_recording_has_no_identity(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"text")
    with pytest.raises(UnreadableRecording, match="is not audio"):
        identity.identity_of(tmp_path / "a.wav")
