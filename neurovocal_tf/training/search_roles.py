"""Which part a process has in a search that several share, by the environment variables of
keras-tuner.
"""

import dataclasses
import re
from collections.abc import Mapping

VARIABLES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
_LARGEST_PORT = 65_535


@dataclasses.dataclass(frozen=True)
class Role:
    """The part of the chief, which draws the settings of every trial, or of a worker, which trains.

    Attributes:
        name: of the process, unlike any other's of the search.
        host: where the chief listens.    port: int, likewise; 0: any that is free.
        lost_after_s: float, seconds without a sign of a worker's life after which the chief gives
            its trial to another.
        wait_s: float, seconds that a worker waits for the chief, and the chief for any worker,
            before it gives up.
    """

    name: str
    host: str
    port: int
    lost_after_s: float
    wait_s: float

    @property
    def is_chief(self) -> bool:
        """Whether this is the chief: keras-tuner knows it by its name."""
        return "chief" in self.name

    @property
    def address(self) -> str:
        """The chief's "host:port"."""
        return f"{self.host}:{self.port}"


def role_in(environment: Mapping[str, str], lost_after_s: float, wait_s: float) -> Role | None:
    """The role that keras-tuner's variables give this process; None where it searches alone.

    Args:
        environment: of the process.    lost_after_s, wait_s: see `Role`.

    Raises:
        ValueError: some of the variables and not all of them, or one that is none.
    """
    values = [environment.get(variable, "") for variable in VARIABLES]
    if not any(variable in environment for variable in VARIABLES):
        return None
    missing = [name for name, value in zip(VARIABLES, values, strict=True) if not value]
    if missing:
        raise ValueError(
            f"{', '.join(VARIABLES)} must be set together, or none of them. Received: no "
            f"{', no '.join(missing)}"
        )
    name, host, port = values
    # It is part of the name of a file.
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        raise ValueError(
            "KERASTUNER_TUNER_ID must be letters, digits, -, _ and dots, such as chief or tuner1. "
            f"Received: {name}"
        )
    if re.search(r"[\s/]", host):
        raise ValueError(
            "KERASTUNER_ORACLE_IP must be the address or name of the chief's machine. "
            f"Received: {host}"
        )
    if not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) <= _LARGEST_PORT):
        raise ValueError(
            f"KERASTUNER_ORACLE_PORT must be a number from 1 to {_LARGEST_PORT}. Received: {port}"
        )
    return Role(name, host, int(port), lost_after_s, wait_s)
