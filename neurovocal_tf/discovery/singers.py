"""Who sings in recordings whose calls are measured: by these, and by the silences between."""

from collections.abc import Mapping, Sequence

import numpy as np

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import identity, silences
from neurovocal_tf.discovery.features import Recipe
from neurovocal_tf.discovery.identity import Heard, Identity


def identify(
    paths: Mapping[str, str],
    names: Sequence[str],
    calls: Heard,
    spans_s: np.ndarray,
    given: Mapping[str, str],
    recipe: Recipe,
    audio: AudioConfig,
    seed: int = 0,
) -> Identity:
    """Tells individuals apart, and measures how much of it the background tells.

    Args:
        paths: dict of recording's name -> path.    names: of the recordings, R.
        calls: `Heard`, S.    spans_s: `[S, 2]`, of the calls.
        given: dict of a recording's name -> the individual.
        recipe: `Recipe`, of the background's spectra.
        audio: `AudioConfig`, whose `sample_rate` is not 0.
        seed: int.

    Raises: ValueError, one line, if no two individuals have calls.
    """
    found, recordings = [], []
    for number in np.unique(calls.recordings).tolist():
        if names[number] in given:
            try:
                own = spans_s[calls.recordings == number]
                found.append(silences.measure(paths[names[number]], own, recipe, audio))
            except readers.UnreadableRecording:
                # Its calls are known, from features that others have measured or before it went.
                continue
            recordings += [number] * len(found[-1])
    numbers = np.array(recordings, int)
    background = Heard(np.concatenate(found), numbers, numbers) if recordings else None
    return identity.identify(names, calls, given, background, seed)
