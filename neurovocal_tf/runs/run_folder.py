"""The folder of one training run: what is in it, and what later tools need from it.

config.json     every setting
data.json       rate, scale, who trained, who validates, baselines
flags.txt       the same as a flag file
skipped.csv     files that could not be used, with the reason
checkpoint.npz  everything to resume from, the best weights included
model.keras     the best model
history.csv, curves.png, samples_epoch_N.png, tensorboard/
"""

import dataclasses
import json
import os
import typing

from neurovocal_tf import files
from neurovocal_tf.audio.spectrogram import FrameScale, OwnUnit
from neurovocal_tf.config import Config, changed_settings, may_change_on_resume
from neurovocal_tf.data import frame_sequences
from neurovocal_tf.data.found_spans import FoundSpans
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sequence_data import SequenceData
from neurovocal_tf.data.sources import Source


class Parts(typing.NamedTuple):
    """The data of a run, each part a `SequenceData`; `test` is what no epoch was chosen by, of
    recordings those that validate.
    """

    training: SequenceData
    validation: SequenceData
    test: SequenceData


@dataclasses.dataclass(frozen=True)
class DataSummary:
    """What a run's model knows of its recordings, or of its file of frame sequences.

    Attributes:
        data_dir: where the recordings lay, or the file.    sample_rate: Hz; of frame sequences 0.
        scale: `FrameScale`; of frame sequences `OwnUnit`.
        training, validation: tuples of `Source`, their paths relative to the data folder;
            of frame sequences empty.
        training_frames, validation_frames: frames of each sequence.
        baselines: one-step errors of simple predictors on the validation windows.
        num_visible: V of frame sequences; None: as the settings have it.
        lists: what `train_list` and `held_out_list` named, see `split.NamedSplit`.
    """

    data_dir: str
    sample_rate: int
    scale: FrameScale | OwnUnit
    training: tuple[Source, ...]
    validation: tuple[Source, ...]
    training_frames: tuple[int, ...]
    validation_frames: tuple[int, ...]
    baselines: dict[str, float]
    num_visible: int | None = None
    lists: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether there are recordings to hear behind the frames."""
        return self.scale.is_sound

    @property
    def unit(self) -> str:
        """Unit of the model's frames and of its errors."""
        return self.scale.unit

    def parts_in(self, config: Config, data_dir: str | os.PathLike[str] | None = None) -> Parts:
        """The data itself, in `data_dir` or, if None, where it lay.

        Args:
            config: the run's `Config`.
            data_dir: folder of recordings, or .npz file of frame sequences.

        Returns:
            `Parts`.

        Raises:
            ValueError: a folder or a recording is not there any more,
                or the frame sequences are none for this model.
        """
        read = self._recordings_in if self.is_sound else self._splits_in
        return read(config, data_dir or self.data_dir)

    def to_json(self) -> dict[str, typing.Any]:
        """The values of data.json."""
        values = dataclasses.asdict(self)
        if not self.is_sound:
            # Nothing is known of a unit that is the data's own.
            values["scale"] = None
        if not self.lists:
            del values["lists"]
        return values

    def for_export(self) -> dict[str, typing.Any]:
        """What an export says of the recordings behind its model: a dict of JSON values."""
        return {
            "num_training_sources": len(self.training),
            "num_validation_sources": len(self.validation),
            "training_frames": sum(self.training_frames),
            "validation_frames": sum(self.validation_frames),
            "validation_baseline_errors": self.baselines,
            "unit": self.unit,
        }

    def _recordings_in(self, config, data_dir):
        if not os.path.exists(data_dir):
            raise ValueError(
                "`data_dir` must hold the recordings this run began with, and there is no such "
                f"folder. Received: data_dir={data_dir}"
            )
        folder, spans = _folder_of(data_dir), FoundSpans()
        parts = []
        for sources in (self.training, self.validation):
            sources = tuple(
                dataclasses.replace(source, path=os.path.join(folder, source.path))
                for source in sources
            )
            for source in sources:
                if not os.path.isfile(source.path):
                    raise ValueError(
                        "`data_dir` must hold the recordings this run began with, and there is no "
                        f"{source.path}."
                    )
            parts.append(Recordings(sources, self.sample_rate, self.scale, config, spans))
        training, validation = parts
        return Parts(training, validation, test=validation)

    def _splits_in(self, config, path):
        splits = frame_sequences.read_frames(path)
        frame_sequences.check_width(splits, self.num_visible, path)
        frame_sequences.check_values(splits, config.model.visible_units, path)
        return Parts(splits["train"], splits["valid"], splits["test"])


class RunFolder:
    """Paths in a run folder, and its two JSON files."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)

    def file(self, *names: str) -> str:
        """Path of a file in the folder."""
        return os.path.join(self.path, *names)

    @property
    def checkpoint(self) -> str:
        """Path of the checkpoint."""
        return self.file("checkpoint.npz")

    def has_run(self) -> bool:
        """Whether a training run has begun here."""
        return os.path.isfile(self.file("config.json"))

    def check(self, config: Config) -> None:
        """Raises ValueError if the folder holds a run with other settings,
        other than those that may change.
        """
        if not self.has_run():
            return
        for name, before, after in changed_settings(self.config(), config):
            if name not in may_change_on_resume():
                raise ValueError(
                    f"`{name}` cannot change when a run goes on: {self.path} has {name}={before}, "
                    f"received {name}={after}. Use another --workdir; only "
                    f"{', '.join(may_change_on_resume())} may change."
                )

    def write_config(self, config: Config) -> None:
        """Writes config.json, the last thing a run writes before it trains:
        without it there is no run to go on with.
        """
        files.write_text(self.file("config.json"), config.to_json() + "\n")

    def config(self) -> Config:
        """The run's `Config`. Raises ValueError where there is none."""
        if not self.has_run():
            raise ValueError(
                "`workdir` must be a folder that tools/train.py has written, with a config.json. "
                f"Received: workdir={self.path}"
            )
        with open(self.file("config.json"), encoding="utf-8") as file:
            return Config.from_json(file.read())

    def write_data(self, summary: DataSummary) -> None:
        """Writes data.json, with paths relative to the data folder."""
        folder = _folder_of(summary.data_dir)
        values = summary.to_json()
        for part in ("training", "validation"):
            for source in values[part]:
                source["path"] = os.path.relpath(source["path"], folder)
        files.write_json(self.file("data.json"), values)

    def data(self) -> DataSummary | None:
        """The run's `DataSummary`, or None before there is a run."""
        if not self.has_run():
            return None
        with open(self.file("data.json"), encoding="utf-8") as file:
            values = json.load(file)
        return DataSummary(
            data_dir=values["data_dir"],
            sample_rate=values["sample_rate"],
            scale=FrameScale(**values["scale"]) if values["scale"] else OwnUnit(),
            training=tuple(map(_source, values["training"])),
            validation=tuple(map(_source, values["validation"])),
            training_frames=tuple(values["training_frames"]),
            validation_frames=tuple(values["validation_frames"]),
            baselines=values["baselines"],
            num_visible=values["num_visible"],
            lists={setting: tuple(names) for setting, names in values.get("lists", {}).items()},
        )


def _source(values):
    """A `Source` from JSON, whose lists it has as tuples."""
    segments = values.get("segments")
    return Source(
        **values | {"segments": None if segments is None else tuple(map(tuple, segments))}
    )


def _folder_of(data_dir):
    return data_dir if os.path.isdir(data_dir) else os.path.dirname(data_dir)
