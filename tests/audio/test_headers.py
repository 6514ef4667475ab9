"""What a file holds counts, whatever its header says; and "cut off" is said only when true."""

import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_wav import chunk, form, riff

from neurovocal_tf.audio import headers, readers, wav
from neurovocal_tf.audio.layout import Spliced
from neurovocal_tf.status import Status

RATE = 16_000
MORE = "holds more than its header says"
# Where each format keeps the size of its samples: what stands before it, and how it is written.
SIZES = {
    "WAV": (b"data", "<I", 0),
    "RIFX": (b"data", ">I", 0),
    "W64": (b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", "<Q", 24),
    "AIFF": (b"SSND", ">I", 8),
    "CAF": (b"data", ">Q", 4),
}
# All that libsndfile writes and whose headers, or last bytes, tell where they should end.
FORMATS = {
    "WAV": "PCM_16",
    "WAVEX": "PCM_24",
    "RF64": "PCM_16",
    "W64": "FLOAT",
    "AIFF": "PCM_16",
    "AU": "PCM_16",
    "CAF": "PCM_16",
    "FLAC": "PCM_16",
    "OGG": "VORBIS",
    "MP3": "MPEG_LAYER_III",
    "NIST": "PCM_16",
    "VOC": "PCM_16",
    "AVR": "PCM_16",
    "SVX": "PCM_16",
    "MPC2K": "PCM_16",
}


@pytest.fixture
def samples(rng):
    return rng.integers(-9000, 9000, 12_000).astype(np.int16)


def written(samples, kind="WAV", subtype="PCM_16", **options):
    file = io.BytesIO()
    if kind == "RIFX":
        kind, options = "WAV", options | {"endian": "BIG"}
    soundfile.write(file, samples, RATE, format=kind, subtype=subtype, **options)
    return bytearray(file.getvalue())


def told(folder, contents, name="x.wav"):
    """The recording that a file of these bytes is, its samples, and the note on it."""
    (folder / name).write_bytes(contents)
    recording = readers.probe(folder / name)
    heard = readers.read(recording)
    assert len(heard) == recording.num_samples
    return recording, heard, recording.note(len(heard) / recording.sample_rate)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("kind", SIZES)
def test_more_than_a_header_says_is_read_and_said(kind, share, samples, tmp_path):
    contents = written(samples, kind)
    tag, form, extra = SIZES[kind]
    place = contents.index(tag) + len(tag)
    struct.pack_into(form, contents, place, int(share * 24_000) // 4 * 4 + extra)
    _, heard, note = told(tmp_path, contents)
    np.testing.assert_array_equal(heard, samples / np.float32(32768))
    assert note == f"{MORE}: read to its end, 0.750 s"


def test_a_size_that_was_never_written_is_no_size(samples, tmp_path):
    contents = written(samples, "W64")
    tag, form, _ = SIZES["W64"]
    # It counts its own header of 24 bytes.
    struct.pack_into(form, contents, contents.index(tag) + len(tag), 0)
    _, heard, note = told(tmp_path, contents)
    assert len(heard) == len(samples) and note.startswith(MORE)


def test_an_aiff_file_over_4_gigabytes_is_refused_with_what_to_do(samples, tmp_path):
    with open(tmp_path / "night.aiff", "wb") as file:
        file.write(written(samples, "AIFF"))
        file.truncate(2**32 + 24_000 + 54)
    with pytest.raises(readers.UnreadableRecording, match="make it an RF64 or CAF file$"):
        readers.probe(tmp_path / "night.aiff")


def test_more_than_an_au_or_flac_header_says_is_read_too(samples, tmp_path):
    au = written(samples, "AU")
    struct.pack_into(">I", au, 8, 2400)
    flac = written(samples, "FLAC")
    word = int.from_bytes(flac[18:26], "big")
    for contents, count, said in (
        (au, None, MORE),
        (flac, 6000, MORE),
        # Zero is how a FLAC encoder that writes to a pipe says that it does not know.
        (flac, 0, ""),
        (flac, 2**36 - 1, "is cut off"),
    ):
        if count is not None:
            contents[18:26] = (word >> 36 << 36 | count).to_bytes(8, "big")
        _, heard, note = told(tmp_path, contents)
        np.testing.assert_array_equal(heard, samples / np.float32(32768))
        assert note.startswith(said) and bool(note) == bool(said)


def test_several_chunks_of_samples_are_one_recording(samples, tmp_path):
    parts = [samples[:5000].tobytes(), samples[5000:9000].tobytes(), samples[9000:].tobytes()]
    contents = riff(form(), *(chunk(b"data", part) for part in parts), chunk(b"LIST", b"odd"))
    _, heard, note = told(tmp_path, contents)
    np.testing.assert_array_equal(heard, samples / np.float32(32768))
    assert note == "holds 3 chunks of samples: read to its end, 0.750 s"


@pytest.mark.parametrize("size", [0x7FFFF000, 0x7FFFFFFF, 0x80000000, 2**32 - 1, 2**32 - 36])
def test_the_sizes_of_programs_on_a_pipe_are_no_damage(size, samples, tmp_path):
    contents = riff(form(), chunk(b"data", samples.tobytes(), size))
    recording, heard, note = told(tmp_path, contents)
    np.testing.assert_array_equal(heard, samples / np.float32(32768))
    assert not recording.is_cut_off and note == ""


@pytest.mark.parametrize(
    "filling",
    [b"\0" * 5000, b"\xff" * 512, b"<xml>" * 100, b"TAG" + b"a\xe9" * 60, b"\1\2\3", b"ID3\4" * 9],
)
def test_what_is_appended_and_is_no_sound_is_not_heard(filling, samples, tmp_path):
    for contents in (riff(form(), chunk(b"data", samples.tobytes())), written(samples, "AIFF")):
        _, heard, note = told(tmp_path, bytes(contents) + filling)
        assert len(heard) == len(samples) and note == ""


def test_chunks_that_nobody_knows_are_no_samples_where_the_file_bears_them_out(samples, tmp_path):
    others = chunk(b"zzzz", b"\1" * 301), chunk(b"Wxyz", samples.tobytes()[:1000])
    contents = riff(form(), chunk(b"data", samples.tobytes()), *others)
    _, heard, note = told(tmp_path, contents)
    assert len(heard) == len(samples) and note == ""


@pytest.mark.parametrize("after", [b"", chunk(b"bext", b"x" * 600)])
def test_a_size_that_has_lost_a_multiple_of_4_gigabytes_is_no_end(after, tmp_path):
    size, begin = 2 * 2**32 + 32_000, 44
    header = riff(form(), chunk(b"data", b"", size % 2**32)) + struct.pack("<2h", 16384, -16384)
    with open(tmp_path / "night.wav", "wb") as file:
        file.write(header)
        # Holes take no space on the disk.
        file.truncate(begin + size)
        file.seek(begin + size)
        file.write(after)
    recording = readers.probe(tmp_path / "night.wav")
    assert recording.num_samples == size // 2 and recording.surplus == MORE
    np.testing.assert_array_equal(next(readers.blocks(recording))[:3], [0.5, -0.5, 0.0])


@pytest.mark.parametrize("kind", FORMATS)
def test_cut_off_is_said_of_every_format_and_only_when_true(kind, rng, tmp_path):
    subtype, name = FORMATS[kind], f"x.{kind.lower()}"
    whole = written(0.1 * rng.standard_normal(60_000), kind, subtype)
    recording, heard, note = told(tmp_path, whole, name)
    assert note == "" and not recording.is_cut_off
    recording, part, note = told(tmp_path, whole[: len(whole) * 6 // 10], name)
    assert note == f"is cut off: read as far as it goes, {len(part) / RATE:.3f} s"
    assert 0.3 * len(heard) < len(part) < 0.7 * len(heard)
    if kind not in ("OGG", "MP3"):
        np.testing.assert_array_equal(part, heard[: len(part)])


# --- MPEG audio


def mp3(samples):
    """An MP3 file of variable bit rate without the first frame, which says how many follow."""
    contents = bytes(
        written(samples, "MP3", "MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.1)
    )
    assert b"Xing" in contents[:64]
    return contents[contents.index(contents[:2], 64) :]


def test_an_mp3_is_read_to_its_end_whatever_length_is_guessed(rng, tmp_path, capfd):
    noise, silence = 0.3 * rng.standard_normal(2 * RATE), np.zeros(8 * RATE)
    for parts in ((noise, silence), (silence, noise)):
        contents = mp3(np.concatenate(parts))
        guessed = soundfile.info(io.BytesIO(contents)).frames
        # Too few after a beginning of many bits a second, too many after one of few.
        assert (guessed < 6 * RATE) == (parts[0] is noise)
        recording, heard, note = told(tmp_path, contents, "x.mp3")
        # What the encoder puts before and after the sound, in whole frames of 576 samples.
        assert 10 * RATE <= len(heard) <= 10 * RATE + 4 * 576 and note == ""
        as_far = soundfile.read(io.BytesIO(contents), dtype="float32")[0]
        # It comes to the decoder another way, which sums in another order.
        np.testing.assert_allclose(as_far, heard[: len(as_far)], atol=1e-6)
        assert recording.num_samples == len(heard)


@pytest.mark.parametrize("factor, said", [(0.5, MORE), (2, "is cut off")])
def test_the_count_in_an_mp3_is_not_believed_over_its_frames(factor, said, rng, tmp_path, capfd):
    contents = written(0.1 * rng.standard_normal(3 * RATE), "MP3", "MPEG_LAYER_III")
    place = contents.index(b"Xing") + 8 if b"Xing" in contents else contents.index(b"Info") + 8
    expected = soundfile.read(io.BytesIO(contents), dtype="float32")[0]
    count = struct.unpack_from(">I", contents, place)[0]
    struct.pack_into(">I", contents, place, int(count * factor))
    _, heard, note = told(tmp_path, contents, "x.mp3")
    # The decoder's own sums differ from one time to the next.
    np.testing.assert_allclose(heard[: len(expected)], expected, atol=1e-6)
    assert note.startswith(said)


@pytest.mark.parametrize(
    "contents", [b"\0" * 3000, b"ID3\3\0\0\0\0\0\x0a" + b"\0" * 10, b"text " * 99]
)
def test_what_is_wrong_with_an_mp3_is_said(contents, tmp_path, capfd):
    (tmp_path / "x.mp3").write_bytes(contents)
    with pytest.raises(readers.UnreadableRecording, match="holds no frames of MPEG audio"):
        readers.probe(tmp_path / "x.mp3")


@pytest.mark.parametrize("kind", ["FLAC", "MP3", "OGG"])
def test_compressed_sound_with_any_damage_has_a_layout(kind, rng, tmp_path):
    whole = written(0.1 * rng.standard_normal(9000), kind, FORMATS[kind])
    for number in range(150):
        contents = whole[: rng.integers(4, len(whole)) if number % 2 else len(whole)]
        places = rng.integers(0, len(contents) if number % 3 else min(100, len(contents)), 5)
        for place in places:
            contents[place] = rng.integers(256)
        (tmp_path / f"{number}").write_bytes(contents)
        headers.layout_of(tmp_path / f"{number}")


# --- the same in a graph, and the file that is put together


@pytest.fixture(scope="module")
def decode():
    return tf.function(
        lambda contents: wav.decode(contents, RATE, "mean", 10**6),
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
    )


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_graph_reads_what_the_reader_reads(data, decode, tmp_path_factory):
    draw, rng = data.draw, np.random.default_rng(data.draw(st.integers(0, 99)))
    channels, bits = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([8, 16, 24]))
    parts = []
    for tag in draw(st.lists(st.sampled_from([b"data", b"LIST", b"Qrst"]), min_size=1, max_size=4)):
        body = rng.bytes(draw(st.integers(0, 90)))
        size = draw(st.sampled_from([None, None, None, 0, len(body) // 2, 2**31, 2**32 - 1, 300]))
        parts.append(chunk(tag, body, size))
    filling = draw(st.sampled_from([b"", b"", b"\0" * 30, b"TAG" + b"\xe9" * 125, b"\xab\xcd"]))
    contents = riff(form(channels, RATE, bits), *parts) + filling
    samples, status = decode(contents)
    path = tmp_path_factory.mktemp("wav") / "x.wav"
    path.write_bytes(contents)
    try:
        expected = readers.read(path)
    except readers.UnreadableRecording:
        expected = np.zeros(0)
    assert (status == Status.FINE) == (len(expected) > 0)
    np.testing.assert_array_equal(samples, expected)


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_spliced_file_is_the_bytes_of_its_parts(data, tmp_path_factory):
    contents = bytes(range(200))
    path = tmp_path_factory.mktemp("spliced") / "x"
    path.write_bytes(contents)
    stretch = st.tuples(st.integers(0, 200), st.integers(0, 200)).map(sorted).map(tuple)
    parts = data.draw(st.lists(st.one_of(st.binary(max_size=9), stretch), min_size=1, max_size=5))
    expected = b"".join(
        part if isinstance(part, bytes) else contents[part[0] : part[1]] for part in parts
    )
    with Spliced(path, parts) as file:
        assert file.read() == expected and file.read(3) == b""
        place = data.draw(st.integers(0, len(expected)))
        assert file.seek(place - len(expected), io.SEEK_END) == place == file.tell()
        assert file.read(20) == expected[place : place + 20]


def test_a_file_of_any_bytes_has_a_layout(tmp_path, rng):
    tags = (
        b"RIFF....WAVE",
        b"riff",
        b"FORM....AIFF",
        b"caff",
        b"OggS",
        b"fLaC",
        b"ID3",
        b"\xff\xfb",
        b".snd",
        b"NIST_1A",
        b"Creative Voice File\x1a",
        b"2BIT",
        b"\x01\x04",
    )
    for number, tag in enumerate(tags * 20):
        path = tmp_path / f"{number}"
        path.write_bytes((tag + rng.bytes(rng.integers(0, 200)))[: rng.integers(1, 200)])
        headers.layout_of(path)
