"""tools/segment.py and what it is made of: a folder of recordings to segments, scores, settings and pictures."""

import csv
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import reference
import soundfile
from absl import flags as absl_flags

from neurovocal_tf import detector_search, flags, segment_folder, segment_plots, truth
from neurovocal_tf.agreement import Agreement, agreement
from neurovocal_tf.audio import readers, segmentation
from neurovocal_tf.audio.overview import overview
from neurovocal_tf.config import Config, SegmentationConfig

RATE = 16_000
TONES = [(0.3, 0.42), (0.8, 0.9), (1.5, 1.62)]
QUIET = Config().replace(buffer_ms=0.0)


def tones(seconds=2.0, at=TONES, rate=RATE, frequency_hz=3000.0):
    rng = np.random.default_rng(4)
    samples = 1e-3 * rng.standard_normal(round(seconds * rate))
    for onset, offset in at:
        first, last = round(onset * rate), round(offset * rate)
        samples[first:last] += 0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(last - first) / rate)
    return samples


@pytest.fixture
def folder(tmp_path):
    """Three recordings, one of them in a folder below, one broken, one silent, and the truth of two."""
    data_dir = tmp_path / "My Recordings"
    (data_dir / "day 2").mkdir(parents=True)
    soundfile.write(data_dir / "a b.wav", tones(), RATE)
    soundfile.write(data_dir / "day 2" / "C.WAV", tones(at=TONES[:2]), RATE, format="WAV")
    soundfile.write(data_dir / "hiss.flac", tones(at=[]), RATE)
    soundfile.write(data_dir / "silent.wav", np.zeros(RATE), RATE)
    (data_dir / "broken.wav").write_bytes(b"RIFF????WAVE")
    rows = [("a b.wav", *pair) for pair in TONES] + [("C.WAV", *pair) for pair in TONES]
    (tmp_path / "truth.csv").write_text("\n".join(["file,onset_s,offset_s", *(",".join(map(str, row)) for row in rows)]))
    return data_dir


def run(repository, *arguments):
    command = [sys.executable, str(repository / "tools" / "segment.py"), *map(str, arguments)]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(repository)}, capture_output=True, text=True, timeout=120)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def preset(repository, name):
    values = absl_flags.FlagValues()
    flags.define(None, values)
    values(["tool", *flags.expand_flagfiles([f"--flagfile={repository / 'tools' / 'flagfiles' / name}.flags"], values)])
    return flags.config_from_flags(flag_values=values).segmentation


def test_the_tool_writes_segments_scores_pictures_and_reasons_and_needs_no_tensorflow(repository, folder, tmp_path):
    out = tmp_path / "out"
    flagged = ["--data_dir", folder, "--out", out, "--truth", tmp_path / "truth.csv", "--json", tmp_path / "f.json", "--plot"]
    result = run(repository, *flagged, "--buffer_ms=0")
    assert result.returncode == 0, result.stderr
    rows = rows_of(out / "annotations.csv")
    assert [row["file"] for row in rows] == ["a b.wav"] * 3 + [os.path.join("day 2", "C.WAV")] * 2
    found = [(float(row["onset_s"]), float(row["offset_s"])) for row in rows]
    np.testing.assert_allclose(found, TONES + TONES[:2], atol=0.01)
    assert all(float(row["score"]) > 20 for row in rows)
    assert {row["file"]: row["reason"] for row in rows_of(out / "skipped.csv")}.keys() == {"broken.wav", "silent.wav"}
    figures = json.loads((tmp_path / "f.json").read_text())
    assert (figures["num_files"], figures["num_segments"], figures["num_skipped"]) == (3, 5, 2)
    # Five found of six true, all of them right.
    assert (figures["segment_precision"], figures["segment_recall"]) == (1.0, 5 / 6)
    assert [row["file"] for row in rows_of(out / "scores.csv")] == ["a b.wav", os.path.join("day 2", "C.WAV"), "pooled"]
    pictures = sorted(
        os.path.relpath(os.path.join(where, name), out / "pictures")
        for where, _, names in os.walk(out)
        for name in names
        if name.endswith("png")
    )
    assert pictures == ["a b.wav.png", os.path.join("day 2", "C.WAV.png"), "hiss.flac.png", "histograms.png"]
    again = run(repository, "--data_dir", folder, "--out", out, "--buffer_ms=0")
    assert "3 of 5 recordings were finished before" in again.stderr and rows_of(out / "annotations.csv") == rows
    other = run(repository, "--data_dir", folder, "--out", out, "--buffer_ms=1")
    assert other.returncode == 1 and "`buffer_ms` must be 0.0" in other.stderr and "Traceback" not in other.stderr


def test_segmenting_imports_no_tensorflow(repository):
    """Its memory alone is more than a recording of hours takes."""
    modules = "segment_folder, truth, detector_search, segment_pictures"
    code = f"import sys; from neurovocal_tf import {modules}; sys.exit(bool({{'tensorflow', 'keras'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, timeout=60).returncode == 0


def test_what_was_finished_before_an_interruption_is_kept(folder, tmp_path, monkeypatch):
    whole = segment_folder.SegmentedFolder(folder, tmp_path / "whole", QUIET)
    whole.run(2, lambda num_bytes: None)
    begun = segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET)
    segment_file = segment_folder.segment_file

    def interrupted(path, *arguments):
        if path.endswith("hiss.flac"):
            raise KeyboardInterrupt
        return segment_file(path, *arguments)

    monkeypatch.setattr(segment_folder, "segment_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        begun.run(1, lambda num_bytes: None)
    monkeypatch.setattr(segment_folder, "segment_file", segment_file)
    assert "hiss.flac" not in begun.finished and begun.finished
    resumed = segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET)
    assert resumed.num_resumed == len(begun.finished)
    resumed.run(2, lambda num_bytes: None)
    assert resumed.finished == whole.finished
    for name in ("annotations.csv", "files.csv", "skipped.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_file_is_left_in_the_middle_when_the_run_is_stopped(folder, tmp_path):
    run_of = segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET)
    stop = threading.Event()
    stop.set()
    with pytest.raises(segment_folder.Stopped):
        run_of._segment_one("a b.wav", stop, lambda num_bytes: None)


def test_a_recording_that_changed_is_segmented_anew(folder, tmp_path):
    segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET).run(1, lambda num_bytes: None)
    soundfile.write(folder / "a b.wav", tones(3.0), RATE)
    assert segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET).num_resumed == 2


def test_progress_adds_up_to_the_bytes_there_are(folder, tmp_path):
    run_of, done = segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET), []
    expected = run_of.num_bytes_left
    run_of.run(1, done.append)
    np.testing.assert_allclose(sum(done), expected)


def test_slowed_down_files_give_what_the_sound_itself_gives(tmp_path):
    samples = tones(1.0, [(0.1, 0.2)], 250_000, 60_000.0)
    config = Config().replace(low_hz=30_000.0, high_hz=100_000.0)
    soundfile.write(tmp_path / "as_it_was.wav", samples, 250_000)
    soundfile.write(tmp_path / "slowed.wav", samples, 25_000)
    direct = segment_folder.segment_file(tmp_path / "as_it_was.wav", config)
    slowed = segment_folder.segment_file(tmp_path / "slowed.wav", config.replace(time_expansion=10))
    assert slowed.sample_rate == 250_000 and len(slowed.onsets_s) == 1
    np.testing.assert_array_equal(slowed.onsets_s, direct.onsets_s)


def test_what_is_wrong_for_one_files_rate_skips_that_file(folder, tmp_path):
    soundfile.write(folder / "slow.wav", tones(rate=8000), 8000)
    run_of = segment_folder.SegmentedFolder(folder, tmp_path / "out", Config().replace(low_hz=5000.0))
    run_of.run(1, lambda num_bytes: None)
    assert run_of.skipped["slow.wav"].startswith("`low_hz` must be below half the sample rate, 4000 Hz")
    assert len(run_of.finished) == 3


def test_a_truncated_recording_is_read_as_far_as_it_goes_and_that_is_said(tmp_path):
    soundfile.write(tmp_path / "a.wav", tones(), RATE)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[: 44 + 2 * RATE])
    found = segment_folder.segment_file(tmp_path / "a.wav", QUIET)
    assert found.note == "is cut off: read as far as it goes, 1.000 s" and len(found.onsets_s) == 2


def test_agreement_counts_pairs_and_time():
    true = [(0.0, 1.0), (2.0, 3.0), (5.0, 6.0)]
    found = [(0.01, 0.99), (2.0, 2.5), (2.005, 3.0), (8.0, 9.0)]
    counts = agreement(found, true, 0.01)
    assert (counts.num_segment_hits, counts.num_onset_hits) == (2, 2)
    np.testing.assert_allclose([counts.found_s, counts.true_s, counts.common_s], [0.98 + 1.0 + 1.0, 3.0, 0.98 + 1.0])
    scores = (counts + agreement([], [(0, 1)], 0.01)).scores()
    assert (scores["segment_precision"], scores["segment_recall"], scores["segment_f1"]) == (2 / 4, 2 / 4, 4 / 8)
    assert np.isnan(Agreement().scores()["frame_f1"])


def test_the_most_pairs_are_made_not_the_first():
    """The first found segment would take the only true one that the second can have."""
    assert agreement([(0.0, 1.0), (0.009, 1.0)], [(0.0, 1.0), (-0.005, 1.0)], 0.01).num_segment_hits == 2


def test_truth_under_another_folder_is_the_recording_of_that_name_if_there_is_one(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("file,onset_s,offset_s\nC:\\old\\a.wav,0,1\n")
    assert list(truth.segments_by_file(path, ["x/a.wav", "x/b.wav", "y/b.wav"])) == ["x/a.wav"]
    path.write_text("file,onset_s,offset_s\nb.wav,0,1\n")
    with pytest.raises(ValueError, match="b.wav may mean x/b.wav or y/b.wav"):
        truth.segments_by_file(path, ["x/a.wav", "x/b.wav", "y/b.wav"])
    with pytest.raises(ValueError, match="`truth` must name recordings of the folder"):
        truth.segments_by_file(path, ["c.wav"])


def test_tuning_finds_settings_that_agree_better_on_recordings_it_has_not_seen(tmp_path, repository, folder):
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", tones(at=[(0.2 + number / 10, 0.45), (1.0, 1.1)]), RATE)
    lines = ["file,onset_s,offset_s"] + [f"{n}.wav,{0.2 + n / 10},0.45\n{n}.wav,1.0,1.1" for n in range(3)]
    (tmp_path / "truth.csv").write_text("\n".join(lines))
    flagged = ["--data_dir", folder, "--out", tmp_path / "out", "--truth", tmp_path / "truth.csv", "--json", tmp_path / "f.json"]
    result = run(repository, *flagged, "--tune", "--threshold=400", "--tolerance_ms=5")
    assert result.returncode == 0, result.stderr
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["held_out_before_segment_recall"] == 0.0 and figures["held_out_after_segment_f1"] > 0.9
    lines = (tmp_path / "out" / "tuned.flags").read_text()
    assert "--threshold=" in lines and "--epochs=" not in lines


def test_the_only_recording_is_parted_in_time():
    example = detector_search.Example(np.zeros(300), 100, np.array([(0.5, 0.6), (1.9, 2.1), (2.5, 2.6)]))
    (training,), (held_out,) = detector_search.split([example], seed=0)
    assert (len(training.samples), len(held_out.samples)) == (200, 100)
    np.testing.assert_allclose(training.segments, [(0.5, 0.6), (1.9, 2.1)])
    np.testing.assert_allclose(held_out.segments, [(0.5, 0.6)])


@pytest.mark.parametrize("seconds", [2.0, 700.0])
def test_a_picture_shows_ten_seconds_or_a_minute_a_row_and_ten_rows_a_page(seconds):
    assert segment_plots.column_s(seconds) == (seconds if seconds < 10 else 60.0) / 1250
    column_s = 0.5
    num_columns = round(seconds / column_s)
    seen = type(
        "Seen",
        (),
        dict(column_s=column_s, max_hz=8000.0, decibels=np.zeros((num_columns, 5)), trace_db=np.zeros(num_columns), level_db=1.0),
    )
    figures = list(segment_plots.segment_figures(seen, [(0.5, 1.0)], [(0.4, 1.1)], "a"))
    assert [len(figure.axes) for figure in figures] == ([2] if seconds < 40 else [20, 4])


def test_an_overview_has_the_level_of_each_column_and_the_peak_of_each_segment():
    samples = tones(1.0, [(0.25, 0.5)]).astype(np.float32)
    seen = overview(lambda: segmentation.blocks_of(samples, 777), RATE, SegmentationConfig(), [(0.25, 0.5), (0.9, 0.9001)], 0.125)
    assert seen.decibels.shape == (8, 129) and seen.trace_db.shape == (8,)
    assert seen.decibels.max(axis=1).argsort()[-2:].tolist() in ([2, 3], [3, 2])
    assert seen.trace_db[2:4].min() > seen.level_db + 20
    # Bins are 62.5 Hz apart.
    assert abs(seen.peak_frequencies_hz[0] - 3000) < 62.5 and seen.peak_frequencies_hz.shape == (2,)


@pytest.mark.parametrize(("folder_name", "name", "least"), [("bengalese_finch_gy6or6", "songbird", 0.95), ("mouse_usv", "mouse_usv", 0.93)])
def test_a_preset_untuned_agrees_with_what_people_marked(shared_recordings, repository, folder_name, name, least):
    paths = segment_folder.recordings_by_name(str(shared_recordings / folder_name))
    true = truth.segments_by_file(shared_recordings / folder_name / "annotations.csv", paths)
    found = truth.examples(paths, true, Config())
    pooled = detector_search.pooled_agreement(found, type("Settings", (), {"segmentation": preset(repository, name)}), 0.01)
    assert pooled.scores()["segment_f1"] >= least


@pytest.mark.parametrize("signal_to_noise_db", [10, 20])
def test_words_strung_together_under_noise_are_found(shared_recordings, repository, signal_to_noise_db, rng):
    parts, true, position = [np.zeros(4000)], [], 4000
    paths = sorted((shared_recordings / "spoken_digits").glob("*.wav"))
    for path in rng.permutation(paths)[:40]:
        samples, rate = soundfile.read(path)
        word = reference.without_quiet_ends(samples, rate // 100, 20.0)
        word *= 0.05 / np.sqrt(np.mean(word**2))
        true.append((position / rate, (position + len(word)) / rate))
        parts += [word, np.zeros(rng.integers(rate // 5, rate))]
        position += len(parts[-2]) + len(parts[-1])
    clean = np.concatenate(parts)
    noisy = clean + 0.05 * 10 ** (-signal_to_noise_db / 20) * rng.standard_normal(len(clean))
    onsets, offsets, _ = segmentation.detect(noisy, rate, preset(repository, "speech"))
    assert agreement(np.stack([onsets, offsets], axis=1) / rate, true, 0.03).scores()["onset_f1"] >= 0.9


def test_pulses_of_a_few_milliseconds_are_found_by_the_preset_for_bats(repository, rng):
    rate, true = 250_000, [(0.02 + 0.04 * i, 0.02 + 0.04 * i + 0.003 + 0.0005 * (i % 5)) for i in range(12)]
    samples = 1e-3 * rng.standard_normal(rate // 2)
    for onset, offset in true:
        time = np.arange(round((offset - onset) * rate)) / rate
        first = round(onset * rate)
        samples[first : first + len(time)] += 4e-3 * np.sin(2 * np.pi * (80e3 * time - 40e3 * time**2 / (2 * (offset - onset))))
    onsets, offsets, _ = segmentation.detect(samples, rate, preset(repository, "bat"))
    assert agreement(np.stack([onsets, offsets], axis=1) / rate, true, 0.002).scores()["segment_f1"] == 1.0


def test_every_lossless_encoding_has_the_same_segments_and_lossy_ones_nearly(shared_recordings):
    names = ["song_pcm_24.wav", "song_float.wav", "song.flac", "song.w64", "song.aiff", "song_be_rifx.wav", "song_rf64.wav"]
    lossy = ["song.mp3", "song.ogg", "song_pcm_u8.wav", "song_alaw.wav", "song_ima_adpcm.wav"]
    found = {}
    for name in ["song_pcm_16.wav", *names, *lossy]:
        result = segment_folder.segment_file(shared_recordings / "odd_formats" / name, Config())
        found[name] = np.stack([result.onsets_s, result.offsets_s], axis=1)
    for name in names:
        np.testing.assert_array_equal(found[name], found["song_pcm_16.wav"])
    for name in lossy:
        assert agreement(found[name], found["song_pcm_16.wav"], 0.01).scores()["frame_f1"] >= 0.95


def test_blocks_of_a_file_are_the_whole_file_whatever_their_length(tmp_path, rng):
    soundfile.write(tmp_path / "a.flac", rng.uniform(-0.5, 0.5, (3001, 3)), RATE)
    for channel, sample_rate in (("mean", 0), ("loudest", 0), ("1", 22_050)):
        whole = readers.read(tmp_path / "a.flac", channel, sample_rate)
        for block_values in (30, 1000, 2**20):
            some = list(readers.blocks(tmp_path / "a.flac", channel, sample_rate, block_values=block_values))
            np.testing.assert_array_equal(np.concatenate(some), whole)
