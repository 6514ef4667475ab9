"""Why a file cannot be used as a recording."""

import os


class UnreadableRecording(ValueError):
    """A file that cannot be used as a recording; the message is the reason, in one line,
    without the file's name.
    """


def cannot_be_opened(path: str | os.PathLike[str], error: OSError) -> str:
    """Why the system does not open a file or folder, in words."""
    if os.path.islink(path) and not os.path.exists(path):
        target = os.readlink(path)
        if isinstance(error, FileNotFoundError):
            return f"is a link to {shown(target)}, which is not there"
        return f"is a link to {shown(target)}, which cannot be followed: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return "is not there"
    return f"cannot be opened: {error.strerror}"


def shown(name: str) -> str:
    """A name as text that every table and terminal takes: what is no letter of it is escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
