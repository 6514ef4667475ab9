"""A trained model's endpoints: batch-major functions that the tools call as they are and the
exported SavedModel holds.

A row's answer depends on nothing but the row, bit for bit on one kind of machine: songs are sung in
tiles whose layout is verified there (see `tiling`), and all else is done row by row, each at its
own length. Contents never raise: limits are kept in the graph, and every row has a `status`. Only
shapes are refused.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from neurovocal_tf.audio import wav
from neurovocal_tf.audio.wav import first_status
from neurovocal_tf.discovery.phone_units import PhoneUnits
from neurovocal_tf.generation.singer import DEFAULT_MAX_FRAMES, Singer, TrainedModel
from neurovocal_tf.model import scoring
from neurovocal_tf.model.joint_space import JointSpace
from neurovocal_tf.model.usual_calls import CALL_SCORES, UsualCalls, nothing_known
from neurovocal_tf.segmentation import detector_in_graph
from neurovocal_tf.serving.conversions import Conversions
from neurovocal_tf.serving.readings import COUNT, PLACES, Readings
from neurovocal_tf.serving.rows import each_row, endpoint, floats, is_within
from neurovocal_tf.serving.sung_texts import SungTexts
from neurovocal_tf.serving.told_conditions import blends_of_rows, numbers_of_rows, specs_of
from neurovocal_tf.status import Status

# No state and no sample of a model comes near these; what does would make its answer infinite.
_SANE_STATE = (-1e4, 1e4)
_SANE_SAMPLES = (-1e3, 1e3)
# Of a row that is answered as if it were empty.
_EMPTIED = ("num_frames", "lengths", "audio_bytes", "text")
# To a block of a song come frames of the one before when it is to sound.
_JOINING_FRAMES = 64


class Endpoints:
    """`signatures`, a dict of `tf.function`s that take and return tensors with one row for each of
    B callers; each is an attribute, too.

    Shapes: V bins, R state, E embedding, T the longest row's frames, N its samples, S its segments.
    `status` int32 [B], a `Status`, is among the outputs of all. Where the model has conditions,
    all but generate_continue, synthesise, encode_text and segment_audio take condition string
    [B, K] and condition_number int32 [B, K], too, see `told_conditions`; a state has its own.

    generate           seed int64 [B], num_frames int32 [B], temperature float32 [B] -> spectrogram
                       float32 [B, T, V] in dB, lengths int32 [B], state float32 [B, R], next_frame
                       int64 [B], layout int32 [B], the `tiling.Layout` in which this machine sings.
                       A temperature not above 0, or NaN, means the default, 1
    generate_continue  the same, frame int64 [B], state float32 [B, R] -> the same: the song goes on
                       from that state and frame
    generate_audio     as generate -> the same, waveform float32 [B, N], num_samples int32 [B],
                       sample_rate int32 [B] in Hz, wav_bytes string [B], 16 bit
    generate_text      of a model with labels: text string [B], seed, temperature -> as
                       generate_audio, and what is sung when: labels string [B, M], onsets, offsets
                       int64 [B, M] in samples, num_labels int32 [B], see `sung_texts`
    convert_audio      of a model with conditions and units: audio_bytes string [B], seed,
                       temperature -> as generate_audio: what is said, by the voice of the
                       condition; of these it takes any number, M, of which num_named int32 [B]
                       are a row's own, and shares float32 [B, M], by which values of one are mixed
    synthesise         spectrogram float32 [B, T, V] in dB, lengths int32 [B], known float32 [B, P],
                       num_known int32 [B] -> waveform float32 [B, N], num_samples, sample_rate,
                       hop_length int32 [B]: the sound of frames, whose first num_known samples have
                       sounded already (see `griffin_lim`), so that blocks of a song join
    encode             spectrogram float32 [B, T, V] in dB, lengths int32 [B] -> embedding float32
                       [B, E], frame_embedding [B, T, E], state float32 [B, R], which primes
                       generate_continue
    score              the same -> score, order_score, surprise float32 [B], frame_score,
                       frame_surprise [B, T] (see `scoring`); is_unusual bool [B], and which of the
                       three says so: score_, order_score_ and surprise_is_unusual bool [B], each by
                       what pieces of held-out recordings of about as many frames have
    encode_text        text string [B] -> joint_embedding float32 [B, J], unit vectors. Only of a
                       model that has learned texts, whose encode and encode_audio give
                       joint_embedding [B, J], too: of what a sound says, near texts that say it
    encode_audio,      audio_bytes string [B], WAV files -> as encode and score, lengths int32 [B],
    score_audio        and frame_onsets int64 [B, T], the first sample of each frame; the frames are
                       those of the recording's sequences, one after another
    segment_audio      audio_bytes string [B] -> onsets, offsets int64 [B, S] in samples,
                       num_segments int32 [B], sample_rate int32 [B]
    score_calls_audio  audio_bytes string [B], onsets, offsets int64 [B, S] in samples at the
                       model's rate, num_calls int32 [B], how many are the row's own; negative:
                       those that segment_audio finds -> onsets, offsets, num_calls, sample_rate;
                       score, order_score, surprise, duration float32 [B, S], of each call over its
                       own frames, read in its context; p float32 [B, S], the share of held-out
                       calls against which as much counts; is_unusual bool [B, S], and fired string
                       [B, S], by which of the four (see `usual_calls`). A call that is none, or
                       shorter than a window, has scores of 0 and a p of 1

    Args:
        trained: `trained.Trained`, or whatever has its `model`, `config`, `scale` and
            `sample_rate`. A model of frame sequences, whose `scale` is an `OwnUnit`, has `generate`
            and `generate_continue` alone, and their spectrograms are the frames themselves.
            Its `space`, a `JointSpace`, is what texts are read by.
        max_frames: int; a longer song is cut to it,
            a longer spectrogram or recording refused by its status.
        usual: `scoring.UsualRanges`, for more and more frames; what has fewer is not judged.
        usual_calls: `UsualCalls` of one type, for `usual_calls.CALL_SCORES`; None: nothing is
            known, and no call is unusual.
        units: `PhoneUnits` that the model's labels are; None: they are none.
    """

    def __init__(
        self,
        trained: TrainedModel,
        max_frames: int = DEFAULT_MAX_FRAMES,
        usual: Sequence[scoring.UsualRanges] = scoring.EVERYTHING_USUAL,
        usual_calls: UsualCalls | None = None,
        units: PhoneUnits | None = None,
    ) -> None:
        self.model = trained.model
        self.config = trained.config
        self.scale = trained.scale
        self.sample_rate = trained.sample_rate
        self.space: JointSpace | None = getattr(trained, "space", None)
        self.max_frames = max_frames
        self.usual = usual
        self.usual_calls = usual_calls or nothing_known(CALL_SCORES)
        self.units = units
        self.singer = Singer(trained, max_frames)
        self._readings = Readings(trained, max_frames, usual, self.usual_calls)

        def rows(name, dtype, *shape):
            return tf.TensorSpec([None, *shape], dtype, name=name)

        song = rows("seed", tf.int64), rows("num_frames", tf.int32), rows("temperature", tf.float32)
        continuation = (
            rows("frame", tf.int64),
            rows("state", tf.float32, self.model.encoder.state_size),
        )
        spectrogram = (
            rows("spectrogram", tf.float32, None, self.model.num_visible),
            rows("lengths", tf.int32),
        )
        known = rows("known", tf.float32, None), rows("num_known", tf.int32)
        audio = rows("audio_bytes", tf.string)
        self.generate = self._under(self._generate, *song)
        self.generate_continue = endpoint(self._generate_continue, *song, *continuation)
        self.generate_audio = self._under(self._generate_audio, *song)
        if self.model.labels:
            texts = SungTexts(self.singer)
            self.generate_text = self._under(
                lambda *row: self._sounding(texts.sing(*row), row[1]),
                rows("text", tf.string),
                song[0],
                song[2],
            )
        if units is not None and self.model.conditions:
            conversions = Conversions(self.singer, units, self._readings.samples)
            self.convert_audio = self._under(
                lambda *row: self._sounding(conversions.convert(*row), row[1]),
                audio,
                song[0],
                song[2],
                mixed=True,
            )
        self.synthesise = endpoint(self._synthesise, *spectrogram, *known)
        self.encode = self._under(self._encode, *spectrogram)
        self.score = self._under(self._score, *spectrogram)
        self.encode_audio = self._under(self._encode_audio, audio)
        self.score_audio = self._under(self._score_audio, audio)
        self.segment_audio = endpoint(self._segment_audio, audio)
        places = rows("onsets", tf.int64, None), rows("offsets", tf.int64, None)
        if self.space is not None:
            self.encode_text = endpoint(self._encode_text, rows("text", tf.string))
        self.score_calls_audio = self._under(
            self._score_calls_audio, audio, *places, rows("num_calls", tf.int32)
        )

    @property
    def signatures(self) -> "dict[str, tf.types.experimental.PolymorphicFunction]":
        """Name -> `tf.function` of each endpoint, the default one first."""
        of_songs = ("generate", "generate_continue", "generate_audio", "synthesise")
        of_songs += ("generate_text",) * bool(self.model.labels)
        of_songs += ("convert_audio",) * hasattr(self, "convert_audio")
        of_sounds = ("encode", "score", "encode_audio", "score_audio", "segment_audio")
        of_texts = () if self.space is None else ("encode_text",)
        names = (*of_songs, *of_sounds, "score_calls_audio", *of_texts)
        return {name: getattr(self, name) for name in names}

    def _under(
        self,
        function: Callable[..., dict[str, tf.Tensor]],
        *specs: tf.TensorSpec,
        mixed: bool = False,
    ) -> "tf.types.experimental.PolymorphicFunction":
        """The endpoint of a function that takes rows, and last their condition, int32 [B, K], where
        the model has conditions: callers name these. One whose values may be `mixed` takes their
        shares, too, float32 [B, N].
        """
        known = self.model.conditions
        if not known:
            return endpoint(function, *specs)

        def under(*rows):
            told = blends_of_rows if mixed else numbers_of_rows
            *numbers, is_known = told(known, *rows[len(specs) :])
            kept = [
                tf.where(is_known, row, tf.zeros_like(row)) if spec.name in _EMPTIED else row
                for row, spec in zip(rows, specs, strict=False)
            ]
            answers = function(*kept, *numbers)
            status = tf.where(is_known, answers["status"], int(Status.UNKNOWN_CONDITION))
            return answers | {"status": status}

        return endpoint(under, *specs, *specs_of(known, mixed))

    # --- songs

    def _generate(self, seed, num_frames, temperature, condition=None):
        return self.singer.generate(seed, num_frames, temperature, condition=condition) | {
            "status": tf.fill(tf.shape(seed), int(Status.FINE))
        }

    def _generate_continue(self, seed, num_frames, temperature, frame, state):
        is_sane = is_within(state, _SANE_STATE)
        song = self.singer.generate(
            seed, num_frames, temperature, frame, tf.where(is_sane, state, 0.0)
        )
        return song | {
            "status": tf.where(
                tf.reduce_all(is_sane, axis=1), int(Status.FINE), int(Status.CLEANED)
            )
        }

    def _generate_audio(self, seed, num_frames, temperature, condition=None):
        return self._sounding(self._generate(seed, num_frames, temperature, condition), seed)

    def _sounding(self, song, seed):
        """Songs, and their sound."""

        def sound(row):
            decibels, length = row
            waveform = self.singer.sound(decibels[:length])
            return {
                "waveform": waveform,
                "num_samples": tf.size(waveform),
                "wav_bytes": wav.encode(waveform, self.sample_rate),
            }

        specs = {
            "waveform": floats(None),
            "num_samples": COUNT,
            "wav_bytes": tf.TensorSpec([], tf.string),
        }
        return (
            song
            | each_row(sound, (song["spectrogram"], song["lengths"]), specs)
            | self._sample_rates(seed)
        )

    def _synthesise(self, decibels, lengths, known, num_known):
        def sound(row):
            decibels, length, known, num_known = row
            status, decibels = self._readings.sane_frames(
                decibels, length, 1, self.max_frames + _JOINING_FRAMES
            )
            known = known[: tf.maximum(num_known, 0)]
            is_sane = is_within(known, _SANE_SAMPLES)
            status = first_status(
                (status, status > Status.FINE), (Status.CLEANED, ~tf.reduce_all(is_sane))
            )
            waveform = self.singer.sound(decibels, tf.where(is_sane, known, 0.0))
            return {"waveform": waveform, "num_samples": tf.size(waveform), "status": status}

        specs = {"waveform": floats(None), "num_samples": COUNT, "status": COUNT}
        lengths = tf.clip_by_value(lengths, 0, tf.shape(decibels)[1])
        hops = tf.fill(tf.shape(lengths), self.config.spectrogram.hop_length)
        answers = each_row(sound, (decibels, lengths, known, num_known), specs)
        return answers | self._sample_rates(lengths) | {"hop_length": hops}

    # --- spectrograms and recordings

    def _encode(self, decibels, lengths, *told):
        return self._readings.read_spectrograms(self._readings.embedding, decibels, lengths, *told)

    def _score(self, decibels, lengths, *told):
        return self._readings.judged(
            self._readings.read_spectrograms(self._readings.scores, decibels, lengths, *told),
            tf.minimum(lengths, tf.shape(decibels)[1]),
        )

    def _encode_audio(self, audio_bytes, *told):
        return self._readings.read_recordings(self._readings.embedding, audio_bytes, *told)

    def _encode_text(self, texts):
        specs = {"joint_embedding": floats(self.space.size), "status": COUNT}
        return each_row(self._readings.text, texts, specs)

    def _score_audio(self, audio_bytes, *told):
        answers = self._readings.read_recordings(self._readings.scores, audio_bytes, *told)
        return self._readings.judged(answers, answers["lengths"])

    def _segment_audio(self, audio_bytes):
        def segment(audio_bytes):
            samples, status = self._readings.samples(audio_bytes)
            onsets, offsets = detector_in_graph.detect(
                samples, self.sample_rate, self.config.segmentation
            )
            status = first_status(
                (status, status > Status.CLEANED),
                (Status.NO_SOUND, tf.size(onsets) == 0),
                (status, True),
            )
            return {
                "onsets": onsets,
                "offsets": offsets,
                "num_segments": tf.size(onsets),
                "status": status,
            }

        specs = {"onsets": PLACES, "offsets": PLACES, "num_segments": COUNT, "status": COUNT}
        return each_row(segment, audio_bytes, specs) | self._sample_rates(audio_bytes)

    def _score_calls_audio(self, audio_bytes, onsets, offsets, num_calls, *told):
        answers = self._readings.read_calls(audio_bytes, onsets, offsets, num_calls, *told)
        return answers | self._sample_rates(audio_bytes)

    def _sample_rates(self, rows):
        return {"sample_rate": tf.fill(tf.shape(rows), self.sample_rate)}
