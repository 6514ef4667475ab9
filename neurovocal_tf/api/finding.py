"""What a model that has learned texts can do: find calls by words, and words by calls."""

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from neurovocal_tf.api import arguments, stretches
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.api.segments import segment
from neurovocal_tf.api.tables import table_of
from neurovocal_tf.generation.singer import MOST_FRAMES
from neurovocal_tf.model import scoring
from neurovocal_tf.model.joint_space import JointSpace, letters_not_in
from neurovocal_tf.model.usual_calls import CALL_SCORES, nothing_known
from neurovocal_tf.runs.trained import Trained
from neurovocal_tf.serving.readings import Readings

_COLUMN = "joint_embedding"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Finding(Trained):
    """A trained model that, where its run has learned `--texts`, has one space of texts and sounds:
    the dot product of two of its points is the larger, up to 1, the more a sound says a text.
    """

    def encode_text(self, texts: str | Iterable[str]) -> pd.DataFrame:
        """The points of texts, of any letters that the texts had which the model has learned.

        Args:
            texts: one text, or several.

        Returns:
            DataFrame with a row for each: its `text`, and `joint_embedding_0` ...
            `joint_embedding_{J-1}`, a unit vector.

        Raises:
            ValueError: the model has learned no texts, or a text is empty or has other letters.
        """
        space, several = self._learned("encode_text"), _texts_of(texts, "texts")
        for text in several:
            check_text(text, space, "texts")
        read = self._readings.text
        points = np.stack([read(text)["joint_embedding"].numpy() for text in several])
        columns = [f"{_COLUMN}_{i}" for i in range(space.size)]
        table = pd.DataFrame(points, columns=columns)
        table.insert(0, "text", several)
        return table

    def encode_audio(
        self, recordings: Any, rate: int | None = None, *, progress: bool = True
    ) -> pd.DataFrame:
        """The points of recordings, or of stretches of them: near texts that they say.

        Args:
            recordings, rate, progress: as of `embed`.

        Returns:
            DataFrame with a row for each recording, or for each row of the table: its `file`
            (`onset_s`, `offset_s`), and `joint_embedding_0` ... as of `encode_text`.

        Raises:
            ValueError: the model has learned no texts, or as of `embed`.
        """
        self._learned("encode_audio")
        return table_of(
            self, self._readings.embedding, (_COLUMN,), recordings, rate, None, progress
        )

    def find(
        self, text: str, recordings: Path | list[Path] | pd.DataFrame, *, progress: bool = True
    ) -> pd.DataFrame:
        """The calls of recordings, those first that say a text.

        Args:
            text: of any letters that the texts had which the model has learned.
            recordings: a file, a folder, a pattern, or a list of them, in which calls are found by
                the settings of the model's run; or a table of `segment`.
            progress: show a bar.

        Returns:
            DataFrame with a row for each call, the nearest first: `file`, `onset_s`, `offset_s`,
            and `score`, the cosine between what it says and the text, -1 to 1.

        Raises:
            ValueError: as of `encode_text` and `encode_audio`, or there is no call.
        """
        check_text(text, self._learned("find"), "text")
        wanted = _points(self.encode_text(text))[0]
        calls = self._calls_of(recordings, progress)
        heard = self.encode_audio(calls, progress=progress)
        found = heard[list(stretches.COLUMNS)].assign(score=_points(heard) @ wanted)
        found = found.sort_values("score", ascending=False, kind="stable", ignore_index=True)
        found.attrs["skipped"] = _skipped(calls, heard)
        return found

    def texts_of(
        self,
        recordings: Any,
        rate: int | None = None,
        *,
        num_texts: int = 3,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Which of the texts that the model has learned each call is nearest to.

        Args:
            recordings: as of `find`; or samples [N] with their `rate` in Hz, as a whole.
            num_texts: how many are told of each call.
            progress: show a bar.

        Returns:
            DataFrame with `num_texts` rows for each call: `file`, `onset_s`, `offset_s` (not of
            samples), `rank` from 1, `text`, and `score` as of `find`.

        Raises:
            ValueError: as of `find`.
        """
        space = self._learned("texts_of")
        num_texts = arguments.count_of(num_texts, "num_texts", 1, 100_000)
        if not arguments.is_samples(recordings) or isinstance(recordings, pd.DataFrame):
            recordings = self._calls_of(recordings, progress)
        heard = self.encode_audio(recordings, rate, progress=progress)
        scores = _points(heard) @ _points(self.encode_text(space.texts)).T
        nearest = np.argsort(-scores, axis=1, kind="stable")[:, :num_texts]
        told = heard[[name for name in stretches.COLUMNS if name in heard]]
        found = told.loc[told.index.repeat(nearest.shape[1])].reset_index(drop=True)
        found["rank"] = np.tile(np.arange(1, nearest.shape[1] + 1), len(heard))
        found["text"] = np.array(space.texts, object)[nearest.ravel()]
        found["score"] = np.take_along_axis(scores, nearest, axis=1).ravel()
        found.attrs["skipped"] = _skipped(recordings, heard)
        return found

    def _calls_of(self, recordings, progress):
        if isinstance(recordings, pd.DataFrame):
            return stretches.checked(recordings)
        calls = segment(recordings, self.config, progress=progress)
        if not len(calls):
            raise ValueError(
                "`recordings` must have a call at least, by the settings of the model's run. "
                "Received: none"
            )
        return calls[list(stretches.COLUMNS)]

    def _learned(self, verb: str) -> JointSpace:
        if self.space is None:
            raise ValueError(
                f"`{verb}` needs a model whose run has learned texts: `neurovocal train` with "
                "--texts lets it, the command of a run that has ended, too."
            )
        return self.space

    @functools.cached_property
    def _readings(self) -> Readings:
        return Readings(self, MOST_FRAMES, scoring.EVERYTHING_USUAL, nothing_known(CALL_SCORES))


def check_text(text: str, space: JointSpace, argument: str) -> None:
    """Raises ValueError for a text that is empty, or of letters that the space has never seen."""
    if not text.strip():
        raise ValueError(f"`{argument}` must have a letter at least. Received: {argument}={text!r}")
    unseen = letters_not_in(text, space)
    if unseen:
        raise ValueError(
            f"`{argument}` must be of letters that the model has read, {space.letters!r}. "
            f"Received: {argument}={text}, and {unseen!r} it has not"
        )


def _texts_of(texts: Any, argument: str) -> list[str]:
    several = [texts] if isinstance(texts, str) else list(texts)
    if not several or not all(isinstance(text, str) for text in several):
        raise ValueError(
            f"`{argument}` must be a text, or a list of them. Received: {argument}={texts!r}"
        )
    return several


def _skipped(calls: Any, heard: pd.DataFrame) -> dict[str, str]:
    """What could not be used, for calls to be found or for these to be heard."""
    before = calls.attrs.get("skipped", {}) if isinstance(calls, pd.DataFrame) else {}
    return {**before, **heard.attrs["skipped"]}


def _points(table: pd.DataFrame) -> np.ndarray:
    """[N, J]"""
    return table.filter(regex=f"^{_COLUMN}_").to_numpy(np.float32)
