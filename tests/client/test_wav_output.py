"""Samples of a stream in a WAV file that appears when it is whole,
and on an open file while they come.
"""

import io
import os
import wave

import pytest

from neurovocal_tf.client import wav_output

BLOCKS = (b"\x01\x00\x02\x00", b"\xff\x7f")


def test_a_wav_file_appears_when_it_is_whole_and_holds_every_block(tmp_path):
    path = tmp_path / "song.wav"
    with wav_output.wav_file(path) as write:
        for block in BLOCKS:
            write(block, 16_000)
        assert not path.exists()
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        assert file.readframes(9) == b"".join(BLOCKS)


@pytest.mark.parametrize("fails", [False, True])
def test_without_a_whole_song_there_is_no_file(fails, tmp_path):
    try:
        with wav_output.wav_file(tmp_path / "song.wav") as write:
            if fails:
                write(BLOCKS[0], 16_000)
                raise OSError
    except OSError:
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("sample_format, header_bytes", [("wav", 44), ("pcm", 0)])
def test_a_stream_has_one_header_or_none_before_its_blocks(sample_format, header_bytes):
    output = io.BytesIO()
    with wav_output.stream(output, sample_format) as write:
        for block in BLOCKS:
            write(block, 16_000)
    assert output.getvalue()[header_bytes:] == b"".join(BLOCKS)


def test_a_reader_that_has_heard_enough_is_no_error():
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as output:
        os.close(reading)
        with wav_output.stream(output, "pcm") as write:
            write(BLOCKS[0], 16_000)
