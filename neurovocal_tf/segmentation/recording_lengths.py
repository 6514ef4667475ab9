"""How long recordings are, for annotations that count samples or may lie beyond the end."""

from collections.abc import Callable

from neurovocal_tf.annotations.matching import Length
from neurovocal_tf.audio import readers


def length_of(time_expansion: int) -> Callable[[str], Length | None]:
    """A function of a recording's path that gives its `Length`, None where it cannot be read; as
    `matching.match` takes one.
    """

    def length(path: str) -> Length | None:
        try:
            recording = readers.probe(path, time_expansion)
        except readers.UnreadableRecording:
            return None
        return Length(recording.sample_rate, recording.num_samples)

    return length
