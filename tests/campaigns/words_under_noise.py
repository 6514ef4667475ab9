r"""How well the preset for speech finds the onsets of words that are strung together with
known gaps, under noise.

    python tests/campaigns/words_under_noise.py FOLDER

prints the onset F1 (within 30 ms) for the recordings of single words in a folder, in a random
order, each brought to one loudness, with gaps of 0.2 to 1 s, under white and under pink noise. What
the onset of a word is, is a matter of how faint a sound still counts: one row takes the recordings
as they are, with their silences, the others cut them to where they are within so many dB of their
loudest 10 ms. Beside the preset stands what can be found at all: the onsets that a listener gives
who is told the words and the noise apart and hears a word wherever, over 25 ms, it is at least half
as strong as the noise in any band of 500 Hz.
"""

import pathlib
import sys

import numpy as np
import scipy.ndimage
import scipy.signal
import soundfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
_RANGES_DB = (None, 40.0, 30.0, 20.0)
_NUM_STRINGS = 3
_TOLERANCE_S = 0.03
_RMS = 0.05
_HOP_S = 0.004


def read(folder):
    """Samples and rate of each recording in a folder."""
    return [soundfile.read(path) for path in sorted(pathlib.Path(folder).glob("*.wav"))]


def without_quiet_ends(samples, length, range_db):
    """From the first to the last moment whose power over `length` samples is within `range_db`
    of the loudest; None: all.
    """
    if range_db is None:
        return samples
    power = np.convolve(samples**2, np.ones(length) / length, "same")
    loud = np.flatnonzero(power > power.max() * 10 ** (-range_db / 10))
    return samples[loud[0] : loud[-1] + 1]


def strung_together(recordings, range_db, seed):
    """Words with gaps of silence between them.

    -> samples [N], rate, onsets and offsets in seconds [S, 2]
    """
    rng, rate = np.random.default_rng(seed), recordings[0][1]
    parts, true, position = [np.zeros(rate // 2)], [], rate // 2
    for i in rng.permutation(len(recordings)):
        word = without_quiet_ends(recordings[i][0], rate // 100, range_db)
        gap = rng.integers(rate // 5, rate)
        parts += [word * (_RMS / np.sqrt(np.mean(word**2))), np.zeros(gap)]
        true.append((position / rate, (position + len(word)) / rate))
        position += len(word) + gap
    return np.concatenate(parts), rate, np.array(true)


def noise(num_samples, rate, signal_to_noise_db, colour, seed):
    """Noise so far below the words [num_samples], its power falling as 1 / f above
    50 Hz if it is pink.
    """
    samples = np.random.default_rng((seed, 1)).standard_normal(num_samples)
    if colour == "pink":
        spectrum = np.fft.rfft(samples) / np.sqrt(
            np.maximum(np.fft.rfftfreq(num_samples, 1 / rate), 50.0)
        )
        samples = np.fft.irfft(spectrum, num_samples)
    return samples * (_RMS * 10 ** (-signal_to_noise_db / 20) / np.sqrt(np.mean(samples**2)))


def agreement_with(detector, recordings, range_db, signal_to_noise_db, seed, colour="white"):
    """`Agreement` of what a detector finds with the words.  detector: `SegmentationConfig`"""
    from neurovocal_tf.segmentation.agreement import agreement
    from neurovocal_tf.segmentation.detector import detect

    clean, rate, true = strung_together(recordings, range_db, seed)
    noisy = clean + noise(len(clean), rate, signal_to_noise_db, colour, seed)
    onsets, offsets, _ = detect(noisy, rate, detector)
    return agreement(np.stack([onsets, offsets], axis=1) / rate, true, _TOLERANCE_S)


def audible_share(recordings, range_db, signal_to_noise_db, seed, colour="white"):
    """Share of the words whose first audible moment is within the tolerance of their onset."""
    clean, rate, true = strung_together(recordings, range_db, seed)
    words, background = (
        _band_powers(samples, rate)
        for samples in (clean, noise(len(clean), rate, signal_to_noise_db, colour, seed))
    )
    audible = np.any(words > 0.5 * background.mean(axis=0), axis=1)
    times = np.flatnonzero(audible) * _HOP_S
    firsts = np.array([times[np.searchsorted(times, onset - _TOLERANCE_S)] for onset, _ in true])
    return float(np.mean(np.abs(firsts - true[:, 0]) <= _TOLERANCE_S))


def _band_powers(samples, rate):
    """Power in bands of 500 Hz over 25 ms, every 4 ms."""
    n_fft, hop = round(0.016 * rate), round(_HOP_S * rate)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, n_fft // 2), n_fft)[::hop]
    power = np.square(np.abs(np.fft.rfft(windows * scipy.signal.get_window("hann", n_fft))))
    bins = round(500 * n_fft / rate)
    bands = (
        power[:, 1:][:, : (power.shape[1] - 1) // bins * bins]
        .reshape(len(power), -1, bins)
        .mean(axis=2)
    )
    return scipy.ndimage.uniform_filter1d(bands, round(0.025 / _HOP_S) | 1, axis=0, mode="nearest")


def main(folder):
    from absl import flags as absl_flags

    from neurovocal_tf import flags

    values = absl_flags.FlagValues()
    flags.define(None, values)
    values(
        [
            "preset",
            *flags.expand_flagfiles(
                [f"--flagfile={ROOT / 'tools' / 'flagfiles' / 'speech.flags'}"], values
            ),
        ]
    )
    detector, recordings = flags.config_from_flags(flag_values=values).segmentation, read(folder)
    print(
        f"{len(recordings)} words, strung together in {_NUM_STRINGS} orders; onset F1 of the "
        "preset (share that is audible at all)"
    )
    print(
        f"{'words':34} {'white, 20 dB':>14} {'white, 10 dB':>14} {'pink, 20 dB':>14} "
        f"{'pink, 10 dB':>14}"
    )
    for range_db in _RANGES_DB:
        cells = []
        for colour in ("white", "pink"):
            for ratio_db in (20.0, 10.0):
                settings = [
                    (recordings, range_db, ratio_db, seed, colour) for seed in range(_NUM_STRINGS)
                ]
                pooled = sum(
                    (agreement_with(detector, *some) for some in settings[1:]),
                    agreement_with(detector, *settings[0]),
                )
                audible = np.mean([audible_share(*some) for some in settings])
                cells.append(f"{pooled.scores()['onset_f1']:.2f} ({audible:.2f})")
        name = "as recorded" if range_db is None else f"cut to {range_db:.0f} dB below the loudest"
        print(f"{name:34} " + " ".join(f"{cell:>14}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
