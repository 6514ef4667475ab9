"""Arrays from .npz files that nobody vouches for: what a header claims is held against what the
file has, before memory is taken for it.
"""

import math
import os
import zipfile

import numpy as np

# No more than this many bytes come out of one (https://www.zlib.net/zlib_tech.html), and a little
# for the ends.
_MOST_DEFLATED, _ENDS = 1032, 1024


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All arrays of a file by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no arrays, damaged ones, pickled ones, or claims more than it has; the
            message is the reason, without the file's name.
    """
    try:
        if is_single_array(path):
            raise ValueError("it holds a single array")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: checked_array(arrays, name) for name in arrays.files}
    except FileNotFoundError:
        raise
    # A damaged archive shows as whatever the library meets first: KeyError, NotImplementedError,
    # struct.error, tokenize.TokenError, a RuntimeError that asks for a password.
    except Exception as error:
        raise ValueError(reason(error)) from None


def is_single_array(path: str | os.PathLike[str]) -> bool:
    """Whether a file is an .npy, whatever its name."""
    with open(path, "rb") as file:
        return file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX


def checked_array(arrays: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    """One array of an opened .npz file.

    Raises ValueError if it is pickled, or its header claims other bytes than the file has; what
    NumPy and zipfile raise if it is damaged in another way.
    """
    entry = arrays.zip.getinfo(f"{name}.npy" if f"{name}.npy" in arrays.zip.namelist() else name)
    held = os.fstat(arrays.zip.fp.fileno()).st_size
    most = entry.compress_size
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        most = _MOST_DEFLATED * most + _ENDS
    if entry.compress_size > held or entry.file_size > most:
        raise ValueError(f"{name} claims {entry.file_size} bytes, which the file does not have")
    with arrays.zip.open(entry) as member:
        claimed, header = _claimed_bytes(member), member.tell()
    if header + claimed != entry.file_size:
        raise ValueError(
            f"{name} claims {claimed} bytes, and the file has {entry.file_size - header}"
        )
    return arrays[name]


def reason(error: Exception) -> str:
    """What is wrong with a file, in a few words, from whatever reading it has raised."""
    if isinstance(error, MemoryError):
        return "its arrays do not fit into memory"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, (ValueError, zipfile.BadZipFile)) else f"damaged ({text})"


def _claimed_bytes(member):
    """Bytes that the header of an .npy says follow it."""
    major, _ = np.lib.format.read_magic(member)
    if major == 1:
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    elif major == 2:
        shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    else:
        raise ValueError("its arrays have names for their fields")
    if dtype.hasobject:
        raise ValueError("pickled objects, which are never loaded")
    if any(length < 0 for length in shape):
        raise ValueError("an array of negative length")
    return math.prod(shape) * dtype.itemsize
