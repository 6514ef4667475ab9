"""tools/segment.py and what it is made of: a folder of recordings to segments, scores,
settings and pictures.
"""

import csv
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile
from annotation_formats import FORMATS

from neurovocal_tf import annotations
from neurovocal_tf.annotations import matching
from neurovocal_tf.audio import listing, readers
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import folder as segment_folder
from neurovocal_tf.segmentation import formats, segmented_file, truth, tuning
from neurovocal_tf.segmentation.agreement import Agreement, agreement

RATE = 16_000
TONES = [(0.3, 0.42), (0.8, 0.9), (1.5, 1.62)]
QUIET = Config().replace(buffer_ms=0.0)


def tones(seconds=2.0, at=TONES, rate=RATE, frequency_hz=3000.0):
    rng = np.random.default_rng(4)
    samples = 1e-3 * rng.standard_normal(round(seconds * rate))
    for onset, offset in at:
        first, last = round(onset * rate), round(offset * rate)
        samples[first:last] += 0.3 * np.sin(
            2 * np.pi * frequency_hz * np.arange(last - first) / rate
        )
    return samples


@pytest.fixture
def folder(tmp_path):
    """Three recordings, one of them in a folder below, one broken, one silent,
    and the truth of two.
    """
    data_dir = tmp_path / "My Recordings"
    (data_dir / "day 2").mkdir(parents=True)
    soundfile.write(data_dir / "a b.wav", tones(), RATE)
    soundfile.write(data_dir / "day 2" / "C.WAV", tones(at=TONES[:2]), RATE, format="WAV")
    soundfile.write(data_dir / "hiss.flac", tones(at=[]), RATE)
    soundfile.write(data_dir / "silent.wav", np.zeros(RATE), RATE)
    (data_dir / "broken.wav").write_bytes(b"RIFF????WAVE")
    rows = (
        [("a b.wav", *pair) for pair in TONES]
        + [("C.WAV", *pair) for pair in TONES]
        + [("gone.wav", 0, 1)]
    )
    (tmp_path / "truth.csv").write_text(
        "\n".join(["file,onset_s,offset_s", *(",".join(map(str, row)) for row in rows)])
    )
    return data_dir


@pytest.fixture
def started(repository, tmp_path):
    """Starts the tool where TensorFlow cannot be imported: its memory alone is more than a
    recording of hours takes.
    """
    for name in ("tensorflow", "keras"):
        (tmp_path / "none of these").mkdir(exist_ok=True)
        (tmp_path / "none of these" / f"{name}.py").write_text("raise RuntimeError(__name__)")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "none of these"), str(repository)])
    }

    def start(*arguments):
        command = [sys.executable, str(repository / "tools" / "segment.py"), *map(str, arguments)]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_tool_writes_segments_scores_pictures_formats_and_reasons_and_needs_no_tensorflow(
    started, folder, tmp_path
):
    out = tmp_path / "out"
    flagged = [
        "--data_dir",
        folder,
        "--out",
        out,
        "--truth",
        tmp_path / "truth.csv",
        "--json",
        tmp_path / "f.json",
        "--plot",
        "--review",
    ]
    tool = started(*flagged, "--format=csv,audacity,raven,textgrid", "--buffer_ms=0")
    stderr = tool.communicate(timeout=300)[1]
    assert tool.returncode == 0, stderr
    assert "Traceback" not in stderr and "1 annotated recordings that are not there" in stderr
    rows = rows_of(out / "annotations.csv")
    nested = os.path.join("day 2", "C.WAV")
    # Relative to the table's own folder.
    assert [row["file"] for row in rows] == [
        os.path.relpath(folder / name, out) for name in ["a b.wav"] * 3 + [nested] * 2
    ]
    found = [(float(row["onset_s"]), float(row["offset_s"])) for row in rows]
    np.testing.assert_allclose(found, TONES + TONES[:2], atol=0.01)
    assert all(float(row["score"]) > 20 for row in rows)
    assert [row["file"] for row in rows_of(out / "skipped.csv")] == [
        os.path.relpath(folder / name, out) for name in ("broken.wav", "silent.wav")
    ]
    figures = json.loads((tmp_path / "f.json").read_text())
    assert (figures["num_files"], figures["num_segments"], figures["num_skipped"]) == (3, 5, 2)
    # Five found of six true, all of them right.
    assert (figures["segment_precision"], figures["segment_recall"]) == (1.0, 5 / 6)
    # Every table calls a recording the same.
    assert [row["file"] for row in rows_of(out / "scores.csv")] == [
        *dict.fromkeys(row["file"] for row in rows),
        "pooled",
    ]
    assert {row["file"] for row in rows} <= {row["file"] for row in rows_of(out / "files.csv")}
    pictures = sorted(str(path.relative_to(out / "pictures")) for path in out.rglob("*.png"))
    assert pictures == [
        "a b.wav.png",
        os.path.join("day 2", "C.WAV.png"),
        "hiss.flac.png",
        "histograms.png",
    ]
    pages = sorted(str(path.relative_to(out / "review")) for path in out.rglob("*.html"))
    assert pages == [
        "a b.wav.html",
        os.path.join("day 2", "C.WAV.html"),
        "hiss.flac.html",
        "index.html",
    ]
    for format in ("audacity", "raven", "textgrid"):
        by_file = matching.match(out / format, listing.list_recordings(folder)).of
        assert [len(by_file[str(folder / name)]) for name in ("a b.wav", nested, "hiss.flac")] == [
            3,
            2,
            0,
        ]


def test_with_lists_the_tool_segments_these_recordings_alone_and_needs_no_tensorflow(
    started, folder, tmp_path
):
    (tmp_path / "list.txt").write_text("day 2/*\n", encoding="utf-8")
    (tmp_path / "table.csv").write_text(
        "file,noise\nhiss.flac,much\na b.wav,little\n", encoding="utf-8"
    )
    lists = [
        "--train_list",
        tmp_path / "list.txt",
        "--held_out_list",
        f"{tmp_path / 'table.csv'}:noise=much",
    ]
    tool = started("--data_dir", folder, "--out", tmp_path / "out", *lists)
    stderr = tool.communicate(timeout=300)[1]
    assert tool.returncode == 0 and "2 of 5 recordings are listed" in stderr, stderr
    assert [row["file"] for row in rows_of(tmp_path / "out" / "files.csv")] == [
        os.path.relpath(folder / name, tmp_path / "out")
        for name in (os.path.join("day 2", "C.WAV"), "hiss.flac")
    ]
    assert rows_of(tmp_path / "out" / "skipped.csv") == []


def test_the_tool_keeps_hand_work_until_it_is_told_otherwise_and_leaves_labels_out_of_the_truth(
    started, folder, tmp_path
):
    (tmp_path / "truth.csv").write_text(
        "sep=;\nFile;Start (s);End (s);kind\nA B.wav;0,3;0,42;call\nA B.wav;0,5;0,7;noise\n"
        "a b.wav;0,8;0,7;call\n"
    )
    arguments = ["--data_dir", folder, "--out", tmp_path / "out", "--buffer_ms=0"]
    arguments += ["--truth", tmp_path / "truth.csv", "--ignore_labels=noise", "--label_column=Kind"]
    table = tmp_path / "out" / "annotations.csv"
    for flags, is_changed, num_rows in (([], False, 5), ([], True, 4), (["--overwrite"], False, 5)):
        tool = started(*arguments, *flags)
        stderr = tool.communicate(timeout=300)[1]
        assert tool.returncode == 0 and "Traceback" not in stderr, stderr
        for said in (
            "taken from .*: annotations 1, labels 1, recordings 1",
            "left out: .*truth.csv, line 5: `End \\(s\\)` must not be before `Start \\(s\\)`",
            "ignore_labels leaves out noise \\(1\\)",
            "1 recordings have other letters, capitals or extensions .*a b.wav for A B.wav",
        ):
            assert re.search(said, stderr), (said, stderr)
        assert ("annotations.csv has been changed since it was written" in stderr) == is_changed
        assert len(rows_of(table)) == num_rows
        if num_rows == 5:
            table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))


@pytest.fixture
def segmented(folder, tmp_path):
    """What was found in the folder, its sounds on channel 0."""
    run_of = segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET.replace(channel="0"))
    run_of.run(1, lambda num_bytes: None)
    return run_of


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_in_a_format_is_read_back_for_the_recordings_it_is_of(
    segmented, folder, format
):
    formats.write(segmented, [format], QUIET)
    table = os.path.join(segmented.out_dir, format)
    if not os.path.exists(table):
        combined = {**formats.COMBINED, "csv": "annotations.csv"}
        table = os.path.join(segmented.out_dir, combined[format])
    by_file = matching.match(table, listing.list_recordings(folder)).of
    for name in ("a b.wav", os.path.join("day 2", "C.WAV")):
        found = by_file[str(folder / name)]
        np.testing.assert_allclose(
            [(a.onset_s, a.offset_s) for a in found], segmented.segments(name), atol=1e-6
        )
        labels = {"csv": {""}, "parquet": {""}, "notmat": {"-"}}
        assert {a.label for a in found} == labels.get(format, {"segment"})
        if format in ("csv", "raven"):
            assert [a.score for a in found] == [a.score for a in segmented.annotations(name)]
        if format in ("audacity", "raven", "opensoundscape", "batdetect2"):
            # The tone's bin and, of the window's main lobe, at most one on each side.
            # batdetect2's are whole numbers.
            width = 1.5 * RATE / 256 + 0.5
            assert all(3000 - width <= a.low_hz < 3000 < a.high_hz <= 3000 + width for a in found)


def test_the_band_of_a_segment_is_measured_in_a_model_s_windows_whatever_the_detector_s(segmented):
    def widths(**settings):
        formats.write(segmented, ["raven"], QUIET.replace(**settings))
        found = annotations.read(os.path.join(segmented.out_dir, "raven", "a b.selections.txt"))
        return [a.high_hz - a.low_hz for a in found]

    # A tone's bins, two or three of them.
    fine, coarse = widths(n_fft=1024, hop_length=512), widths(n_fft=128, hop_length=64)
    assert max(fine) <= 3 * RATE / 1024 and min(coarse) >= RATE / 128
    assert widths(contrast_n_fft=1024) == widths(contrast_n_fft=64)


def test_the_raven_table_over_all_counts_time_through_all_and_names_where_each_recording_is(
    segmented, folder
):
    formats.write(segmented, ["raven"], QUIET)
    with open(
        os.path.join(segmented.out_dir, formats.COMBINED["raven"]), newline="", encoding="utf-8"
    ) as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = [
        *segmented.segments("a b.wav"),
        *(segmented.segments(os.path.join("day 2", "C.WAV")) + 2.0),
    ]
    np.testing.assert_allclose(
        [(float(row["Begin Time (s)"]), float(row["End Time (s)"])) for row in rows],
        found,
        atol=1e-6,
    )
    paths = [str(folder / "a b.wav")] * 3 + [str(folder / "day 2" / "C.WAV")] * 2
    assert [(row["Begin Path"], row["Begin File"], row["Channel"]) for row in rows] == [
        (p, os.path.basename(p), "1") for p in paths
    ]


def test_recordings_that_differ_in_their_extension_have_files_of_their_own(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("a.wav", "A.flac", "b.wav"):
        soundfile.write(tmp_path / "data" / name, tones(1.0, TONES[:1]), RATE)
    run_of = segment_folder.SegmentedFolder(tmp_path / "data", tmp_path / "out", QUIET)
    run_of.run(1, lambda num_bytes: None)
    formats.write(run_of, ["textgrid", "textgrid"], QUIET)
    assert sorted(os.listdir(tmp_path / "out" / "textgrid")) == [
        "A.flac.TextGrid",
        "a.wav.TextGrid",
        "b.TextGrid",
    ]
    with pytest.raises(
        ValueError,
        match="`format` must be among csv, .*, notmat. Received: format=csv,praat",
    ):
        formats.check(["csv", "praat"])


def test_a_second_start_keeps_what_is_done_with_the_same_settings_only(segmented, folder, tmp_path):
    again = segment_folder.SegmentedFolder(folder, tmp_path / "out", segmented.config)
    assert again.num_resumed == 3 and again.annotations("a b.wav") == segmented.annotations(
        "a b.wav"
    )
    with pytest.raises(
        ValueError,
        match="`buffer_ms` must be 0.0, with which .* was begun, or the results go elsewhere",
    ):
        segment_folder.SegmentedFolder(
            folder, tmp_path / "out", segmented.config.replace(buffer_ms=1.0)
        )
    # The paths in its tables no longer lead to the recordings.
    moved = (tmp_path / "out").rename(tmp_path / "My Recordings" / "out")
    assert segment_folder.SegmentedFolder(folder, moved, segmented.config).finished == []


def test_what_was_finished_before_an_interruption_is_kept(folder, tmp_path, monkeypatch):
    whole = segment_folder.SegmentedFolder(folder, tmp_path / "whole", QUIET)
    whole.run(2, lambda num_bytes: None)
    begun = segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET)
    segment_file = segmented_file.segment_file

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
    with pytest.raises(segmented_file.Stopped):
        run_of._segment_one("a b.wav", stop, lambda num_bytes: None)


@pytest.mark.parametrize("keeps_time", [True, False])
@pytest.mark.parametrize(
    "samples, rate, words",
    [
        (tones(3.0), RATE, "is another recording: .*samples for"),
        (tones(2.0, [(0.5, 0.6)]), RATE, "as long, of other content"),
        (tones(2.0)[::2], RATE // 2, "is another recording: .*Hz for"),
    ],
)
def test_a_recording_that_changed_is_segmented_anew_and_named(
    samples, rate, words, keeps_time, folder, tmp_path
):
    path = folder / "a b.wav"
    os.utime(path, ns=(0, 0))
    segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET).run(1, lambda num_bytes: None)
    soundfile.write(path, samples, rate)
    if keeps_time:
        os.utime(path, ns=(0, 0))
    again = segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET)
    assert again.num_resumed == 2 and list(again.changed) == ["a b.wav"]
    assert re.search(words, again.changed["a b.wav"])
    again.run(1, lambda num_bytes: None)
    assert segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET).num_resumed == 3


def test_a_recording_that_was_only_copied_or_touched_is_not_segmented_anew(folder, tmp_path):
    segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET).run(1, lambda num_bytes: None)
    for path in folder.iterdir():
        if path.is_file():
            os.utime(path)
    assert segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET).num_resumed == 3


def test_results_of_earlier_versions_hold_for_recordings_that_are_older(folder, tmp_path):
    """They tell nothing but a recording's size."""
    segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET).run(1, lambda num_bytes: None)
    (tmp_path / "out" / "recordings.csv").unlink()
    assert segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET).num_resumed == 3
    later_ns = os.stat(tmp_path / "out" / "files.csv").st_mtime_ns + 1
    os.utime(folder / "a b.wav", ns=(later_ns, later_ns))
    assert segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET).num_resumed == 2


def test_progress_adds_up_to_the_bytes_there_are(folder, tmp_path):
    run_of, done = segment_folder.SegmentedFolder(folder, tmp_path / "out", QUIET), []
    expected = run_of.num_bytes_left
    run_of.run(1, done.append)
    assert sum(done) == expected


def test_slowed_down_files_give_what_the_sound_itself_gives(tmp_path):
    samples = tones(1.0, [(0.1, 0.2)], 250_000, 60_000.0)
    config = Config().replace(low_hz=30_000.0, high_hz=100_000.0)
    soundfile.write(tmp_path / "as_it_was.wav", samples, 250_000)
    soundfile.write(tmp_path / "slowed.wav", samples, 25_000)
    direct = segmented_file.segment_file(tmp_path / "as_it_was.wav", config)
    slowed = segmented_file.segment_file(tmp_path / "slowed.wav", config.replace(time_expansion=10))
    assert slowed.sample_rate == 250_000 and len(slowed.onsets_s) == 1
    np.testing.assert_array_equal(slowed.onsets_s, direct.onsets_s)


def test_what_is_wrong_for_one_files_rate_skips_that_file(folder, tmp_path):
    soundfile.write(folder / "slow.wav", tones(rate=8000), 8000)
    run_of = segment_folder.SegmentedFolder(
        folder, tmp_path / "out", Config().replace(low_hz=5000.0)
    )
    run_of.run(1, lambda num_bytes: None)
    assert run_of.skipped["slow.wav"].startswith(
        "`low_hz` must be below half the sample rate, 4000 Hz"
    )
    assert len(run_of.finished) == 3


def test_a_truncated_recording_is_read_as_far_as_it_goes_and_that_is_said(tmp_path):
    soundfile.write(tmp_path / "a.wav", tones(), RATE)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[: 44 + 2 * RATE])
    found = segmented_file.segment_file(tmp_path / "a.wav", QUIET)
    assert found.note == "is cut off: read as far as it goes, 1.000 s" and len(found.onsets_s) == 2


def test_agreement_counts_pairs_and_time():
    true = [(0.0, 1.0), (2.0, 3.0), (5.0, 6.0)]
    found = [(0.01, 0.99), (2.0, 2.5), (2.005, 3.0), (8.0, 9.0)]
    counts = agreement(found, true, 0.01)
    assert (counts.num_segment_hits, counts.num_onset_hits) == (2, 2)
    np.testing.assert_allclose(
        [counts.found_s, counts.true_s, counts.common_s], [0.98 + 1.0 + 1.0, 3.0, 0.98 + 1.0]
    )
    scores = (counts + agreement([], [(0, 1)], 0.01)).scores()
    assert (scores["segment_precision"], scores["segment_recall"], scores["segment_f1"]) == (
        2 / 4,
        2 / 4,
        4 / 8,
    )
    assert np.isnan(Agreement().scores()["frame_f1"])


def test_the_most_pairs_are_made_not_the_first():
    """The first found segment would take the only true one that the second can have."""
    assert (
        agreement([(0.0, 1.0), (0.009, 1.0)], [(0.0, 1.0), (-0.005, 1.0)], 0.01).num_segment_hits
        == 2
    )


def test_truth_is_matched_to_the_recordings_by_name_and_by_channel(tmp_path):
    path = tmp_path / "truth.csv"
    paths = {name: str(tmp_path / name) for name in ("x/a.wav", "x/b.wav", "y/b.wav")}
    path.write_text(
        "file,onset_s,offset_s,channel\na.wav,0,1,0\na.wav,2,3,1\na.wav,4,5,\ngone.wav,0,1,\n"
    )
    true, notes = truth.segments_by_file(path, paths, channel="1")
    assert {name: times.tolist() for name, times in true.items()} == {"x/a.wav": [[2, 3], [4, 5]]}
    assert notes == [
        f"taken from {path}: annotations 3, labels 0, recordings 1",
        f"1 annotated recordings that are not there in {path} is passed over; the first: gone.wav",
    ]
    path.write_text("file,onset_s,offset_s\nx/b.wav,0,1\n")
    assert list(truth.segments_by_file(path, paths)[0]) == ["x/b.wav"]
    path.write_text("file,onset_s,offset_s\nb.wav,0,1\n")
    with pytest.raises(ValueError, match="b.wav may mean .*x/b.wav or .*y/b.wav"):
        truth.segments_by_file(path, paths)
    with pytest.raises(ValueError, match="`truth` must name recordings of the folder"):
        truth.segments_by_file(path, {"c.wav": "c.wav"})
    with pytest.raises(
        ValueError,
        match="`truth` must be an annotation file, or a folder of them. Received: truth=.*gone",
    ):
        truth.segments_by_file(tmp_path / "gone", paths)


def test_truth_is_a_folder_of_any_format_or_one_tier_of_it(segmented, tmp_path):
    formats.write(segmented, ["textgrid"], QUIET)
    folder = tmp_path / "out" / "textgrid"
    for where in (folder, f"{folder}#segments"):
        true, notes = truth.segments_by_file(where, segmented.paths)
        assert len(notes) == 1 and notes[0].endswith(": annotations 5, labels 1, recordings 3")
        assert {name: len(times) for name, times in true.items() if len(times)} == {
            "a b.wav": 3,
            "day 2/C.WAV": 2,
        }
    with pytest.raises(ValueError, match="has no interval tier words; it has segments"):
        truth.segments_by_file(f"{folder}#words", segmented.paths)


def tones_to_tune_with(number):
    return [(0.2 + number / 10, 0.45), (1.0, 1.1)]


def test_tuning_goes_up_and_finds_settings_that_agree_better_on_recordings_it_has_not_seen():
    examples = [
        tuning.Example(tones(1.2, at), RATE, np.array(at))
        for at in map(tones_to_tune_with, range(3))
    ]
    training, held_out = tuning.split(examples, seed=0)
    deaf = Config().replace(threshold=400.0)
    trials = list(itertools.islice(tuning.search(training, deaf, 0.01), 24))
    scores = [score for score, _ in trials]
    assert scores[0][0] == 0.0 and scores == sorted(scores)
    assert tuning.pooled_agreement(held_out, deaf, 0.01).scores()["segment_recall"] == 0.0
    assert tuning.pooled_agreement(held_out, trials[-1][1], 0.01).scores()["segment_f1"] > 0.9
    # Both detectors take their turns from the start.
    assert (
        trials[0][1].segmentation == deaf.segmentation
        and trials[1][1].segmentation.detector == "contrast"
    )


@pytest.mark.parametrize(
    "limit_s, stops_after, ending", [(0.0, 9, "out of time"), (1e4, 3, "stopped")]
)
def test_a_search_ends_when_it_is_stopped_or_the_time_is_over_but_not_before_one_trial(
    limit_s, stops_after, ending
):
    example = tuning.Example(
        tones(1.2, tones_to_tune_with(0)), RATE, np.array(tones_to_tune_with(0))
    )
    seen = []
    found = tuning.search_until(
        [example], Config(), 0.01, limit_s, lambda: len(seen) >= stops_after, seen.append
    )
    trials = list(itertools.islice(tuning.search([example], Config(), 0.01), len(seen)))
    assert found == (trials[-1][1], ending)
    assert seen == [score for (score, _), _ in trials] and len(seen) == (
        3 if ending == "stopped" else 1
    )


def test_interrupted_tuning_writes_the_best_settings_so_far_as_flags_that_training_takes(
    started, folder, tmp_path, settings_of
):
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", tones(at=tones_to_tune_with(number)), RATE)
    rows = [
        f"{n}.wav,{onset},{offset}" for n in range(3) for onset, offset in tones_to_tune_with(n)
    ]
    (tmp_path / "truth.csv").write_text("\n".join(["file,onset_s,offset_s", *rows]))
    flagged = [
        "--data_dir",
        folder,
        "--out",
        tmp_path / "out",
        "--truth",
        tmp_path / "truth.csv",
        "--json",
        tmp_path / "f.json",
    ]
    # Even ten thousand minutes are over when the user says so.
    tool = started(*flagged, "--tune", "--tune_minutes=1e4", "--threshold=60", "--tolerance_ms=5")
    seen = ""
    while tool.poll() is None and not re.search(r"segment F1 (1\.|0\.[89])", seen):
        seen += tool.stderr.read(1)
    tool.send_signal(signal.SIGINT)
    printed, stderr = tool.communicate(timeout=300)
    assert tool.returncode == 0, seen + stderr
    assert (
        "these are the best settings so far" in stderr
        and "held out  after   tuning:   segment F1" in printed
    )
    figures = json.loads((tmp_path / "f.json").read_text())
    assert (
        figures["held_out_before_segment_recall"] == 0.0
        and figures["training_after_segment_f1"] >= 0.8
    )
    tuned = settings_of(tmp_path / "out" / "tuned.flags")
    assert tuned.segmentation != Config().segmentation and tuned.training == Config().training


def test_the_only_recording_is_parted_in_time():
    example = tuning.Example(np.zeros(300), 100, np.array([(0.5, 0.6), (1.9, 2.1), (2.5, 2.6)]))
    (training,), (held_out,) = tuning.split([example], seed=0)
    assert (len(training.samples), len(held_out.samples)) == (200, 100)
    np.testing.assert_allclose(training.segments, [(0.5, 0.6), (1.9, 2.1)])
    np.testing.assert_allclose(held_out.segments, [(0.5, 0.6)])


def test_every_lossless_encoding_has_the_same_segments_and_lossy_ones_nearly(shared_recordings):
    lossy = {
        "song.mp3",
        "song.ogg",
        "song_pcm_u8.wav",
        "song_alaw.wav",
        "song_ulaw.wav",
        "song_ima_adpcm.wav",
        "song_ms_adpcm.wav",
    }
    found = {}
    for path in (shared_recordings / "odd_formats").glob("song*"):
        result = segmented_file.segment_file(path, Config())
        found[path.name] = np.stack([result.onsets_s, result.offsets_s], axis=1)
    assert len(found) == 22 and lossy < set(found) and len(found["song_pcm_16.wav"]) == 25
    for name in set(found) - lossy:
        np.testing.assert_array_equal(found[name], found["song_pcm_16.wav"], err_msg=name)
    for name in lossy:
        # The steps of eight bits are louder than the noise, and are the background then.
        least = 0.75 if name == "song_pcm_u8.wav" else 0.95
        assert agreement(found[name], found["song_pcm_16.wav"], 0.01).scores()["frame_f1"] >= least


def test_of_odd_files_each_has_segments_or_a_reason_and_what_is_cut_off_says_so(
    shared_recordings, tmp_path
):
    odd = shared_recordings / "odd_formats"
    run_of = segment_folder.SegmentedFolder(odd, tmp_path / "out", Config())
    run_of.run(1, lambda num_bytes: None)
    skipped, finished = (
        {os.path.basename(row["file"]): row for row in rows_of(tmp_path / "out" / name)}
        for name in ("skipped.csv", "files.csv")
    )
    assert set(skipped) | set(finished) == set(run_of.paths) and not set(skipped) & set(finished)
    # What holds three seconds of the song, or the first half of them.
    heard = {path.name for path in odd.glob("bad_*")} | {path.name for path in odd.glob("odd_*")}
    assert {
        name for name in heard if name in finished and int(finished[name]["num_segments"]) >= 15
    } == heard - set(skipped)
    assert set(skipped) == {
        *(
            "bad_44bytes_no_samples.wav",
            "bad_empty.wav",
            "bad_header_12bytes.wav",
            "bad_samplerate_zero.wav",
        ),
        *(
            "bad_text.wav",
            "odd_100samples.wav",
            "odd_1sample.wav",
            "odd_all_zero.wav",
            "odd_nan_inf_float.wav",
        ),
    }
    # The ultrasound has nothing in the band of birds.
    notes = {
        name: row["note"]
        for name, row in finished.items()
        if row["note"] and not name.startswith("usv_")
    }
    said = "is cut off: read as far as it goes, 1.500 s"
    assert notes == dict.fromkeys(
        ["bad_truncated_half.wav", "bad_truncated_odd_byte.wav"], said
    ) | {"bad_datasize_zero.wav": "holds more than its header says: read to its end, 3.000 s"}


def test_blocks_of_a_file_are_the_whole_file_whatever_their_length(tmp_path, rng):
    soundfile.write(tmp_path / "a.flac", rng.uniform(-0.5, 0.5, (3001, 3)), RATE)
    for channel, sample_rate in (("mean", 0), ("loudest", 0), ("1", 22_050)):
        whole = readers.read(tmp_path / "a.flac", channel, sample_rate)
        for block_values in (30, 1000, 2**20):
            some = list(
                readers.blocks(tmp_path / "a.flac", channel, sample_rate, block_values=block_values)
            )
            np.testing.assert_array_equal(np.concatenate(some), whole)
