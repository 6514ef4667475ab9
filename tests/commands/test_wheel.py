"""A wheel, in a folder that holds nothing else, does what a checkout does."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def run(*command, cwd, path=""):
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder into which a wheel of this checkout is installed, without what it needs."""
    source, wheels, site = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "site"))
    for name in ("setup.py", "README.md"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "neurovocal_tf", source / "neurovocal_tf", ignore=ignored)
    run(sys.executable, "-c", _BUILD, wheels, cwd=source)
    (wheel,) = wheels.glob("*.whl")
    options = ("--quiet", "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "install", *options, "--target", site, wheel, cwd=wheels)
    return site


@pytest.fixture
def neurovocal(installed, tmp_path):
    """What a command of the wheel prints, called in an empty folder."""
    (tmp_path / "empty").mkdir()

    def printed(*arguments):
        command = (sys.executable, installed / "bin" / "neurovocal", *arguments)
        return run(*command, cwd=tmp_path / "empty", path=installed)

    return printed


def test_the_commands_of_a_wheel_run_in_an_empty_folder(neurovocal, tmp_path):
    assert "\n  segment " in neurovocal("--help")
    rng = np.random.default_rng(0)
    sound = 0.001 * rng.normal(size=32_000)
    sound[8_000:10_000] += 0.3 * np.sin(2 * np.pi * 2000 / 16_000 * np.arange(2_000))
    soundfile.write(tmp_path / "empty" / "bird.wav", sound, 16_000)
    told = neurovocal("segment", "--preset=demo", "--data_dir=bird.wav", "--out=found", "--review")
    assert told.startswith("1 segments in 1 recordings, 2.0 s; 0 skipped: found/annotations.csv")
    neurovocal("info", "found", "--json=facts.json")
    facts = json.loads((tmp_path / "empty" / "facts.json").read_text())
    assert (facts["recordings"], facts["segments"]) == (1, 1)
    assert set(os.listdir(tmp_path / "empty")) == {"bird.wav", "found", "facts.json"}


def test_a_wheel_brings_the_presets_the_pages_and_the_types(installed, tmp_path):
    code = (
        "import neurovocal_tf; from neurovocal_tf import Config, presets; "
        "from neurovocal_tf.server import page_policy; "
        "[Config.preset(name) for name in presets.NAMES]; "
        "print(neurovocal_tf.__file__, page_policy.PAGE, sep='\\n')"
    )
    package, page = run(sys.executable, "-c", code, cwd=tmp_path, path=installed).splitlines()
    folder = pathlib.Path(package).parent
    assert folder == installed / "neurovocal_tf" and (folder / "py.typed").exists()
    assert (
        pathlib.Path(page).read_bytes()
        == (ROOT / "neurovocal_tf" / "server" / "page" / "index.html").read_bytes()
    )
    assert not (installed / "tests").exists() and not (installed / "tools").exists()
