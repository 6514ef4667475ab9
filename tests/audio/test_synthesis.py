"""Power spectrogram -> waveform: as close as fast Griffin-Lim gets, as loud as it was,
and each row for itself.
"""

import numpy as np
import pytest
import reference
import sound_faults
import soundfile
import tensorflow as tf

from neurovocal_tf.audio import spectrogram, synthesis
from neurovocal_tf.config import SpectrogramConfig
from neurovocal_tf.data import simulated_song

CONFIG = SpectrogramConfig()
compiled = tf.function(synthesis.griffin_lim, autograph=False)


def power_of(samples, rate, config=CONFIG):
    return spectrogram.power_spectrogram(samples, rate, config).numpy()


def loudness_change_db(samples, original):
    return 20 * np.log10(np.std(samples) / np.std(original[: len(samples)]))


@pytest.fixture(scope="module")
def song():
    return simulated_song.simulate_song(5, 2.0)[0]


@pytest.fixture(scope="module", params=[128, 64])
def real_song(request, shared_recordings):
    """Three seconds of a finch, their rate, what comes back of their frames, and its settings."""
    config = SpectrogramConfig(hop_length=request.param)
    path = sorted((shared_recordings / "bengalese_finch_gy6or6").glob("*.wav"))[0]
    samples, rate = soundfile.read(path, stop=96_000, dtype="float32")
    power = power_of(samples, rate, config)
    return samples, rate, compiled(power[np.newaxis], rate, config)[0].numpy(), config


def test_a_real_song_comes_back_and_nearer_between_its_frames_where_these_lie_closer(real_song):
    samples, rate, waveform, config = real_song
    samples = samples[: len(waveform)]
    for hop_length, at_most_db in (
        (config.hop_length, {128: -26, 64: -21}),
        (32, {128: -13.5, 64: -19}),
    ):
        grid = SpectrogramConfig(hop_length=hop_length)
        apart = reference.spectral_convergence_db(
            power_of(samples, rate, grid), power_of(waveform, rate, grid)
        )
        assert apart < at_most_db[config.hop_length]
    assert abs(loudness_change_db(waveform, samples)) < 1


def test_a_real_song_that_comes_back_has_no_click(real_song):
    """A click of half the loudest sample would be twice as sharp as this song is anywhere."""
    samples, _, waveform, _ = real_song
    assert sound_faults.sharpness(waveform) < 1.25 * sound_faults.sharpness(
        samples[: len(waveform)]
    )


def test_a_real_song_that_comes_back_is_nowhere_too_loud(real_song):
    samples, _, waveform, _ = real_song
    assert np.abs(waveform).max() < 1.3 * np.abs(samples[: len(waveform)]).max()


def test_a_real_song_that_comes_back_has_no_hum_and_no_offset(real_song):
    samples, rate, waveform, _ = real_song
    assert sound_faults.hum_db(waveform, rate) < sound_faults.hum_db(samples, rate)
    assert sound_faults.offset(waveform) < 0.03


@pytest.mark.parametrize(
    ("config", "at_most_db"),
    [(CONFIG, -28), (SpectrogramConfig(n_fft=512, hop_length=100), -20)],
    ids=["256/128", "512/100"],
)
def test_a_simulated_song_comes_back_as_loud(song, config, at_most_db):
    power = power_of(song, 16_000, config)
    waveform = compiled(power[np.newaxis], 16_000, config)[0].numpy()
    assert len(waveform) == (len(power) - 1) * config.hop_length + config.n_fft
    assert reference.spectral_convergence_db(power, power_of(waveform, 16_000, config)) < at_most_db
    assert abs(loudness_change_db(waveform, song)) < 0.5


def test_the_start_from_peaks_is_better_than_one_from_zero_phases_and_iterations_better_it(
    song, monkeypatch
):
    power = power_of(song, 16_000)

    def convergence(num_iterations):
        waveform = synthesis.griffin_lim(power[np.newaxis], 16_000, CONFIG, num_iterations)[0]
        return reference.spectral_convergence_db(power, power_of(waveform, 16_000))

    start, short, long = (convergence(n) for n in (0, 10, 100))
    assert long < short < start - 3
    monkeypatch.setattr(
        synthesis, "phases_from_peaks", lambda magnitude, *_: tf.zeros_like(magnitude)
    )
    assert start < convergence(0) - 3


def test_a_steady_tone_needs_no_iteration():
    """Its phase moves on by its frequency, which is what the start assumes."""
    tone = 0.3 * np.sin(2 * np.pi * 2345.6 * np.arange(16_000) / 16_000)
    power = power_of(tone, 16_000)
    waveform = synthesis.griffin_lim(power[np.newaxis], 16_000, CONFIG, num_iterations=0)[0]
    assert reference.spectral_convergence_db(power, power_of(waveform, 16_000)) < -25


def test_there_is_no_click_at_the_ends(song):
    begin = 4000
    waveform = compiled(power_of(song, 16_000)[np.newaxis, 20:150], 16_000, CONFIG)[0].numpy()
    inside = np.abs(song[begin : begin + len(waveform)]).max()
    assert (
        np.abs(waveform[:32]).max() < 1.5 * inside and np.abs(waveform[-32:]).max() < 1.5 * inside
    )


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_silence_and_single_frames_give_finite_samples(num_frames, rng):
    power = np.stack(
        [
            np.zeros((num_frames, 129)),
            rng.uniform(0, 1e-3, (num_frames, 129)),
            -np.ones((num_frames, 129)),
        ]
    )
    waveforms = synthesis.griffin_lim(power, 16_000, CONFIG, num_iterations=20).numpy()
    assert waveforms.shape == (3, (num_frames - 1) * 128 + 256) and np.isfinite(waveforms).all()
    assert np.all(waveforms[[0, 2]] == 0) and np.any(waveforms[1] != 0)


def test_a_row_sounds_as_it_does_alone_whatever_its_neighbours_and_padding(song, rng):
    power = power_of(song, 16_000)
    lengths = [37, 1, 90, 64, 0, 13, 90]
    rows = [
        power[start : start + length] for start, length in zip(rng.integers(0, 150, 7), lengths)
    ]
    batch = np.stack(
        [np.pad(row, ((0, 90 - len(row)), (0, 0)), constant_values=7.0) for row in rows]
    )

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, 129]), tf.TensorSpec([None], tf.int32)]
    )
    def sing(power, lengths):
        return synthesis.griffin_lim(power, 16_000, CONFIG, 50, lengths=lengths)

    together = sing(batch, lengths).numpy()
    for row, waveform in zip(rows, together):
        if len(row):
            alone = sing(row[np.newaxis], [len(row)])[0].numpy()
            np.testing.assert_array_equal(waveform[: len(alone)], alone)
            assert np.all(waveform[len(alone) :] == 0)
    assert np.all(together[4] == 0)


def test_it_can_be_saved_and_loaded_and_needs_no_python(song, tmp_path):
    power = power_of(song, 16_000)[np.newaxis, :40]

    class Singer(tf.Module):
        @tf.function(
            input_signature=[tf.TensorSpec([None, None, 129]), tf.TensorSpec([], tf.int32)]
        )
        def sing(self, power, num_iterations):
            return synthesis.griffin_lim(power, 16_000, CONFIG, num_iterations)

    singer = Singer()
    tf.saved_model.save(singer, str(tmp_path))
    operations = {
        op.type
        for graph in (singer.sing.get_concrete_function().graph,)
        for op in graph.get_operations()
    }
    assert not operations & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}
    np.testing.assert_array_equal(
        tf.saved_model.load(str(tmp_path)).sing(power, 20), singer.sing(power, tf.constant(20))
    )
