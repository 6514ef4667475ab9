"""All settings of the package.

Each one has its default, unit, range and help here, and nowhere else.

A section is a frozen dataclass, and `Config` holds one of each. `flags.py` makes a command-line
flag of every setting, and a run folder keeps all of them in config.json. No two settings have the
same name, even in different sections.
"""

import dataclasses

from neurovocal_tf.settings import setting

SEQUENCES_WITH_GAPS = ("recording", "bout")
SEQUENCES = (*SEQUENCES_WITH_GAPS, "segment", "packed")


@dataclasses.dataclass(frozen=True)
class AudioConfig:
    """How sound files are read."""

    sample_rate: int = setting(
        0,
        "Sample rate in Hz; recordings with another one are resampled. 0: training takes the rate "
        "that most recordings have, and everything else takes the rate of each recording.",
        low=0,
        high=10_000_000,
    )
    time_expansion: int = setting(
        1,
        "How many times slower than real the files play, as those of some bat detectors do. All "
        "rates, frequencies and times are those of the real sound.",
        low=1,
        high=1000,
    )
    channel: str = setting(
        "loudest",
        "Which channel of a file with several: loudest, mean, or a number from 0. The mean of "
        "microphones far apart has echoes.",
    )
    float_scale: float = setting(
        1.0,
        "What full scale is in files of floating-point samples. 1: as is usual. 32768: files that "
        "hold 16-bit integers as floating-point numbers. A file with samples beyond 16 times full "
        "scale is left out.",
        low=1e-6,
        high=1e12,
    )

    @property
    def channel_number(self) -> int | None:
        """The channel that `channel` names by a number, or None."""
        return int(self.channel) if self.channel.isdigit() else None


@dataclasses.dataclass(frozen=True)
class SpectrogramConfig:
    """How sound becomes frames, the columns of a spectrogram."""

    n_fft: int = setting(
        256, "Samples in a window. A frame has n_fft / 2 + 1 frequency bins.", low=16, high=16_384
    )
    hop_length: int = setting(
        128,
        "Samples from the beginning of one window to the beginning of the next.",
        low=1,
        high=16_384,
    )
    scaling: str = setting(
        "decibel",
        "Unit of the frames. decibel: dB below a reference level that is measured in the "
        "recordings. max_power: power divided by the largest power in the same spectrogram.",
        choices=("decibel", "max_power"),
    )
    dynamic_range_db: float = setting(
        60.0,
        "How many dB below the reference the floor is. What is far below it comes out as the "
        "floor.",
        low=10.0,
        high=200.0,
    )


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How frames become batches, and what is held out for validation."""

    sequence: str = setting(
        "recording",
        "What one training sequence is. recording: a whole recording. bout: segments with short "
        "gaps between them, and half a gap of silence before and after. segment: one segment. "
        "packed: all segments of a recording, one right after another.",
        choices=SEQUENCES,
    )
    annotations: str = setting(
        "",
        "File or folder with annotations to use instead of the detector: CSV, Audacity, Raven, "
        "Praat, or another format that `neurovocal convert --help` lists. They go to the "
        "recordings of the same names. "
        "FILE#TIER reads only the tier TIER of Praat's and ELAN's files.",
        may_change=True,
        is_path=True,
    )
    ignore_labels: str = setting(
        "",
        "Labels that mark no vocalization, with commas between, such as n,SIL,0,@: annotations "
        "with them are left out.",
    )
    label_column: str = setting(
        "",
        "The column of labels in tables of annotations, where its name does not tell.",
    )
    recordings_table: str = setting(
        "",
        "Table with a column `file`, the recordings, and columns of facts about them, such as who "
        "sings; for --condition_columns.",
        may_change=True,
        is_path=True,
    )
    condition_columns: str = setting(
        "",
        "Columns of --recordings_table with commas between, such as individual,context: conditions "
        "that one model learns to tell apart, sings and scores under. Recordings without a value "
        "are of the unknown one.",
    )
    condition_from: str = setting(
        "",
        "A condition without a table. folder: the folder that a recording lies in. name_part:N: "
        "the N-th part of its name between underscores, such as jackson of 7_jackson_3.wav for 2.",
    )
    labels: str = setting(
        "",
        "What labels along time the model is told of each frame, so that it sings what is written. "
        "annotations: those of --annotations, or of the files beside the recordings. folder and "
        "name_part:N, as of --condition_from: what the whole of each vocalization in a recording "
        "is, such as a word. types: the call types that are found in the recordings that train, "
        "without anybody's labels. units, or units:N: N units like phones, 64 by default, that "
        "are found there and are the same for all voices, so that `neurovocal convert` says in "
        "one voice what another has said.",
    )
    bout_gap_s: float = setting(
        0.5,
        "Segments belong to one bout if the gap between them is at most this many seconds.",
        low=0.0,
    )
    window_frames: int = setting(128, "Frames in a training window.", low=2, high=100_000)
    batch_size: int = setting(8, "Windows in a batch.", low=1, high=100_000)
    num_shares: int = setting(
        1,
        "Shares that the recordings are read in: every batch holds as many windows of each. With "
        "as many as there are workers, or a multiple, each reads recordings of its own; with 1 "
        "each reads all of them. What is learned depends on it, not on the number of workers.",
        low=1,
        high=100_000,
    )
    validation: str = setting(
        "recordings",
        "What is held out. recordings: some of the recordings. temporal: the last part of every "
        "recording.",
        choices=("recordings", "temporal"),
    )
    train_list: str = setting(
        "",
        "The recordings that train: a text file with their names or patterns, relative to the data "
        "folder, one a line. Or TABLE.csv:COLUMN=VALUE, those that a table names in its column "
        "`file`, relative to the data folder or to its own. Without --held_out_list all others are "
        "held out.",
        may_change=True,
        is_path=True,
    )
    held_out_list: str = setting(
        "",
        "The recordings that are held out, listed as in --train_list. Without that one all others "
        "train.",
        may_change=True,
        is_path=True,
    )
    validation_fraction: float = setting(
        0.2,
        "How much is held out: the share of the recordings, or of the time of each recording.",
        low=0.01,
        high=0.9,
    )
    frame_beats: float = setting(
        1.0, "Of MIDI files, quarter notes from one frame to the next.", low=0.01, high=64.0
    )
    frame_s: float = setting(
        0.0,
        "Of MIDI files, and of what a model of piano keys sings, seconds from one frame to the "
        "next. 0: --frame_beats, sung at 100 quarter notes a minute.",
        low=0.0,
        high=60.0,
    )

    @property
    def columns_of_conditions(self) -> tuple[str, ...]:
        """The columns of the table that are conditions."""
        return tuple(filter(None, map(str.strip, self.condition_columns.split(","))))

    @property
    def source_of_labels(self) -> str:
        """Where labels come from, without what follows a colon."""
        return self.labels.split(":")[0]


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How the weights are learned."""

    epochs: int = setting(
        0, "Epochs in all. 0: the sum of --epochs_per_rate.", low=0, may_change=True
    )
    optimizer: str = setting(
        "adam",
        "adam: Adam. rmsprop: RMSProp as published. Both are guarded against gradients that are "
        "not finite.",
        choices=("adam", "rmsprop"),
    )
    learning_rates: tuple[float, ...] = setting(
        (1.5e-3, 5e-4, 1e-4), "Learning rates, one for each phase of the training.", low=0.0
    )
    epochs_per_rate: tuple[int, ...] = setting(
        (45, 15, 10), "Epochs of each phase. One number counts for all phases.", low=1
    )
    cd_steps: tuple[int, ...] = setting(
        (5, 10, 20),
        "Gibbs steps of contrastive divergence in each phase. One number counts for all phases.",
        low=1,
        high=8192,
    )
    negative_start: str = setting(
        "bias",
        "Where the Gibbs chains of contrastive divergence start. data: at the frames, as is usual. "
        "bias: at the mean that follows from the biases, where the chains of songs start.",
        choices=("bias", "data"),
    )
    smoothness: float = setting(
        0.0,
        "Weight of a penalty on one-step predictions that change their course from frame to frame "
        "more than the frames do: on the square of the second difference beyond that of the "
        "frames, which have a standard deviation of 1. 0: none.",
        low=0.0,
    )
    clip_norm: float = setting(
        0.0, "Largest norm of the gradient of all weights. 0: no limit.", low=0.0
    )
    l1: float = setting(
        0.0, "L1 penalty on the weights of the encoder, times the learning rate.", low=0.0
    )
    l2: float = setting(
        0.0, "L2 penalty on the weights that --l2_on names, times the learning rate.", low=0.0
    )
    l2_on: str = setting(
        "recurrent",
        "Which weights have the L2 penalty. recurrent: the recurrent weights of the encoder. rbm: "
        "the couplings of the RBM, and the weights from the encoder to the RBM. Sampling is slow "
        "where the couplings are strong.",
        choices=("recurrent", "rbm"),
    )
    weight_average: float = setting(
        0.98,
        "Momentum of the moving average of the weights, with which the model validates and sings. "
        "0: no average.",
        low=0.0,
        high=0.999999,
    )
    start_from: str = setting(
        "",
        "Start from the weights of another run, of other voices: its folder, its model.keras, or "
        "an export. It has to be of as many frequency bins and of the same shape; recordings are "
        "brought to its sample rate unless --sample_rate names one. A run that goes on does not "
        "start again.",
        is_path=True,
    )
    start_with: str = setting(
        "dynamics",
        "What --start_from gives. dynamics: the encoder and the RBM; mean and spread of the "
        "frames come from the new data, and what the visible biases take from the encoder is "
        "solved anew for it. all: these, too, as they were.",
        choices=("dynamics", "all"),
    )
    kept_rate: float = setting(
        0.3,
        "Learning rate of the weights that --start_from gives, as a share of --learning_rates.",
        low=0.0,
        high=1.0,
    )
    freeze: str = setting(
        "none",
        "What of --start_from stays as it is. encoder: the encoder, but for the vectors of "
        "conditions and labels. rbm: the RBM.",
        choices=("none", "encoder", "rbm"),
    )
    num_song_checks: int = setting(
        5,
        "How many of the epochs with the most Gibbs steps are judged by their songs. The songs are "
        "compared with the recordings that train, and the epoch with the most similar songs is "
        "kept. 0: the epoch with the smallest validation error is kept, as always where sequences "
        "have no gaps.",
        low=0,
    )
    seed: int = setting(0, "Seed of all random numbers.", low=0, high=2**31 - 1)


@dataclasses.dataclass(frozen=True)
class GenerationConfig:
    """How the model sings."""

    num_gibbs_steps: int = setting(20, "Gibbs steps for each frame of a song.", low=1, high=8192)
    chain_start: str = setting(
        "bias",
        "Where the Gibbs chain of each frame starts. bias: at the mean that follows from the "
        "biases. zeros: at zeros.",
        choices=("bias", "zeros"),
    )
    emission_noise: float = setting(
        1.0,
        "How much of the noise of the visible units is in a song. 0: none, each frame is the mean. "
        "1: all of it.",
        low=0.0,
        high=1.0,
    )
    guidance: float = setting(
        1.0,
        "How far songs keep to what they are told by conditions and labels: what these add to the "
        "biases, times so much. Above 1 songs are more surely of the voice or the label, and less "
        "varied.",
        low=0.0,
        high=10.0,
    )
    sampler: str = setting(
        "gibbs",
        "How the RBM is sampled. gibbs: by one chain. tempering: by --tempering_replicas chains at "
        "once, which share --num_gibbs_steps, have weaker couplings from one to the next, and "
        "trade their frames. They start at the mean field instead of --chain_start, and get from "
        "one likely frame to another where one chain stays.",
        choices=("gibbs", "tempering"),
    )
    tempering_replicas: int = setting(
        4, "Chains at once for each frame of a song with --sampler=tempering.", low=2, high=64
    )
    num_iterations: int = setting(
        100, "Iterations of fast Griffin-Lim, which turns frames into sound.", low=1, high=10_000
    )

    @property
    def num_replicas(self) -> int:
        """Chains at once for each frame."""
        return self.tempering_replicas if self.sampler == "tempering" else 1


@dataclasses.dataclass(frozen=True)
class ExecutionConfig:
    """How a machine does the work of training, and how what is drawn is written. The model learns
    the same, but for rounding.
    """

    compiled: bool = setting(
        True, "Compile the training step, and the estimate of the likelihood, with XLA."
    )
    precision: str = setting(
        "float32",
        "Precision of the encoder's products in training. bfloat16 is faster on processors that "
        "have it (avx512_bf16), and costs a little of the likelihood. The weights, the RBM, songs "
        "and evaluations are float32 in any case.",
        choices=("float32", "bfloat16"),
    )
    parallel_parts: int = setting(
        0,
        "Parts of a batch that are computed at the same time, each on a core of its own. 0: as "
        "many as this machine can use.",
        low=0,
    )
    cache_mb: int = setting(
        1024,
        "Keep the frames in memory after the first epoch if they need at most this many MB. 0: "
        "never.",
        low=0,
        may_change=True,
    )
    picture_format: str = setting(
        "png",
        "Format of the pictures that are written: png, or svg, whose lines and letters stay sharp "
        "at any size.",
        choices=("png", "svg"),
        may_change=True,
    )
    picture_dpi: int = setting(
        100,
        "Pixels an inch of pictures, which are 9 to 14 inches wide: 170 gives 2,000 pixels.",
        low=30,
        high=600,
        may_change=True,
    )
