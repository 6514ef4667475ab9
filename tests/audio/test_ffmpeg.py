"""Files that ffmpeg reads: as any others where it is installed, and a row with what to do where it
is not.
"""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import stand_in_ffmpeg

from neurovocal_tf.audio import ffmpeg, readers
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation.folder import SegmentedFolder

RATE = 16_000
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")


@pytest.fixture
def stand_in(tmp_path_factory, monkeypatch):
    """What stands in for ffmpeg on the path, and nothing else there."""
    folder = tmp_path_factory.mktemp("path")
    stand_in_ffmpeg.install(folder)
    monkeypatch.setenv("PATH", str(folder))


@pytest.fixture
def samples(rng):
    return rng.integers(-9000, 9000, (24_000, 2)).astype(np.int16)


def written(path, samples):
    soundfile.write(path, samples, RATE, format="WAV", subtype="PCM_16")
    return path


def coded(path, samples):
    """A file that the stand-in reads, and libsndfile does not."""
    path.write_bytes(b"CODED" + written(path, samples).read_bytes())
    return path


@pytest.mark.parametrize("name", ["a.m4a", "b.WMA", "-c d'e.ape", "streamed.aac"])
def test_what_ffmpeg_decodes_is_read_as_any_other_recording(name, samples, stand_in, tmp_path):
    path, plain = coded(tmp_path / name, samples), written(tmp_path / "x.wav", samples)
    recording = readers.probe(path)
    assert (recording.decoder, recording.sample_rate, recording.num_channels) == ("ffmpeg", RATE, 2)
    assert recording.num_samples == 24_000 and recording.decoder_at(0) == "ffmpeg"
    for channel, rate in (("mean", 0), ("loudest", 0), ("1", 8_000)):
        heard = readers.read(recording, channel, rate)
        np.testing.assert_array_equal(heard, readers.read(plain, channel, rate))
        blocks = list(readers.blocks(path, channel, rate, block_values=700))
        assert len(blocks) > 10
        np.testing.assert_array_equal(np.concatenate(blocks), heard)
    np.testing.assert_array_equal(
        readers.read_in_graph(str(path), "ffmpeg", "0"), readers.read(plain, "0")
    )


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"junk", "^cannot be decoded by ffmpeg: Invalid data found when processing input$"),
        (b"picture", "^holds no sound$"),
    ],
)
def test_what_ffmpeg_does_not_read_has_its_reason(content, reason, stand_in, tmp_path):
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(readers.UnreadableRecording, match=reason):
        readers.probe(tmp_path / "x.mp4")


def test_ffmpeg_is_not_waited_for_for_ever_and_ends_with_its_reader(
    samples, stand_in, tmp_path, monkeypatch
):
    monkeypatch.setattr(ffmpeg, "_PATIENCE_S", 0.2)
    (tmp_path / "x.mp4").write_bytes(b"hang")
    with pytest.raises(readers.UnreadableRecording, match=r"^ffmpeg gave no answer in 0\.2 s$"):
        readers.probe(tmp_path / "x.mp4")


def test_a_reader_that_stops_early_leaves_no_process(samples, stand_in, tmp_path):
    stream = ffmpeg.Stream(coded(tmp_path / "x.m4a", samples))
    with stream:
        assert len(stream.read(10)) == 10
        process = stream._process
    assert process.returncode is not None


def test_without_ffmpeg_its_files_are_rows_that_say_what_to_do(samples, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    (tmp_path / "data").mkdir()
    names = ["a.m4a", "b.mp4", "c.wma", "d.ape", "e.aac", "f.webm"]
    for name in names:
        (tmp_path / "data" / name).write_bytes(b"anything")
    # libsndfile knows it by its content, whatever its name.
    written(tmp_path / "data" / "g.m4a", samples)
    folder = SegmentedFolder(tmp_path / "data", tmp_path / "out", Config())
    folder.run(1, lambda num_bytes: None)
    assert folder.skipped == dict.fromkeys(names, ffmpeg.NOT_INSTALLED)
    assert folder.finished == ["g.m4a"]


@needs_ffmpeg
@pytest.mark.parametrize("extension", ["m4a", "wma", "aac", "tta", "webm", "ac3"])
def test_ffmpeg_itself_reads_what_it_has_written(extension, rng, tmp_path):
    samples = 0.3 * np.sin(np.arange(3 * 48_000) / 8) * (np.arange(3 * 48_000) % 9000 < 4000)
    soundfile.write(tmp_path / "x.wav", samples, 48_000)
    path = tmp_path / f"it's 1$.{extension}"
    command = ["ffmpeg", "-v", "error", "-i", tmp_path / "x.wav", path]
    if subprocess.run(command, check=False).returncode:
        pytest.skip(f"this ffmpeg writes no {extension}")
    recording = readers.probe(path)
    heard = readers.read(recording)
    assert recording.decoder == "ffmpeg" and recording.sample_rate == 48_000
    assert abs(len(heard) - 144_000) < 5000 and recording.note(len(heard) / 48_000) == ""
    assert np.std(heard) == pytest.approx(np.std(samples), rel=0.1)


@needs_ffmpeg
def test_memory_is_bounded_whatever_the_length(tmp_path, repository):
    command = "-f lavfi -i anullsrc=r=48000:cl=stereo:d=900 -c:a pcm_s16le"
    path = tmp_path / "x.mka"
    subprocess.run(["ffmpeg", "-v", "error", *command.split(), path], check=True)
    code = (
        "import sys; from damaged_files import largest_resident_kb; "
        "from neurovocal_tf.audio import readers; "
        "print(sum(map(len, readers.blocks(sys.argv[1], '0'))), largest_resident_kb())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, path],
        env=os.environ | {"PYTHONPATH": f"{repository}:{repository}/tests/campaigns"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    # All of it would be 346 MB.
    assert int(told[0]) == 900 * 48_000 and int(told[1]) < 200_000
