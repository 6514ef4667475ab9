"""Songs from blocks: every frame in one of them,
and sound that joins as if it had been made at once.
"""

import functools

import numpy as np
import pytest
import reference
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from neurovocal_tf.audio import spectrogram, synthesis
from neurovocal_tf.client import streaming
from neurovocal_tf.config import SpectrogramConfig
from neurovocal_tf.data import simulated_song

CONFIG = SpectrogramConfig()
WIDE = SpectrogramConfig(n_fft=512, hop_length=100)
RATE = 16_000


@functools.cache
def power_of_song(config):
    return spectrogram.power_spectrogram(
        simulated_song.simulate_song(5, 1.5)[0], RATE, config
    ).numpy()


@functools.cache
def synthesiser(config):
    """What makes sound of frames and known samples; graphs are kept."""
    specs = [tf.TensorSpec([None, spectrogram.num_bins(config)]), tf.TensorSpec([None])]

    @tf.function(input_signature=specs, autograph=False)
    def waveform(frames, known):
        return synthesis.griffin_lim(
            frames[tf.newaxis], RATE, config, 100, known=known[tf.newaxis]
        )[0]

    return lambda frames, known: streaming.Sound(
        waveform(frames, known).numpy(), RATE, config.hop_length
    )


def streamed(power, sizes, synthesise):
    """Samples of each block."""
    joined = streaming.JoinedSound(synthesise)
    ends = np.cumsum(sizes)
    assert ends[-1] == len(power)
    return [
        joined.add(power[end - size : end], is_last=end == len(power)).samples
        for size, end in zip(sizes, ends, strict=True)
    ]


@settings(max_examples=50, deadline=None)
@given(num_frames=st.integers(0, 10_000), block_frames=st.integers(1, 500))
def test_blocks_are_short_at_first_then_grow_and_hold_the_whole_song(num_frames, block_frames):
    sizes = list(streaming.block_sizes(num_frames, block_frames))
    assert sum(sizes) == num_frames and max(sizes, default=0) <= block_frames
    assert sizes[:1] == [min(streaming.FIRST_BLOCK_FRAMES, block_frames, num_frames)][: len(sizes)]
    assert all(b <= 2 * a for a, b in zip(sizes, sizes[1:]))
    endless = streaming.block_sizes(None, block_frames)
    assert [next(endless) for _ in sizes[:-1]] == sizes[:-1]


@pytest.mark.parametrize(
    ("config", "sizes"),
    [(CONFIG, (16, 32, 64, 50)), (CONFIG, (1, 2, 3, 4, 5, 100, 1, 46)), (WIDE, (16, 32, 64, 60))],
)
def test_sound_in_parts_is_as_close_to_its_spectrogram_as_sound_made_at_once(config, sizes):
    power = power_of_song(config)[: sum(sizes)]
    parts = streamed(power, sizes, synthesiser(config))
    waveform, whole = (
        np.concatenate(parts),
        synthesiser(config)(power, np.zeros(0, np.float32)).samples,
    )
    assert len(waveform) == len(whole) == synthesis.num_output_samples(len(power), config)

    def convergence(samples):
        return reference.spectral_convergence_db(power, power_of(samples, config))

    assert convergence(waveform) < convergence(whole) + 1
    # Made each for itself and put end to end, blocks are nothing like it.
    hop, begin = config.hop_length, 0
    apart = []
    for size in sizes:
        apart.append(
            synthesiser(config)(power[begin : begin + size], np.zeros(0, np.float32)).samples[
                : size * hop
            ]
        )
        begin += size
    assert (
        convergence(waveform)
        < convergence(np.pad(np.concatenate(apart), (0, config.n_fft - hop))) - 2
    )


def power_of(samples, config):
    return spectrogram.power_spectrogram(samples, RATE, config).numpy()


def test_no_seam_clicks_nor_dips():
    """Of two steady tones, whose third difference is small everywhere,
    and whose power is the same everywhere.
    """
    time = np.arange(24_000) / RATE
    power = power_of(
        0.3 * np.sin(2 * np.pi * 1234.5 * time) + 0.2 * np.sin(2 * np.pi * 2890.1 * time), CONFIG
    )[:160]
    parts = streamed(power, [16] * 10, synthesiser(CONFIG))
    seams = np.cumsum([len(part) for part in parts])[:-1]

    def roughness(parts, places):
        differences = np.abs(np.diff(np.concatenate(parts), 3))
        return max(differences[place - 64 : place + 64].max() for place in places)

    elsewhere = range(700, sum(map(len, parts)) - 700, 97)
    assert roughness(parts, seams) <= roughness(parts, elsewhere)
    # What is looked for would be found.
    assert roughness([part * (-1) ** i for i, part in enumerate(parts)], seams) > 2 * roughness(
        parts, elsewhere
    )
    waveform = np.concatenate(parts)
    loudness = [np.std(waveform[seam - 64 : seam + 192]) for seam in seams]
    np.testing.assert_allclose(loudness, np.sqrt((0.3**2 + 0.2**2) / 2), rtol=0.15)


def test_what_was_heard_is_never_changed():
    power, known = (
        power_of_song(CONFIG)[:30],
        np.random.default_rng(2).uniform(-0.5, 0.5, 9 * 128).astype(np.float32),
    )
    waveform = synthesiser(CONFIG)(power, known).samples
    np.testing.assert_array_equal(waveform[: 8 * 128 + 1], known[: 8 * 128 + 1])
    # Over the last hop the known samples give way, evenly.
    assert not np.array_equal(waveform[8 * 128 + 1 : 9 * 128], known[8 * 128 + 1 :])


def test_a_steady_tone_goes_on_in_its_own_phase():
    tone = (0.3 * np.sin(2 * np.pi * 2345.6 * np.arange(8_000) / RATE + 1.0)).astype(np.float32)
    waveform = synthesiser(CONFIG)(power_of(tone, CONFIG), tone[: 8 * 128]).samples
    # The last window has no frame after it to hold it.
    end = len(waveform) - 256
    error = waveform[8 * 128 : end] - tone[8 * 128 : end]
    assert np.std(error) < 0.1 * np.std(tone)


def test_samples_beyond_full_scale_are_cut_and_counted():
    pcm, num_cut = streaming.to_pcm(np.array([0.0, 0.5, -1.0, 1.0, 1.5, -3.0]), gain=1.0)
    assert np.frombuffer(pcm, "<i2").tolist() == [0, 16_384, -32_768, 32_767, 32_767, -32_768]
    # One step, which is what separates 1 from the largest sample, is no cut.
    assert num_cut == 2
    assert np.frombuffer(streaming.to_pcm(np.array([0.5]), gain=0.5)[0], "<i2").tolist() == [8_192]
