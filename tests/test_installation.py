"""What an installation has is told, for whoever compares results or reports a fault."""

import importlib.metadata
import pathlib
import platform

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

import neurovocal_tf
from neurovocal_tf import installation
from neurovocal_tf.audio import readers


@pytest.fixture(scope="module")
def facts():
    return installation.facts()


def test_it_tells_the_versions_that_are_imported(facts):
    told = {name: facts[name] for name in ("neurovocal_tf", "tensorflow", "keras", "numpy")}
    assert told == {
        module.__name__: module.__version__ for module in (neurovocal_tf, tf, keras, np)
    }
    assert facts["python"] == platform.python_version()
    assert facts["protobuf"] == importlib.metadata.version("protobuf")


def test_it_tells_the_processor_and_the_devices(facts):
    assert facts["processor"].endswith(" cores") and "CPU" in facts["devices"]


def test_of_instruction_sets_it_tells_the_largest(monkeypatch):
    flags = {"flags": ["fpu sse4_1 avx avx2 avx512f", "fpu sse4_1 avx avx2 avx512f"]}
    monkeypatch.setattr(installation, "_of_processor", lambda key: flags.get(key, []))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert installation._instruction_set() == "x86_64, avx512f"
    flags["flags"] = []
    assert installation._instruction_set() == "x86_64"


def test_the_readers_are_those_in_use(facts, monkeypatch):
    libsndfile = f"libsndfile {soundfile.__libsndfile_version__}"
    assert facts["readers"].startswith(libsndfile)
    assert ("tensorflow-io" in facts["readers"]) == readers.decodes_in_graph()
    monkeypatch.setattr(readers, "_tensorflow_io_decoder", lambda: None)
    assert "tensorflow-io" not in installation._readers()
    monkeypatch.setattr(readers, "_tensorflow_io_decoder", lambda: print)
    assert "(short 16-bit WAV in training)" in installation._readers()


def test_a_driver_without_a_device_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    there = {pathlib.Path("/dev/nvidiactl")}
    monkeypatch.setattr(installation.os.path, "exists", lambda path: pathlib.Path(path) in there)
    assert f"pip install 'tensorflow[and-cuda]=={tf.__version__}'" in installation._devices()["gpu"]
    there.clear()
    assert "gpu" not in installation._devices()
