"""A trained model and what it can do."""

import contextlib
import dataclasses
import functools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm.auto import tqdm

from neurovocal_tf.api import arguments, run_copy
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.api.converting import Converting
from neurovocal_tf.api.finding import Finding
from neurovocal_tf.api.hearing import Hearing
from neurovocal_tf.api.tables import table_of
from neurovocal_tf.conditions import Given
from neurovocal_tf.evaluation import likelihood, report, usual_ranges
from neurovocal_tf.generation import singer, songs, voice_conversion
from neurovocal_tf.generation.singer import MOST_FRAMES, TEMPERATURES, Singer
from neurovocal_tf.generation.songs import Song
from neurovocal_tf.model import scoring
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.serving import export
from neurovocal_tf.training.progress import share_bar

_FRAMES = 1000
_MOST_SEED = 2**62


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Model(Converting, Finding):
    """A trained model, as `train` and `load_model` give it.

    Attributes:
        model: the `RNNRBM`, a Keras model.    config: `Config` of its run.
        scale: `FrameScale`, what turns power into its frames; `OwnUnit` of frame sequences.
        space: `JointSpace` of texts and sounds; None where its run has learned none.
        sample_rate: Hz; 0 of frame sequences.    epoch: of its weights.
        workdir: its run folder; None of a model from an export.
    """

    workdir: str | None = None

    def __repr__(self) -> str:
        of = f"{self.sample_rate} Hz" if self.scale.is_sound else "frame sequences"
        return (
            f"Model({self.model.num_visible} bins of {of}, epoch {self.epoch}, "
            f"workdir={self.workdir!r})"
        )

    def generate(
        self,
        num_songs: int = 1,
        num_frames: int | None = None,
        *,
        seconds: float | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        prime: npt.ArrayLike | Path | None = None,
        rate: int | None = None,
        condition: Given = None,
        text: str | None = None,
        progress: bool = True,
    ) -> list[Song]:
        """Sings new songs. Each depends on its own seed alone, bit for bit on one machine.

        Args:
            num_songs: how many.
            num_frames: frames of each, or `seconds` of sound; default: 1000, or those of the text.
            seed: of the first song; the next one has the next.    temperature: below 1 more usual
                songs, above 1 more varied ones.
            prime: recording that every song goes on from: a path, or samples [N] at `rate` Hz.
            condition: who sings, or what else a model with conditions has learned, such as
                {"individual": "gy6or6"}, see `model.model.conditions`; None: the unknown of each.
            text: what a model with labels sings, "iiabcd" or "seven", see `model.model.labels`.
            progress: show a bar.

        Returns:
            List of `Song`: `seed`, `decibels` float32 [L, V], `waveform` float32 [N] at
            `sample_rate`, `labels`, (onset_s, offset_s, label) of a text's. Of a model of frame
            sequences `decibels` are the frames in their own unit, `waveform` has no samples.

        Raises:
            ValueError: an argument is wrong, or the recording cannot be read.
        """
        num_songs = arguments.count_of(num_songs, "num_songs", 1, 100_000)
        seeds = range(first := arguments.count_of(seed, "seed", 0, _MOST_SEED), first + num_songs)
        temperature = arguments.number_of(temperature, "temperature", *TEMPERATURES)
        of_text = None if text is None else self.model.labels.numbers_in(text)
        num_frames = self._num_frames(num_frames, seconds, None if of_text else _FRAMES)
        numbers = self.model.conditions.numbers_of(condition) or None
        if self.scale.is_sound:
            prime = self._prime(prime, rate)
            sung = songs.generate_songs(
                self._singer, seeds, num_frames, temperature, prime, numbers, of_text
            )
        else:
            if prime is not None or rate is not None:
                raise ValueError(
                    "`prime` must be left out for a model of frame sequences. Received: one"
                )
            silent = np.zeros(0, np.float32)
            frames = songs.generate_frames(self._singer, seeds, num_frames, temperature)
            sung = (Song(seed, of_one, silent) for seed, of_one in frames)
        return list(tqdm(sung, "songs", num_songs, unit="song", disable=not progress))

    def embed(
        self,
        recordings: Any,
        rate: int | None = None,
        *,
        condition: Given = None,
        progress: bool = True,
    ) -> pd.DataFrame:
        """What the model remembers of recordings: points that lie near each other for sounds alike.

        Args:
            recordings: samples [N] with their `rate` in Hz; a file, a folder, or a list of them; or
                a table of `segment`, each row a stretch of a file. Of a model of frame sequences
                frames [L, V], or a list of such.
            condition: under which they are read, as of `generate`.
            progress: show a bar.

        Returns:
            DataFrame with a row for each recording, or for each row of the table: its `file`
            (`onset_s`, `offset_s`), and `embedding_0` ... `embedding_{E-1}`, means over its frames.
            `attrs["skipped"]` is a dict of file -> why it could not be used.

        Raises:
            ValueError: an argument is wrong, or no recording can be used.
        """
        reading, names = self._readings.embedding, ("embedding",)
        return table_of(self, reading, names, recordings, rate, condition, progress)

    def score(
        self,
        recordings: Any,
        rate: int | None = None,
        *,
        condition: Given = None,
        progress: bool = True,
    ) -> pd.DataFrame:
        """How unusual recordings are to the model, or for an individual that it knows; larger is
        more unusual in all three.

        Args:
            recordings, rate, condition, progress: as of `embed`.

        Returns:
            DataFrame with a row for each recording, or for each row of the table: its `file`
            (`onset_s`, `offset_s`), `score` (another voice, a blurred call), `order_score`
            (scrambled or reversed song) and `surprise` (noise, far above; smoothed frames, far
            below), without units, see `model.scoring`; NaN of a single frame.

        Raises:
            ValueError: as `embed`.
        """
        reading, names = self._readings.scores, scoring.SCORES
        return table_of(self, reading, names, recordings, rate, condition, progress)

    def log_likelihood(
        self,
        recordings: Any,
        rate: int | None = None,
        *,
        num_temperatures: int = 200,
        num_chains: int = 8,
        num_frames: int = 5000,
        base: str | None = None,
        seed: int = 0,
        condition: Given = None,
        progress: bool = True,
    ) -> dict[str, float | None]:
        """The log-likelihood of recordings under the model, as an optimistic and a pessimistic
        estimate.

        Args:
            recordings, rate: as of `embed`.
            num_temperatures, num_chains: of the annealing.
            num_frames: frames, drawn by `seed`, that stand for all; 0: all.
            base: where annealing begins, mean_field or biases; None: what suits the units.
            condition: under which they are read, as of `generate`.
            progress: show a bar.

        Returns:
            dict: `log_likelihood_ais_nats` and `log_likelihood_raise_nats`, means over frames in
            nats a frame, their standard errors, `likelihood_gap_nats`, `is_likelihood_gap_close`
            and what else `evaluate` tells of it.

        Raises:
            ValueError: as `embed`, or frames that have no likelihood under the model's units.
        """
        options = self._likelihood_options(num_temperatures, num_chains, num_frames, base, seed)
        if options is None:
            raise ValueError("`num_temperatures` must be at least 1. Received: num_temperatures=0")
        numbers = self.model.conditions.numbers_of(condition)
        hearing = Hearing(self, recordings, rate)
        sequences = [frames for heard in hearing for frames in heard.sequences]
        arguments.warn_of(hearing.skipped)
        with _share_bar(progress) as bar:
            bracket = likelihood.log_likelihood_bracket(
                self.model, sequences, options, bar, [numbers] * len(sequences)
            )
        return likelihood.bracket_figures(bracket, options.num_temperatures)

    def evaluate(
        self,
        data_dir: Path | None = None,
        *,
        held_out_list: str | None = None,
        num_temperatures: int = 200,
        num_chains: int = 8,
        num_test_frames: int = 5000,
        base: str | None = None,
        seconds: float = 256.0,
        num_songs: int = 32,
        seed: int = 0,
        temperature: float = 1.0,
        temperatures: Sequence[float] = (),
        condition: Given = None,
        pictures: Path | None = None,
        say: Callable[[str], object] = lambda line: None,
        progress: bool = True,
    ) -> dict[str, float | None]:
        """How good the model is, on the recordings that its run held out.

        Args:
            data_dir: folder of the recordings, or .npz file of frame sequences; None: where the run
                found them.
            held_out_list: other recordings to evaluate on, see the setting of that name.
            num_temperatures, num_chains, num_test_frames, base: of the likelihood, see
                `log_likelihood`; 0 temperatures: none.
            seconds, num_songs, seed, temperature: of the songs that are compared with the real
                ones: seconds in all.
            temperatures: at which other songs are sung, for how varied each makes them and how long
                they fall silent.
            condition: as of `generate`, who alone it is about: the recordings that have these
                values, learned and held out, and songs under them; None: all.
            pictures: folder for likelihood.png, songs.png, syllables.png, transitions.png and
                statistics.png; None: none are drawn.
            say: called with lines for the user.    progress: show a bar.

        Returns:
            dict of figures, units in their names, each beside its baselines; None for what is not
            defined.

        Raises:
            ValueError: an argument is wrong, or the recordings have gone or changed.
        """
        options = report.SongOptions(
            arguments.number_of(seconds, "seconds", 0.1, 36_000),
            arguments.count_of(num_songs, "num_songs", 1, 10_000),
            arguments.count_of(seed, "seed", 0, 2**30),
            arguments.number_of(temperature, "temperature", *TEMPERATURES),
            tuple(arguments.number_of(t, "temperatures", *TEMPERATURES) for t in temperatures),
        )
        bracket = self._likelihood_options(
            num_temperatures, num_chains, num_test_frames, base, seed
        )
        run = self._run("evaluate")
        with _share_bar(progress) as bar:
            figures, drawn = report.evaluate(
                self, run, data_dir, options, bracket, bar, held_out_list, say, condition
            )
        if pictures is not None:
            os.makedirs(pictures, exist_ok=True)
            report.write_pictures(drawn, pictures, self.config.execution)
        return figures

    def export(
        self,
        export_dir: Path,
        data_dir: Path | None = None,
        max_frames: int = singer.DEFAULT_MAX_FRAMES,
        say: Callable[[str], object] = warnings.warn,
    ) -> str:
        """Writes the next version of a SavedModel for TensorFlow Serving; earlier versions stay.

        Args:
            export_dir: folder of the versions; made if it is not there.
            data_dir: folder of the recordings, on whose held-out part it is measured how usual
                calls score; None: where the run found them.
            max_frames: most frames of a song or a recording that the export takes.
            say: called with a line where the recordings have gone and data_dir does not say where
                they are, so that nothing will be called unusual.

        Returns:
            Path of the version's folder, export_dir/N.

        Raises:
            ValueError: an argument is wrong, or the model is one of frame sequences.
        """
        max_frames = arguments.count_of(max_frames, "max_frames", 1, MOST_FRAMES)
        run = self._run("export")
        if not self.scale.is_sound:
            raise ValueError(
                "`workdir` must hold a model of recordings, not of frame sequences. "
                f"Received: workdir={run}"
            )
        try:
            usual = usual_ranges.usual_ranges(self, run, data_dir)
            usual_calls = usual_ranges.usual_calls_of(self, run, data_dir)
        except ValueError as reason:
            if data_dir is not None:
                raise
            say(f"{reason} So nothing will be called unusual; see data_dir.")
            usual, usual_calls = usual_ranges.EVERYTHING_USUAL, None
        told = RunFolder(run).data().for_export(), usual_calls, voice_conversion.units_in(run)
        return export.export_saved_model(self, export_dir, max_frames, usual, *told)

    def save(self, workdir: Path) -> str:
        """Copies the run to another folder, from which `load_model` gives the same model and
        `train` goes on.

        Args:
            workdir: a folder that is not there, or is empty.

        Returns:
            Its path.

        Raises:
            ValueError: the folder has something in it, or the run has gone on since the model was
                loaded, so that the model in memory is no longer its best.
        """
        return run_copy.write(self, self._run("save"), workdir)

    @functools.cached_property
    def _singer(self):
        return Singer(self, MOST_FRAMES)

    def _num_frames(self, num_frames, seconds, default):
        if seconds is None and num_frames is None:
            return default
        if seconds is None:
            return arguments.count_of(num_frames, "num_frames", 1, MOST_FRAMES)
        if num_frames is not None or not self.scale.is_sound:
            what = "num_frames too" if self.scale.is_sound else "a model of frame sequences"
            raise ValueError(
                "`seconds` must be left out where num_frames is given, and for frame sequences. "
                f"Received: seconds={seconds}, and {what}"
            )
        frames_a_second = self.sample_rate / self.config.spectrogram.hop_length
        seconds = arguments.number_of(seconds, "seconds", 0, MOST_FRAMES / frames_a_second)
        return songs.frames_in(seconds, self)

    def _prime(self, prime, rate):
        if prime is None or arguments.is_path(prime):
            if rate is not None:
                raise ValueError(
                    f"`rate` must be left out but for a prime of samples. Received: rate={rate}"
                )
            return None if prime is None else arguments.file_of(prime, "prime")
        if arguments.rate_of(rate) != self.sample_rate:
            raise ValueError(
                f"`rate` must be {self.sample_rate}, that of the model; "
                f"load(path, sample_rate=model.sample_rate) resamples. Received: rate={rate}"
            )
        return arguments.samples_of(prime)

    def _likelihood_options(self, num_temperatures, num_chains, num_frames, base, seed):
        if base not in (None, "mean_field", "biases"):
            raise ValueError(f"`base` must be mean_field or biases. Received: base={base}")
        num_temperatures = arguments.count_of(
            num_temperatures, "num_temperatures", 0, likelihood.MOST_TEMPERATURES
        )
        options = likelihood.LikelihoodOptions(
            num_temperatures=num_temperatures,
            num_chains=arguments.count_of(num_chains, "num_chains", 2, 10_000),
            num_frames=arguments.count_of(num_frames, "num_frames", 0, 2**62),
            base=base,
            seed=arguments.count_of(seed, "seed", 0, 2**30),
            compiled=self.config.execution.compiled,
            num_replicas=self.config.generation.num_replicas,
            num_gibbs_steps=self.config.generation.num_gibbs_steps,
        )
        return options if num_temperatures else None

    def _run(self, verb):
        if self.workdir is None:
            raise ValueError(
                f"`{verb}` needs a model's run, and an export has none: load_model must be given "
                "the run folder."
            )
        return self.workdir


@contextlib.contextmanager
def _share_bar(progress: bool) -> Iterator[Callable[[float], object]]:
    if not progress:
        yield lambda share: None
        return
    with share_bar("likelihood") as bar:
        yield bar
