"""XLA made to heed TF_CPP_MIN_LOG_LEVEL, as the rest of TensorFlow does."""

import contextlib
import functools
import os
import re
import tempfile
from collections.abc import Iterator

import tensorflow as tf

# What it says of its devices and of its first program, once in every process that compiles: through
# a logger of its own, which reads no variable and which nothing outside reaches.
_GREETING = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)|I\d{4} \d\d:\d\d:\d+\.\d+ "
)


@functools.cache
def start_quietly() -> None:
    """Compiles a first program, so that XLA's greeting is over before a progress bar begins; other
    lines that are written meanwhile appear when it is done.

    Does nothing where TF_CPP_MIN_LOG_LEVEL lets greetings through.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") == "0":
        return
    with _without_greeting():
        tf.function(lambda number: number + 1, autograph=False, jit_compile=True)(tf.constant(0.0))


@contextlib.contextmanager
def _without_greeting() -> Iterator[None]:
    with tempfile.TemporaryFile() as held:
        try:
            # The descriptor itself: a compiled library writes past Python.
            before = os.dup(2)
        except OSError:
            # A process without a standard error has nothing to keep quiet.
            yield
            return
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            held.seek(0)
            for line in held:
                if not _GREETING.match(line):
                    os.write(2, line)
