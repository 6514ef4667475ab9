"""What the verbs take, checked: samples, rates, presets with settings, recordings by path.

Everything that is wrong is a ValueError that names the argument and says what to do.
"""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from neurovocal_tf import presets
from neurovocal_tf.audio import full_scale, readers
from neurovocal_tf.audio.listing import Listing, is_pattern, look_at
from neurovocal_tf.audio.unreadable import UnreadableRecording
from neurovocal_tf.config import Config
from neurovocal_tf.config import settings as all_settings
from neurovocal_tf.settings import nearest

Path: TypeAlias = str | os.PathLike[str]

# By what samples of integers are divided, full scale being 1.
_FULL_SCALES = {"int16": 2.0**15, "int32": 2.0**31}


def is_path(value: object) -> bool:
    """Whether an argument is a path rather than samples or a list."""
    return isinstance(value, (str, os.PathLike))


def rate_of(rate: Any, argument: str = "rate") -> int:
    """A sample rate in Hz as an int."""
    try:
        is_whole = not isinstance(rate, (bool, str)) and int(rate) == rate
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not (is_whole and readers.MIN_RATE_HZ <= rate <= readers.MAX_RATE_HZ):
        remedy = ": give that of the samples in Hz, as load does" if rate is None else ""
        raise ValueError(
            f"`{argument}` must be a whole number of Hz between {readers.MIN_RATE_HZ} and "
            f"{readers.MAX_RATE_HZ}. Received: {argument}={rate!r}{remedy}"
        )
    return int(rate)


def samples_of(samples: Any, channel: str | None = None) -> np.ndarray:
    """Samples of one channel as float32 [N], full scale 1.

    Args:
        samples: float [N], full scale 1, or int16 or int32 as WAV files have them; [N, C] where a
            channel is named.
        channel: loudest, mean, or a number from 0, as text; None: there must be only one.
    """
    try:
        array = np.asarray(samples)
    # Lists of different lengths are no array.
    except ValueError as error:
        raise _bad("an array [N]", f"{type(samples).__name__} ({error})") from None
    scale = _FULL_SCALES.get(array.dtype.name)
    if array.dtype.kind != "f" and scale is None:
        raise _bad("floating-point numbers, full scale 1, or int16 or int32", f"{array.dtype}")
    shape = f"an array of shape {array.shape}"
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and array.size and array.shape[1] > array.shape[0]:
        raise _bad("[N], or [N, C] with a channel", f"{shape}: transpose it, samples.T")
    elif array.ndim == 2 and channel is None:
        raise _bad(
            "one channel, [N]",
            f'{shape}: give samples[:, 0], or channel="loudest" where that is a setting',
        )
    elif array.ndim not in (1, 2):
        raise _bad("one channel, [N]", shape)
    if not array.size:
        raise _bad("at least one sample", "none")
    absurd = full_scale.Absurd()
    array = array.astype(np.float32) if scale is None else (array / scale).astype(np.float32)
    absurd.take(array)
    if absurd.some:
        # Files have a setting for it, samples in memory can be divided.
        reason = absurd.reason(is_float=False)
        raise _bad("finite numbers, full scale 1", f"an array that {reason}")
    if array.ndim == 1:
        return np.ascontiguousarray(array)
    try:
        return readers.one_channel(array, str(channel))
    except UnreadableRecording as reason:
        raise ValueError(
            f"`channel` must be loudest, mean or one that there is. Received: channel={channel}, "
            f"and an array that {reason}"
        ) from None


def config_of(
    preset: str | Config,
    settings: Mapping[str, Any],
    used: Sequence[str] | None = None,
    choose: Callable[[], tuple[str, str]] | None = None,
) -> Config:
    """The `Config` of a preset with some settings in the place of its own.

    Args:
        preset: its name, or a `Config`.    settings: name -> value.
        used: sections and settings that count for the caller; None: all do.
        choose: () -> the name that "auto" stands for, and why; None: auto must not be given.
    """
    if preset == presets.AUTO and choose is not None:
        preset = choose()[0]
    if isinstance(preset, str):
        preset = Config.preset(preset)
    elif not isinstance(preset, Config):
        raise ValueError(
            "`preset` must be the name of a preset, or a whole Config, as Config.preset(...)"
            f".replace(...) gives it. Received: preset of type {type(preset).__name__}"
        )
    if isinstance(settings.get("channel"), (int, np.integer)):
        settings = {**settings, "channel": str(settings["channel"])}
    known = [
        field.name
        for section, field in all_settings()
        if used is None or section in used or field.name in used
    ]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(
            f"`{unknown[0]}` is neither an argument nor a setting that counts here."
            f"{nearest(unknown[0], known)}"
        )
    return preset.replace(**settings)


def is_samples(value: object) -> bool:
    """Whether an argument is an array, or a list of numbers, rather than paths."""
    if isinstance(value, (list, tuple)):
        return bool(value) and not isinstance(value[0], (str, os.PathLike))
    return hasattr(value, "__array__")


def file_of(path: Any, argument: str) -> str:
    """The path of a file that is there; ~ is the home folder."""
    if not is_path(path) or not os.path.isfile(os.path.expanduser(path)):
        found = os.fspath(path) if is_path(path) else f"an object of type {type(path).__name__}"
        raise ValueError(
            f"`{argument}` must be the path of a file, and there is none. "
            f"Received: {argument}={found}"
        )
    return os.path.expanduser(os.fspath(path))


def listing_of(recordings: Any) -> Listing:
    """The recordings of a path that `listing.look_at` takes, or of a list of such, in order, and
    what cannot be read.
    """
    if is_path(recordings):
        path = os.path.expanduser(os.fspath(recordings))
        if os.path.exists(path) or is_pattern(path):
            return look_at(path)
        return Listing((file_of(path, "recordings"),))
    several = list(recordings) if isinstance(recordings, (list, tuple, set)) else []
    if not several or not all(map(is_path, several)):
        raise ValueError(
            "`recordings` must be samples [N], a path, or a list of paths, one at least. "
            f"Received: recordings of type {type(recordings).__name__}"
            f"{'' if several else ' with nothing in it' * isinstance(recordings, (list, tuple))}"
        )
    found = [listing_of(one) for one in several]
    return Listing(
        tuple(dict.fromkeys(path for one in found for path in one.paths)),
        tuple(dict.fromkeys(pair for one in found for pair in one.skipped)),
    )


def count_of(value: Any, argument: str, least: int, most: int) -> int:
    """A whole number within limits as an int."""
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not (is_whole and least <= value <= most):
        raise ValueError(
            f"`{argument}` must be a whole number between {least} and {most}. "
            f"Received: {argument}={value!r}"
        )
    return int(value)


def number_of(value: Any, argument: str, least: float, most: float) -> float:
    """A number within limits as a float."""
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    # NaN is within none.
    if not (is_number and least <= value <= most):
        raise ValueError(
            f"`{argument}` must be a number between {least:g} and {most:g}. "
            f"Received: {argument}={value!r}"
        )
    return float(value)


def none_usable(skipped: Mapping[str, str]) -> ValueError:
    """What is raised where none of some recordings can be used: file -> why."""
    first = min(skipped)
    return ValueError(
        "`recordings` must hold one at least that can be used. "
        f"Received: {len(skipped)}; the first: {first}, which {skipped[first]}"
    )


def warn_of(skipped: Mapping[str, str]) -> None:
    """Warns the caller of a verb of files that are left out: file -> why."""
    if skipped:
        first = min(skipped)
        warnings.warn(
            f"{len(skipped)} recordings cannot be used; the first: {first}, which "
            f'{skipped[first]}. attrs["skipped"] of the table has all.',
            stacklevel=4,
        )


def _bad(wanted: str, found: str) -> ValueError:
    return ValueError(f"`samples` must be {wanted}. Received: {found}")
