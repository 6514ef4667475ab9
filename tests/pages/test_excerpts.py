"""What a page holds of a recording: bounded, whole, and true to the sound."""

import zlib

import numpy as np
import pytest
import soundfile

from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.pages import excerpts
from neurovocal_tf.pages.excerpts import mu_law, sound_rate

RATE = 16_000
CONFIG = Config()


def write_tone(path, seconds, hz=3000, rate=RATE):
    time = np.arange(round(seconds * rate)) / rate
    noise = 1e-3 * np.random.default_rng(3).standard_normal(len(time))
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hz * time) * (time > seconds / 2) + noise, rate)
    return str(path)


def levels_of(excerpt):
    levels = np.frombuffer(zlib.decompress(excerpt.levels), np.uint8)
    return levels.reshape(excerpt.num_columns, excerpt.num_bins)


def test_a_tone_is_seen_when_and_where_it_sounds(tmp_path):
    path = write_tone(tmp_path / "a.wav", 2.0)
    [excerpt] = excerpts.excerpts(path, 2.0, CONFIG)
    levels = levels_of(excerpt)
    bin_hz = excerpt.max_hz / (excerpt.num_bins - 1)
    loud = levels[:, round(3000 / bin_hz)] > levels.max() - 20
    # A window reaches half its length over either side of its column.
    edge_s = (np.argmax(loud) + 0.5) * excerpt.column_s
    assert abs(edge_s - 1.0) <= CONFIG.spectrogram.n_fft / 2 / RATE + excerpt.column_s
    assert loud[np.argmax(loud) :].all() and levels.max() <= 63
    assert len(excerpt.sound) == 2 * RATE and excerpt.sound_rate == RATE


@pytest.mark.parametrize(("pixels", "samples"), [(2**24, 9_000), (20_000, 2**24), (5_000, 7_001)])
def test_a_long_recording_is_cut_or_coarser_and_nothing_of_it_is_lost(
    tmp_path, monkeypatch, pixels, samples
):
    monkeypatch.setattr(excerpts, "_MAX_PIXELS", pixels)
    monkeypatch.setattr(excerpts, "_MAX_SAMPLES", samples)
    path = write_tone(tmp_path / "a.wav", 2.0)
    found = list(excerpts.excerpts(path, 2.0, CONFIG))
    length = excerpts.excerpt_samples(2 * RATE, RATE, RATE)
    assert len(found) == -(-2 * RATE // length)
    starts = np.cumsum([0.0] + [excerpt.duration_s for excerpt in found])
    np.testing.assert_allclose([excerpt.start_s for excerpt in found], starts[:-1], atol=1e-9)
    assert starts[-1] == pytest.approx(2.0)
    for excerpt in found:
        assert excerpt.num_columns * excerpt.num_bins <= pixels + excerpt.num_bins
        assert len(excerpt.sound) <= samples
        # The columns reach to the end.
        assert 0 <= excerpt.num_columns * excerpt.column_s - excerpt.duration_s < excerpt.column_s


def test_the_pieces_do_not_depend_on_the_blocks(rng):
    samples, blocks = rng.standard_normal(1000).astype(np.float32), []
    for edge in np.split(samples, np.sort(rng.integers(0, 1000, 20))):
        blocks.append(edge)
    pieces = list(excerpts._cut(blocks, 130))
    assert [len(piece) for piece in pieces] == [130] * 7 + [90]
    np.testing.assert_array_equal(np.concatenate(pieces), samples)


def test_sound_holds_what_the_detector_hears_and_little_more():
    assert sound_rate(44_100, 10_000) == 24_000 and sound_rate(16_000, 10_000) == 16_000
    assert sound_rate(250_000, 110_000) == 242_000 and sound_rate(250_000, 0) == 250_000


def test_mu_law_is_within_its_steps_of_the_sound(rng):
    samples = rng.uniform(-0.4, 0.4, 5000).astype(np.float32)
    offset = np.float32(0.3)
    coded = mu_law(samples + offset)
    samples -= samples.mean()
    share = (coded.astype(float) - 127) / 127
    back = np.sign(share) * np.expm1(np.abs(share) * np.log1p(255)) / 255 * np.abs(samples).max()
    # Half a code, and what the law's slope there, (1 + 255 |x|) ln(256) / 255, makes of it.
    relative = np.abs(samples) / np.abs(samples).max()
    bound = np.abs(samples).max() * (1 + 255 * relative) * np.log(256) / 255 * (0.52 / 127)
    assert (np.abs(back - samples) <= bound).all()
    assert set(mu_law(np.zeros(5))) == {127}


def test_what_is_no_recording_says_why(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(readers.UnreadableRecording):
        list(excerpts.excerpts(str(tmp_path / "a.wav"), 1.0, CONFIG))
