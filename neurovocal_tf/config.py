"""The settings of one run, of all sections: checked, changed by name, written as JSON, and read
from presets and flag files.
"""

import dataclasses
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from neurovocal_tf import earlier_settings, flag_files, presets
from neurovocal_tf.config_model import ModelConfig
from neurovocal_tf.config_sections import (
    AudioConfig,
    DataConfig,
    ExecutionConfig,
    GenerationConfig,
    SpectrogramConfig,
    TrainingConfig,
)
from neurovocal_tf.config_segmentation import SegmentationConfig
from neurovocal_tf.config_texts import TextsConfig
from neurovocal_tf.settings import check, check_section, from_json, from_text, nearest, warn_once


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of one run."""

    audio: AudioConfig = AudioConfig()
    segmentation: SegmentationConfig = SegmentationConfig()
    spectrogram: SpectrogramConfig = SpectrogramConfig()
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    texts: TextsConfig = TextsConfig()
    generation: GenerationConfig = GenerationConfig()
    execution: ExecutionConfig = ExecutionConfig()

    def __post_init__(self) -> None:
        for part in dataclasses.fields(Config):
            kind: Any = part.type
            check_section(part.name, getattr(self, part.name), kind)
        for section, field in settings():
            check(field, getattr(getattr(self, section), field.name))
        for message in _inconsistencies(self):
            raise ValueError(message)

    def replace(self, **values: Any) -> "Config":
        """A copy with the named settings changed, whatever their sections:
        `config.replace(threshold=3.0)`.

        Lists are taken for tuples, and NumPy's numbers for Python's.

        Raises ValueError for unknown names, and values of a wrong type or out of range.
        """
        sections = {field.name: section for section, field in settings()}
        unknown = sorted(set(values) - set(sections))
        if unknown:
            raise ValueError(f"`{unknown[0]}` is not a setting.{nearest(unknown[0], sections)}")
        changed: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            changed.setdefault(sections[name], {})[name] = _plain(value)
        replaced = {s: dataclasses.replace(getattr(self, s), **v) for s, v in changed.items()}
        return dataclasses.replace(self, **replaced)

    @classmethod
    def preset(cls, name: str) -> "Config":
        """The settings of a preset, such as "songbird"; those it does not name are the defaults.

        Raises ValueError for an unknown name.
        """
        return _from_flags(flag_files.lines_of_preset(str(name), _KNOWN), f"preset {name}")

    @staticmethod
    def presets() -> dict[str, str]:
        """Names of all presets, and what each is for."""
        return {name: presets.purpose_of(name) for name in presets.NAMES}

    @classmethod
    def from_flagfile(cls, path: str | os.PathLike[str]) -> "Config":
        """The settings of a flag file, such as a run's flags.txt; those it does not name are the
        defaults.

        Raises ValueError for a file that cannot be read, unknown names and values out of range.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"`path` must be that of a flag file. Received: path={path!r}")
        lines = flag_files.expanded([f"--flagfile={os.fspath(path)}"], _KNOWN)
        return _from_flags(lines, f"flag file {os.fspath(path)}")

    def to_json(self) -> str:
        """This configuration as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Inverse of `to_json`, for the files of earlier versions too.

        Raises ValueError for unknown names and values out of range.
        """
        return from_json(cls, text)


def settings() -> Iterator[tuple[str, dataclasses.Field]]:
    """Every setting as (section name, dataclass field), in the order of the file."""
    for section in dataclasses.fields(Config):
        kind: Any = section.type
        for field in dataclasses.fields(kind):
            yield section.name, field


def names_of_settings() -> tuple[str, ...]:
    """Names of all settings."""
    return tuple(field.name for _, field in settings())


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(map(_plain, value))
    # NumPy's numbers, without an import of NumPy.
    return value.item() if getattr(value, "shape", None) == () else value


# Of a reader of flag files that uses every setting, and has no other flag.
_KNOWN = flag_files.Known(names_of_settings(), names_of_settings())


def _from_flags(lines: Iterable[str], source: str) -> Config:
    """The settings that flags describe; of two values the later one holds."""
    lines, gone = earlier_settings.arguments_as_now(lines, names_of_settings())
    for line in gone:
        warn_once(line)
    fields, values = {field.name: field for _, field in settings()}, {}
    for line in lines:
        name, _, text = re.sub("^--?", "", line).partition("=")
        if name not in fields and "=" not in line and name.removeprefix("no") in fields:
            name, text = name.removeprefix("no"), "false"
        elif "=" not in line and name in fields and fields[name].type is bool:
            text = "true"
        if name not in fields:
            raise ValueError(
                f"{source}: `{name}` is not a setting, and only settings are read here."
                f"{nearest(name, fields)}"
            )
        values[name] = from_text(fields[name], text)
    return Config().replace(**values)


def changed_settings(old: Config, new: Config) -> Iterator[tuple[str, Any, Any]]:
    """Names of the settings in which two configurations differ, as (name, old value, new value)."""
    for section, field in settings():
        before, after = (getattr(getattr(config, section), field.name) for config in (old, new))
        if before != after:
            yield field.name, before, after


def may_change_on_resume() -> tuple[str, ...]:
    """Names of the settings that a resumed run may change."""
    return tuple(field.name for _, field in settings() if field.metadata["may_change"])


def _inconsistencies(config: Config) -> Iterator[str]:
    segmentation, spectrogram, training = config.segmentation, config.spectrogram, config.training
    num_parts, batch_size = config.execution.parallel_parts, config.data.batch_size
    if not (config.audio.channel in ("mean", "loudest") or config.audio.channel.isdigit()):
        yield (
            f"`channel` must be mean, loudest or a number. Received: channel={config.audio.channel}"
        )
    if segmentation.threshold_method == "percentile" and segmentation.threshold > 100:
        yield (
            "`threshold` must be between 0 and 100 for threshold_method=percentile. "
            f"Received: threshold={segmentation.threshold:g}"
        )
    if segmentation.min_length_ms >= segmentation.max_length_ms:
        yield (
            "`min_length_ms` must be below `max_length_ms`. Received: "
            f"min_length_ms={segmentation.min_length_ms:g}, "
            f"max_length_ms={segmentation.max_length_ms:g}"
        )
    if 0 < segmentation.high_hz <= segmentation.low_hz:
        yield (
            "`low_hz` must be below `high_hz`. "
            f"Received: low_hz={segmentation.low_hz:g}, high_hz={segmentation.high_hz:g}"
        )
    if config.data.annotations and config.data.sequence == "recording":
        yield (
            "`annotations` cut segments and bouts, not whole recordings: `sequence` must be bout, "
            f"segment or packed. Received: sequence={config.data.sequence}"
        )
    for name in ("train_list", "held_out_list"):
        if getattr(config.data, name) and config.data.validation != "recordings":
            yield (
                f"`{name}` parts whole recordings: `validation` must be recordings. Received: "
                f"validation={config.data.validation}, {name}={getattr(config.data, name)}"
            )
    yield from _inconsistencies_of_conditions(config.data)
    yield from _inconsistencies_of_texts(config.texts)
    if config.model.noise_context and config.model.visible_units != "gaussian":
        yield (
            "`noise_context` must be 0 but for gaussian units. Received: "
            f"noise_context={config.model.noise_context:g}, "
            f"visible_units={config.model.visible_units}"
        )
    if spectrogram.n_fft % 2:
        yield f"`n_fft` must be even. Received: n_fft={spectrogram.n_fft}"
    if spectrogram.hop_length > spectrogram.n_fft // 2:
        yield (
            "`hop_length` must be at most n_fft / 2. "
            f"Received: hop_length={spectrogram.hop_length}, n_fft={spectrogram.n_fft}"
        )
    if num_parts and batch_size % num_parts:
        yield (
            "`parallel_parts` must divide `batch_size`. "
            f"Received: parallel_parts={num_parts}, batch_size={batch_size}"
        )
    if batch_size % config.data.num_shares:
        yield (
            "`num_shares` must divide `batch_size`. "
            f"Received: num_shares={config.data.num_shares}, batch_size={batch_size}"
        )
    if training.freeze != "none" and not training.start_from:
        yield (
            "`freeze` must be none unless `start_from` gives what is to stay as it is. "
            f"Received: freeze={training.freeze}"
        )
    for name, is_frozen in (
        ("l1", training.freeze == "encoder"),
        ("l2", training.freeze == {"recurrent": "encoder", "rbm": "rbm"}[training.l2_on]),
    ):
        if getattr(training, name) and is_frozen:
            yield (
                f"`{name}` must be 0 for weights that stay as they are. Received: "
                f"{name}={getattr(training, name):g}, freeze={training.freeze}"
            )
    generation = config.generation
    if generation.num_replicas > 1 and config.model.visible_units == "mean_field":
        yield (
            "`sampler` must be gibbs for mean_field units, which are never sampled. "
            f"Received: sampler={generation.sampler}"
        )
    phases = len(training.learning_rates)
    for name in ("epochs_per_rate", "cd_steps"):
        if len(getattr(training, name)) not in (1, phases):
            yield (
                f"`{name}` must have one number or {phases}, as `learning_rates`. "
                f"Received: {name}={getattr(training, name)}"
            )
    yield from _inconsistencies_of_encoder(config.model, config.data.window_frames)


def _inconsistencies_of_conditions(data: DataConfig) -> Iterator[str]:
    columns = data.columns_of_conditions
    if bool(data.recordings_table) != bool(columns):
        yield (
            "`recordings_table` and `condition_columns` must be given together. Received: "
            f"recordings_table={data.recordings_table}, condition_columns={data.condition_columns}"
        )
    if not re.fullmatch("(folder|name_part(:0*[1-9][0-9]?)?)?", data.condition_from):
        yield (
            "`condition_from` must be folder or name_part:N, N from 1. "
            f"Received: condition_from={data.condition_from}"
        )
    if not re.fullmatch(
        "(annotations|types|folder|name_part(:0*[1-9][0-9]?)?|units(:0*[1-9][0-9]{0,3})?)?",
        data.labels,
    ):
        yield (
            "`labels` must be annotations, types, folder, name_part:N or units:N, N from 1. "
            f"Received: labels={data.labels}"
        )
    names = [*columns, data.condition_from.split(":")[0]]
    if len(set(names)) < len(names) or "=" in data.condition_columns:
        yield (
            "`condition_columns` must name each condition once, without =. "
            f"Received: condition_columns={data.condition_columns}, "
            f"condition_from={data.condition_from}"
        )


def _inconsistencies_of_texts(given: TextsConfig) -> Iterator[str]:
    if not re.fullmatch("(annotations|folder|name_part(:0*[1-9][0-9]?)?)?", given.texts):
        yield (
            "`texts` must be annotations, folder or name_part:N, N from 1. "
            f"Received: texts={given.texts}"
        )
    pairs = [pair for pair in given.spellings.split(",") if pair.strip()]
    if len(given.spelling_of) < len(pairs) or not all(
        label and text for label, text in given.spelling_of.items()
    ):
        yield (
            "`spellings` must be LABEL=TEXT, with commas between, each label once. "
            f"Received: spellings={given.spellings}"
        )
    if given.spellings and not given.texts:
        yield f"`spellings` must be left out without `texts`. Received: spellings={given.spellings}"


def _inconsistencies_of_encoder(model: ModelConfig, window_frames: int) -> Iterator[str]:
    memory_frames, periods = model.memory_frames, model.layer_periods
    for name in ("memory_frames", "layer_periods"):
        if len(getattr(model, name)) not in (1, model.num_layers):
            yield (
                f"`{name}` must have one number or {model.num_layers}, as many as `num_layers`. "
                f"Received: {name}={getattr(model, name)}"
            )
    if 1 in memory_frames:
        yield f"`memory_frames` must be 0, or at least 2. Received: memory_frames={memory_frames}"
    if any(memory_frames) and model.gates != "sigmoid":
        yield (
            "`memory_frames` must be 0 unless `gates` are sigmoid: others have no rate that could "
            f"start slow. Received: memory_frames={memory_frames}, gates={model.gates}"
        )
    if any(above % below for below, above in itertools.pairwise(periods)):
        yield (
            "`layer_periods` must be multiples, each of the one before. "
            f"Received: layer_periods={periods}"
        )
    if model.attention_frames % max(periods):
        yield (
            f"`attention_frames` must be a multiple of the longest of `layer_periods`. "
            f"Received: attention_frames={model.attention_frames}, layer_periods={periods}"
        )
    if max(periods) > window_frames:
        yield (
            "`layer_periods` must be at most `window_frames`: no layer would advance in training. "
            f"Received: layer_periods={periods}, window_frames={window_frames}"
        )
