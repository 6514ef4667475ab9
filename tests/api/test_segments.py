"""Segments of recordings as a table."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from neurovocal_tf import Config, load, segment
from neurovocal_tf.segmentation import detector, formats, refinement, segmented_file
from neurovocal_tf.segmentation.folder import SegmentedFolder
from neurovocal_tf.segmentation.tuning import Example

COLUMNS = ["file", "onset_s", "offset_s", "score", "low_hz", "high_hz"]


@pytest.fixture(scope="module")
def paths(simulated_recordings):
    return sorted(map(str, simulated_recordings.glob("*.wav")))


def test_a_folders_table_is_what_segmenting_it_writes(simulated_recordings, paths, tmp_path):
    config = Config.preset("songbird").replace(min_group_segments=1)
    table = segment(simulated_recordings, min_group_segments=1, progress=False, num_workers=2)
    assert list(table) == COLUMNS and list(dict.fromkeys(table["file"])) == paths
    folder = SegmentedFolder(simulated_recordings, tmp_path / "out", config)
    folder.run(1, lambda num_bytes: None)
    expected = [
        (path, a.onset_s, a.offset_s, a.score, a.low_hz, a.high_hz)
        for name, path in sorted(folder.paths.items())
        for a in formats.with_frequencies(folder.annotations(name), path, config)
    ]
    assert table["file"].tolist() == [row[0] for row in expected]
    # Tables are rounded to microseconds, bands to windows about them.
    np.testing.assert_allclose(table[COLUMNS[1:3]], [row[1:3] for row in expected], atol=1e-6)
    np.testing.assert_array_equal(table[COLUMNS[4:]], [row[4:] for row in expected])


def test_samples_have_the_segments_of_their_file(paths):
    samples, rate = load(paths[0])
    of_file = segment(paths[0], min_group_segments=1)
    for given in (samples, (samples * 2**15).astype(np.int16), samples.astype(np.float64)):
        of_samples = segment(given, rate=rate, min_group_segments=1)
        assert set(of_samples["file"]) == {""}
        pd.testing.assert_frame_equal(of_samples[COLUMNS[1:]], of_file[COLUMNS[1:]])
    both = np.stack([samples, 0.1 * samples], axis=1)
    of_stereo = segment(both, rate=rate, channel=0, min_group_segments=1)
    pd.testing.assert_frame_equal(of_stereo, of_samples)
    found = segmented_file.segment_file(
        paths[0], Config.preset("songbird").replace(min_group_segments=1)
    )
    np.testing.assert_array_equal(of_file["onset_s"], found.onsets_s)


def test_what_has_no_segment_is_an_empty_table_with_a_note(rng):
    table = segment(rng.normal(0, 1e-3, 32_000), rate=16_000)
    assert list(table) == COLUMNS and not len(table) and table["onset_s"].dtype == np.float64
    assert "has no segment" in table.attrs["notes"][""]


def test_a_bad_file_is_warned_of_and_one_alone_is_refused(paths, tmp_path):
    bad = tmp_path / "a.wav"
    bad.write_bytes(b"RIFF")
    with pytest.warns(
        UserWarning, match=r"1 recordings cannot be used; .*a\.wav, which is not"
    ) as w:
        table = segment([bad, paths[0]], min_group_segments=1, progress=False)
    assert w[0].filename == __file__
    assert set(table["file"]) == {paths[0]} and list(table.attrs["skipped"]) == [str(bad)]
    with pytest.raises(ValueError, match="`recordings` must hold one at least that can be used"):
        segment(bad)


def test_the_preset_is_chosen_by_the_recordings(paths):
    chosen = segment(paths[:2], "auto", progress=False)
    pd.testing.assert_frame_equal(chosen, segment(paths[:2], "songbird", progress=False))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: segment(np.zeros(9999)), "`rate` must be .* as load does"),
        (lambda: segment(np.zeros(9999), rate=1), "`rate` must be a whole number of Hz"),
        (lambda: segment(np.zeros(9999), rate=16_000), "9999 samples: is silent"),
        (lambda: segment(np.zeros((99, 2)), rate=16_000), "`samples` must be one channel"),
        (lambda: segment(np.full(99, np.nan), rate=16_000), "`samples` must be finite numbers"),
        (lambda: segment(np.ones(9), "songbrd", 16_000), "Did you mean songbird"),
        (lambda: segment(np.ones(9), 16_000), "`preset` must be the name of a preset"),
        (lambda: segment(np.ones(9), rate=16_000, treshold=1), "Did you mean threshold"),
        (
            lambda: segment(np.ones(9), rate=16_000, time_expansion=10),
            "`time_expansion` must be",
        ),
        (lambda: segment([[1.0, 2.0], [3.0]], rate=16_000), r"`samples` must be an array \[N\]"),
        (lambda: segment({"a": 1}), "`recordings` must be samples .* of type dict"),
        (lambda: segment("gone"), "`recordings` must be the path of a file"),
        (lambda: segment(__file__, rate=16_000), "`rate` must be left out for files"),
        (lambda: segment(__file__, num_workers=-1), "`num_workers` must be a whole number"),
        (lambda: segment(None), "`recordings` must be samples"),
    ],
)
def test_a_wrong_argument_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_whole_configuration_for_a_section_is_refused_beneath_too():
    with pytest.raises(
        ValueError, match="`config` must be of type SegmentationConfig. .* give its"
    ):
        detector.detect(np.zeros(99), 16_000, Config())


def test_a_bar_is_shown_for_several_files_unless_asked_not_to(paths, capfd):
    segment(paths[:2], progress=False)
    segment(paths[0])
    assert capfd.readouterr() == ("", "")
    segment(paths[:2])
    assert "2/2" in capfd.readouterr().err


def test_segmenting_needs_no_tensorflow(paths):
    code = (
        "import sys, neurovocal_tf as n; s, r = n.load(sys.argv[1]); n.segment(s, rate=r); "
        "n.spectrogram(s, r); sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, paths[0]], timeout=60).returncode == 0


def test_a_second_look_is_taken_as_the_command_takes_it(paths, tmp_path):
    config = Config.preset("songbird").replace(min_group_segments=1)
    samples, rate = load(paths[0])
    first = segment(samples, config, rate)
    true = first[["onset_s", "offset_s"]].to_numpy()[::2]
    learned = refinement.learn([Example(samples, rate, true)] * 3, config)
    refinement.write(tmp_path / "refinement.json", learned)
    refined = segment(samples, config, rate, refine=tmp_path / "refinement.json")
    expected = segmented_file.segment_file(paths[0], config, refinement=learned)
    np.testing.assert_array_equal(refined["onset_s"], expected.onsets_s)
    np.testing.assert_array_equal(
        segment(paths[0], config, refine=tmp_path / "refinement.json")["onset_s"], expected.onsets_s
    )
    with pytest.raises(ValueError, match="must be .* with which the refinement was learned"):
        segment(samples, config, rate, refine=tmp_path / "refinement.json", low_hz=900)
    with pytest.raises(ValueError, match="`refine` must be the path of a file"):
        segment(samples, config, rate, refine="gone.json")
