"""A trained model's endpoints: batch-major functions that the tools call as they are and the exported SavedModel holds.

A row's answer depends on nothing but the row, bit for bit on one kind of machine: songs are sung in tiles whose layout is verified
there (see `tiling`), and all else is done row by row, each at its own length. Contents never raise: limits are kept in the graph,
and every row has a `status`. Only shapes are refused.
"""

import typing

import tensorflow as tf

from neurovocal_tf.audio import spectrogram, synthesis, wav
from neurovocal_tf.model import scoring
from neurovocal_tf.model.tiling import MachineLayout
from neurovocal_tf.segmentation import detector_in_graph, sequences
from neurovocal_tf.serving.rows import Traced, each_row, endpoint
from neurovocal_tf.status import Status

DEFAULT_TEMPERATURE = 1.0
# Beyond these a sample is its mean, or noise.
TEMPERATURES = (0.01, 100.0)
DEFAULT_MAX_FRAMES = 5_000

# No frame and no state of a model comes near these; what does would make its answer infinite.
_SANE_DECIBELS = (-1e3, 1e2)
_SANE_STATE = (-1e4, 1e4)
_SANE_SAMPLES = (-1e3, 1e3)
# Numbers of a processor's longest vector, and no less than any.
_LONGEST_VECTOR = 64
# To a block of a song come frames of the one before when it is to sound.
_JOINING_FRAMES = 64

_SONG = (
    tf.TensorSpec([None], tf.int64, name="seed"),
    tf.TensorSpec([None], tf.int32, name="num_frames"),
    tf.TensorSpec([None], tf.float32, name="temperature"),
)
_COUNT, _PLACES = tf.TensorSpec([], tf.int32), tf.TensorSpec([None], tf.int64)


class _Reading(typing.NamedTuple):
    """What a model can tell of sequences: `function`(frames [S, L, V], lengths [S]) -> dict as in `specs`, of at least `least_frames`."""

    function: typing.Callable
    specs: dict
    least_frames: int


class Endpoints:
    """`signatures`, a dict of `tf.function`s that take and return tensors with one row for each of B callers; each is an attribute, too.

    Shapes: V bins, R state, E embedding, T the longest row's frames, N its samples, S its segments. `status` int32 [B], a `Status`,
    is among the outputs of all.

    generate           seed int64 [B], num_frames int32 [B], temperature float32 [B] -> spectrogram float32 [B, T, V] in dB, lengths
                       int32 [B], state float32 [B, R], next_frame int64 [B], layout int32 [B], the `tiling.Layout` in which this
                       machine sings. A temperature not above 0, or NaN, means the default, 1
    generate_continue  the same, frame int64 [B], state float32 [B, R] -> the same: the song goes on from that state and frame
    generate_audio     as generate -> the same, waveform float32 [B, N], num_samples int32 [B], sample_rate int32 [B] in Hz,
                       wav_bytes string [B], 16 bit
    synthesise         spectrogram float32 [B, T, V] in dB, lengths int32 [B], known float32 [B, P], num_known int32 [B] -> waveform
                       float32 [B, N], num_samples, sample_rate, hop_length int32 [B]: the sound of frames, whose first num_known
                       samples have sounded already (see `griffin_lim`), so that blocks of a song join
    encode             spectrogram float32 [B, T, V] in dB, lengths int32 [B] -> embedding float32 [B, E], frame_embedding [B, T, E],
                       state float32 [B, R], which primes generate_continue
    score              the same -> score, order_score, surprise float32 [B], frame_score, frame_surprise [B, T] (see `scoring`);
                       is_unusual bool [B], and which of the three says so: score_, order_score_ and surprise_is_unusual bool [B]
    encode_audio,      audio_bytes string [B], WAV files -> as encode and score, lengths int32 [B], and frame_onsets int64 [B, T], the
    score_audio        first sample of each frame; the frames are those of the recording's sequences, one after another
    segment_audio      audio_bytes string [B] -> onsets, offsets int64 [B, S] in samples, num_segments int32 [B], sample_rate int32 [B]

    Args:
        trained: `trained.Trained`, or whatever has its `model`, `config`, `scale` and `sample_rate`. A model of frame sequences, whose
            `scale` is None, has `generate` and `generate_continue` alone, and their spectrograms are the frames themselves.
        max_frames: int; a longer song is cut to it, a longer spectrogram or recording refused by its status.
        usual: `scoring.UsualRanges`.
    """

    def __init__(self, trained, max_frames=DEFAULT_MAX_FRAMES, usual=scoring.EVERYTHING_USUAL):
        self.model = trained.model
        self.config = trained.config
        self.scale = trained.scale
        self.sample_rate = trained.sample_rate
        self.max_frames = max_frames
        self.usual = usual
        self.layout = MachineLayout(self.model)
        encoder, num_visible = self.model.encoder, self.model.num_visible
        width = encoder.embedding_size
        sequences_of_frames = (_floats(None, None, num_visible), tf.TensorSpec([None], tf.int32))
        self._embedding = _Reading(
            Traced(lambda frames, lengths: scoring.embed(self.model, frames, lengths)._asdict(), *sequences_of_frames),
            {"embedding": _floats(width), "frame_embedding": _floats(None, width), "state": _floats(encoder.state_size)},
            least_frames=1,
        )
        sampling = (self.config.generation.num_gibbs_steps, self.config.generation.chain_start)
        self._scores = _Reading(
            Traced(lambda frames, lengths: scoring.score(self.model, frames, lengths, *sampling)._asdict(), *sequences_of_frames),
            dict.fromkeys(scoring.SCORES, _floats()) | {"frame_score": _floats(None), "frame_surprise": _floats(None)},
            least_frames=2,
        )
        going_on = (tf.TensorSpec([None], tf.int64, name="frame"), tf.TensorSpec([None, encoder.state_size], tf.float32, name="state"))
        sounding = (
            tf.TensorSpec([None, None, num_visible], tf.float32, name="spectrogram"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        )
        heard = (tf.TensorSpec([None, None], tf.float32, name="known"), tf.TensorSpec([None], tf.int32, name="num_known"))
        audio = tf.TensorSpec([None], tf.string, name="audio_bytes")
        self.generate = endpoint(self._generate, *_SONG)
        self.generate_continue = endpoint(self._generate_continue, *_SONG, *going_on)
        self.generate_audio = endpoint(self._generate_audio, *_SONG)
        self.synthesise = endpoint(self._synthesise, *sounding, *heard)
        self.encode = endpoint(self._encode, *sounding)
        self.score = endpoint(self._score, *sounding)
        self.encode_audio = endpoint(self._encode_audio, audio)
        self.score_audio = endpoint(self._score_audio, audio)
        self.segment_audio = endpoint(self._segment_audio, audio)
        # What several endpoints do, each traced once.
        state = tf.TensorSpec([None, encoder.state_size], tf.float32)
        self._song = Traced(self._sing, *_SONG, tf.TensorSpec([None], tf.int64), state)
        self._samples = Traced(self._hear, tf.TensorSpec([], tf.string))
        self._waveform = Traced(self._sound, _floats(None, num_visible), _floats(None))

    @property
    def signatures(self):
        """Name -> `tf.function` of each endpoint, the default one first."""
        of_songs = ("generate", "generate_continue", "generate_audio", "synthesise")
        names = (*of_songs, "encode", "score", "encode_audio", "score_audio", "segment_audio")
        return {name: getattr(self, name) for name in names}

    # --- songs

    def _generate(self, seed, num_frames, temperature):
        state = self.model.encoder.initial_state(tf.ones(tf.shape(seed), tf.bool))
        return self._song(seed, num_frames, temperature, tf.zeros_like(seed), state)

    def _generate_continue(self, seed, num_frames, temperature, frame, state):
        is_sane = _is_within(state, _SANE_STATE)
        song = self._song(seed, num_frames, temperature, frame, tf.where(is_sane, state, 0.0))
        return song | {"status": tf.where(tf.reduce_all(is_sane, axis=1), int(Status.FINE), int(Status.CLEANED))}

    def _sing(self, seed, num_frames, temperature, frame, state):
        temperature = tf.where((temperature > 0) & tf.math.is_finite(temperature), temperature, DEFAULT_TEMPERATURE)
        num_frames = tf.clip_by_value(num_frames, 0, self.max_frames)
        generation, layout = self.config.generation, self.layout.read()
        frames, state, next_frame = self.model.generate(
            seed,
            num_frames,
            tf.clip_by_value(temperature, *TEMPERATURES),
            state=state,
            first_frame=frame,
            layout=layout,
            num_gibbs_steps=generation.num_gibbs_steps,
            chain_start=generation.chain_start,
            emission_noise=generation.emission_noise,
        )
        shown, silence = (frames, 0.0) if self.scale is None else (self._decibels(frames), -self.scale.dynamic_range_db)
        is_sung = tf.sequence_mask(num_frames, tf.shape(frames)[1])[:, :, tf.newaxis]
        return {
            "spectrogram": tf.where(is_sung, shown, silence),
            "lengths": num_frames,
            "state": state,
            "next_frame": next_frame,
            "layout": tf.fill(tf.shape(seed), layout),
            "status": tf.fill(tf.shape(seed), int(Status.FINE)),
        }

    def _decibels(self, frames):
        """Songs in dB.  [B, T, V] -> [B, T, V]"""
        # A logarithm's last bit depends on whether its number fills a vector with others: filled up, all do, wherever they stand.
        numbers = tf.reshape(frames, [-1])
        whole = tf.pad(numbers, [[0, -tf.size(numbers) % _LONGEST_VECTOR]])
        return tf.reshape(spectrogram.model_frames_to_decibels(whole, self.scale)[: tf.size(numbers)], tf.shape(frames))

    def _generate_audio(self, seed, num_frames, temperature):
        song = self._generate(seed, num_frames, temperature)

        def sound(row):
            decibels, length = row
            waveform = self._waveform(decibels[:length], tf.zeros([0]))
            return {"waveform": waveform, "num_samples": tf.size(waveform), "wav_bytes": wav.encode(waveform, self.sample_rate)}

        specs = {"waveform": _floats(None), "num_samples": _COUNT, "wav_bytes": tf.TensorSpec([], tf.string)}
        return song | each_row(sound, (song["spectrogram"], song["lengths"]), specs) | self._sample_rates(seed)

    def _synthesise(self, decibels, lengths, known, num_known):
        def sound(row):
            decibels, length, known, num_known = row
            status, decibels = self._sane_frames(decibels, length, 1, self.max_frames + _JOINING_FRAMES)
            known = known[: tf.maximum(num_known, 0)]
            is_sane = _is_within(known, _SANE_SAMPLES)
            status = _first_status((status, status > Status.FINE), (Status.CLEANED, ~tf.reduce_all(is_sane)))
            waveform = self._waveform(decibels, tf.where(is_sane, known, 0.0))
            return {"waveform": waveform, "num_samples": tf.size(waveform), "status": status}

        specs = {"waveform": _floats(None), "num_samples": _COUNT, "status": _COUNT}
        lengths = tf.clip_by_value(lengths, 0, tf.shape(decibels)[1])
        hops = tf.fill(tf.shape(lengths), self.config.spectrogram.hop_length)
        answers = each_row(sound, (decibels, lengths, known, num_known), specs)
        return answers | self._sample_rates(lengths) | {"hop_length": hops}

    def _sound(self, decibels, known):
        """The sound of a spectrogram in dB, whose first samples are known.  [L, V], [P] -> float32 [N]"""
        length, settings = tf.shape(decibels)[0], self.config.spectrogram
        # An inverse transform of no frames is an error.
        decibels = tf.pad(decibels, [[0, tf.maximum(1 - length, 0)], [0, 0]], constant_values=-self.scale.dynamic_range_db)
        power = spectrogram.to_power(decibels, self.scale)[tf.newaxis]
        # One frame at least is not known.
        known = known[: synthesis.num_output_samples(tf.shape(decibels)[0], settings) - settings.hop_length][tf.newaxis]
        waveform = synthesis.griffin_lim(power, self.sample_rate, settings, self.config.generation.num_iterations, known=known)[0]
        return waveform[: tf.where(length > 0, tf.size(waveform), 0)]

    def prime(self, power):
        """The model's state after a recording.

        Args:
            power: power spectrogram of the recording, [L, V], L at least 1.

        Returns:
            State, [1, R].
        """
        frames = spectrogram.to_model_frames(power, self.scale)
        return scoring.embed(self.model, frames[tf.newaxis], tf.shape(frames)[:1]).state[tf.newaxis]

    # --- spectrograms

    def _encode(self, decibels, lengths):
        return self._read_spectrograms(self._embedding, decibels, lengths)

    def _score(self, decibels, lengths):
        return self._judged(self._read_spectrograms(self._scores, decibels, lengths))

    def _read_spectrograms(self, reading, decibels, lengths):
        """Each row's frames as one sequence, and the answers padded to as many frames as came in."""
        num_frames = tf.shape(decibels)[1]
        lengths = tf.clip_by_value(lengths, 0, num_frames)

        def read(row):
            status, decibels = self._sane_frames(*row, reading.least_frames, self.max_frames)
            frames = spectrogram.decibels_to_model_frames(decibels, self.scale)
            return reading.function(frames[tf.newaxis], tf.shape(frames)[:1]) | {"status": status}

        answers = each_row(read, (decibels, lengths), reading.specs | {"status": _COUNT})
        for name, spec in reading.specs.items():
            if spec.shape.rank and spec.shape[0] is None:
                missing = num_frames - tf.shape(answers[name])[1]
                answers[name] = tf.pad(answers[name], [[0, 0], [0, missing], *[[0, 0]] * (spec.shape.rank - 1)])
        return answers

    def _sane_frames(self, decibels, length, least_frames, most_frames):
        """A row's `Status`, and its frames, none if they are too many, with silence for numbers that are none."""
        is_too_long = length > most_frames
        decibels = decibels[: tf.where(is_too_long, 0, length)]
        is_sane = _is_within(decibels, _SANE_DECIBELS)
        status = _first_status(
            (Status.TOO_LONG, is_too_long),
            (Status.TOO_SHORT, length < least_frames),
            (Status.CLEANED, ~tf.reduce_all(is_sane)),
        )
        return status, tf.where(is_sane, decibels, -self.scale.dynamic_range_db)

    # --- recordings

    def _encode_audio(self, audio_bytes):
        return self._read_recordings(self._embedding, audio_bytes)

    def _score_audio(self, audio_bytes):
        return self._judged(self._read_recordings(self._scores, audio_bytes))

    def _segment_audio(self, audio_bytes):
        def segment(audio_bytes):
            samples, status = self._samples(audio_bytes)
            onsets, offsets = detector_in_graph.detect(samples, self.sample_rate, self.config.segmentation)
            status = _first_status((status, status > Status.CLEANED), (Status.NO_SOUND, tf.size(onsets) == 0), (status, True))
            return {"onsets": onsets, "offsets": offsets, "num_segments": tf.size(onsets), "status": status}

        specs = {"onsets": _PLACES, "offsets": _PLACES, "num_segments": _COUNT, "status": _COUNT}
        return each_row(segment, audio_bytes, specs) | self._sample_rates(audio_bytes)

    def _read_recordings(self, reading, audio_bytes):
        """The frames of each row's sequences, each sequence from its own beginning."""

        def read(audio_bytes):
            samples, status = self._samples(audio_bytes)
            frames, lengths, frame_onsets = sequences.sequence_frames(
                samples, self.sample_rate, self.scale, self.config, detector=detector_in_graph.detect
            )
            num_frames = tf.shape(frames)[0]
            status = _first_status(
                (status, status > Status.CLEANED),
                (Status.NO_SOUND, num_frames == 0),
                (Status.TOO_SHORT, num_frames < reading.least_frames),
                (status, True),
            )
            apart = tf.RaggedTensor.from_row_lengths(frames, lengths, validate=False)
            answers = reading.function(apart.to_tensor(shape=[None, None, self.model.num_visible]), tf.cast(lengths, tf.int32))
            return answers | {"lengths": num_frames, "frame_onsets": frame_onsets, "status": status}

        return each_row(read, audio_bytes, reading.specs | {"lengths": _COUNT, "frame_onsets": _PLACES, "status": _COUNT})

    def _hear(self, audio_bytes):
        """A recording's samples, none if they are of no use, and its `Status`.  string [] -> float32 [N], int32 []"""
        settings = self.config.spectrogram
        max_samples = synthesis.num_output_samples(self.max_frames, settings)
        audio = self.config.audio
        samples, status = wav.decode(audio_bytes, self.sample_rate, audio.channel, max_samples, audio.time_expansion)
        is_constant = tf.reduce_all(samples == samples[:1])
        status = _first_status(
            (status, status > Status.CLEANED),
            (Status.TOO_SHORT, tf.size(samples) < settings.n_fft),
            (Status.NO_SOUND, is_constant),
            (status, True),
        )
        return samples[: tf.where(status > Status.CLEANED, 0, tf.size(samples))], status

    # --- what several share

    def _judged(self, answers):
        """Scores with, for each of them, whether it lies outside its usual range; rows without an answer are not unusual."""
        judgements = {}
        for name in scoring.SCORES:
            is_outside = ~_is_within(answers[name], getattr(self.usual, name))
            judgements[f"{name}_is_unusual"] = is_outside & (answers["status"] <= Status.CLEANED)
        return answers | judgements | {"is_unusual": tf.reduce_any(tf.stack(list(judgements.values())), axis=0)}

    def _sample_rates(self, rows):
        return {"sample_rate": tf.fill(tf.shape(rows), self.sample_rate)}


def _floats(*shape):
    return tf.TensorSpec(shape, tf.float32)


def _is_within(values, limits):
    """Whether values lie in the closed range; NaN does not."""
    lower, upper = limits
    return (values >= lower) & (values <= upper)


def _first_status(*cases):
    """The `Status` of the first case that holds, FINE if none does; statuses may be tensors.  -> int32 []"""
    first = tf.constant(int(Status.FINE))
    for status, holds in reversed(cases):
        first = tf.where(holds, tf.cast(status, tf.int32), first)
    return first
