"""Songs as files."""

import os

import numpy as np
import pytest
import sound_faults
import soundfile
import tensorflow as tf

from neurovocal_tf.generation import songs

NUM_FRAMES = 20


def sung(singer, seeds, **options):
    return {song.seed: song for song in songs.generate_songs(singer, seeds, NUM_FRAMES, **options)}


@pytest.fixture(scope="module")
def ten(singer):
    """Ten songs by seed: more than are sung at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(songs, "_SONGS_AT_ONCE", 8)
        return sung(singer, range(3, 13))


def test_each_song_is_that_of_its_seed_whatever_else_is_sung(singer, ten):
    assert list(ten) == list(range(3, 13))
    rows = tf.constant(range(3, 13), tf.int64), tf.fill([10], NUM_FRAMES), tf.ones([10])
    for song, decibels in zip(ten.values(), singer.generate(*rows)["spectrogram"], strict=True):
        np.testing.assert_array_equal(song.decibels, decibels)
    (alone,) = sung(singer, [12]).values()
    np.testing.assert_array_equal(alone.decibels, ten[12].decibels)
    np.testing.assert_array_equal(alone.waveform, ten[12].waveform)
    assert len({song.decibels.tobytes() for song in ten.values()}) == 10


def test_generated_sound_has_no_click_and_no_offset(ten):
    for song in ten.values():
        # Noise has 4, and a single sample that leaps out of silence 30.
        assert sound_faults.sharpness(song.waveform) < 10
        assert sound_faults.offset(song.waveform) < 0.1


def test_a_song_has_the_samples_that_its_frames_span(ten):
    for song in ten.values():
        assert song.decibels.shape == (NUM_FRAMES, 65) and song.waveform.shape == (
            (NUM_FRAMES - 1) * 64 + 128,
        )
        assert song.waveform.dtype == np.float32 and np.isfinite(song.waveform).all()


def test_temperature_changes_a_song(singer, ten):
    # So small a model's hidden units have logits near 0: a temperature moves few of its samples.
    colder = sung(singer, range(3, 13), temperature=0.05)
    assert any(not np.array_equal(colder[seed].decibels, ten[seed].decibels) for seed in ten)


def test_a_primed_song_goes_on_from_its_recording(singer, ten, simulated_recordings, tmp_path):
    samples, rate = soundfile.read(simulated_recordings / "simulated_000.wav")
    stretches = {
        name: samples[begin : begin + 4000] for name, begin in (("first", 0), ("second", 8000))
    }
    for name, stretch in stretches.items():
        soundfile.write(tmp_path / f"{name}.wav", stretch, rate)
    primed = {
        name: sung(singer, [3], prime=str(tmp_path / f"{name}.wav"))[3].decibels
        for name in stretches
    }
    kinds = [ten[3].decibels, *primed.values()]
    assert len({decibels.tobytes() for decibels in kinds}) == 3
    # It is what the model sings from the state that the recording leaves it in.
    state = singer.prime(
        songs.spectrogram.power_spectrogram(stretches["second"], rate, singer.config.spectrogram)
    )
    rows = tf.constant([3], tf.int64), tf.constant([NUM_FRAMES]), tf.ones([1])
    np.testing.assert_array_equal(
        singer.generate(*rows, state=state)["spectrogram"][0], primed["second"]
    )


def test_a_recording_of_another_rate_primes_too(singer, simulated_recordings, tmp_path):
    samples, rate = soundfile.read(simulated_recordings / "simulated_000.wav")
    soundfile.write(tmp_path / "other.flac", np.repeat(samples[:4000], 2), 2 * rate)
    assert sung(singer, [3], prime=str(tmp_path / "other.flac"))[3].decibels.shape == (
        NUM_FRAMES,
        65,
    )


def test_what_cannot_prime_is_named(singer, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "short.wav", np.zeros(127), 16_000)
    soundfile.write(tmp_path / "nan.wav", np.full(999, np.nan), 16_000, subtype="FLOAT")
    for name, reason in (
        ("broken.wav", "which is not audio that libsndfile reads"),
        ("nan.wav", "which holds NaN or infinite samples"),
        ("gone.wav", "which is not there"),
        ("short.wav", "must have at least n_fft=128 samples"),
    ):
        with pytest.raises(ValueError, match=f"`prime` .*{reason}") as error:
            sung(singer, [3], prime=str(tmp_path / name))
        assert name in str(error.value)


@pytest.mark.parametrize("peak", [0.25, 4.0])
def test_a_song_is_written_as_sound_arrays_and_picture_and_turned_down_only_if_it_would_clip(
    peak, singer, ten, tmp_path
):
    song = ten[3]
    waveform = (song.waveform * (peak / np.abs(song.waveform).max())).astype(np.float32)
    stem = str(tmp_path / "song_3")
    songs.write_song(stem, songs.Song(3, song.decibels, waveform), singer)
    assert sorted(os.listdir(tmp_path)) == ["song_3.npz", "song_3.png", "song_3.wav"]
    heard, rate = soundfile.read(f"{stem}.wav")
    assert (rate, heard.shape, soundfile.info(f"{stem}.wav").subtype) == (
        16_000,
        waveform.shape,
        "PCM_16",
    )
    # Half a step of 16 bit, and one for its being cut off.
    np.testing.assert_allclose(heard, waveform * min(0.99 / peak, 1.0), atol=1.5 / 32768)
    with np.load(f"{stem}.npz", allow_pickle=False) as arrays:
        assert (
            sorted(arrays.files) == ["decibels", "sample_rate", "waveform"]
            and arrays["sample_rate"] == 16_000
        )
        np.testing.assert_array_equal(arrays["decibels"], song.decibels)
        np.testing.assert_array_equal(arrays["waveform"], waveform)
