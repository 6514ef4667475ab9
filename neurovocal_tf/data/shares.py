"""Who reads what, where several processes train one model: recordings in shares, rows of a batch by
process.

Of every batch as many rows come from each share, so that a batch is made of `num_shares` parts, and
which windows it holds does not depend on how many processes take its rows.
"""

import typing
from collections.abc import Sequence

from neurovocal_tf.data.sequence_data import SequenceData


class Place(typing.NamedTuple):
    """Which rows of every batch one process takes: as many as any other, in the order of their
    `index` among `count`. They come in `num_replicas` batches, one for each of its devices.
    """

    index: int = 0
    count: int = 1
    num_replicas: int = 1

    def rows(self, batch_size: int) -> tuple[int, int]:
        """First and last row, the last exclusive."""
        each = batch_size // self.count
        return self.index * each, (self.index + 1) * each


#: All rows, for one device.
WHOLE = Place()


class Part(typing.NamedTuple):
    """What one share gives to a batch: `rows` of the `num_rows` that it has in every batch."""

    share: int
    num_rows: int
    rows: tuple[int, int]


def split(data: SequenceData, num_shares: int) -> tuple[SequenceData, ...]:
    """Shares of data that are about as long as each other; each recording, or sequence, is in one.

    A pure function of their sizes: the largest goes first, each to the share that has least so far.
    There may be shares of nothing.
    """
    if num_shares == 1:
        return (data,)
    members: list[list[int]] = [[] for _ in range(num_shares)]
    filled = [0] * num_shares
    sizes = data.sizes
    for index in sorted(range(len(data)), key=lambda index: (-sizes[index], index)):
        least = min(range(num_shares), key=lambda share: (filled[share], share))
        members[least].append(index)
        filled[least] += sizes[index]
    return tuple(data.some(sorted(indices)) for indices in members)


def parts_of(place: Place, batch_size: int, num_shares: int) -> tuple[Part, ...]:
    """What a place takes of every share that has rows for it, in the order of the rows."""
    each = batch_size // num_shares
    first, last = place.rows(batch_size)
    return tuple(
        Part(share, each, (max(first - share * each, 0), min(last - share * each, each)))
        for share in range(first // each, -(-last // each))
    )


def of_shares(
    values: Sequence[int], num_sequences: Sequence[int] | None
) -> tuple[tuple[int, ...], ...]:
    """Values of sequences, share after share, as one tuple a share.

    Args:
        values: one a sequence.
        num_sequences: sequences of each share; None: there is one share.
    """
    if num_sequences is None:
        return (tuple(values),)
    found, first = [], 0
    for count in num_sequences:
        found.append(tuple(values[first : first + count]))
        first += count
    return tuple(found)
