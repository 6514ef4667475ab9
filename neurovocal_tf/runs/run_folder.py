"""The folder of one training run: what is in it, and what later tools need from it.

config.json            every setting
data.json              rate, scale, who trained, who validates, what they were, baselines
flags.txt              the settings as a flag file
skipped.csv            files that could not be used, with the reason
checkpoint.npz         everything to resume from, the best weights and both JSON files included
checkpoint_before.npz  the one before it
model.keras            the best model
story.txt              which epoch is kept, and why
history.csv, curves.png, samples_epoch_N.png, tensorboard/
"""

import dataclasses
import json
import math
import os
import textwrap
import typing

from neurovocal_tf import files
from neurovocal_tf.audio import listing
from neurovocal_tf.audio.identity import Identity
from neurovocal_tf.audio.spectrogram import FrameScale, OwnUnit, PianoKeys
from neurovocal_tf.conditions import NO_CONDITIONS, Conditions
from neurovocal_tf.config import Config, changed_settings, may_change_on_resume
from neurovocal_tf.data import frame_sequences
from neurovocal_tf.data.found_spans import FoundSpans
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sequence_data import SequenceData
from neurovocal_tf.data.sources import Source
from neurovocal_tf.data.watch import check_same
from neurovocal_tf.labels import NO_LABELS, Labels


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
        data_dir: what `listing.look_at` was given, or the file of frame sequences.
        sample_rate: Hz; of frame sequences 0.
        scale: `FrameScale`; of frame sequences `OwnUnit`, or `PianoKeys`.
        training, validation: tuples of `Source`, their paths relative to the data folder;
            of frame sequences empty.
        training_frames, validation_frames: frames of each sequence, share after share.
        baselines: one-step errors of simple predictors on the validation windows.
        num_visible: V of frame sequences; None: as the settings have it.
        lists: what `train_list` and `held_out_list` named, see `split.NamedSplit`.
        others: names of the recordings that took no part, relative to the data folder; None in runs
            of earlier versions.
        frames_digest: `frame_sequences.digest_of` the frame sequences; None: of recordings, or in
            runs of earlier versions.
        num_training, num_validation: sequences of each share, see `data.shares`; None: there is one
            share.
        conditions: `Conditions` of those that train.
        labels: `Labels` along time of those that train, and how long they last.
        started_from: of the model that the run began with, its `path`, a digest of its `weights`,
            and their `epoch` where it is known; None: it began with fresh ones.
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
    others: tuple[str, ...] | None = None
    frames_digest: str | None = None
    num_training: tuple[int, ...] | None = None
    num_validation: tuple[int, ...] | None = None
    conditions: Conditions = NO_CONDITIONS
    labels: Labels = NO_LABELS
    started_from: dict[str, typing.Any] | None = None

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
            ValueError: a folder or a recording is not there any more or is another one,
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
        if isinstance(self.scale, PianoKeys):
            values["frames_are"] = frame_sequences.PIANO_KEYS
        values["conditions"] = self.conditions.to_json()
        values["labels"] = self.labels.to_json() if self.labels else {}
        for name in ("lists", "conditions", "labels"):
            if not values[name]:
                del values[name]
        for name in ("others", "frames_digest", "num_training", "num_validation", "started_from"):
            if values[name] is None:
                del values[name]
        return values

    @classmethod
    def from_json(cls, values: dict[str, typing.Any]) -> "DataSummary":
        """Inverse of `to_json`, for the files of earlier versions too.

        Raises an exception of any kind where the values are not such.
        """
        scale, others = values["scale"], values.get("others")
        summary = cls(
            data_dir=_a(str, values["data_dir"]),
            sample_rate=_count(values["sample_rate"]),
            scale=FrameScale(**scale) if scale else _own_unit(values.get("frames_are")),
            training=tuple(map(_source, values["training"])),
            validation=tuple(map(_source, values["validation"])),
            training_frames=tuple(map(_count, values["training_frames"])),
            validation_frames=tuple(map(_count, values["validation_frames"])),
            baselines={name: _number(error) for name, error in values["baselines"].items()},
            num_visible=values["num_visible"] and _count(values["num_visible"]),
            lists={setting: _names(names) for setting, names in values.get("lists", {}).items()},
            others=None if others is None else _names(others),
            frames_digest=values.get("frames_digest"),
            num_training=_counts(values.get("num_training")),
            num_validation=_counts(values.get("num_validation")),
            conditions=Conditions.from_json(values.get("conditions", {})),
            labels=Labels.from_json(values.get("labels", {})),
            started_from=values.get("started_from"),
        )
        sources = summary.training + summary.validation
        if {len(source.conditions) for source in sources} - {len(summary.conditions)}:
            raise ValueError("its recordings and their conditions contradict each other")
        if summary.is_sound != bool(summary.sample_rate and summary.training):
            raise ValueError("its recordings and their rate contradict each other")
        if not (summary.training_frames and summary.validation_frames):
            raise ValueError("it names nothing that trains or validates")
        return summary

    def for_export(self) -> dict[str, typing.Any]:
        """What an export says of the recordings behind its model: a dict of JSON values."""
        return {
            "num_training_sources": len(self.training),
            "num_validation_sources": len(self.validation),
            "training_frames": sum(self.training_frames),
            "validation_frames": sum(self.validation_frames),
            "validation_baseline_errors": self.baselines,
            "unit": self.unit,
            **({"started_from": self.started_from} if self.started_from else {}),
        }

    def _recordings_in(self, config, data_dir):
        if not (os.path.exists(data_dir) or listing.is_pattern(data_dir)):
            raise ValueError(
                "`data_dir` must hold the recordings this run began with, and there is no such "
                f"folder. Received: data_dir={data_dir}"
            )
        folder, spans = listing.folder_of(data_dir), FoundSpans()
        parts = []
        for sources in (self.training, self.validation):
            sources = tuple(
                dataclasses.replace(source, path=os.path.join(folder, source.path))
                for source in sources
            )
            known = self.conditions, self.labels
            parts.append(Recordings(sources, self.sample_rate, self.scale, config, spans, *known))
        training, validation = parts
        check_same(training.sources + validation.sources)
        return Parts(training, validation, test=validation)

    def _splits_in(self, config, path):
        splits = frame_sequences.read_frames(path)
        frame_sequences.check_width(splits, self.num_visible, path)
        if self.frames_digest not in (None, frame_sequences.digest_of(splits)):
            raise ValueError(
                "`frames` must hold the sequences this run began with. Received: others, in "
                f"frames={path}. Put the file back, or train into another --workdir."
            )
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
        return any(map(os.path.isfile, (self.file("config.json"), self.checkpoint)))

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
        """Writes config.json, the last thing a run writes before it trains."""
        files.write_text(self.file("config.json"), config.to_json() + "\n")

    def config(self) -> Config:
        """The run's `Config`. Raises ValueError where there is none."""
        if not self.has_run():
            raise ValueError(
                "`workdir` must be a folder that `neurovocal train` has written, with a "
                f"config.json. Received: workdir={self.path}"
            )
        return self._read("config.json", Config.from_json)

    def write_data(self, summary: DataSummary) -> None:
        """Writes data.json, with paths relative to the data folder."""
        folder = listing.folder_of(summary.data_dir)
        values = summary.to_json()
        for part in ("training", "validation"):
            for source in values[part]:
                source["path"] = os.path.relpath(source["path"], folder)
                if source["identity"] is None:
                    del source["identity"]
                if not source["conditions"]:
                    del source["conditions"]
                if source["track"] is None:
                    del source["track"]
        if "others" in values:
            values["others"] = [os.path.relpath(path, folder) for path in values["others"]]
        files.write_json(self.file("data.json"), values)

    def data(self) -> DataSummary | None:
        """The run's `DataSummary`, or None before there is a run."""
        if not self.has_run():
            return None
        return self._read("data.json", lambda text: DataSummary.from_json(json.loads(text)))

    def data_text(self) -> str:
        """The text of data.json."""
        with open(self.file("data.json"), encoding="utf-8") as file:
            return file.read()

    def _read(self, name, parse):
        path = self.file(name)
        try:
            with open(path, encoding="utf-8") as file:
                return parse(file.read())
        except FileNotFoundError:
            what = "is not there"
        except OSError as error:
            what = f"cannot be read ({error.strerror})"
        # Text may be damaged in every way, and JSON nested deeper than Python goes.
        except Exception as error:
            reason = textwrap.shorten(str(error) or type(error).__name__, 200)
            what = f"is damaged or of another version ({reason})"
        raise ValueError(
            f"{path} {what}. The `neurovocal train` command of this run writes it anew from "
            f"{os.path.basename(self.checkpoint)} where that remembers it; else put back a copy."
        )


def _own_unit(frames_are):
    return PianoKeys() if frames_are == frame_sequences.PIANO_KEYS else OwnUnit()


def _source(values):
    """A `Source` from JSON, whose lists it has as tuples."""
    segments, track = (
        spans if spans is None else tuple(map(_segment, spans))
        for spans in (values.get("segments"), values.get("track"))
    )
    known = values.get("identity")
    begin, end = (_number(values[name]) for name in ("begin", "end"))
    if not 0 <= begin < end <= 1:
        raise ValueError("a stretch of a recording that is none")
    return Source(
        path=_a(str, values["path"]),
        decoder=_a(str, values["decoder"]),
        begin=begin,
        end=end,
        segments=segments,
        identity=None if known is None else _identity(known),
        conditions=_names(values.get("conditions", [])),
        track=track,
    )


def _segment(values):
    onset_s, offset_s, label = values
    return _number(onset_s), _number(offset_s), _a(str, label)


def _identity(values):
    known = Identity(**values)
    for field in dataclasses.fields(known):
        _a(field.type, getattr(known, field.name))
    return known


def _names(values):
    return tuple(_a(str, name) for name in _a(list, values))


def _count(value):
    if _a(int, value) < 0:
        raise ValueError(f"a negative count, {value}")
    return value


def _counts(values):
    return None if values is None else tuple(map(_count, _a(list, values)))


def _number(value):
    if not math.isfinite(_a((int, float), value)):
        raise ValueError(f"{value} for a number")
    return value


def _a(kind, value):
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{str(value)[:40]!r} of a type that does not belong there")
    return value
