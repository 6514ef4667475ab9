"""The named conditions under which recordings were made, such as who sings and in which context,
and which values of each a model knows: the one table of them, which a model carries.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from neurovocal_tf.settings import nearest

#: The value of whatever is not known, the first of each condition's.
UNKNOWN = "unknown"
# As many are told of where one is not among them.
_MOST_TOLD = 30

#: Of shares such as .333, which are rounded.
SHARES_SLACK = 5e-3

Given = Mapping[str, str] | str | Iterable[str] | None
#: Numbers of one value of each condition, and the share of these in a mixture.
Blend = tuple[tuple[tuple[int, ...], float], ...]


@dataclasses.dataclass(frozen=True)
class Conditions:
    """The values of each condition that a model has learned.

    Attributes:
        values: of each condition, by its name, those known: `UNKNOWN`, and then the others, sorted.
            A value's number is its place there.
    """

    values: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in self.values.items():
            others = list(known[1:])
            if not name or "=" in name or known[:1] != (UNKNOWN,) or others != sorted(set(others)):
                raise ValueError(
                    f"`values` must be {UNKNOWN} and other values, sorted, under a name without =. "
                    f"Received: {name}: {known}"
                )

    @classmethod
    def of(cls, found: Mapping[str, Iterable[str]]) -> "Conditions":
        """Those with the values found of each, by its name, in any order; "" is none."""
        return cls(
            {name: (UNKNOWN, *sorted(set(some) - {"", UNKNOWN})) for name, some in found.items()}
        )

    def __len__(self) -> int:
        """K, the number of conditions; where there are none, a model knows of no such thing."""
        return len(self.values)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each has."""
        return tuple(map(len, self.values.values()))

    @property
    def texts(self) -> tuple[str, ...]:
        """Each value of each but the unknown one as NAME=VALUE, and first "", which says nothing:
        what an export takes, and by whose place a caller may say it, too.
        """
        pairs = ((name, value) for name, known in self.values.items() for value in known[1:])
        return ("", *(f"{name}={value}" for name, value in pairs))

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Of each of `texts` but the first, which condition it is of, and the value's number."""
        return tuple(
            (place, number) for place, size in enumerate(self.sizes) for number in range(1, size)
        )

    def numbers(self, values: Iterable[str]) -> tuple[int, ...]:
        """The numbers of one value of each condition, in their order; of what is not known 0."""
        return tuple(
            known.index(value) if value in known else 0
            for known, value in zip(self.values.values(), values, strict=True)
        )

    def numbers_of(self, given: Given, argument: str = "condition") -> tuple[int, ...]:
        """The numbers of the conditions that somebody has named; of all others 0, the unknown.

        Args:
            given: {"individual": "gy6or6"}, "individual=gy6or6", several of these, or None.
            argument: the name it is given by.

        Raises:
            ValueError: a name or a value that is not known, or one condition twice.
        """
        found = dict.fromkeys(self.values, UNKNOWN)
        named = set()
        for name, value in _pairs(given, argument):
            if not self.values:
                raise ValueError(
                    f"`{argument}` must be left out: this model has learned no conditions. "
                    f"Received: {argument}={name}={value}"
                )
            if name not in self.values:
                raise ValueError(
                    f"`{argument}` must name one of {', '.join(self.values)}. "
                    f"Received: {argument}={name}={value}{_hint(name, self.values)}"
                )
            if value not in self.values[name]:
                raise ValueError(
                    f"`{argument}` must be one of {name} that the model has heard: "
                    f"{_told(self.values[name])}. "
                    f"Received: {argument}={name}={value}{_hint(value, self.values[name])}"
                )
            if name in named:
                raise ValueError(
                    f"`{argument}` must name each condition once. Received: {name} twice"
                )
            named.add(name)
            found[name] = value
        return self.numbers(found.values())

    def named(self, given: Given, argument: str = "condition") -> dict[int, int]:
        """Of the conditions that somebody has named, each one's place, and its value's number.

        Args, Raises: as of `numbers_of`.
        """
        # What is given may be an iterator, which is read once.
        names = dict(pairs := list(_pairs(given, argument)))
        numbers = self.numbers_of([f"{name}={value}" for name, value in pairs], argument)
        return {place: numbers[place] for place, name in enumerate(self.values) if name in names}

    def blend_of(self, given: Given, argument: str = "to") -> Blend:
        """What somebody has named, who may have given several values of a condition, each with its
        share: "individual=a:0.3,b:0.7". Where there is one condition its name may be left out.

        Args:
            given: as for `numbers_of`; at least one.    argument: the name it is given by.

        Returns: the numbers of each combination, and its share; shares are above 0, their sum is 1.

        Raises:
            ValueError: as `numbers_of`; or shares that are none or do not add up to 1.
        """
        if isinstance(given, str):
            given = [given]
        texts = given if given is not None and not isinstance(given, Mapping) else None
        if texts is not None:
            alone = next(iter(self.values)) if len(self.values) == 1 else ""
            texts = [str(text) for text in texts]
            given = [text if "=" in text or not alone else f"{alone}={text}" for text in texts]
        pairs = list(_pairs(given, argument))
        # What names nothing that is known, or nothing at all, is told as that of one value is.
        blend: Blend = ((self.numbers(dict.fromkeys(self.values, UNKNOWN).values()), 1.0),)
        whole: list[str] = []
        for name, value in pairs:
            shares = self._shares_of(name, value, argument)
            for one, _ in shares:
                self.numbers_of([*whole, f"{name}={one}"], argument)
            whole.append(f"{name}={shares[0][0]}")
            place = list(self.values).index(name)
            blend = tuple(
                (
                    (*numbers[:place], self.values[name].index(one), *numbers[place + 1 :]),
                    so_far * share,
                )
                for numbers, so_far in blend
                for one, share in shares
            )
        if not pairs:
            raise ValueError(
                f"`{argument}` must name one of {', '.join(self.values) or 'the conditions'}, such "
                "as individual=gy6or6. Received: none"
            )
        return blend

    def _shares_of(self, name, value, argument):
        """(value, share) of each value in a text such as a:0.3,b:0.7."""
        if value in self.values.get(name, ()) or ":" not in value:
            return [(value, 1.0)]
        return _shares_in(name, value, argument)

    def row(self, numbers: Iterable[int] | None = None) -> list[tuple[int, ...]]:
        """Such numbers, by default unknown ones, as the last of a graph's arguments: none where
        there are no conditions.
        """
        if not self.values:
            return []
        return [(0,) * len(self.values) if numbers is None else tuple(map(int, numbers))]

    def to_json(self) -> dict[str, list[str]]:
        """As values of JSON."""
        return {name: list(known) for name, known in self.values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Conditions":
        """Inverse of `to_json`.  Raises an exception of any kind for what is none."""
        return cls({str(name): tuple(map(str, known)) for name, known in values.items()})


#: Of a model that knows of none.
NO_CONDITIONS = Conditions()


def shares_of(given: Given, argument: str = "to") -> list[tuple[str, float]]:
    """What `Conditions.blend_of` takes, where it is not known what a model has learned: each value
    as NAME=VALUE, and its share of its condition, 1 of one that is not mixed. A mixture is what has
    a comma and shares; names may not be left out.

    Raises:
        ValueError: nothing is named, or not as NAME=VALUE; or shares that are none or do not add up
            to 1.
    """
    found = []
    for name, value in _pairs(given, argument):
        is_mixed = "," in value and ":" in value
        shares = _shares_in(name, value, argument) if is_mixed else [(value, 1.0)]
        found += [(f"{name}={one}", share) for one, share in shares]
    if not found:
        raise ValueError(
            f"`{argument}` must be NAME=VALUE, such as individual=gy6or6. Received: none"
        )
    return found


def _shares_in(name: str, text: str, argument: str) -> list[tuple[str, float]]:
    received = f"Received: {argument}={name}={text}"
    found = {}
    for one in text.split(","):
        value, _, share = one.strip().rpartition(":")
        try:
            found[value] = float(share)
        except ValueError:
            raise ValueError(
                f"`{argument}` must give each value of a blend its share, such as a:0.3,b:0.7. "
                f"{received}"
            ) from None
    if len(found) <= text.count(",") or not all(share > 0 for share in found.values()):
        raise ValueError(
            f"`{argument}` must blend different values, with shares above 0. {received}"
        )
    if not abs(sum(found.values()) - 1) < SHARES_SLACK:
        raise ValueError(
            f"`{argument}` must have shares that add up to 1. {received}, which add up to "
            f"{sum(found.values()):g}"
        )
    return list(found.items())


def _pairs(given: Given, argument: str) -> Iterable[tuple[str, str]]:
    if given is None:
        return
    if isinstance(given, Mapping):
        yield from ((str(name), str(value)) for name, value in given.items())
        return
    for text in (given,) if isinstance(given, str) else given:
        name, is_pair, value = str(text).partition("=")
        if not is_pair:
            raise ValueError(
                f"`{argument}` must be NAME=VALUE, such as individual=gy6or6. "
                f"Received: {argument}={text}"
            )
        yield name.strip(), value.strip()


def _told(known: tuple[str, ...]) -> str:
    left = len(known) - _MOST_TOLD
    return ", ".join(known[:_MOST_TOLD]) + (f" and {left} others" if left > 0 else "")


def _hint(name: str, known: Iterable[str]) -> str:
    hint = nearest(name, known)
    return f".{hint}" if hint else ""
