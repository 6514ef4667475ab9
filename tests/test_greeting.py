"""TensorFlow's greeting is kept off the screen, and nothing else."""

import os
import pathlib
import subprocess
import sys

from neurovocal_tf import greeting

ROOT = pathlib.Path(__file__).resolve().parent.parent
GREETING = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795806452.766256    2899 service.cc:146] XLA service 0x55a6 initialized\n"
)
OTHERS = b"E0000 00:00:1795806452.766256    2899 cuda.cc:1] failed\nmine\n"


def run(code, folder, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", **environment},
        timeout=60,
    )


def test_of_what_is_written_meanwhile_only_the_greeting_is_left_out(capfd):
    with greeting.left_out():
        os.write(2, GREETING + OTHERS)
    os.write(2, b"later\n")
    assert capfd.readouterr().err.encode() == OTHERS + b"later\n"


def test_a_process_without_a_standard_error_goes_on(tmp_path):
    code = (
        "import os; os.close(2); from neurovocal_tf import greeting\n"
        "with greeting.left_out(): print('done')"
    )
    assert run(code, tmp_path).stdout == b"done\n"


def test_it_is_left_out_of_the_import_unless_the_environment_asks_for_it(tmp_path):
    # In the place of TensorFlow, which takes seconds.
    (tmp_path / "tensorflow.py").write_text(f"import os; os.write(2, {GREETING + OTHERS!r})")
    code = (
        "from neurovocal_tf import greeting; greeting.leave_out_of_import()\n"
        "import tensorflow; print(tensorflow.__name__)"
    )
    quiet = run(code, tmp_path, TF_CPP_MIN_LOG_LEVEL="3")
    assert (quiet.stdout, quiet.stderr) == (b"tensorflow\n", OTHERS)
    assert run(code, tmp_path, TF_CPP_MIN_LOG_LEVEL="0").stderr == GREETING + OTHERS


def test_the_last_words_of_an_import_that_is_aborted_are_heard(tmp_path):
    said = b"F0000 no AVX\n"
    (tmp_path / "tensorflow.py").write_text(f"import os; os.write(2, {said!r}); os.abort()")
    code = "from neurovocal_tf import greeting; greeting.leave_out_of_import()\nimport tensorflow"
    assert run(code, tmp_path, TF_CPP_MIN_LOG_LEVEL="3").stderr == said
