"""The model's endpoints, shared by the tools and the exported SavedModel, and the export itself."""

import functools
import json
import os
import re
import shutil
import tempfile

import keras
import tensorflow as tf

from neurovocal_tf.audio import spectrogram, synthesis

DEFAULT_TEMPERATURE = 1.0
DEFAULT_MAX_FRAMES = 10_000
METADATA = os.path.join("assets.extra", "neurovocal_tf.json")

_SONG_SIGNATURE = (
    tf.TensorSpec([None], tf.int64, name="seed"),
    tf.TensorSpec([None], tf.int32, name="num_frames"),
    tf.TensorSpec([None], tf.float32, name="temperature"),
)


class Endpoints:
    """Batch-major functions of a trained model; tools call them as they are, and the export holds the same.

    Args:
        trained: `trainer.Trained`, or whatever has its `model`, `config`, `scale` and `sample_rate`; of a model of frame sequences,
            whose `scale` is None, the spectrogram is the frames themselves, and there is no sound.
        max_frames: int, a longer song is cut to it.
    """

    def __init__(self, trained, max_frames=DEFAULT_MAX_FRAMES):
        self.model = trained.model
        self.config = trained.config
        self.scale = trained.scale
        self.sample_rate = trained.sample_rate
        self.max_frames = max_frames
        # One graph each, whatever the batch: the tools and the export run the same one.
        self.generate = tf.function(self._generate, input_signature=_SONG_SIGNATURE, autograph=False)
        self.generate_audio = tf.function(self._generate_audio, input_signature=_SONG_SIGNATURE, autograph=False)
        state = tf.TensorSpec([None, self.model.encoder.state_size], tf.float32, name="state")
        self.generate_after = tf.function(self._generate, input_signature=(*_SONG_SIGNATURE, state), autograph=False)

    def _generate(self, seed, num_frames, temperature, state=None):
        """New songs.

        Args:
            seed: int64 [B].    num_frames: int32 [B], 0 to `max_frames`.
            temperature: float32 [B]; not above 0 or not finite: the default, 1.
            state: float32 [B, R], of a song to go on from; default: the state before a first frame.

        Returns:
            dict of spectrogram float32 [B, T, V] in dB (silence after a row's end), lengths int32 [B], state float32 [B, R],
            next_frame int64 [B].
        """
        temperature = tf.where((temperature > 0) & tf.math.is_finite(temperature), temperature, DEFAULT_TEMPERATURE)
        num_frames = tf.clip_by_value(num_frames, 0, self.max_frames)
        generation = self.config.generation
        frames, state, next_frame = self.model.generate(
            seed,
            num_frames,
            temperature,
            state=state,
            num_gibbs_steps=generation.num_gibbs_steps,
            chain_start=generation.chain_start,
            emission_noise=generation.emission_noise,
        )
        is_sung = tf.sequence_mask(num_frames, tf.shape(frames)[1])[:, :, tf.newaxis]
        if self.scale is None:
            shown = tf.where(is_sung, frames, 0.0)
        else:
            shown = tf.where(is_sung, spectrogram.model_frames_to_decibels(frames, self.scale), -self.scale.dynamic_range_db)
        return {"spectrogram": shown, "lengths": num_frames, "state": state, "next_frame": next_frame}

    def _generate_audio(self, seed, num_frames, temperature):
        """`generate` and its sound: waveform float32 [B, N], num_samples int32 [B], sample_rate int32 [B] in Hz."""
        song = self._generate(seed, num_frames, temperature)
        lengths = song["lengths"]
        settings = self.config.spectrogram
        # No frames span no samples, and an inverse transform of none is an error: pad, and cut again.
        decibels = tf.pad(song["spectrogram"], [[0, 0], [0, 1], [0, 0]], constant_values=-self.scale.dynamic_range_db)
        waveform = self.synthesise(decibels, lengths)
        num_samples = tf.where(lengths > 0, synthesis.num_output_samples(lengths, settings), 0)
        waveform = waveform[:, : tf.reduce_max(tf.concat([num_samples, [0]], axis=0))]
        return {**song, "waveform": waveform, "num_samples": num_samples, "sample_rate": tf.fill(tf.shape(lengths), self.sample_rate)}

    def synthesise(self, decibels, lengths=None):
        """Waveforms of spectrograms in dB.  [B, T, V], int32 [B] -> [B, N]"""
        power = spectrogram.to_power(decibels, self.scale)
        return synthesis.griffin_lim(
            power, self.sample_rate, self.config.spectrogram, self.config.generation.num_iterations, lengths=lengths
        )

    @functools.cached_property
    def synthesise_one(self):
        """`synthesise` of one spectrogram, compiled into a graph.  [1, T, V] -> [1, N]"""
        spec = tf.TensorSpec([1, None, self.model.num_visible], tf.float32)
        return tf.function(self.synthesise, input_signature=(spec,), autograph=False)

    def prime(self, power):
        """The model's state after a recording.

        Args:
            power: power spectrogram of the recording, [L, V], L at least 1.

        Returns:
            State, [1, R].
        """
        frames = spectrogram.to_model_frames(power, self.scale)
        return self.model.encode(frames[tf.newaxis], tf.shape(frames)[:1])

    def metadata(self):
        """What a client needs to know beside the signatures, as a dict of JSON values."""
        settings = self.config.spectrogram
        return {
            "sample_rate_hz": self.sample_rate,
            "n_fft": settings.n_fft,
            "hop_length": settings.hop_length,
            "window": "tukey(0.25), periodic",
            "num_bins": self.model.num_visible,
            "scale": json.loads(self.scale.to_json()),
            "max_frames": self.max_frames,
            "default_temperature": DEFAULT_TEMPERATURE,
            "config": json.loads(self.config.to_json()),
            "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
        }


def export_saved_model(trained, export_dir, max_frames=DEFAULT_MAX_FRAMES):
    """Writes the next version of a SavedModel for TensorFlow Serving; earlier versions stay.

    Signatures: `generate` (also `serving_default`) and `generate_audio`.

    Args:
        trained: `trainer.Trained`.    export_dir: folder of versions; made if it is not there.    max_frames: int, longest song.

    Returns:
        Path of the version's folder, export_dir/N.
    """
    endpoints = Endpoints(trained, max_frames)
    archive = keras.export.ExportArchive()
    archive.track(trained.model)
    # The first becomes serving_default.
    archive.add_endpoint("generate", endpoints.generate)
    archive.add_endpoint("generate_audio", endpoints.generate_audio)
    os.makedirs(export_dir, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=".export-", dir=export_dir)
    try:
        archive.write_out(temporary, verbose=False)
        os.makedirs(os.path.join(temporary, os.path.dirname(METADATA)))
        with open(os.path.join(temporary, METADATA), "w", encoding="utf-8") as file:
            json.dump(endpoints.metadata(), file, indent=2)
        os.chmod(temporary, 0o755)
        return _publish(temporary, export_dir)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _publish(temporary, export_dir):
    """Renames the finished folder to the next free version number."""
    while True:
        numbers = [int(name) for name in os.listdir(export_dir) if re.fullmatch(r"\d+", name)]
        version = os.path.join(export_dir, str(max(numbers, default=0) + 1))
        try:
            os.rename(temporary, version)
            return version
        except OSError:
            # Another export may have taken the number meanwhile: a rename onto a folder with files in it fails.
            if not os.path.exists(version):
                raise
