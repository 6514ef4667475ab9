"""What keeps a version from being served, in words."""

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from neurovocal_tf.server import refusals

_REMEDY = "export the model again, or remove this version's folder"


class Fault(ValueError):
    """A version cannot be served; the message says which part of it is wrong."""


@contextlib.contextmanager
def told_of(part: str) -> Iterator[None]:
    """A block around what is done with a part of a version.

    Args:
        part: what cannot be done if the block fails, such as "its weights cannot be read".

    Raises:
        Fault: whatever went wrong within the block.
    """
    try:
        yield
    except Exception as error:
        raise Fault(f"{part}: {_line(error)}") from error


def check_is_there(folder: str) -> None:
    """Raises a `Fault` where a folder has no graph, with what is there in its place."""
    path = os.path.join(folder, "saved_model.pb")
    if os.path.isfile(path):
        return
    if os.path.islink(folder) and not os.path.exists(folder):
        raise Fault(f"{folder} is a link to {os.readlink(folder)}, where there is nothing")
    if not os.path.isdir(folder):
        raise Fault(f"{folder} is no folder")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise Fault(f"{folder} may not be read")
    if os.path.islink(path):
        raise Fault(f"{path} is a link to {os.readlink(path)}, where there is nothing")
    raise Fault(f"{folder} has no saved_model.pb: it is no export, or is still being copied")


def in_words(error: Exception) -> str:
    """What is wrong, and what to do, in one line."""
    return f"{_line(error)}; {_REMEDY}"


def _line(error: Exception) -> str:
    if isinstance(error, tf.errors.OpError):
        return refusals.from_tensorflow(error).message
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
