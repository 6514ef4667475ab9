"""Fixtures of all tests."""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository():
    """Root folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_recordings():
    """Folder of real recordings that lies beside the repository; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "recordings"
    if not folder.is_dir():
        pytest.skip("the folder of real recordings, shared/recordings beside the repository, is not there")
    return folder


@pytest.fixture
def rng():
    """A fresh generator with a fixed seed for each test."""
    return np.random.default_rng(20)
