"""Partially observable Markov models of call types: Markov chains of states each of which is of one
type, so that a type that goes on differently in different places has several of them.

Jin & Kozhevnikov, 2011, "A compact statistical model of the song syntax in Bengalese finch", PLoS
Computational Biology 7(3): e1001108.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.stats

# A state is split if what is before it tells of what comes after it, beyond this chance.
_CHANCE = 0.01
_MOST_TRIED, _NUM_STARTS = 2, 3
_FIRST_STEPS, _MOST_STEPS, _TOLERANCE_BITS = 3, 20, 1e-3
_LEAK, _FLOOR = 0.05, 1e-9
# Calls, of which less is none and so much is given to what was never seen.
_HALF = 0.5
_NUM_REGROUPINGS = 8
# Longer bouts are learned from in pieces, so that many are gone through at once.
_LONGEST = 64
_MOST_CALLS = 10_000


@dataclasses.dataclass(frozen=True)
class Pomm:
    """States that go over into each other, and what was counted for it.

    Attributes:
        types: int `[S]`, of each state.    num_types: K.
        chances: `[S + 1, S]`, of the next state; the last row is a bout's beginning.
        counts: `[S + 1, S]`, expected, of the bouts it was fitted to.
    """

    types: np.ndarray
    num_types: int
    chances: np.ndarray
    counts: np.ndarray

    def bits(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """What bouts cost, `[B]`: -log2 of their chances, summed over all ways through the states
        (Rabiner, 1989, with its scaling).
        """
        together = Together.of([(sequence, True) for sequence in sequences])
        found = np.zeros(len(sequences))
        found[together.order] = -self._forward(together)[1]
        return found

    def smoothed(self, is_twice: bool) -> "Pomm":
        """For bouts that were not counted: what goes on from one of several states of a type is
        smoothed by what goes on from the type, and that by the types' shares (Witten & Bell, 1991).

        With a state for each type this is the first order as `reach` has it. A type's only state
        may be smoothed by its type too, which halves the room for what was never heard: this is
        what a second order does where it knows no more than the first.
        """
        one = np.eye(self.num_types)[self.types]
        of_rows = np.eye(self.num_types + 1)[np.append(self.types, self.num_types)]
        counted = self.counts @ one
        by_type = of_rows.T @ counted
        overall = _witten_bell(by_type.sum(axis=0), np.full(self.num_types, 1 / self.num_types))
        of_type = of_rows @ _witten_bell(by_type, overall)
        is_one_of_several = np.append(one.sum(axis=0)[self.types] > 1, False)[:, None]
        known = np.where(is_one_of_several | is_twice, _witten_bell(counted, of_type), of_type)
        entries = self.counts.sum(axis=0) + _FLOOR
        usual = _HALF * entries / ((entries @ one) @ one.T)
        within = (self.counts + usual) / (counted[:, self.types] + _HALF)
        return dataclasses.replace(self, chances=known[:, self.types] * within)

    def fitted(self, together: "Together", most_steps: int = _MOST_STEPS) -> "Pomm":
        """After so many steps of Baum and Welch's, or fewer once they gain nothing."""
        model, before = self, -np.inf
        size = sum(map(len, together.given))
        for _ in range(most_steps):
            forward = model._forward(together)
            counts = model._expected(together, forward)
            model = dataclasses.replace(model, counts=counts, chances=_shares(counts))
            bits = float(forward[1].sum())
            if bits - before <= _TOLERANCE_BITS * size:
                break
            before = bits
        return model

    def log_chance(self, together: "Together") -> float:
        """log2 of the chance of all calls."""
        return float(self._forward(together)[1].sum())

    def states(self, together: "Together") -> list[np.ndarray]:
        """The likeliest state of each call, in each piece as they were given."""
        likely = [np.empty(0, int)] * len(together.given)
        for place, chances, _ in self._backward(together, self._forward(together)):
            likely[place] = chances.argmax(axis=1)
        found = [np.empty(0, int)] * len(together.order)
        for row, number in enumerate(together.order):
            found[number] = np.array([some[row] for some in likely if row < len(some)], int)
        return found

    def _forward(self, together: "Together") -> "_Forward":
        size = len(self.types)
        logs = np.zeros(len(together.order))
        found: list[np.ndarray] = []
        scales: list[np.ndarray] = []
        begins = together.begins[:, None]
        for place, given in enumerate(together.given):
            if place:
                ahead = found[-1][: len(given)] @ self.chances[:size]
            else:
                ahead = np.where(begins[: len(given)], self.chances[size], 1.0)
            ahead = ahead * self._emits[given]
            scale = np.maximum(ahead.sum(axis=1, keepdims=True), np.finfo(float).tiny)
            found.append(ahead / scale)
            if not place:
                # What a piece goes on with was paid for in the one before it.
                scale = np.where(begins[: len(given)], scale, 1.0)
            scales.append(scale)
            logs[: len(given)] += np.log2(scale[:, 0])
        return found, logs, scales

    def _backward(
        self, together: "Together", forward: "_Forward"
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """From the last place to the first: its number, the chances of its states given all calls
        `[B, S]`, and `[C, S]` of those that go on: with `chances`, and the same of the calls so
        far, what makes up the chance of going over to each of the next.
        """
        found, _, scales = forward
        onwards = self.chances[:-1].T
        after = reached = np.ones((0, len(self.types)))
        for place in reversed(range(len(together.given))):
            here = np.ones((len(together.given[place]), len(self.types)))
            if len(after):
                reached = self._emits[together.given[place + 1]] * after / scales[place + 1]
                here[: len(after)] = reached @ onwards
            yield place, found[place] * here, reached
            after = here

    def _expected(self, together: "Together", forward: "_Forward") -> np.ndarray:
        """Expected counts `[S + 1, S]`."""
        before, after, begun = [], [], np.zeros(len(self.types))
        for place, likely, reached in self._backward(together, forward):
            before.append(forward[0][place][: len(reached)])
            after.append(reached)
            if not place:
                begun = likely[together.begins[: len(likely)]].sum(axis=0)
        steps = self.chances[:-1] * (np.concatenate(before).T @ np.concatenate(after))
        return np.vstack([steps, begun])

    @functools.cached_property
    def _emits(self) -> np.ndarray:
        """Which states a type may be, `[K, S]`."""
        return (np.arange(self.num_types)[:, None] == self.types).astype(float)


# Chances of the states given the calls so far, a place at a time; log2 of each piece's; scales.
_Forward = tuple[list[np.ndarray], np.ndarray, list[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Together:
    """Bouts, or pieces of them, that are gone through side by side, the longest first.

    Attributes:
        order: int `[B]`, the number that each had among those given.
        begins: bool `[B]`, whether a bout begins with its first call; else what is before that one
            is not known, nor what it costs.
        given: the first types of all, the second of those that have one, and so on.
    """

    order: np.ndarray
    begins: np.ndarray
    given: list[np.ndarray]

    @classmethod
    def of(cls, pieces: Sequence[tuple[np.ndarray, bool]]) -> "Together":
        """Of pieces `[L]`, and whether each begins a bout."""
        lengths = np.array([len(types) for types, _ in pieces], int)
        order = np.argsort(-lengths, kind="stable")
        given = [
            np.array([pieces[row][0][place] for row in order[: int(np.sum(lengths > place))]])
            for place in range(lengths.max(initial=0))
        ]
        return cls(order, np.array([pieces[row][1] for row in order], bool), given)


def path(
    sequences: Sequence[np.ndarray], num_types: int, most_splits: int, seed: int = 0
) -> list[Pomm]:
    """Models of more and more states: first one for each type, then, split by split, the one of
    those tried that makes the bouts likeliest.

    Where what comes before one state, or before two in a row, tells of what comes after beyond
    chance (a G-test), these states are what a split is tried on; what it takes three to remember at
    once is not found. The path ends where there is no such state, or a split gains next to nothing.

    Args:
        sequences: int `[L]` each, types of bouts; of many calls, some 10,000 in bouts at random.
        num_types: K.
        most_splits: after which the path ends too.    seed: int.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(sequences))
    ends = np.cumsum([len(sequences[row]) for row in order])
    chosen = [sequences[row] for row in np.sort(order[ends - ends[:1] < _MOST_CALLS])]
    # Each piece goes on from the last call of the one before it.
    pieces = [
        (sequence[max(first - 1, 0) : first + _LONGEST], not first)
        for sequence in chosen
        for first in range(0, len(sequence), _LONGEST)
    ]
    together = Together.of(pieces)
    types = np.arange(num_types)
    even = np.full((num_types + 1, num_types), 1 / num_types)
    models = [Pomm(types, num_types, even, np.zeros_like(even)).fitted(together)]
    chance = models[0].log_chance(together)
    while len(models) <= most_splits:
        tried = [
            _likeliest(
                [
                    _split(models[-1], chain, table, rng).fitted(together, _FIRST_STEPS)
                    for _ in range(_NUM_STARTS)
                ],
                together,
            )[1].fitted(together)
            for chain, table in _dependent(models[-1], pieces, together)
        ]
        before = chance
        if tried:
            chance, model = _likeliest(tried, together)
        # Two numbers more, at least, have to be worth it (Schwarz, 1978).
        if chance - before <= np.log2(sum(map(len, together.given))):
            break
        models.append(model)
    return models


def _likeliest(models: Sequence[Pomm], together: Together) -> tuple[float, Pomm]:
    """The model under which all calls are likeliest, after log2 of their chance."""
    chances = [model.log_chance(together) for model in models]
    best = int(np.argmax(chances))
    return chances[best], models[best]


def _dependent(
    model: Pomm, pieces: Sequence[tuple[np.ndarray, bool]], together: Together
) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Chains of one state or two before and after which calls depend on each other most, each with
    its table of the state before by the type after, `[S + 1, K]`.
    """
    size = len(model.types)
    tables: dict[tuple[int, ...], np.ndarray] = {}
    for (types, begins), states in zip(pieces, model.states(together), strict=True):
        before = np.append(size if begins else -1, states[:-1])
        for length in (1, 2):
            for place in range(len(states) - length):
                chain = tuple(states[place : place + length].tolist())
                if before[place] >= 0 and len(set(chain)) == length:
                    table = tables.setdefault(chain, np.zeros((size + 1, model.num_types)))
                    table[before[place], types[place + length]] += 1
    found = []
    for chain, table in tables.items():
        surprise, freedom = _dependence(table)
        if freedom and scipy.stats.chi2.sf(surprise, freedom) < _CHANCE:
            found.append((surprise - freedom, chain, table))
    found.sort(key=lambda one: (-one[0], one[1]))
    return [(chain, table) for _, chain, table in found[:_MOST_TRIED]]


def _dependence(table: np.ndarray) -> tuple[float, int]:
    """G of a table of counts, and its degrees of freedom."""
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / max(table.sum(), 1)
    ratio = np.divide(table, expected, out=np.ones_like(table), where=table > 0)
    return 2 * float(np.sum(table * np.log(ratio))), (table.shape[0] - 1) * (table.shape[1] - 1)


def _split(
    model: Pomm, chain: tuple[int, ...], table: np.ndarray, rng: np.random.Generator
) -> Pomm:
    """Each state of a chain as two, of which one is gone through after some of the states before it
    and the other after the rest.
    """
    groups, following = _grouped(table, rng)
    seen = table.sum(axis=1) > 0
    favour = np.where(seen, np.where(groups == 0, 1 - _LEAK, _LEAK), 0.5)
    last = chain[-1]
    if len(chain) == 2:
        first = chain[0]
        model = _halved(model, first, favour, np.stack([model.chances[first]] * 2))
        favour = np.full(len(model.chances), 0.5)
        favour[first], favour[-2] = 1 - _LEAK, _LEAK
    row = model.chances[last]
    of_type = np.eye(model.num_types)[model.types]
    shares = row / np.maximum((row @ of_type) @ of_type.T, _FLOOR)
    return _halved(model, last, favour, _shares(following[:, model.types] * shares))


def _grouped(table: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of counts `[P, K]` in two groups that differ in what follows, from a start at random.
    -> group of each row `[P]`, shares of each group `[2, K]`
    """
    groups = rng.integers(0, 2, len(table))
    seen = np.flatnonzero(table.sum(axis=1))
    groups[rng.permutation(seen)[:2]] = 0, 1
    following = np.empty((2, table.shape[1]))
    for _ in range(_NUM_REGROUPINGS):
        for group in (0, 1):
            following[group] = table[groups == group].sum(axis=0) + 0.5
        following /= following.sum(axis=1, keepdims=True)
        likelier = (table @ np.log(following).T).argmax(axis=1)
        if len(set(likelier[seen])) < 2:
            break
        groups = likelier
    return groups, following


def _halved(model: Pomm, state: int, favour: np.ndarray, rows: np.ndarray) -> Pomm:
    """A state as two, the second of which is the last: by `favour` of what goes to it from each
    state `[S + 1]` the first gets, and by `rows` `[2, S]` they go on.
    """
    chances = model.chances.copy()
    chances[state] = rows[0]
    chances = np.insert(chances, -1, rows[1], axis=0)
    favour = np.insert(favour, -1, favour[state])
    column = chances[:, state].copy()
    chances[:, state] = column * favour
    chances = np.column_stack([chances, column * (1 - favour)])
    types = np.append(model.types, model.types[state])
    return Pomm(types, model.num_types, chances, np.zeros_like(chances))


def _witten_bell(counts: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Shares of counts `[..., K]`, which weigh as `known` does where as many were counted as there
    are kinds among them.
    """
    kinds = (counts >= _HALF).sum(axis=-1, keepdims=True)
    total = counts.sum(axis=-1, keepdims=True)
    return np.where(kinds > 0, (counts + kinds * known) / np.maximum(total + kinds, _FLOOR), known)


def _shares(counts: np.ndarray) -> np.ndarray:
    raised = counts + _FLOOR
    return raised / raised.sum(axis=-1, keepdims=True)
