"""What a user is told of the headers of recordings that are to be learned."""

import collections
from collections.abc import Iterator, Sequence

from neurovocal_tf.audio.readers import Recording


def of_headers(recordings: Sequence[Recording]) -> Iterator[str]:
    """Where a header says what is not so."""
    for recording in recordings:
        note = recording.note(recording.duration_s)
        if note:
            yield f"{recording.path} {note}"


def of_rates(recordings: Sequence[Recording], sample_rate: int) -> Iterator[str]:
    """Which are brought to another rate."""
    counts = collections.Counter(recording.sample_rate for recording in recordings)
    for rate, count in sorted(counts.items()):
        if rate != sample_rate:
            yield (
                f"{count} of {len(recordings)} recordings are resampled from {rate} Hz to "
                f"{sample_rate} Hz"
            )
