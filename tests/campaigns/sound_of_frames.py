"""How near sound that is made of recordings' own frames comes to them, by how often frames are
taken, and whether it has what no recording has: clicks, clipping, hum or an offset.

    PYTHONPATH=tests/support python tests/campaigns/sound_of_frames.py --recordings=FOLDER

Printed are, of some seconds of each folder and by the spectrogram of its preset, the spectral
convergence in dB on a grid of an eighth of a window: with frames half a window apart, a quarter of
one, and half a window apart in windows of twice the length; and how sharp the sound is and how loud
its loudest sample, over the recording's, and how far the power around 50 and 60 Hz is from that of
the whole recording, in the sound and in the recording. Takes a minute. Exits with 1 where frames
twice as often bring the sound no nearer, or it has a fault.
"""

import argparse
import functools
import pathlib
import sys

import numpy as np
import reference
import scipy.signal
import sound_faults
import soundfile
import tensorflow as tf

from neurovocal_tf.audio import spectrogram, synthesis
from neurovocal_tf.config import Config, SpectrogramConfig

# Folder, preset, recordings and seconds of each, from its middle on.
_MATERIAL = (
    ("bengalese_finch_gy6or6", "songbird", 2, 2.0),
    ("bengalese_finch_bl26lb16", "songbird", 2, 2.0),
    ("zebra_finch_R402", "songbird", 2, 2.0),
    ("mouse_usv", "mouse_usv", 3, 0.3),
    ("mouse_usv_noisy", "mouse_usv", 2, 0.3),
    ("spoken_digits", "speech", 8, 0.5),
    ("annotated_speech", "speech", 2, 2.0),
)
# At twice that rate a voice's fundamental is below the first bin of a window of the preset.
_SPEECH_HZ = 16_000
# Of a sound beside its recording: a click of half the loudest sample is twice as sharp as a song.
_SHARPER, _LOUDER, _OFFSET = 1.35, 1.5, 0.1
# Hum that is fainter than that beside the sound is not heard under it. Around a deep voice's
# fundamental there is no telling hum from what the voice has lost there.
_HUM_DB = {"songbird": -25.0, "mouse_usv": -25.0, "speech": -10.0}
# A recording that was clipped itself comes back with the peaks that it had lost.
_CLIPPED, _MANY = 0.99, 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recordings", default="../shared/recordings")
    recordings = pathlib.Path(parser.parse_args().recordings)
    defects = 0
    print(f"{'':26}   1/2    1/4  long  sharper louder  hum, dB, and the recording's")
    for name, preset, number, seconds in _MATERIAL:
        heard = list(_heard(recordings / name, preset, number, seconds))
        usual = Config.preset(preset).spectrogram
        window, hop = usual.n_fft, usual.hop_length
        made = [
            [_sound(*one, SpectrogramConfig(*form)) for one in heard]
            for form in ((window, hop), (window, hop // 2), (2 * window, hop))
        ]
        near = [_convergence_db(heard, sounds, window) for sounds in made]
        beside = np.array([_beside(*one, s) for sounds in made for one, s in zip(heard, sounds)])
        found = _faults(beside, _HUM_DB[preset]) + (["no nearer"] if near[1] > near[0] else [])
        defects += len(found)
        figures = beside[beside[:, 2].argmax()]
        print(
            f"{name:26}" + "".join(f"{db:6.1f}" for db in near) + f"{beside[:, 0].max():8.2f}"
            f"{beside[:, 1].max():7.2f}{figures[2]:8.1f}{figures[3]:8.1f}   {', '.join(found)}",
            flush=True,
        )
    print(f"{defects} defects")
    return int(defects > 0)


def _heard(folder, preset, number, seconds):
    paths = sorted(folder.glob("*.wav"))
    for path in paths[:: max(len(paths) // number, 1)][:number]:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        first = max(len(samples) // 2 - int(seconds * rate / 2), 0)
        samples = samples[first : first + int(seconds * rate), 0]
        if preset == "speech" and rate > _SPEECH_HZ:
            samples, rate = scipy.signal.resample_poly(samples, _SPEECH_HZ, rate), _SPEECH_HZ
        yield (samples - samples.mean()).astype(np.float32), rate


def _sound(samples, rate, config):
    power = spectrogram.power_spectrogram(samples, rate, config)
    return _griffin_lim(config)(power[tf.newaxis], float(rate))[0].numpy()


@functools.cache
def _griffin_lim(config):
    """Of its own graph for each kind of spectrogram, and of one for all lengths and rates."""
    shapes = [tf.TensorSpec([1, None, config.n_fft // 2 + 1]), tf.TensorSpec([])]
    return tf.function(
        lambda power, rate: synthesis.griffin_lim(power, rate, config),
        input_signature=shapes,
        autograph=False,
    )


def _convergence_db(heard, sounds, window):
    """Of all together: what is loud counts, as in a whole recording."""
    grid = SpectrogramConfig(n_fft=window, hop_length=window // 8)
    both = [
        [spectrogram.power_spectrogram(x[: len(s)], 1.0, grid).numpy() for x in (samples, s)]
        for (samples, _), s in zip(heard, sounds)
    ]
    return reference.spectral_convergence_db(*(np.concatenate(powers) for powers in zip(*both)))


def _beside(samples, rate, sound):
    """Sharpness and loudest sample over the recording's, the hum of both over the power of the
    recording in dB, and the offset of the sound.
    """
    samples = samples[: len(sound)]
    louder_db = 20 * np.log10(np.std(sound) / np.std(samples))
    is_clipped = np.sum(np.abs(samples) > _CLIPPED) > _MANY
    return (
        sound_faults.sharpness(sound) / sound_faults.sharpness(samples),
        1.0 if is_clipped else np.abs(sound).max() / np.abs(samples).max(),
        sound_faults.hum_db(sound, rate) + louder_db,
        sound_faults.hum_db(samples, rate),
        sound_faults.offset(sound),
    )


def _faults(beside, hum_db):
    sharper, louder, hum, own_hum, offset = beside.T
    found = {
        "a click": sharper > _SHARPER,
        "too loud": louder > _LOUDER,
        "hum": hum > np.maximum(own_hum + 1.0, hum_db),
        "an offset": offset > _OFFSET,
    }
    return [fault for fault, is_there in found.items() if is_there.any()]


if __name__ == "__main__":
    sys.exit(main())
