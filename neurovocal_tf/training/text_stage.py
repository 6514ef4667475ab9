"""Texts and sounds in one space, learned when the model itself is trained and stays as it is.

texts.keras              the space, of the best update by the held-out calls
texts_KEY.npz            while it is learned: everything to go on from
"""

import glob
import hashlib
import json
import os
from collections.abc import Callable, Sequence

import keras
import numpy as np
import scipy.special
import tensorflow as tf

from neurovocal_tf import files
from neurovocal_tf.config import Config
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.said_calls import SaidCall, said_calls, text_of, with_texts
from neurovocal_tf.model.joint_space import (
    JointSpace,
    contrastive_loss,
    features_of,
    num_features,
)
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.model.spoken_otherwise import spoken_otherwise
from neurovocal_tf.rbm import noise
from neurovocal_tf.runs import checkpoint, text_space
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.training.preparation import TrainingData

_BATCH_SIZE, _UPDATES_A_ROUND, _PATIENCE_ROUNDS = 64, 20, 15
_LEARNING_RATE, _WEIGHT_DECAY = 2e-3, 1e-2
_MOST_HELD_OUT = 1000
_KEY_SIZE = 6  # bytes, of a checkpoint's name


class TextStage:
    """What is said in a run's recordings, looked up before the model trains, since what is missing
    must be told at once; and `learn`, for when it has trained.

    Args:
        config, data, folder: of the run.    data_dir: where its recordings lie.
        report: called with lines for the user.

    Raises:
        ValueError: the settings of texts do not fit the recordings.
    """

    def __init__(
        self,
        config: Config,
        data: TrainingData,
        data_dir: str | os.PathLike[str],
        folder: RunFolder,
        report: Callable[[str], object],
    ) -> None:
        self._config, self._folder, self._report = config, folder, report
        if not isinstance(data.trained_on, Recordings) or not isinstance(data.held_out, Recordings):
            raise ValueError(
                "`texts` must be left out for frame sequences, in which nobody says anything. "
                f"Received: texts={config.texts.texts}"
            )
        parts = [data.trained_on, data.held_out]
        (self._training, self._held_out), notes = with_texts(parts, data_dir, config)
        labels = self._training.labels.known
        self._texts = tuple(sorted({text_of(label, config) for label in labels}))
        if len(self._texts) < 2 or "" in self._texts:
            raise ValueError(
                "`texts` must give the recordings that train two texts at least, none of them "
                f"empty. Received: texts={config.texts.texts}, which gives "
                f"{', '.join(self._texts)}"
            )
        if not {text_of(label, config) for label in self._held_out.labels.known} & {*self._texts}:
            raise ValueError(
                "`texts` must give the held-out recordings one text at least that trains, by which "
                f"the best update is chosen. Received: texts={config.texts.texts}"
            )
        unheard = set(config.texts.spelling_of) - set(labels)
        if unheard:
            raise ValueError(
                "`spellings` must be LABEL=TEXT of labels that are there: "
                f"{self._training.labels.told}. "
                f"Received: spellings={config.texts.spellings}, and {sorted(unheard)[0]} is none"
            )
        for note in notes:
            report(note)

    def learn(self, model: RNNRBM) -> None:
        """Learns the space over a model's encoder, or goes on with it, and writes texts.keras; one
        that is there already, of these texts and weights, stays.
        """
        config, seed = self._config, self._config.training.seed
        space = JointSpace(
            num_features(model),
            self._texts,
            seed=seed,
            of_weights=checkpoint.digest_of(model.variables),
            name="joint_space",
        )
        there = text_space.read(self._folder, model)
        if there is not None and there.get_config() == space.get_config():
            self._report(
                f"{self._folder.file(text_space.FILE)} is of these texts and weights, and stays"
            )
            return
        training = said_calls(self._training, config, seed)
        held_out = [
            call for call in said_calls(self._held_out, config, seed) if call.text in self._texts
        ]
        held_out = held_out[:: len(held_out) // _MOST_HELD_OUT + 1]
        self._report(
            f"texts: {len(training)} calls of {len(self._texts)} texts train, {len(held_out)} "
            "held-out ones choose"
        )
        if not held_out:
            raise ValueError(
                "`texts` must be said by calls that are held out, too, by which the best update is "
                f"chosen. Received: texts={config.texts.texts}, and no frames of theirs"
            )
        best = self._fitted(space, model, training, held_out)
        for variable, array in zip(space.variables, best.weights, strict=True):
            variable.assign(array)
        with files.replacing(self._folder.file(text_space.FILE)) as temporary:
            space.save(temporary)
        self._remove_checkpoints()
        right = _Batches(model, space).right_first(held_out)
        self._report(
            f"texts: update {best.epoch * _UPDATES_A_ROUND} is kept: the right text is the nearest "
            f"to {right:.3f} of the held-out calls (chance {1 / len(self._texts):.3f})"
        )

    def _fitted(self, space, model, training, held_out):
        rounds = -(-self._config.texts.text_updates // _UPDATES_A_ROUND)
        space.compile(
            keras.optimizers.AdamW(_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, clipnorm=1.0)
        )
        space.optimizer.build(space.trainable_variables)
        batches, best, history = _Batches(model, space), checkpoint.BestWeights(), []
        path = self._checkpoint(space)
        if os.path.exists(path):
            found = checkpoint.read(path)
            found.restore(space, best)
            history = found.history
            self._report(f"texts: going on after update {found.epoch * _UPDATES_A_ROUND}")
        while len(history) < rounds and len(history) < best.epoch + _PATIENCE_ROUNDS:
            done = len(history)
            space.optimizer.learning_rate = _LEARNING_RATE * (1.0 - done / rounds)
            costs = [
                batches.update(training, done * _UPDATES_A_ROUND + number)
                for number in range(_UPDATES_A_ROUND)
            ]
            error = batches.error(held_out)
            history.append({"loss": float(np.mean(costs)), "val_loss": error})
            best.offer([np.asarray(v) for v in space.variables], error, done + 1, 0)
            checkpoint.save(path, space, done + 1, best, history)
        return best

    def _checkpoint(self, space):
        """Of these texts, calls and weights; another's is no beginning."""
        calls = [self._training.sources, self._held_out.sources]
        told = json.dumps(space.get_config(), sort_keys=True, default=str) + repr(calls)
        key = hashlib.blake2b(told.encode(), digest_size=_KEY_SIZE).hexdigest()
        return self._folder.file(f"texts_{key}.npz")

    def _remove_checkpoints(self):
        # By their keys, so that a user's own texts_mine.npz stays.
        pattern = f"texts_{'[0-9a-f]' * 2 * _KEY_SIZE}*.npz"
        for path in glob.glob(os.path.join(glob.escape(self._folder.path), pattern)):
            os.unlink(path)


class _Batches:
    """Updates and readings of a space over an encoder that stays as it is."""

    def __init__(self, model: RNNRBM, space: JointSpace) -> None:
        self._space = space
        frames = tf.TensorSpec([None, None, model.num_visible], tf.float32)
        lengths, texts = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.string)

        def update(frames, lengths, texts, step):
            stream = noise.BatchStream(tf.constant(space.seed), step)
            frames, lengths = spoken_otherwise(model.standardisation(frames), lengths, stream)
            features = features_of(model, frames)
            mask = tf.sequence_mask(lengths, tf.shape(frames)[1])
            is_same = texts[:, tf.newaxis] == texts
            with tf.GradientTape() as tape:
                points = space.sounds(features, mask, stream), space.read(texts, stream)
                cost = contrastive_loss(*points, is_same, space.scale)
            variables = space.trainable_variables
            space.optimizer.apply(tape.gradient(cost, variables), variables)
            return cost

        def sounds(frames, lengths):
            features = features_of(model, model.standardisation(frames))
            return space.sounds(features, tf.sequence_mask(lengths, tf.shape(frames)[1]))

        step = tf.TensorSpec([], tf.int32)
        self._update = tf.function(
            update, input_signature=[frames, lengths, texts, step], autograph=False
        )
        self._sounds = tf.function(sounds, input_signature=[frames, lengths], autograph=False)

    def update(self, calls: Sequence[SaidCall], step: int) -> float:
        """One update on calls drawn by the seed and the step, every text as likely, and of what is
        around each a part.
        """
        rng = np.random.default_rng([self._space.seed, step])
        of_text: dict[str, list[SaidCall]] = {}
        for call in calls:
            of_text.setdefault(call.text, []).append(call)
        texts = sorted(of_text)
        drawn = []
        for number in rng.integers(len(texts), size=_BATCH_SIZE).tolist():
            some = of_text[texts[number]]
            call = some[int(rng.integers(len(some)))]
            begin = int(rng.integers(call.first + 1))
            end = int(rng.integers(call.last, len(call.frames) + 1))
            drawn.append(call._replace(frames=call.frames[begin:end], first=0, last=end - begin))
        texts = tf.constant([call.text for call in drawn])
        return float(self._update(*_padded(drawn), texts, tf.constant(step)))

    def error(self, calls: Sequence[SaidCall]) -> float:
        """How badly calls tell their texts among all that are known, mean nats."""
        logits, right = self._logits(calls)
        shares = scipy.special.log_softmax(logits, axis=1)
        return float(-np.mean(shares[np.arange(len(right)), right]))

    def right_first(self, calls: Sequence[SaidCall]) -> float:
        """The share of calls whose text is the nearest of all."""
        logits, right = self._logits(calls)
        return float(np.mean(np.argmax(logits, axis=1) == right))

    def _logits(self, calls):
        points = np.concatenate(
            [
                self._sounds(*_padded(calls[i : i + _BATCH_SIZE])).numpy()
                for i in range(0, len(calls), _BATCH_SIZE)
            ]
        )
        texts = self._space.read(tf.constant(self._space.texts)).numpy()
        places = {text: place for place, text in enumerate(self._space.texts)}
        scale = float(self._space.scale)
        right = np.array([places[call.text] for call in calls])
        return scale * points @ texts.T, right


def _padded(calls):
    """The calls' own frames [B, T, V], and how many, int32 [B]."""
    lengths = np.array([call.last - call.first for call in calls], np.int32)
    frames = np.zeros((len(calls), lengths.max(), calls[0].frames.shape[1]), np.float32)
    for row, call in enumerate(calls):
        frames[row, : lengths[row]] = call.own_frames
    return frames, lengths
