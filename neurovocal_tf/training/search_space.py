"""What a search may change: a range or a choice of values for each setting."""

import dataclasses
from collections.abc import Iterable, Mapping

from neurovocal_tf.config import Config, settings
from neurovocal_tf.settings import number_type


@dataclasses.dataclass(frozen=True)
class Dimension:
    """What one setting may be in a search.

    Attributes:
        kind: "choice": any of `values`; "linear" or "log": between the two `values`, on that scale.
        values: tuple of str, int or float.
    """

    kind: str
    values: tuple[str | float, ...]


# Every setting that a search may change: those that leave the data as they are. `learning_rates` is
# a factor on all of them.
DIMENSIONS = {
    "hidden_scalar": Dimension("log", (0.5, 3.0)),
    "recurrent_scalar": Dimension("log", (0.5, 3.0)),
    "num_layers": Dimension("linear", (1, 3)),
    "dropout": Dimension("linear", (0.0, 0.5)),
    "state_dropout": Dimension("linear", (0.0, 0.5)),
    "input_noise": Dimension("linear", (0.0, 0.5)),
    "learning_rates": Dimension("log", (0.2, 5.0)),
    "clip_norm": Dimension("choice", (0.0, 0.3, 1.0, 3.0)),
    "l2": Dimension("log", (1e-5, 1e-1)),
    "l1": Dimension("log", (1e-6, 1e-2)),
    "weight_average": Dimension("choice", (0.0, 0.9, 0.99, 0.999)),
    "optimizer": Dimension("choice", ("adam", "rmsprop")),
    "gates": Dimension("choice", ("sigmoid", "tanh")),
}
_NUMBER_OF_SCALAR = {"hidden_scalar": "num_hidden", "recurrent_scalar": "num_recurrent"}
DEFAULT_SEARCH = (
    "hidden_scalar",
    "recurrent_scalar",
    "num_layers",
    "dropout",
    "input_noise",
    "learning_rates",
    "clip_norm",
    "l2",
)


def search_space(entries: Iterable[str], config: Config) -> dict[str, Dimension]:
    """The dimensions of a search.

    Args:
        entries: texts "name" (with the range of `DIMENSIONS`), "name=low:high" or,
            for a choice, "name=value:value:...".
        config: `Config` whose other settings hold.

    Returns:
        dict of name -> `Dimension`.

    Raises:
        ValueError: a name that cannot be searched, or values out of the setting's range.
    """
    space = {}
    for entry in entries:
        name, _, text = entry.strip().partition("=")
        if name not in DIMENSIONS:
            raise ValueError(
                f"`search` must name settings among {', '.join(DIMENSIONS)}. "
                f"Received: search={entry}"
            )
        space[name] = _dimension(name, text) if text else DIMENSIONS[name]
        for value in space[name].values:
            with_values(config, {name: value})
    if not space:
        raise ValueError("`search` must name one setting at least.")
    return space


def _dimension(name, text):
    kind, known = DIMENSIONS[name].kind, DIMENSIONS[name].values
    try:
        values = tuple(map(type(known[0]), text.split(":")))
    except ValueError:
        raise ValueError(
            f"`search` must give numbers for {name}. Received: search={name}={text}"
        ) from None
    if kind != "choice" and not (len(values) == 2 and values[0] < values[1]):
        raise ValueError(f"`search` must give {name} as low:high. Received: search={name}={text}")
    if kind == "log" and not values[0] > 0:
        raise ValueError(
            f"`search` must give {name} a range above 0. Received: search={name}={text}"
        )
    return Dimension(kind, values)


def with_values(config: Config, values: Mapping[str, str | float]) -> Config:
    """`config` with the values of a trial, rounded to four digits.

    dict of name -> value -> `Config`
    """
    kinds = {field.name: number_type(field) for _, field in settings()}
    rounded = {
        name: float(f"{value:.4g}") if kinds[name] is float else value
        for name, value in values.items()
    }
    if "learning_rates" in rounded:
        factor = rounded["learning_rates"]
        rounded["learning_rates"] = tuple(
            float(f"{rate * factor:.4g}") for rate in config.training.learning_rates
        )
    # A number of units that is given would win over its scalar,
    # and every trial would be of the same size.
    unset = {number: 0 for scalar, number in _NUMBER_OF_SCALAR.items() if scalar in rounded}
    return config.replace(**rounded | unset)


def value_text(value: str | float) -> str:
    """A searched value as a user reads it: a number with a fraction in four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
