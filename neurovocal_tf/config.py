"""Every setting of the package: its default, unit, range and help, written once.

The dataclasses are frozen; `flags.py` turns their fields into command-line flags of the same names,
and the run folder keeps them as `config.json`. Field names are unique over all sections.
"""

import dataclasses
import functools
import json
import logging

from neurovocal_tf import earlier_settings
from neurovocal_tf.settings import check, setting

_LOG = logging.getLogger(__name__)

SEQUENCES_WITH_GAPS = ("recording", "bout")
SEQUENCES = (*SEQUENCES_WITH_GAPS, "segment", "packed")
VISIBLE_UNITS = ("gaussian", "mean_field", "bernoulli")


@dataclasses.dataclass(frozen=True)
class AudioConfig:
    """How a file becomes one channel of samples."""

    sample_rate: int = setting(
        0,
        "Rate in Hz to which recordings are brought; 0: for training the commonest among them, else each its own.",
        low=0,
        high=10_000_000,
    )
    time_expansion: int = setting(
        1,
        "By how much the files were slowed down when written; rates, frequencies and times are those of the sound itself.",
        low=1,
        high=1000,
    )
    channel: str = setting(
        "loudest",
        "Which channel of a multichannel file: loudest, mean, or a number counted from 0. The mean of microphones that stand apart echoes.",
    )


@dataclasses.dataclass(frozen=True)
class SegmentationConfig:
    """How vocalizations are cut out: trace, threshold, hysteresis, join, keep by length, pad."""

    detector: str = setting(
        "envelope",
        "What the threshold is set on. envelope: smoothed amplitude behind the band-pass. contrast: the largest power over the bins of "
        "the band, each over its own noise floor, for calls that are faint beside hum and hiss.",
        choices=("envelope", "contrast"),
    )
    threshold_method: str = setting(
        "noise_floor",
        "percentile: the `threshold`-th percentile of the envelope or contrast. noise_floor: `threshold` times the envelope's "
        "`noise_floor_percentile`, or `threshold` dB over each bin's own. absolute: an amplitude of `threshold`, full scale being 1.",
        choices=("noise_floor", "percentile", "absolute"),
    )
    threshold: float = setting(
        2.5, "Percentile (0 to 100), factor or dB over the noise floor, or amplitude, by --threshold_method.", low=0.0
    )
    noise_floor_percentile: float = setting(
        10.0, "Percentile of the envelope, or of each bin's power, that counts as the noise floor.", low=0.0, high=100.0
    )
    hysteresis_db: float = setting(
        0.0,
        "A segment begins and ends where the trace is this many dB below the threshold that it must reach; 0: at it.",
        low=0.0,
        high=120.0,
    )
    contrast_n_fft: int = setting(256, "Samples in a window of --detector=contrast; they are a quarter of it apart.", low=16, high=16_384)
    contrast_bandwidth_hz: float = setting(
        0.0,
        "Over how many Hz --detector=contrast averages the bins, each over its own noise floor, before it takes the largest; 0: not at "
        "all, for whistles. Rustling sounds lie over many bins, and stand out of the noise of none.",
        low=0.0,
    )
    low_hz: float = setting(500.0, "Lower edge in Hz of the detector's band; 0: none.", low=0.0)
    high_hz: float = setting(10_000.0, "Upper edge in Hz of the detector's band, clipped below Nyquist; 0: none.", low=0.0)
    smoothing_ms: float = setting(
        4.0, "Length in ms of the running mean that makes the envelope, or that the bins' power goes through.", low=0.0, high=1000.0
    )
    min_gap_ms: float = setting(2.0, "Segments closer than this many ms are joined (published as `spacing`).", low=0.0)
    min_length_ms: float = setting(15.0, "Segments must be longer than this many ms.", low=0.0)
    max_length_ms: float = setting(500.0, "Segments must be shorter than this many ms.", low=0.0)
    buffer_ms: float = setting(5.0, "Time in ms added on both sides of a kept segment, clipped to the file.", low=0.0)


@dataclasses.dataclass(frozen=True)
class SpectrogramConfig:
    """How samples become frames."""

    n_fft: int = setting(256, "Samples in a window; a frame has n_fft / 2 + 1 bins.", low=16, high=16_384)
    hop_length: int = setting(128, "Samples from one window to the next.", low=1, high=16_384)
    scaling: str = setting(
        "decibel",
        "decibel: dB under the data's reference with a soft floor. max_power: linear power of each spectrogram divided by its maximum.",
        choices=("decibel", "max_power"),
    )
    dynamic_range_db: float = setting(60.0, "How far below the reference, in dB, the soft floor lies.", low=10.0, high=200.0)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How frames become batches, and which of them validate."""

    sequence: str = setting(
        "recording",
        "What one training sequence is: the whole recording; a bout (segments with short gaps, and half a gap of silence around them); "
        "a segment; or the segments of a recording packed end to end.",
        choices=SEQUENCES,
    )
    annotations: str = setting(
        "",
        "Annotation file, or folder of them, that replaces the detector: CSV, Audacity, Raven or Praat, matched to the recordings by name. "
        "With #TIER after it: of Praat's TextGrids only the interval tier of that name.",
        may_change=True,
    )
    bout_gap_s: float = setting(0.5, "Segments no further apart than this many seconds are one bout.", low=0.0)
    window_frames: int = setting(128, "Frames in a training window.", low=2, high=100_000)
    batch_size: int = setting(8, "Windows in a batch.", low=1, high=100_000)
    validation: str = setting(
        "recordings",
        "recordings: some recordings are held out. temporal: the first part of every recording trains, the rest validates.",
        choices=("recordings", "temporal"),
    )
    validation_fraction: float = setting(0.2, "Share of the recordings (or of each one's time) that validates.", low=0.01, high=0.9)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The RNN-RBM's shape and what its training adds to the input."""

    visible_units: str = setting("gaussian", "Visible units of the RBM.", choices=VISIBLE_UNITS)
    num_hidden: int = setting(0, "Hidden units of the RBM. 0: --hidden_scalar says how many.", low=0, high=1_000_000)
    num_recurrent: int = setting(0, "Recurrent units in each layer. 0: --recurrent_scalar says how many.", low=0, high=1_000_000)
    hidden_scalar: float = setting(1.7, "Hidden units for each visible unit. It counts only where --num_hidden is 0.", low=0.01, high=100.0)
    recurrent_scalar: float = setting(
        1.3, "Recurrent units in each layer for each visible unit. It counts only where --num_recurrent is 0.", low=0.01, high=100.0
    )
    num_layers: int = setting(3, "Layers of the gated recurrent encoder.", low=1, high=32)
    num_direct_frames: int = setting(2, "How many of the last frames the RBM's biases see directly, past the encoder.", low=0, high=16)
    gates: str = setting("sigmoid", "Non-linearity of the encoder's gates.", choices=("sigmoid", "tanh"))
    learned_initial_state: bool = setting(True, "Learn the encoder's state before the first frame; otherwise it is zero.")
    coupling_gain: bool = setting(
        False, "Let the encoder scale each hidden unit's couplings W from frame to frame, beside the biases: for binary frames."
    )
    weight_init: str = setting(
        "scaled",
        "scaled: Glorot and orthogonal weights. published: W from N(0, 0.01), everything else from N(0, 0.0001).",
        choices=("scaled", "published"),
    )
    dropout: float = setting(0.0, "Share of each layer's inputs dropped in training.", low=0.0, high=0.95)
    state_dropout: float = setting(
        0.0, "Share of the encoder's state, as the RBM's biases and gain read it, dropped in training.", low=0.0, high=0.95
    )
    input_noise: float = setting(0.1, "Standard deviation, in standardised units, of noise on the encoder's input in training.", low=0.0)

    def hidden_units(self, num_visible):
        """Hidden units of the RBM of a model with `num_visible` visible units.  int"""
        return self.num_hidden or max(int(self.hidden_scalar * num_visible), 1)

    def recurrent_units(self, num_visible):
        """Recurrent units in each layer of a model with `num_visible` visible units.  int"""
        return self.num_recurrent or max(int(self.recurrent_scalar * num_visible), 1)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The optimiser, its schedule, and the negative phase."""

    epochs: int = setting(0, "Epochs in all; 0: the sum of --epochs_per_rate.", low=0, may_change=True)
    optimizer: str = setting("adam", "adam: guarded Adam. rmsprop: the published RMSProp.", choices=("adam", "rmsprop"))
    learning_rates: tuple[float, ...] = setting((1.5e-3, 5e-4, 1e-4), "Learning rates, one a phase.", low=0.0)
    epochs_per_rate: tuple[int, ...] = setting((45, 15, 10), "Epochs of each phase; one number serves all.", low=1)
    cd_steps: tuple[int, ...] = setting(
        (5, 10, 20), "Gibbs steps k of contrastive divergence, one a phase; one number serves all.", low=1, high=8192
    )
    negative_start: str = setting(
        "bias",
        "Where the negative phase's Gibbs chain starts: at the data, as contrastive divergence has it; or where generation starts, "
        "at the mean under the biases.",
        choices=("bias", "data"),
    )
    clip_norm: float = setting(0.0, "Largest global norm of the gradient; 0: no clipping.", low=0.0)
    l1: float = setting(0.0, "L1 on the encoder's weights, times the learning rate.", low=0.0)
    l2: float = setting(0.0, "L2 on the weights that --l2_on names, times the learning rate.", low=0.0)
    l2_on: str = setting(
        "recurrent",
        "recurrent: the encoder's recurrent weights. rbm: the RBM's couplings and what conditions them; strong ones sample slowly.",
        choices=("recurrent", "rbm"),
    )
    weight_average: float = setting(
        0.98, "Momentum of the weights' moving average, used to validate and to sing; 0: none.", low=0.0, high=0.999999
    )
    num_song_checks: int = setting(
        5,
        "How many of the epochs with the most Gibbs steps sing, to be compared with the recordings that train: the nearest is kept. "
        "0, or segments without their gaps: the epoch of the smallest validation error is kept.",
        low=0,
    )
    seed: int = setting(0, "Seed of everything random.", low=0, high=2**31 - 1)


@dataclasses.dataclass(frozen=True)
class GenerationConfig:
    """How the model sings."""

    num_gibbs_steps: int = setting(20, "Gibbs steps for each generated frame.", low=1, high=8192)
    chain_start: str = setting(
        "bias", "Where the Gibbs chain of a frame starts: at the mean under the biases, or at zeros.", choices=("bias", "zeros")
    )
    emission_noise: float = setting(
        1.0, "Share of the visible units' own noise that is sung and fed back, 0 (the mean) to 1 (a sample).", low=0.0, high=1.0
    )
    num_iterations: int = setting(100, "Iterations of fast Griffin-Lim.", low=1, high=10_000)


@dataclasses.dataclass(frozen=True)
class ExecutionConfig:
    """How a machine does the work of training. What is learned is the same, but for rounding."""

    compiled: bool = setting(True, "Compile the training step with XLA.")
    precision: str = setting(
        "float32",
        "Of the encoder's products while it trains. bfloat16 is faster on processors that have it (avx512_bf16), and costs a little of the "
        "likelihood; weights, the RBM, and all that is sung or evaluated later are float32 either way.",
        choices=("float32", "bfloat16"),
    )
    parallel_parts: int = setting(0, "Parts of a batch worked on at the same time, one a core; 0: as many as serve this machine.", low=0)
    cache_mb: int = setting(
        1024, "Keep the frames in memory after the first epoch if they fit into this many MB; 0: never.", low=0, may_change=True
    )


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

    def __post_init__(self):
        for section, field in settings():
            check(field, getattr(getattr(self, section), field.name))
        for message in _inconsistencies(self):
            raise ValueError(message)

    def replace(self, **values):
        """A copy with the named settings changed, whatever their sections: `config.replace(threshold=3.0)`."""
        sections = {field.name: section for section, field in settings()}
        unknown = sorted(set(values) - set(sections))
        if unknown:
            raise ValueError(f"`{unknown[0]}` is not a setting.")
        changed = {}
        for name, value in values.items():
            changed.setdefault(sections[name], {})[name] = value
        replaced = {s: dataclasses.replace(getattr(self, s), **v) for s, v in changed.items()}
        return dataclasses.replace(self, **replaced)

    def to_json(self):
        """This configuration as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text):
        """Inverse of `to_json`, for the files of earlier versions too. Raises ValueError for unknown names and values out of range.

        A value that an earlier version used and this one does not is logged as a warning.
        """
        data, lines = earlier_settings.sections_as_now(json.loads(text))
        for line in lines:
            _warn_once(line)
        types = {f.name: f.type for f in dataclasses.fields(cls)}
        if not isinstance(data, dict) or not set(data) <= set(types):
            raise ValueError(f"config.json must hold the sections {sorted(types)}.")
        built = {}
        for section, values in data.items():
            if not isinstance(values, dict):
                raise ValueError(f"config.json: `{section}` must be an object of settings. Received: {section}={values!r}")
            known = {f.name: f for f in dataclasses.fields(types[section])}
            unknown = sorted(set(values) - set(known))
            if unknown:
                raise ValueError(f"config.json: `{unknown[0]}` is not a setting of `{section}`.")
            built[section] = types[section](**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        return cls(**built)


def settings():
    """Every setting as (section name, dataclass field), in the order of the file."""
    for section in dataclasses.fields(Config):
        for field in dataclasses.fields(section.type):
            yield section.name, field


def changed_settings(old, new):
    """Names of the settings in which two configurations differ, as (name, old value, new value)."""
    for section, field in settings():
        before, after = (getattr(getattr(config, section), field.name) for config in (old, new))
        if before != after:
            yield field.name, before, after


def may_change_on_resume():
    """Names of the settings that a resumed run may change."""
    return tuple(field.name for _, field in settings() if field.metadata["may_change"])


@functools.cache
def _warn_once(line):
    """Logs a line the first time only: some tools read a file several times."""
    _LOG.warning("%s", line)


def _inconsistencies(config):
    segmentation, spectrogram, training = config.segmentation, config.spectrogram, config.training
    num_parts, batch_size = config.execution.parallel_parts, config.data.batch_size
    if not (config.audio.channel in ("mean", "loudest") or config.audio.channel.isdigit()):
        yield f"`channel` must be mean, loudest or a number. Received: channel={config.audio.channel}"
    if segmentation.threshold_method == "percentile" and segmentation.threshold > 100:
        yield f"`threshold` must be between 0 and 100 for threshold_method=percentile. Received: threshold={segmentation.threshold:g}"
    if segmentation.min_length_ms >= segmentation.max_length_ms:
        yield (
            f"`min_length_ms` must be below `max_length_ms`. Received: min_length_ms={segmentation.min_length_ms:g}, "
            f"max_length_ms={segmentation.max_length_ms:g}"
        )
    if 0 < segmentation.high_hz <= segmentation.low_hz:
        yield f"`low_hz` must be below `high_hz`. Received: low_hz={segmentation.low_hz:g}, high_hz={segmentation.high_hz:g}"
    if config.data.annotations and config.data.sequence == "recording":
        yield (
            f"`annotations` cut segments and bouts, not whole recordings: `sequence` must be bout, segment or packed. "
            f"Received: sequence={config.data.sequence}"
        )
    if spectrogram.n_fft % 2:
        yield f"`n_fft` must be even. Received: n_fft={spectrogram.n_fft}"
    if spectrogram.hop_length > spectrogram.n_fft // 2:
        yield f"`hop_length` must be at most n_fft / 2. Received: hop_length={spectrogram.hop_length}, n_fft={spectrogram.n_fft}"
    if num_parts and batch_size % num_parts:
        yield f"`parallel_parts` must divide `batch_size`. Received: parallel_parts={num_parts}, batch_size={batch_size}"
    phases = len(training.learning_rates)
    for name in ("epochs_per_rate", "cd_steps"):
        if len(getattr(training, name)) not in (1, phases):
            yield f"`{name}` must have one number or {phases}, as `learning_rates`. Received: {name}={getattr(training, name)}"
