"""XLA's greeting is kept off the screen, and nothing else."""

import os

import pytest

from neurovocal_tf import xla_log

GREETING = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795806452.766256    2899 service.cc:146] XLA service 0x55a6 initialized\n"
)
OTHERS = b"E0000 00:00:1795806452.766256    2899 cuda.cc:1] failed\nmine\n"


def test_of_what_is_written_meanwhile_only_the_greeting_is_left_out(capfd):
    with xla_log._without_greeting():
        os.write(2, GREETING + OTHERS)
    os.write(2, b"later\n")
    assert capfd.readouterr().err.encode() == OTHERS + b"later\n"


@pytest.mark.parametrize("level, is_quiet", [("3", True), ("0", False), (None, False)])
def test_the_level_of_the_environment_decides(level, is_quiet, monkeypatch):
    begun = []
    monkeypatch.setattr(
        xla_log, "_without_greeting", lambda: begun.append(1) or xla_log.tf.name_scope("x")
    )
    monkeypatch.setattr(xla_log.tf, "function", lambda *_, **__: lambda number: number)
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    if level is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    xla_log.start_quietly.__wrapped__()
    assert bool(begun) == is_quiet
