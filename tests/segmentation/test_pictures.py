"""What --plot draws: recordings of any length with their segments, once."""

import os
import pathlib

import numpy as np
import pytest
import soundfile

from neurovocal_tf.config import Config
from neurovocal_tf.plots import segments
from neurovocal_tf.segmentation import detector, folder
from neurovocal_tf.segmentation import pictures as segment_pictures
from neurovocal_tf.segmentation.overview import overview

RATE = 16_000
QUIET = Config().replace(buffer_ms=0.0)
TONES = [(0.3, 0.42), (0.8, 0.9)]
NESTED = os.path.join("day 2", "C.wav")


def tones(seconds=2.0, at=TONES):
    samples = 1e-3 * np.random.default_rng(4).standard_normal(round(seconds * RATE))
    for onset, offset in at:
        first, last = round(onset * RATE), round(offset * RATE)
        samples[first:last] += 0.3 * np.sin(2 * np.pi * 3000 * np.arange(last - first) / RATE)
    return samples


@pytest.fixture
def segmented(tmp_path):
    """What was found in three recordings, the last of them without a segment."""
    (tmp_path / "data" / "day 2").mkdir(parents=True)
    for name, at in (("a b.wav", TONES), (NESTED, TONES[:1]), ("hiss.wav", [])):
        soundfile.write(tmp_path / "data" / name, tones(1.0, at), RATE)
    run_of = folder.SegmentedFolder(tmp_path / "data", tmp_path / "out", QUIET)
    run_of.run(1, lambda num_bytes: None)
    return run_of


@pytest.mark.parametrize("seconds", [2.0, 700.0])
def test_a_picture_shows_ten_seconds_or_a_minute_a_row_and_ten_rows_a_page(seconds):
    np.testing.assert_allclose(
        segments.column_s(seconds), (seconds if seconds < 10 else seconds / 12) / 1250
    )
    column_s = 0.5
    num_columns = round(seconds / column_s)
    seen = type(
        "Seen",
        (),
        dict(
            column_s=column_s,
            max_hz=8000.0,
            decibels=np.zeros((num_columns, 5)),
            trace_db=np.zeros(num_columns),
            level_db=np.ones(num_columns),
        ),
    )
    figures = list(segments.segment_figures(seen, [(0.5, 1.0)], [(0.4, 1.1)], "a"))
    assert [len(figure.axes) for figure in figures] == ([2] if seconds < 40 else [20, 4])


@pytest.mark.parametrize("name", ["a$b$c.wav", r"$\frac$ 1$ and $ ^_{".ljust(251, "x") + ".wav"])
def test_any_name_is_drawn_as_it_is(name, tmp_path):
    (tmp_path / "data").mkdir()
    soundfile.write(tmp_path / "data" / "a.wav", tones(1.0), RATE)
    os.rename(tmp_path / "data" / "a.wav", tmp_path / "data" / name)
    paths = {name: str(tmp_path / "data" / name)}
    run_of = folder.SegmentedFolder(tmp_path / "data" / name, tmp_path / "out", QUIET, paths)
    run_of.run(1, lambda num_bytes: None)
    segment_pictures.draw(run_of, None, QUIET)
    pictures = set(os.listdir(tmp_path / "out" / "pictures")) - {"histograms.png", "drawn.csv"}
    assert len(pictures) == 1 and next(iter(pictures)).startswith(name[:200])


def test_pictures_are_drawn_anew_only_where_they_would_show_something_else(segmented, monkeypatch):
    drawn, draw_one = [], segment_pictures._draw_one

    def watched(of, name, *rest):
        drawn.append(name)
        return draw_one(of, name, *rest)

    monkeypatch.setattr(segment_pictures, "_draw_one", watched)
    segment_pictures.draw(segmented, None, QUIET)
    pictures = os.path.join(segmented.out_dir, "pictures")
    histograms = pathlib.Path(pictures, "histograms.png").read_bytes()
    assert drawn == ["a b.wav", NESTED, "hiss.wav"]
    segment_pictures.draw(segmented, None, QUIET)
    assert len(drawn) == 3 and pathlib.Path(pictures, "histograms.png").read_bytes() == histograms
    segment_pictures.draw(segmented, {"a b.wav": np.array(TONES)}, QUIET)
    assert drawn[3:] == ["a b.wav", NESTED, "hiss.wav"]
    os.remove(os.path.join(pictures, NESTED + ".png"))
    segment_pictures.draw(segmented, {"a b.wav": np.array(TONES)}, QUIET)
    assert drawn[6:] == [NESTED]
    segment_pictures.draw(segmented, {"a b.wav": np.array(TONES)}, QUIET.replace(n_fft=512))
    assert drawn[7:] == ["a b.wav", NESTED, "hiss.wav"]


def test_a_stop_between_two_pictures_keeps_the_first(segmented, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_pictures.draw(segmented, None, QUIET, stop)
    left = []
    monkeypatch.setattr(
        segment_pictures, "_draw_one", lambda of, name, *rest: left.append(name) or stop()
    )
    with pytest.raises(KeyboardInterrupt):
        segment_pictures.draw(segmented, None, QUIET)
    assert left == [NESTED]


@pytest.mark.parametrize("num_samples", [1, 100, 1999, 2000, 2001, 16_003, 40_000])
def test_an_overview_has_a_column_for_every_part_of_a_recording_of_any_length(num_samples, rng):
    samples = rng.standard_normal(num_samples).astype(np.float32)
    seen = overview(lambda: detector.blocks_of(samples, 777), RATE, Config(), [(0.0, 0.01)], 0.0077)
    num_columns = -(-num_samples // round(0.0077 * RATE))
    assert seen.decibels.shape == (num_columns, 129) and seen.trace_db.shape == (num_columns,)


def test_an_overview_has_the_level_of_each_column_and_the_peak_of_each_segment():
    samples = tones(1.0, [(0.25, 0.5)]).astype(np.float32)
    seen = overview(
        lambda: detector.blocks_of(samples, 777),
        RATE,
        Config(),
        [(0.25, 0.5), (0.9, 0.9001)],
        0.125,
    )
    assert seen.decibels.shape == (8, 129) and seen.trace_db.shape == (8,)
    assert seen.decibels.max(axis=1).argsort()[-2:].tolist() in ([2, 3], [3, 2])
    assert np.all(seen.trace_db[2:4] > seen.level_db[2:4] + 20)
    # Bins are 62.5 Hz apart.
    assert abs(seen.peak_frequencies_hz[0] - 3000) < 62.5 and seen.peak_frequencies_hz.shape == (2,)


def test_an_overview_has_the_windows_of_a_model_s_frames_whatever_those_of_the_detector():
    samples = tones(1.0, [(0.25, 0.5)]).astype(np.float32)

    def of(**settings):
        return overview(
            lambda: detector.blocks_of(samples, 777),
            RATE,
            QUIET.replace(**settings),
            [(0.25, 0.5)],
            0.125,
        )

    few, many = of(n_fft=64, hop_length=32), of(n_fft=2048, contrast_n_fft=512)
    assert (few.decibels.shape, many.decibels.shape) == ((8, 33), (8, 1025))
    # The nearest bins to 3000 Hz.
    assert (few.peak_frequencies_hz.tolist(), many.peak_frequencies_hz.tolist()) == (
        [3000.0],
        [3000.0],
    )
    np.testing.assert_array_equal(of(contrast_n_fft=1024).decibels, of().decibels)


def test_the_peak_in_an_overview_is_that_of_the_segment_alone():
    """Not of what is cut off around it, nor of the microphone's offset,
    which the recording's first sample need not tell.
    """
    samples = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE) + 0.5
    samples[0], samples[8000:8800] = 0.0, 0.5 + tones(1.0, [(0.0, 0.5)])[:800] / 100
    segments_s = [(0.5, 0.55), (1.0, 1.2)]
    seen = overview(
        lambda: detector.blocks_of(samples, 777),
        RATE,
        Config().replace(low_hz=0.0, high_hz=0.0),
        segments_s,
        0.125,
    )
    assert seen.peak_frequencies_hz.tolist() == [3000.0, 1000.0]
