"""Files -> samples: every format in one folder of odd ones,
and a reason in one line for what cannot be read.
"""

import os
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from neurovocal_tf.audio import listing, readers
from neurovocal_tf.audio.readers import UnreadableRecording

LOSSLESS = [
    *(
        "song_pcm_24.wav",
        "song_pcm_32.wav",
        "song_float.wav",
        "song_double.wav",
        "song_be_rifx.wav",
        "song_rf64.wav",
        "song.w64",
    ),
    *("song.aiff", "song.au", "song.caf", "song.flac", "song_upper.WAV"),
    *(
        "bad_datasize_ffffffff.wav",
        "bad_datasize_zero.wav",
        "bad_junk_before_fmt.wav",
        "bad_list_after_data.wav",
        "bad_riffsize_wrong.wav",
    ),
]
LOSSY = [
    "song.mp3",
    "song.ogg",
    "song_alaw.wav",
    "song_ulaw.wav",
    "song_ima_adpcm.wav",
    "song_ms_adpcm.wav",
    "song_pcm_u8.wav",
]
REASONS = {
    "bad_44bytes_no_samples.wav": "holds no samples",
    "bad_empty.wav": "is an empty file",
    "bad_header_12bytes.wav": "cannot be decoded: Error in WAV file. No 'data' chunk marker",
    "bad_samplerate_zero.wav": "its header names no sample rate or no channels",
    "bad_text.wav": "is not audio that libsndfile reads",
    "odd_nan_inf_float.wav": "holds NaN or infinite samples: 101 of 96000 (0.105 %)",
}


@pytest.fixture(scope="module")
def odd_formats(shared_recordings):
    return shared_recordings / "odd_formats"


def sound_file(folder, name="a.wav", samples=None, rate=16_000, subtype="PCM_16"):
    samples = np.random.default_rng(3).uniform(-0.5, 0.5, 1000) if samples is None else samples
    soundfile.write(folder / name, samples, rate, subtype=subtype)
    return str(folder / name)


@pytest.mark.parametrize("name", LOSSLESS)
def test_every_lossless_encoding_gives_the_same_samples(odd_formats, name):
    expected = readers.read(odd_formats / "song_pcm_16.wav")
    recording = readers.probe(odd_formats / name)
    samples = readers.read(recording)
    assert (recording.sample_rate, recording.num_channels, recording.num_samples) == (
        32_000,
        1,
        96_000,
    )
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_encodings_give_nearly_the_same_samples(odd_formats, name):
    expected, samples = (
        readers.read(odd_formats / "song_pcm_16.wav"),
        readers.read(odd_formats / name),
    )
    assert len(expected) <= len(samples) <= len(expected) + 2048
    assert np.corrcoef(samples[: len(expected)], expected)[0, 1] > 0.98


def test_broken_files_give_their_reason_and_all_others_are_read(odd_formats):
    reasons, paths = {}, listing.list_recordings(odd_formats)
    for path in paths:
        try:
            recording = readers.probe(path)
            samples = readers.read(recording)
            assert len(samples) == recording.num_samples and np.isfinite(samples).all()
        except UnreadableRecording as reason:
            reasons[os.path.basename(path)] = str(reason)
    assert reasons == REASONS
    assert len(paths) == len([name for name in os.listdir(odd_formats) if name != "LICENSE"])


def test_of_a_truncated_file_what_is_there_is_read(odd_formats):
    expected = readers.read(odd_formats / "song_pcm_16.wav")
    for name in ("bad_truncated_half.wav", "bad_truncated_odd_byte.wav"):
        samples = readers.read(readers.probe(odd_formats / name))
        np.testing.assert_array_equal(samples, expected[: len(samples)])
        assert len(samples) == 47_989


def test_samples_over_full_scale_and_ultrasonic_rates_are_kept(odd_formats):
    assert np.abs(readers.read(odd_formats / "odd_float_over_1.wav")).max() > 2
    rates = [
        readers.probe(odd_formats / f"usv_{kind}.wav").sample_rate
        for kind in ("250k", "hdr500k", "te10")
    ]
    assert rates == [250_000, 500_000, 25_000]


def test_only_plain_16_bit_wav_is_for_the_graph(odd_formats):
    assert (
        readers.probe(odd_formats / "song_pcm_16.wav").decoder
        == readers.probe(odd_formats / "song_upper.WAV").decoder
        == "tensorflow_io"
    )
    # tensorflow-io refuses, or worse, what does not hold what its header says.
    damaged = [
        "bad_truncated_half.wav",
        "bad_datasize_ffffffff.wav",
        "bad_junk_before_fmt.wav",
        "bad_list_after_data.wav",
    ]
    for name in ["song_pcm_32.wav", "song_float.wav", "song.flac", "song_be_rifx.wav", *damaged]:
        assert readers.probe(odd_formats / name).decoder == "libsndfile"


@pytest.mark.parametrize("channel", ["mean", "loudest", "2"])
@pytest.mark.parametrize("num_channels", [1, 3, 7])
def test_both_decoders_give_the_same_samples_bit_for_bit(tmp_path, channel, num_channels, rng):
    if channel == "2" and num_channels == 1:
        channel = "0"
    path = sound_file(
        tmp_path,
        samples=rng.uniform(-1, 1, (1000, num_channels)) * rng.uniform(0.5, 1, num_channels),
    )
    recording = readers.probe(path)
    assert recording.decoder == "tensorflow_io"
    expected = readers.read(recording, channel)
    for decoder in ("tensorflow_io", "libsndfile"):
        np.testing.assert_array_equal(readers.read_in_graph(path, decoder, channel), expected)


def test_a_dataset_reads_whatever_the_decoder(odd_formats):
    recordings = [
        readers.probe(odd_formats / name)
        for name in ("song_pcm_16.wav", "song.flac", "odd_8k.wav", "song_4ch_float.wav")
    ]
    columns = [r.path for r in recordings], [r.decoder_at(32_000) for r in recordings]
    assert columns[1] == ["tensorflow_io", "libsndfile", "libsndfile", "libsndfile"]
    dataset = tf.data.Dataset.from_tensor_slices(columns).map(
        lambda path, decoder: readers.read_in_graph(path, decoder, "mean", 32_000)
    )
    assert dataset.element_spec == tf.TensorSpec([None], tf.float32)
    for recording, samples in zip(recordings, dataset, strict=True):
        np.testing.assert_array_equal(samples, readers.read(recording, "mean", 32_000))
        assert len(samples) == 96_000


@pytest.mark.parametrize("asked, rate", [(0, 80_000), (80_000, 80_000), (8_000, 8_000)])
def test_a_recording_knows_the_rate_of_the_samples_that_are_read_of_it(tmp_path, asked, rate):
    recording = readers.probe(sound_file(tmp_path), time_expansion=5)
    assert recording.rate_at(asked) == rate
    # 1000 samples of a file at 16 kHz, that is 12.5 ms of the sound.
    assert len(readers.read(recording, sample_rate=asked, time_expansion=5)) == round(0.0125 * rate)


def test_without_tensorflow_io_libsndfile_reads_everything(odd_formats, monkeypatch):
    monkeypatch.setattr(readers, "_tensorflow_io_decoder", lambda: None)
    path = str(odd_formats / "song_pcm_16.wav")
    np.testing.assert_array_equal(readers.read_in_graph(path, "tensorflow_io"), readers.read(path))


def test_channels_are_averaged_or_chosen(tmp_path):
    samples = np.stack([np.full(100, 0.25), np.full(100, -0.5), np.full(100, 0.375)], axis=1)
    path = sound_file(tmp_path, samples=samples)
    assert {
        channel: readers.read(path, channel)[0] for channel in ("0", "1", "2", "loudest", "mean")
    } == {
        "0": 0.25,
        "1": -0.5,
        "2": 0.375,
        "loudest": -0.5,
        "mean": np.float32(0.125) / np.float32(3),
    }
    with pytest.raises(
        UnreadableRecording, match="^has 3 channels, counted from 0, and no channel 3$"
    ):
        readers.read(path, "3")


def test_resampling_keeps_a_tone_and_its_length(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(44_100) / 44_100)
    samples = readers.read(sound_file(tmp_path, samples=tone, rate=44_100), sample_rate=16_000)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    assert samples.dtype == np.float32 and len(samples) == 16_000
    # The ends hold the filter's ringing; 16 bits are good to 3e-5.
    np.testing.assert_allclose(samples[500:-500], expected[500:-500], atol=1e-4)


def test_a_folder_is_searched_to_its_depth(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for name in (
        "b/c/deep.WAV",
        "b/song.Flac",
        "z.wav",
        "notes.txt",
        ".secret.wav",
        ".hidden/a.wav",
        "b/._z.wav",
    ):
        (tmp_path / name).touch()
    assert listing.list_recordings(str(tmp_path)) == [
        str(tmp_path / name) for name in ("b/c/deep.WAV", "b/song.Flac", "z.wav")
    ]
    assert listing.list_recordings(str(tmp_path / "z.wav")) == [str(tmp_path / "z.wav")]


def test_a_folder_without_recordings_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=rf"^`data_dir` .* it is empty. Received: data_dir={tmp_path}$"
    ):
        listing.list_recordings(str(tmp_path))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="it holds no audio among 1 file"):
        listing.list_recordings(str(tmp_path))
    with pytest.raises(ValueError, match="there is no such folder. Received: data_dir=.*nowhere"):
        listing.list_recordings(str(tmp_path / "nowhere"))


def test_a_rate_that_is_none_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(
        UnreadableRecording, match="^its sample rate is 100 Hz; must be between 1 kHz and 10 MHz$"
    ):
        readers.probe(sound_file(tmp_path, rate=100))
    with pytest.raises(UnreadableRecording, match="^is not there$"):
        readers.probe(tmp_path / "nothing.wav")
    with pytest.raises(UnreadableRecording, match="^is not a file$"):
        readers.read(tmp_path)


def test_no_damaged_file_crashes_hangs_or_fills_the_memory(repository):
    script = repository / "tests" / "campaigns" / "damaged_files.py"
    environment = os.environ | {"PYTHONPATH": str(repository)}
    result = subprocess.run(
        [sys.executable, str(script), "300"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr[-500:]
    *ends, memory = result.stdout.splitlines()
    assert not [line for line in ends if "DEFECT" in line]
    assert sum(int(line.split()[0]) for line in ends) == 300
    assert int(re.search(r"(\d+) MB", memory)[1]) < 1000


def test_the_length_of_a_file_over_4_gigabytes_is_right(tmp_path):
    num_samples = 2_500_000_000
    size = 2 * num_samples
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 250_000, 500_000, 2, 16)
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, size + 72, size, num_samples, 0)
    header = (
        struct.pack("<4sI4s", b"RF64", 2**32 - 1, b"WAVE")
        + ds64
        + form
        + struct.pack("<4sI", b"data", 2**32 - 1)
    )
    with open(tmp_path / "night.wav", "wb") as file:
        file.write(header + struct.pack("<2h", 16384, -16384))
        # Holes take no space on the disk.
        file.truncate(len(header) + size)
    recording = readers.probe(tmp_path / "night.wav")
    assert (recording.num_samples, recording.sample_rate, recording.is_cut_off) == (
        num_samples,
        250_000,
        False,
    )
    np.testing.assert_array_equal(next(readers.blocks(recording))[:3], [0.5, -0.5, 0.0])


def test_the_length_of_sonys_wave64_over_4_gigabytes_is_right(tmp_path):
    path, size = tmp_path / "night.w64", 5_000_000_000
    soundfile.write(path, np.array([0.5, -0.5]), 250_000, format="W64", subtype="PCM_16")
    header = bytearray(path.read_bytes())
    data = header.index(b"data\xf3\xac\xd3\x11")
    begin = data + 24
    # Sizes count their own chunk's header of 24 bytes, and the first that of the whole file.
    struct.pack_into("<Q", header, 16, begin + size)
    struct.pack_into("<Q", header, data + 16, 24 + size)
    with open(path, "wb") as file:
        file.write(header[: begin + 4])
        file.truncate(begin + size)
    recording = readers.probe(path)
    assert (recording.num_samples, recording.sample_rate, recording.is_cut_off) == (
        size // 2,
        250_000,
        False,
    )
    np.testing.assert_array_equal(next(readers.blocks(recording))[:3], [0.5, -0.5, 0.0])


@pytest.mark.parametrize("chunk", [b"guan", b"bext", b"LIST"])
def test_what_recorders_write_beside_the_samples_is_passed_over(tmp_path, chunk, rng):
    samples = rng.integers(-1000, 1000, 500).astype("<i2")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 250_000, 500_000, 2, 16)
    extra = struct.pack("<4sI", chunk, 700) + b"GUANO|Version: 1.0\n".ljust(700, b" ")
    body = b"WAVE" + form + extra + struct.pack("<4sI", b"data", 1000) + samples.tobytes() + extra
    (tmp_path / "Bat Night 1.WAV").write_bytes(struct.pack("<4sI", b"RIFF", len(body)) + body)
    recording = readers.probe(tmp_path / "Bat Night 1.WAV")
    assert not recording.is_cut_off
    np.testing.assert_array_equal(readers.read(recording), samples / np.float32(32768))


def test_what_the_system_refuses_is_told_in_its_words(tmp_path, monkeypatch):
    path = sound_file(tmp_path)

    # Whoever runs the tests may be allowed to read any file.
    def refused(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(readers.headers, "layout_of", refused)
    with pytest.raises(UnreadableRecording, match="^cannot be opened: Permission denied$"):
        readers.probe(path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.wav")
    with pytest.raises(UnreadableRecording, match="^is not a file$"):
        readers.probe(tmp_path / "x.wav")
