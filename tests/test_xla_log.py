"""XLA starts before a progress bar does, and quietly."""

import contextlib

import pytest

from neurovocal_tf import xla_log


@pytest.mark.parametrize("level, is_quiet", [("3", True), ("0", False), (None, False)])
def test_the_level_of_the_environment_decides(level, is_quiet, monkeypatch):
    begun = []
    monkeypatch.setattr(
        xla_log.greeting, "left_out", lambda: begun.append(1) or contextlib.nullcontext()
    )
    monkeypatch.setattr(xla_log.tf, "function", lambda *_, **__: lambda number: number)
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    if level is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    xla_log.start_quietly.__wrapped__()
    assert bool(begun) == is_quiet
