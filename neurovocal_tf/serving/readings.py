"""What a trained model makes of sounds that it is given: spectrograms and recordings, row by row.

Contents never raise: what cannot be read is answered as if it were empty,
with a `Status` that says why.
"""

import typing
from collections.abc import Callable, Sequence

import tensorflow as tf

from neurovocal_tf.audio import spectrogram, synthesis, wav
from neurovocal_tf.audio.wav import first_status
from neurovocal_tf.generation.singer import TrainedModel
from neurovocal_tf.generation.traced import Traced
from neurovocal_tf.model import joint_space, scoring
from neurovocal_tf.model.usual_calls import CALL_SCORES, UsualCalls
from neurovocal_tf.segmentation import detector_in_graph, sequences
from neurovocal_tf.serving.rows import each_row, floats, is_within
from neurovocal_tf.status import Status

COUNT, PLACES = tf.TensorSpec([], tf.int32), tf.TensorSpec([None], tf.int64)

# Given calls may overlap, and all their frames together be this many times those of a recording.
_MOST_OVERLAP = 4
# No frame of a model comes near these; what does would make its answer infinite.
_SANE_DECIBELS = (-1e3, 1e2)


def _read_text(space, text, most_letters):
    is_too_long = tf.strings.length(text, unit="UTF8_CHAR") > most_letters
    text = tf.where(is_too_long, "", text)
    is_known = space.are_known(text[tf.newaxis])[0]
    status = first_status(
        (Status.TOO_LONG, is_too_long),
        (Status.NO_TEXT, tf.strings.length(tf.strings.strip(text)) == 0),
        (Status.UNKNOWN_LETTER, ~is_known),
    )
    point = tf.where(is_known, space.read(text[tf.newaxis])[0], 0.0)
    return {"joint_embedding": point, "status": status}


class Reading(typing.NamedTuple):
    """What a model can tell of sequences: `function`(frames [S, L, V], lengths [S]) -> dict as in
    `specs`, of at least `least_frames`; with condition [K] as its last argument where the model has
    conditions.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    specs: dict[str, tf.TensorSpec]
    least_frames: int


class Readings:
    """The readings of a model, `embedding` and `scores`, and how rows come to them.

    Args:
        trained: `runs.trained.Trained`, or whatever has its `model`, `config`,
            `scale` and `sample_rate`, and maybe `space`, by which an embedding has one more.
        max_frames: int; longer spectrograms and recordings, and texts of more letters, are refused
            by their status.
        usual: `scoring.UsualRanges`, for more and more frames.
        usual_calls: `UsualCalls` of one type, for `usual_calls.CALL_SCORES`.
    """

    def __init__(
        self,
        trained: TrainedModel,
        max_frames: int,
        usual: Sequence[scoring.UsualRanges],
        usual_calls: UsualCalls,
    ) -> None:
        self._model, self._config, self._scale, self._sample_rate = (
            trained.model,
            trained.config,
            trained.scale,
            trained.sample_rate,
        )
        self._max_frames = max_frames
        self._usual, self._usual_calls = usual, usual_calls
        model, encoder = self._model, self._model.encoder
        sequences_of_frames = (
            floats(None, None, model.num_visible),
            tf.TensorSpec([None], tf.int32),
        )
        width, space = encoder.embedding_size, getattr(trained, "space", None)

        def embed(frames, lengths, *told):
            found = scoring.embed(model, frames, lengths, *told)._asdict()
            if space is not None:
                found["joint_embedding"] = joint_space.point_of(space, model, frames, lengths)
            return found

        self.embedding = Reading(
            Traced(embed, *sequences_of_frames, *scoring.condition_specs(model)),
            {
                "embedding": floats(width),
                "frame_embedding": floats(None, width),
                "state": floats(encoder.state_size),
                **({} if space is None else {"joint_embedding": floats(space.size)}),
            },
            least_frames=1,
        )
        generation = self._config.generation
        sampling = (
            generation.num_gibbs_steps,
            generation.chain_start,
            generation.num_replicas,
        )
        self.scores = Reading(
            Traced(
                lambda frames, lengths, *told: scoring.score(
                    model, frames, lengths, *sampling, *told
                )._asdict(),
                *sequences_of_frames,
                *scoring.condition_specs(model),
            ),
            dict.fromkeys(scoring.SCORES, floats())
            | {"frame_score": floats(None), "frame_surprise": floats(None)},
            least_frames=2,
        )
        self._score_calls = Traced(
            lambda frames, lengths, firsts, lasts, *told: scoring.score_calls(
                model, frames, lengths, firsts, lasts, *sampling, *told
            ),
            *sequences_of_frames,
            *[tf.TensorSpec([None], tf.int32)] * 2,
            *scoring.condition_specs(model),
        )
        #: A text's point, zero where it cannot be read, and its `Status`, of a model with a space.
        #: string [] -> joint_embedding float32 [J], status int32 []
        self.text = Traced(
            lambda text: _read_text(space, text, max_frames), tf.TensorSpec([], tf.string)
        )
        #: A recording's samples, none if they are of no use, and its `Status`.  string []
        #: -> float32 [N], int32 []
        self.samples = Traced(self._decoded, tf.TensorSpec([], tf.string))

    def read_spectrograms(
        self, reading: Reading, decibels: tf.Tensor, lengths: tf.Tensor, *condition: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Each row's frames as one sequence, under its condition, int32 [B, K], of a model that has
        any; and the answers padded to as many frames as came in.
        """
        num_frames = tf.shape(decibels)[1]
        lengths = tf.clip_by_value(lengths, 0, num_frames)

        def read(row):
            decibels, length, *told = row
            status, decibels = self.sane_frames(
                decibels, length, reading.least_frames, self._max_frames
            )
            frames = spectrogram.decibels_to_model_frames(decibels, self._scale)
            found = reading.function(frames[tf.newaxis], tf.shape(frames)[:1], *told)
            return found | {"status": status}

        rows = (decibels, lengths, *condition)
        answers = each_row(read, rows, reading.specs | {"status": COUNT})
        for name, spec in reading.specs.items():
            if spec.shape.rank and spec.shape[0] is None:
                missing = num_frames - tf.shape(answers[name])[1]
                answers[name] = tf.pad(
                    answers[name], [[0, 0], [0, missing], *[[0, 0]] * (spec.shape.rank - 1)]
                )
        return answers

    def sane_frames(
        self, decibels: tf.Tensor, length: tf.Tensor, least_frames: int, most_frames: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """A row's `Status`, and its frames, none if they are too many,
        with silence for numbers that are none.
        """
        is_too_long = length > most_frames
        decibels = decibels[: tf.where(is_too_long, 0, length)]
        is_sane = is_within(decibels, _SANE_DECIBELS)
        status = first_status(
            (Status.TOO_LONG, is_too_long),
            (Status.TOO_SHORT, length < least_frames),
            (Status.CLEANED, ~tf.reduce_all(is_sane)),
        )
        return status, tf.where(is_sane, decibels, -self._scale.dynamic_range_db)

    def read_recordings(
        self, reading: Reading, audio_bytes: tf.Tensor, *condition: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The frames of each row's sequences, each sequence from its own beginning, under the row's
        condition, int32 [B, K], of a model that has any.
        """

        def read(row):
            audio_bytes, *told = row
            samples, status = self.samples(audio_bytes)
            frames, lengths, frame_onsets = sequences.sequence_frames(
                samples,
                self._sample_rate,
                self._scale,
                self._config,
                detector=detector_in_graph.detect,
            )
            num_frames = tf.shape(frames)[0]
            status = first_status(
                (status, status > Status.CLEANED),
                (Status.NO_SOUND, num_frames == 0),
                (Status.TOO_SHORT, num_frames < reading.least_frames),
                (status, True),
            )
            apart = tf.RaggedTensor.from_row_lengths(frames, lengths, validate=False)
            answers = reading.function(
                apart.to_tensor(shape=[None, None, self._model.num_visible]),
                tf.cast(lengths, tf.int32),
                *told,
            )
            return answers | {"lengths": num_frames, "frame_onsets": frame_onsets, "status": status}

        return each_row(
            read,
            (audio_bytes, *condition),
            reading.specs | {"lengths": COUNT, "frame_onsets": PLACES, "status": COUNT},
        )

    def read_calls(
        self,
        audio_bytes: tf.Tensor,
        onsets: tf.Tensor,
        offsets: tf.Tensor,
        num_calls: tf.Tensor,
        *condition: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """How unusual the calls of each row's recording are where they stand: the first `num_calls`
        between `onsets` and `offsets`, or, where it is negative, those that the detector finds;
        under the row's condition, int32 [B, K], of a model that has any.
        """

        def read(row):
            samples, status = self.samples(row[0])
            onsets, offsets = tf.cond(
                row[3] < 0,
                lambda: detector_in_graph.detect(
                    samples, self._sample_rate, self._config.segmentation
                ),
                lambda: tuple(places[: tf.maximum(row[3], 0)] for places in row[1:3]),
            )
            return self._read_calls(samples, status, onsets, offsets, *row[4:])

        calls = {"onsets": PLACES, "offsets": PLACES, "num_calls": COUNT, "status": COUNT}
        floating = dict.fromkeys((*CALL_SCORES, "p"), floats(None))
        verdicts = {
            "is_unusual": tf.TensorSpec([None], tf.bool),
            "fired": tf.TensorSpec([None], tf.string),
        }
        rows = (audio_bytes, onsets, offsets, num_calls, *condition)
        return each_row(read, rows, calls | floating | verdicts)

    def _read_calls(self, samples, status, onsets, offsets, *told):
        num_samples, num_calls = tf.size(samples, tf.int64), tf.size(onsets)
        is_good = (onsets >= 0) & (onsets < offsets) & (offsets <= num_samples)
        chosen = tf.boolean_mask(tf.range(num_calls), is_good)
        # In time order, as sequences are made of calls.
        chosen = tf.gather(chosen, tf.argsort(tf.gather(onsets, chosen), stable=True))
        begins, ends = (tf.gather(places, chosen) for places in (onsets, offsets))
        frames, lengths, frame_onsets = sequences.sequence_frames(
            samples, self._sample_rate, self._scale, self._config, (begins, ends)
        )
        # Of no frames no call has any.
        kept = tf.where(tf.shape(frames)[0] > 0, tf.size(chosen), 0)
        firsts, lasts, is_heard = sequences.frames_of_calls(
            frame_onsets, begins[:kept], ends[:kept], self._config.spectrogram.n_fft
        )
        are_too_many = tf.reduce_sum(lasts - firsts) > _MOST_OVERLAP * self._max_frames
        is_heard &= ~are_too_many
        chosen, firsts, lasts, begins, ends = (
            tf.boolean_mask(x[:kept], is_heard) for x in (chosen, firsts, lasts, begins, ends)
        )
        apart = tf.RaggedTensor.from_row_lengths(frames, lengths, validate=False)
        found = self._score_calls(
            apart.to_tensor(shape=[None, None, self._model.num_visible]),
            tf.cast(lengths, tf.int32),
            firsts,
            lasts,
            *told,
        )
        found["duration"] = tf.cast(ends - begins, tf.float32) / self._sample_rate
        values = tf.stack([found[name] for name in CALL_SCORES], axis=1)
        judged = self._usual_calls.judge(values, tf.zeros_like(chosen))

        def of_all(values):
            return tf.scatter_nd(chosen[:, tf.newaxis], values, [num_calls])

        fired = of_all(tf.where(judged.is_unusual, judged.fired + 1, 0))
        return {
            **{name: of_all(found[name]) for name in CALL_SCORES},
            # What could not be judged is not unusual.
            "p": 1.0 - of_all(tf.cast(1.0 - judged.p, tf.float32)),
            "is_unusual": of_all(tf.cast(judged.is_unusual, tf.int32)) > 0,
            "fired": tf.gather(tf.constant(["", *CALL_SCORES]), fired),
            "onsets": onsets,
            "offsets": offsets,
            "num_calls": num_calls,
            "status": first_status(
                (status, status > Status.CLEANED),
                (Status.NO_SOUND, num_calls == 0),
                (Status.TOO_LONG, are_too_many),
                (Status.CLEANED, ~tf.reduce_all(is_good)),
                (status, True),
            ),
        }

    def _decoded(self, audio_bytes):
        settings = self._config.spectrogram
        max_samples = synthesis.num_output_samples(self._max_frames, settings)
        audio = self._config.audio
        samples, status = wav.decode(
            audio_bytes,
            self._sample_rate,
            audio.channel,
            max_samples,
            audio.time_expansion,
            audio.float_scale,
        )
        is_constant = tf.reduce_all(samples == samples[:1])
        status = first_status(
            (status, status > Status.CLEANED),
            (Status.TOO_SHORT, tf.size(samples) < settings.n_fft),
            (Status.NO_SOUND, is_constant),
            (status, True),
        )
        return samples[: tf.where(status > Status.CLEANED, 0, tf.size(samples))], status

    def judged(self, answers: dict[str, tf.Tensor], num_frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores with, for each of them, whether it lies outside its usual range over so many
        frames [B]; rows without an answer, or with fewer frames than there are ranges for, are not
        unusual.
        """
        lengths = [ranges.num_frames for ranges in self._usual]
        place = tf.searchsorted(lengths, num_frames, side="right") - 1
        is_judged = (answers["status"] <= Status.CLEANED) & (place >= 0)
        judgements = {}
        for name in scoring.SCORES:
            limits = tf.constant([getattr(ranges, name) for ranges in self._usual], tf.float32)
            own = tf.gather(limits, tf.maximum(place, 0))
            is_outside = ~is_within(answers[name], (own[:, 0], own[:, 1]))
            judgements[f"{name}_is_unusual"] = is_outside & is_judged
        return (
            answers
            | judgements
            | {"is_unusual": tf.reduce_any(tf.stack(list(judgements.values())), axis=0)}
        )
