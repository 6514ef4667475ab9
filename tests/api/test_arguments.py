"""What the verbs take, and how they refuse everything else."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from neurovocal_tf.api import arguments
from neurovocal_tf.config import Config


@pytest.mark.parametrize(
    "samples, message",
    [
        (np.zeros(0, np.float32), "at least one sample. Received: none"),
        ([], "at least one sample. Received: none"),
        (np.zeros((5, 2)), r"one channel, \[N\]. Received: an array of shape \(5, 2\): give sam"),
        (np.zeros((2, 5)), r"\[N\], or \[N, C\] with a channel. .* transpose it, samples.T"),
        (np.zeros((5, 2, 2)), r"one channel, \[N\]"),
        (np.float32(1.0), r"one channel, \[N\]. Received: an array of shape \(\)"),
        (np.array([0.0, np.nan]), r".*full scale 1. Received: .* NaN or infinite samples: 1 of 2"),
        (np.array([0.0, np.inf]), ".* NaN or infinite samples"),
        (np.array([0.0, 3000.0]), ".* beyond 16 times full scale: 1 of 2"),
        (np.arange(5), "floating-point numbers, full scale 1, or int16 or int32. .*int64"),
        (np.ones(5, complex), ".* Received: complex128"),
        (["a", "b"], "floating-point numbers"),
    ],
)
def test_samples_that_are_none_are_refused(samples, message):
    with pytest.raises(ValueError, match=f"^`samples` must be {message}"):
        arguments.samples_of(samples)


def test_samples_of_integers_are_what_their_file_gives(tmp_path):
    samples = np.array([-(2**15), -1, 0, 1, 2**15 - 1], np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="PCM_16")
    expected, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    np.testing.assert_array_equal(arguments.samples_of(samples), expected)
    np.testing.assert_array_equal(arguments.samples_of(samples.astype(np.int32) << 16), expected)


def test_a_channel_that_is_named_is_taken(rng):
    samples = rng.uniform(-0.5, 0.5, (50, 2)).astype(np.float32) * [1, 0.5]
    for channel, expected in (
        ("0", samples[:, 0]),
        ("1", samples[:, 1]),
        ("loudest", samples[:, 0]),
        ("mean", samples.mean(axis=1)),
    ):
        np.testing.assert_allclose(arguments.samples_of(samples, channel), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="`channel` must be .* has 2 channels"):
        arguments.samples_of(samples, "2")
    np.testing.assert_allclose(arguments.samples_of(samples[:, :1]), samples[:, 0], rtol=1e-6)


@given(st.integers(1000, 10**7))
def test_a_rate_is_a_whole_number_of_any_type(rate):
    for given_rate in (rate, float(rate), np.int64(rate), np.float64(rate)):
        found = arguments.rate_of(given_rate)
        assert found == rate and type(found) is int


@pytest.mark.parametrize("rate", [None, 0, -1, 999, 44_100.5, np.nan, np.inf, "44100", True, [1]])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match=r"^`rate` must be a whole number of Hz between 1000 and"):
        arguments.rate_of(rate)


def test_settings_take_the_place_of_a_presets_own():
    config = arguments.config_of("songbird", {"threshold": 3})
    assert config == Config.preset("songbird").replace(threshold=3)
    assert arguments.config_of(config, {}) == config
    assert arguments.config_of("auto", {}, choose=lambda: ("bat", "")) == Config.preset("bat")


@pytest.mark.parametrize(
    "preset, settings, message",
    [
        ("songbrd", {}, "`preset` must be among .* Did you mean songbird?"),
        ("auto", {}, "`preset` must be among"),
        (Config().segmentation, {}, "a whole Config, .* preset of type SegmentationConfig"),
        (None, {}, "`preset` must be the name of a preset"),
        ("bat", {"treshold": 3}, "`treshold` is neither .* Did you mean threshold?"),
        ("bat", {"num_layers": 3}, "`num_layers` is neither an argument nor a setting that counts"),
        ("bat", {"threshold": "loud"}, "`threshold` must be float"),
        ("bat", {"threshold": -1}, "`threshold` must be at least 0"),
    ],
)
def test_a_preset_or_a_setting_that_is_none_is_refused(preset, settings, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        arguments.config_of(preset, settings, ("segmentation",))


@pytest.mark.parametrize(
    "recordings, message",
    [
        ("gone", "`recordings` must be the path of a file.* recordings=gone"),
        (None, "`recordings` must be samples .* of type NoneType"),
        ([], "`recordings` must be samples .* with nothing in it"),
        (["gone"], "`recordings` must be the path"),
    ],
)
def test_recordings_that_are_none_are_refused(recordings, message):
    with pytest.raises(ValueError, match=message):
        arguments.listing_of(recordings)


def test_recordings_come_in_order_and_once(tmp_path):
    for name in ("b.wav", "a.wav"):
        (tmp_path / name).touch()
    (tmp_path / "c.wav").symlink_to("nowhere")
    listing = arguments.listing_of([tmp_path / "b.wav", tmp_path])
    assert listing.paths == (str(tmp_path / "b.wav"), str(tmp_path / "a.wav"))
    assert [path for path, _ in listing.skipped] == [str(tmp_path / "c.wav")]


@pytest.mark.parametrize("value", [0, 11, 2.0, True, "2", None, np.nan])
def test_a_count_is_a_whole_number_within_limits(value):
    with pytest.raises(ValueError, match=r"`num` must be a whole number between 1 and 10"):
        arguments.count_of(value, "num", 1, 10)
    assert arguments.count_of(np.int32(2), "num", 1, 10) == 2
