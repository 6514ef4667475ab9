"""What a trained model of several voices does with what one of them has said."""

import warnings
from collections.abc import Callable

import numpy.typing as npt

from neurovocal_tf.api import arguments
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.conditions import Given
from neurovocal_tf.generation import voice_conversion
from neurovocal_tf.generation.singer import TEMPERATURES, Singer
from neurovocal_tf.generation.songs import Song
from neurovocal_tf.runs.trained import Trained

_MOST_SEED = 2**62


class Converting(Trained):
    """A trained model whose run is known, `workdir`, and that sings, `_singer`."""

    workdir: str | None
    _singer: Singer

    def convert(
        self,
        recording: npt.ArrayLike | Path,
        rate: int | None = None,
        *,
        to: Given,
        keep: str = "",
        seed: int = 0,
        temperature: float = 1.0,
        say: Callable[[str], object] = warnings.warn,
    ) -> Song:
        """What a voice has said, said by another that the model has learned, of a run with
        conditions and `labels="units"`.

        Args:
            recording: a file, at any rate; or samples [N] at the model's `rate`.
            to: whose voice, such as {"individual": "theo"} or, of one condition, "theo"; mixed by
                shares, "theo:0.7,lucas:0.3".
            keep: of the recording; "pitch", which needs praat-parselmouth, "energy", or
                "pitch,energy".
            seed, temperature: as of `generate`.
            say: called with lines for the user.

        Returns:
            `Song`, as long as the recording.

        Raises:
            ValueError: an argument is wrong, the recording cannot be read or is too short, or the
                run has no units, or no conditions.
        """
        kept = voice_conversion.kept_of(keep)
        seed = arguments.count_of(seed, "seed", 0, _MOST_SEED)
        temperature = arguments.number_of(temperature, "temperature", *TEMPERATURES)
        if self.workdir is None:
            raise ValueError(
                "`convert` needs a model's run, and an export has none: load_model must be given "
                "the run folder."
            )
        units = voice_conversion.units_of_run(self.workdir, self._singer)
        blend = self.model.conditions.blend_of(to)
        if arguments.is_path(recording):
            if rate is not None:
                raise ValueError(f"`rate` must be left out but for samples. Received: rate={rate}")
            path = arguments.file_of(recording, "recording")
            samples, notes = voice_conversion.read(path, self._singer)
            for note in notes:
                say(f"{path} {note}")
        else:
            if arguments.rate_of(rate) != self.sample_rate:
                raise ValueError(
                    f"`rate` must be {self.sample_rate}, that of the model; "
                    f"load(path, sample_rate=model.sample_rate) resamples. Received: rate={rate}"
                )
            samples = arguments.samples_of(recording)
        source = voice_conversion.hear(samples, self._singer, units)
        song, more = voice_conversion.convert(
            self._singer, units, source, blend, seed, temperature, kept
        )
        for note in more:
            say(note)
        return song
