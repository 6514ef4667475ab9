"""Keras runs on TensorFlow, or a line says that it has to; and it knows the package's classes."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "tests" / "support" / "earlier_run" / "model.keras"


def run(*command, **environment):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        timeout=120,
    )


@pytest.mark.parametrize("imports", ["neurovocal_tf, keras", "keras, neurovocal_tf"])
def test_a_saved_model_loads_after_the_package_alone_is_imported(imports):
    code = f"import {imports}; print(type(keras.models.load_model({str(MODEL)!r})).__name__)"
    done = run("-c", code)
    assert (done.returncode, done.stdout) == (0, "RNNRBM\n"), done.stderr


TOOLS = [
    ("tools/train.py", "--data_dir=."),
    ("tools/tune.py", "--data_dir=."),
    ("tools/generate.py",),
    ("tools/evaluate.py",),
    ("export/export_saved_model.py", "--export_dir=none"),
]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool[0])
def test_another_backend_is_refused_in_one_line_that_says_what_is_needed(tool, tmp_path):
    done = run(*tool, f"--workdir={tmp_path}", KERAS_BACKEND="torch")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: KERAS_BACKEND must name tensorflow as Keras's backend, or none: TensorFlow is "
        "needed. Received: torch\n"
    )
    assert os.listdir(tmp_path) == []


def test_the_backend_that_kerass_own_file_names_counts_too(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    done = run("-c", "import neurovocal_tf; neurovocal_tf.train", KERAS_HOME=str(tmp_path))
    assert "keras.json must name tensorflow as Keras's backend" in done.stderr
    done = run("-c", "import neurovocal_tf; neurovocal_tf.Config()", KERAS_BACKEND="torch")
    assert (done.returncode, done.stderr) == (0, "")
