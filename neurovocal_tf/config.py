"""The settings of one run, of all sections: checked, changed by name, and written as JSON."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from neurovocal_tf.config_sections import (
    AudioConfig,
    DataConfig,
    ExecutionConfig,
    GenerationConfig,
    ModelConfig,
    SpectrogramConfig,
    TrainingConfig,
)
from neurovocal_tf.config_segmentation import SegmentationConfig
from neurovocal_tf.settings import check, from_json


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of one run."""

    audio: AudioConfig = AudioConfig()
    segmentation: SegmentationConfig = SegmentationConfig()
    spectrogram: SpectrogramConfig = SpectrogramConfig()
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    generation: GenerationConfig = GenerationConfig()
    execution: ExecutionConfig = ExecutionConfig()

    def __post_init__(self) -> None:
        for section, field in settings():
            check(field, getattr(getattr(self, section), field.name))
        for message in _inconsistencies(self):
            raise ValueError(message)

    def replace(self, **values: Any) -> "Config":
        """A copy with the named settings changed, whatever their sections:
        `config.replace(threshold=3.0)`.
        """
        sections = {field.name: section for section, field in settings()}
        unknown = sorted(set(values) - set(sections))
        if unknown:
            raise ValueError(f"`{unknown[0]}` is not a setting.")
        changed: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            changed.setdefault(sections[name], {})[name] = value
        replaced = {s: dataclasses.replace(getattr(self, s), **v) for s, v in changed.items()}
        return dataclasses.replace(self, **replaced)

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
    phases = len(training.learning_rates)
    for name in ("epochs_per_rate", "cd_steps"):
        if len(getattr(training, name)) not in (1, phases):
            yield (
                f"`{name}` must have one number or {phases}, as `learning_rates`. "
                f"Received: {name}={getattr(training, name)}"
            )
