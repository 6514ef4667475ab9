"""WAV files in a graph: the samples that libsndfile reads,
a status for what is no such file, and never an error.
"""

import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from neurovocal_tf.audio import readers, wav
from neurovocal_tf.status import Status

RATE, MAX_SAMPLES = 8_000, 500
SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"]


@pytest.fixture(scope="module")
def decode():
    """Function (bytes, channel) -> samples and `Status`, one graph for each channel."""
    graphs = {}

    def run(contents, channel="mean"):
        if channel not in graphs:
            spec = [tf.TensorSpec([], tf.string)]
            graphs[channel] = tf.function(
                lambda b: wav.decode(b, RATE, channel, MAX_SAMPLES),
                input_signature=spec,
                autograph=False,
            )
        samples, status = graphs[channel](contents)
        return samples.numpy(), Status(int(status))

    return run


def written(samples, rate=RATE, subtype="PCM_16", kind="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=kind)
    return file.getvalue()


def chunk(tag, body):
    return tag + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(*chunks):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def fmt(coding=1, channels=1, rate=RATE, bits=16):
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", coding, channels, rate, rate * block, block, bits))


@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_every_coding_gives_the_samples_that_libsndfile_reads(subtype, kind, decode, rng, tmp_path):
    (tmp_path / "x.wav").write_bytes(
        written(rng.uniform(-1, 1, (301, 2)), subtype=subtype, kind=kind)
    )
    for channel in ("mean", "loudest", "1"):
        samples, status = decode((tmp_path / "x.wav").read_bytes(), channel)
        np.testing.assert_array_equal(samples, readers.read(tmp_path / "x.wav", channel))
        assert status == Status.FINE


def test_other_chunks_and_odd_lengths_are_stepped_over(decode):
    pcm = np.arange(-5, 6, dtype="<i2")
    plain = riff(fmt(), chunk(b"data", pcm.tobytes()))
    for extra in (chunk(b"LIST", b"odd"), chunk(b"bext", b"data" * 9)):
        for contents in (
            riff(extra, fmt(), chunk(b"data", pcm.tobytes())),
            riff(fmt(), extra, chunk(b"data", pcm.tobytes()), extra),
        ):
            samples, status = decode(contents)
            np.testing.assert_array_equal(samples, decode(plain)[0])
            assert status == Status.FINE and len(samples) == 11


def test_of_a_truncated_file_what_is_there_counts(decode):
    whole = written(np.linspace(-1, 1, 100))
    np.testing.assert_array_equal(decode(whole[:-51])[0], decode(whole)[0][:74])
    # What a recorder that writes to a pipe says of its length.
    endless = whole.replace(struct.pack("<I", 200), b"\xff\xff\xff\xff")
    np.testing.assert_array_equal(decode(endless)[0], decode(whole)[0])


@pytest.mark.parametrize(
    "contents, status",
    [
        (b"", Status.NOT_WAV),
        (b"RIFF", Status.NOT_WAV),
        (b"RIFF\xff\xff\xff\xffWAVE", Status.NOT_WAV),
        (written(np.ones(9) / 2, kind="FLAC"), Status.NOT_WAV),
        (riff(chunk(b"data", b"12")), Status.NOT_WAV),
        (riff(fmt(), chunk(b"data", b"")), Status.NOT_WAV),
        (riff(chunk(b"data", b"12"), fmt()), Status.NOT_WAV),
        (riff(*[chunk(b"LIST", b"")] * 300, fmt(), chunk(b"data", b"12")), Status.NOT_WAV),
        (riff(fmt(coding=2), chunk(b"data", b"12")), Status.UNSUPPORTED),
        (riff(fmt(channels=0), chunk(b"data", b"12")), Status.UNSUPPORTED),
        (riff(fmt(bits=12), chunk(b"data", b"12")), Status.UNSUPPORTED),
        (written(np.ones(9) / 2, subtype="DOUBLE"), Status.UNSUPPORTED),
        (written(np.ones(9) / 2, subtype="ULAW"), Status.UNSUPPORTED),
        (written(np.ones(9) / 2, rate=RATE + 1), Status.WRONG_RATE),
        (written(np.ones(MAX_SAMPLES) / 2), Status.FINE),
        (written(np.ones(MAX_SAMPLES + 1) / 2), Status.TOO_LONG),
    ],
)
def test_what_is_no_such_file_is_told_by_its_status(contents, status, decode):
    samples, found = decode(contents)
    assert found == status and len(samples) == (MAX_SAMPLES if status == Status.FINE else 0)


def test_a_channel_that_is_not_there_is_told_by_its_status(decode):
    for num_channels, status in ((1, Status.NO_CHANNEL), (2, Status.FINE)):
        assert decode(written(np.ones((9, num_channels)) / 2), "1")[1] == status


def test_a_recording_that_was_slowed_down_has_the_rate_of_its_sound(rng):
    samples = rng.uniform(-1, 1, 50)
    for rate, expected in ((RATE // 10, Status.FINE), (RATE, Status.WRONG_RATE)):
        heard, status = wav.decode(
            written(samples, rate), RATE, "mean", MAX_SAMPLES, time_expansion=10
        )
        assert status == expected and len(heard) == (50 if expected == Status.FINE else 0)


@pytest.mark.parametrize("absurd", [np.nan, np.inf, -np.inf, 1e29, -16.1, 9830.0])
def test_a_file_with_absurd_samples_is_refused_as_the_reader_refuses_it(absurd, decode, tmp_path):
    # In one channel of two: what the other holds is not to be trusted either.
    contents = written(np.array([[0.5, 0.0], [0.1, absurd], [-0.25, 0.1]]), subtype="FLOAT")
    (tmp_path / "x.wav").write_bytes(contents)
    for channel in ("0", "mean", "loudest"):
        samples, status = decode(contents, channel)
        assert status == Status.ABSURD and len(samples) == 0
        with pytest.raises(readers.UnreadableRecording, match="1 of 6 "):
            readers.read(tmp_path / "x.wav", channel)


def test_floats_in_the_scale_of_integers_are_scaled_as_the_reader_scales_them(tmp_path, rng):
    samples = rng.integers(-9830, 9830, 60).astype(np.float32)
    (tmp_path / "x.wav").write_bytes(written(samples, subtype="FLOAT"))
    for scale in (32768.0, 30_000.0):
        heard, status = wav.decode(
            (tmp_path / "x.wav").read_bytes(), RATE, "mean", MAX_SAMPLES, float_scale=scale
        )
        expected = readers.read(tmp_path / "x.wav", float_scale=scale)
        np.testing.assert_array_equal(heard, expected)
        assert status == Status.FINE and np.abs(heard).max() < 1
    # Integers are what they are.
    whole = written(np.linspace(-1, 1, 50), subtype="PCM_16")
    heard, _ = wav.decode(whole, RATE, "mean", MAX_SAMPLES, float_scale=32768.0)
    assert np.abs(heard).max() == 1


def test_loud_floats_are_kept(decode):
    samples, status = decode(written(np.array([0.5, -16.0, 3.0]), subtype="FLOAT"))
    assert status == Status.FINE and samples.tolist() == [0.5, -16.0, 3.0]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_no_bytes_are_an_error(data, decode):
    header = bytearray(
        written(np.linspace(-1, 1, 20), subtype=data.draw(st.sampled_from(SUBTYPES)))
    )
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=6)
    ):
        header[place] = value
    samples, status = decode(bytes(header[: data.draw(st.integers(0, len(header)))]))
    assert np.isfinite(samples).all() and len(samples) <= MAX_SAMPLES
    assert (status == Status.FINE) == (len(samples) > 0)


def test_what_is_encoded_is_heard_within_half_a_step_and_turned_down_only_if_it_would_clip(rng):
    for peak in (0.25, 0.99, 4.0):
        samples = rng.uniform(-1, 1, 400).astype(np.float32)
        samples *= np.float32(peak) / np.abs(samples).max()
        heard, rate = soundfile.read(io.BytesIO(wav.encode(samples, RATE).numpy()))
        assert rate == RATE
        # Half a step of 16 bits, and the roundings of two products.
        np.testing.assert_allclose(heard, samples * min(0.99 / peak, 1.0), atol=0.5001 / 32768)
    assert soundfile.read(io.BytesIO(wav.encode(samples[:0], RATE).numpy()))[0].shape == (0,)


def test_of_several_cases_the_first_that_holds_is_the_status():
    def status(*cases):
        return Status(int(wav.first_status(*cases)))

    assert status() == status((Status.NOT_WAV, False)) == Status.FINE
    assert (
        status(
            (Status.NOT_WAV, False), (Status.TOO_LONG, tf.constant(True)), (Status.CLEANED, True)
        )
        == Status.TOO_LONG
    )
    # A row's status so far, of any integer type.
    assert (
        status((tf.constant(Status.NO_CHANNEL, tf.int64), True), (Status.CLEANED, True))
        == Status.NO_CHANNEL
    )
