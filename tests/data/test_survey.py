"""One look at a folder: what is usable, at what rate and scale, who trains and who validates."""

import dataclasses
import os
import shutil

import numpy as np
import pytest
import reference
import soundfile

from neurovocal_tf.annotations import read
from neurovocal_tf.config import Config
from neurovocal_tf.data import simulated_song
from neurovocal_tf.data.sources import check_annotations
from neurovocal_tf.data.survey import TooFewRecordings, survey

SAMPLE_RATE = 16_000
CONFIG = Config().replace(n_fft=128, hop_length=64)
UNUSABLE = {
    "bad_44bytes_no_samples.wav": "holds no samples",
    "bad_empty.wav": "is an empty file",
    "bad_header_12bytes.wav": "cannot be decoded: Error in WAV file. No 'data' chunk marker",
    "bad_samplerate_zero.wav": "its header names no sample rate or no channels",
    "bad_text.wav": "is not audio that libsndfile reads",
    "odd_100samples.wav": "shorter than one window: 100 samples, and n_fft=256",
    "odd_1sample.wav": "shorter than one window: 1 samples, and n_fft=256",
    "odd_all_zero.wav": "is silent",
    "odd_nan_inf_float.wav": "holds NaN or infinite samples: 101 of 96000 (0.105 %)",
}


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Folder of five recordings of the simulated bird, 1 s each."""
    folder = tmp_path_factory.mktemp("songs")
    simulated_song.write_recordings(folder, 5, 1.0)
    return folder


@pytest.fixture
def folder(tmp_path):
    """Writes {name: samples} into a folder."""

    def write(files, sample_rate=SAMPLE_RATE, subtype="PCM_16"):
        for name, samples in files.items():
            soundfile.write(tmp_path / name, samples, sample_rate, subtype=subtype)
        return tmp_path

    return write


def noise(seed, duration_s=0.25, level=0.1):
    return level * np.random.default_rng(seed).standard_normal(round(duration_s * SAMPLE_RATE))


def names(sources):
    return [os.path.basename(source.path) for source in sources]


def power_of(paths, config):
    """Oracle: power spectrograms of whole files."""
    return [
        reference.power_spectrogram(soundfile.read(path)[0], SAMPLE_RATE, config.spectrogram)
        for path in paths
    ]


# --- what is usable


def test_of_a_folder_of_odd_formats_the_unusable_are_named_and_the_rest_goes_on(shared_recordings):
    found = survey(shared_recordings / "odd_formats", Config())
    assert {os.path.basename(path): reason for path, reason in found.skipped} == UNUSABLE
    used = names(found.training.sources + found.validation.sources)
    assert sorted(used + list(UNUSABLE)) == sorted(
        set(os.listdir(shared_recordings / "odd_formats")) - {"LICENSE"}
    )
    assert all("\n" not in reason for _, reason in found.skipped)
    # 32 of 36 are the same song; the others are told with the rate they come from.
    assert found.training.sample_rate == 32_000
    of_headers = [note for note in found.notes if "read" in note]
    assert [os.path.basename(note.split(":")[0]) for note in of_headers] == [
        "bad_datasize_zero.wav holds more than its header says",
        "bad_truncated_half.wav is cut off",
        "bad_truncated_odd_byte.wav is cut off",
    ]
    assert found.notes == (
        *(
            f"1 of 36 recordings are resampled from {rate} Hz to 32000 Hz"
            for rate in (8_000, 25_000, 250_000, 500_000)
        ),
        *of_headers,
    )


def test_only_what_needs_no_resampling_is_decoded_in_the_graph(shared_recordings):
    found = survey(shared_recordings / "odd_formats", Config())
    sources = found.training.sources + found.validation.sources
    decoders = dict(zip(names(sources), (source.decoder for source in sources), strict=True))
    assert decoders["song_pcm_16.wav"] == "tensorflow_io"
    assert (
        decoders["odd_8k.wav"]
        == decoders["song.flac"]
        == decoders["song_pcm_32.wav"]
        == "libsndfile"
    )


def test_the_commonest_rate_wins_and_of_two_as_common_the_higher(folder):
    data_dir = folder({"a.wav": noise(0), "b.wav": noise(1)})
    folder({"c.wav": noise(2), "d.wav": noise(3)}, sample_rate=8_000)
    assert survey(data_dir, CONFIG).training.sample_rate == 16_000
    folder({"e.wav": noise(4)}, sample_rate=8_000)
    assert survey(data_dir, CONFIG).training.sample_rate == 8_000
    asked = survey(data_dir, CONFIG.replace(sample_rate=16_000))
    assert asked.training.sample_rate == 16_000 and asked.notes == (
        "3 of 5 recordings are resampled from 8000 Hz to 16000 Hz",
    )


def test_a_recording_that_lacks_the_channel_is_skipped(folder):
    stereo = {name: np.stack([noise(2), noise(3)], axis=1) for name in ("c.wav", "d.wav")}
    data_dir = folder({"a.wav": noise(0), **stereo})
    assert survey(data_dir, CONFIG.replace(channel="1")).skipped == (
        (str(data_dir / "a.wav"), "has 1 channels, counted from 0, and no channel 1"),
    )


# --- who validates


@pytest.mark.parametrize("fraction, num_held_out", [(0.01, 1), (0.2, 1), (0.5, 2), (0.9, 4)])
def test_whole_recordings_are_held_out_at_least_one_and_never_all(songs, fraction, num_held_out):
    found = survey(songs, CONFIG.replace(validation_fraction=fraction))
    held_out, training = names(found.validation.sources), names(found.training.sources)
    assert len(held_out) == num_held_out
    assert sorted(held_out + training) == [f"simulated_{i:03d}.wav" for i in range(5)]
    assert {(s.begin, s.end) for s in found.training.sources + found.validation.sources} == {
        (0.0, 1.0)
    }


def test_the_seed_decides_who_is_held_out(songs):
    splits = [
        names(survey(songs, CONFIG.replace(seed=seed)).validation.sources)
        for seed in (0, 0, 1, 2, 3, 4)
    ]
    assert splits[0] == splits[1]
    assert len({tuple(split) for split in splits}) > 1


def test_temporal_validation_takes_the_last_part_of_every_recording(songs):
    found = survey(songs, CONFIG.replace(validation="temporal", validation_fraction=0.25))
    assert (
        names(found.training.sources)
        == names(found.validation.sources)
        == [f"simulated_{i:03d}.wav" for i in range(5)]
    )
    assert {(s.begin, s.end) for s in found.training.sources} == {(0.0, 0.75)}
    assert {(s.begin, s.end) for s in found.validation.sources} == {(0.75, 1.0)}


def test_folds_chain_forward(songs):
    stretches = []
    for fold in range(3):
        found = survey(songs, CONFIG, fold=(fold, 3))
        assert len(found.training.sources) == len(found.validation.sources) == 5
        (training,), (validation,) = (
            {(s.begin, s.end) for s in part}
            for part in (found.training.sources, found.validation.sources)
        )
        stretches.append((training, validation))
    assert stretches == [
        ((0, 0.25), (0.25, 0.5)),
        ((0, 0.5), (0.5, 0.75)),
        ((0, 0.75), (0.75, 1.0)),
    ]


# --- the scale


def test_all_but_one_in_ten_thousand_cells_lie_below_the_reference(songs):
    found = survey(songs, CONFIG)
    scale = found.training.scale
    power = power_of([source.path for source in found.training.sources], CONFIG)
    cells = np.concatenate([p.ravel() for p in power])
    # The reference is right to a tenth of a dB.
    assert (
        np.mean(cells >= scale.reference_power)
        <= 1e-4
        < np.mean(cells >= scale.reference_power * 10**-0.0101)
    )
    assert scale.mean_max_power == pytest.approx(np.mean([p.max() for p in power]), rel=1e-5)
    assert (scale.scaling, scale.dynamic_range_db) == (
        "decibel",
        CONFIG.spectrogram.dynamic_range_db,
    )


def test_a_recording_that_is_held_out_does_not_set_the_scale(songs, tmp_path):
    shutil.copytree(songs, tmp_path / "songs")
    found = survey(songs, CONFIG)
    held_out = tmp_path / "songs" / names(found.validation.sources)[0]
    samples, _ = soundfile.read(held_out)
    soundfile.write(held_out, 3 * samples, SAMPLE_RATE, subtype="FLOAT")
    assert survey(tmp_path / "songs", CONFIG).training.scale == found.training.scale


# --- annotations


@pytest.fixture
def annotated(songs):
    """The songs and the truth about them as a configuration with segments cut by it."""
    return CONFIG.replace(sequence="segment", annotations=str(songs / "annotations.csv"))


def test_the_detector_gives_way_to_annotations(songs, annotated):
    found = survey(songs, annotated)
    truth = read(songs / "annotations.csv")
    for source in found.training.sources + found.validation.sources:
        of_one = [
            (a.onset_s, a.offset_s, a.label)
            for a in truth
            if a.file == os.path.basename(source.path)
        ]
        assert list(source.segments) == of_one and len(of_one) > 1
    cut = [
        reference.power_spectrogram(
            soundfile.read(s.path)[0][round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)],
            SAMPLE_RATE,
            CONFIG.spectrogram,
        )
        for s in found.training.sources
        for a, b, _ in s.segments
    ]
    assert found.training.scale.mean_max_power == pytest.approx(
        np.mean([p.max() for p in cut]), rel=1e-5
    )
    assert survey(songs, CONFIG.replace(sequence="segment")).training.sources[0].segments is None


def test_a_recording_without_annotations_is_skipped_and_strangers_are_told(folder, tmp_path):
    data_dir = folder({f"{name}.wav": noise(i) for i, name in enumerate("abcde")})
    csv = tmp_path / "all.csv"
    csv.write_text(
        "file,onset_s,offset_s,label\na.wav,0.1,0.2,x\nb.wav,0.1,0.2,y\nd.wav,9,10,x\n"
        "e.wav,0.1,0.101,x\nf.wav,0,1,x\ng.wav,0,1,x\n"
    )
    found = survey(data_dir, CONFIG.replace(sequence="bout", annotations=str(csv)))
    reasons = {os.path.basename(path): reason for path, reason in found.skipped}
    outside = "its annotations lie after its end, or are all shorter than one window"
    assert reasons == {"c.wav": "has no annotations", "d.wav": outside}
    assert sorted(names(found.training.sources + found.validation.sources)) == [
        "a.wav",
        "b.wav",
        "e.wav",
    ]
    assert survey(data_dir, CONFIG.replace(sequence="segment", annotations=str(csv))).skipped[
        -1
    ] == (str(data_dir / "e.wav"), outside)
    assert found.notes == (
        f"taken from {csv}: annotations 3, labels 2, recordings 3",
        "passed over: most annotations of d.wav lie beyond the end of "
        f"{data_dir / 'd.wav'}, up to 10 s of 0.25 s: are they in "
        "milliseconds? A column onset_ms, offset_ms says so",
        f"2 annotated recordings that are not there in {csv} are passed over; the first: f.wav",
    )


def test_labels_that_mark_nothing_train_nothing(folder, tmp_path):
    data_dir = folder({f"{name}.wav": noise(i) for i, name in enumerate("abc")})
    csv = tmp_path / "all.csv"
    rows = "".join(
        f"{n}.wav,0.1,0.2,{label},\n" for n, label in (("a", "x"), ("b", "y"), ("c", "n"))
    )
    csv.write_text(f"File,Start,Stop,Laut,Label\n{rows}", encoding="utf-8")
    settings = {"sequence": "bout", "annotations": str(csv), "label_column": "laut"}
    found = survey(data_dir, CONFIG.replace(ignore_labels="n,SIL", **settings))
    assert [os.path.basename(path) for path, _ in found.skipped] == ["c.wav"]
    assert "ignore_labels leaves out n (1)" in found.notes
    with pytest.raises(ValueError, match="`label_column` must be one of its columns, File, Start"):
        survey(data_dir, CONFIG.replace(**{**settings, "label_column": "kind"}))


def test_whether_annotations_are_those_of_a_run_is_checked_by_what_they_say(
    songs, annotated, tmp_path
):
    sources = survey(songs, annotated).training.sources
    check_annotations(sources, annotated)
    moved = tmp_path / "moved.csv"
    text = (songs / "annotations.csv").read_text(encoding="utf-8")
    moved.write_text(text, encoding="utf-8")
    check_annotations(sources, annotated.replace(annotations=str(moved)))
    check_annotations([dataclasses.replace(source, segments=None) for source in sources], CONFIG)
    moved.write_text(text.replace(",i\n", ",j\n"), encoding="utf-8")
    for config in (annotated.replace(annotations=str(moved)), CONFIG):
        with pytest.raises(
            ValueError,
            match=(
                "`annotations` cannot change when a run goes on, and those of .*wav are others "
                "than it began"
            ),
        ):
            check_annotations(sources, config)


# --- what cannot be used


def test_a_folder_with_nothing_usable_says_why(folder):
    silent = {"a.wav": np.zeros(4000), "b.wav": np.zeros(4000)}
    with pytest.raises(ValueError, match=r"^No usable recording in .*: 2 of 2 is silent\.$"):
        survey(folder(silent), CONFIG)
    # Even a sound that never moves.
    with pytest.raises(ValueError, match="is silent"):
        survey(folder(dict.fromkeys(silent, np.full(4000, 0.25))), CONFIG)
    click = np.append(np.zeros(4000), 0.5)  # behind the last whole window
    with pytest.raises(ValueError, match="is silent"):
        survey(folder(dict.fromkeys(silent, click)), CONFIG)
    with pytest.raises(
        ValueError, match="2 of 2 shorter than one window: 127 samples, and n_fft=128"
    ):
        survey(folder(dict.fromkeys(silent, noise(0)[:127])), CONFIG)
    with pytest.raises(ValueError, match="2 of 2 holds NaN or infinite samples"):
        survey(folder(dict.fromkeys(silent, np.full(4000, np.nan)), subtype="FLOAT"), CONFIG)
    with pytest.raises(
        ValueError,
        match=(
            "no vocalization found by the detector: try another --threshold, or "
            "--sequence=recording"
        ),
    ):
        survey(
            folder({"a.wav": noise(0), "b.wav": noise(1)}),
            CONFIG.replace(sequence="segment", threshold=1000.0),
        )
    data_dir = folder({})
    for name in silent:
        data_dir.joinpath(name).write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="2 of 2 is not audio that libsndfile reads"):
        survey(data_dir, CONFIG)


def test_one_recording_cannot_be_held_out_of_one_but_parted_in_time(folder):
    data_dir = folder({"a.wav": noise(0), "silent.wav": np.zeros(4000)})
    with pytest.raises(
        ValueError,
        match="needs at least two usable ones, and there is one: use --validation=temporal",
    ):
        survey(data_dir, CONFIG)
    found = survey(data_dir, CONFIG.replace(validation="temporal"))
    assert (found.training.sources[0].end, found.validation.sources[0].begin) == (0.8, 0.8)


def test_an_empty_or_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match="it is empty"):
        survey(tmp_path, CONFIG)
    with pytest.raises(ValueError, match="there is no such folder"):
        survey(tmp_path / "gone", CONFIG)


# --- headers and samples that cannot be believed


def test_one_good_file_and_three_bad_ones_are_told_with_the_reasons(folder):
    data_dir = folder({"good.wav": noise(0, 1.0)})
    for name in ("a.wav", "b.wav"):
        (data_dir / name).touch()
    (data_dir / "c.mp3").write_bytes(b"no sound")
    expected = (
        r"there is one: use --validation=temporal\. Files that cannot be used: 2 of 3 is an empty "
        r"file; 1 of 3 holds no frames of MPEG audio: it is no MP3 file, or damaged throughout\.$"
    )
    with pytest.raises(TooFewRecordings, match=expected) as raised:
        survey(data_dir, Config())
    assert [os.path.basename(path) for path, _ in raised.value.skipped] == [
        *("a.wav", "b.wav", "c.mp3")
    ]


@pytest.mark.parametrize("absurd, at_most", [(1e29, "1e+29"), (1e15, "1e+15"), (9830.0, "9830")])
def test_samples_far_beyond_full_scale_are_named_and_kept_from_the_others(folder, absurd, at_most):
    samples = {f"{name}.wav": noise(name, 1.0) for name in range(3)}
    before = survey(folder(samples), Config()).training.scale
    samples["x.wav"] = np.append(noise(9), absurd)
    found = survey(folder(samples, subtype="FLOAT"), Config())
    ((path, reason),) = found.skipped
    assert os.path.basename(path) == "x.wav"
    assert reason.startswith(
        f"holds samples beyond 16 times full scale: 1 of 4001 (0.025 %), up to {at_most}"
    )
    assert reason.endswith("give --float_scale=32768") == (absurd < 32768)
    assert found.training.scale.reference_power == pytest.approx(before.reference_power, rel=0.1)


def test_floats_in_the_scale_of_integers_are_scaled_where_that_is_asked_for(folder):
    samples = {f"{name}.wav": noise(name, 1.0) for name in range(3)}
    before = survey(folder(samples, subtype="FLOAT"), Config())
    as_it_was = list(before.training.heard())
    scaled = {name: 32768 * values for name, values in samples.items()}
    after = survey(folder(scaled, subtype="FLOAT"), Config().replace(float_scale=32768.0))
    assert after.training.scale == before.training.scale and not after.skipped
    for one, other in zip(as_it_was, after.training.heard(), strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_more_than_a_header_says_is_told_before_a_training(folder):
    data_dir = folder({f"{name}.wav": noise(name, 1.0) for name in range(3)})
    contents = bytearray((data_dir / "1.wav").read_bytes())
    contents[40:44] = (1000).to_bytes(4, "little")
    (data_dir / "1.wav").write_bytes(contents)
    (note,) = survey(data_dir, Config()).notes
    assert note == f"{data_dir / '1.wav'} holds more than its header says: read to its end, 1.000 s"
