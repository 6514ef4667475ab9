"""With which settings an output folder was begun: results of others go elsewhere."""

import os

from neurovocal_tf import config as config_lib
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation.refinement import Refinement

# Settings that say what is found; how much of an epoch is kept in memory does not.
_SECTIONS = ("audio", "segmentation")


def check_config(before: str, config: Config, out_dir: str | os.PathLike[str]) -> None:
    """Raises ValueError, one line, where settings that count are not those of the config.json,
    `before`, that a folder holds.
    """
    try:
        begun = Config.from_json(before)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{os.path.join(out_dir, 'config.json')} must hold the settings that its folder was "
            f"begun with, and cannot be read ({reason}): put it back, or the results go elsewhere."
        ) from None
    counted = counted_settings(config)
    for name, old, new in config_lib.changed_settings(begun, config):
        if name in counted:
            raise ValueError(
                f"`{name}` must be {old}, with which {out_dir} was begun, or the results "
                f"go elsewhere. Received: {name}={new}"
            )


def check_refinement(before: str, now: str, out_dir: str | os.PathLike[str]) -> None:
    """The same of the second look, by what its file holds, or "" for none."""
    if before != now:
        received = "another file" if before and now else "a file" if now else "none"
        raise ValueError(
            f"`refine` must be what {out_dir} was begun with, or the results go elsewhere. "
            f"Received: {received}"
        )


def refinement_text(refinement: Refinement | None) -> str:
    """What refinement.json holds; "" for none."""
    return "" if refinement is None else refinement.to_json() + "\n"


def counted_settings(config: Config) -> dict[str, object]:
    """Name -> value of the settings that say what is found."""
    return {
        field.name: getattr(getattr(config, section), field.name)
        for section, field in config_lib.settings()
        if section in _SECTIONS
    }
