"""Presets: settings that belong together, each a flag file in this folder.

The first line of a file, a comment, says what it is for.
"""

import functools
import importlib.resources

from neurovocal_tf.settings import nearest

NAMES = (
    "songbird",
    "mouse_usv",
    "bat",
    "speech",
    "published",
    "demo",
    "jsb",
    "nottingham",
    "spikes",
)
# Chosen by what the recordings are, see `segmentation.preset_choice`.
AUTO = "auto"


@functools.cache
def text_of(name: str) -> str:
    """The flag file of a preset.

    Raises ValueError for an unknown name.
    """
    if name not in NAMES:
        raise ValueError(
            f"`preset` must be among {', '.join(NAMES)}. Received: preset={name}."
            f"{nearest(name, NAMES)}"
        )
    return (importlib.resources.files(__name__) / f"{name}.flags").read_text(encoding="utf-8")


def purpose_of(name: str) -> str:
    """What a preset is for, a sentence."""
    return text_of(name).splitlines()[0].removeprefix("# ")
