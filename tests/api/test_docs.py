"""The page on Python says what is so: its code runs as it stands."""

import re
import shutil

import numpy as np
import pandas as pd
import tensorflow as tf

import neurovocal_tf
from neurovocal_tf.discovery import stability
from neurovocal_tf.evaluation import report
from neurovocal_tf.layers.encoder import check_encoder
from neurovocal_tf.serving import export
from neurovocal_tf.training import trainer


def code_of(page):
    return re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_the_code_of_the_page_runs(
    repository, simulated_recordings, trained_run, tmp_path, monkeypatch
):
    shutil.copytree(simulated_recordings, tmp_path / "finches")
    (tmp_path / "finches" / "simulated_000.wav").rename(tmp_path / "finches" / "bird_1.wav")
    others = [f"simulated_{number:03d}.wav,{'ab'[number % 2]}" for number in range(1, 5)]
    (tmp_path / "birds.csv").write_text("\n".join(["file,bird", *others, ""]))
    monkeypatch.chdir(tmp_path)
    # What takes minutes has tests of its own, and its arguments are looked at here.
    monkeypatch.setattr(
        trainer,
        "train",
        lambda config, data, workdir, *_, **__: shutil.copytree(trained_run, workdir),
    )
    monkeypatch.setattr(stability, "NUM_REFITS", 2)
    monkeypatch.setattr(report, "evaluate", lambda *arguments: ({"one_step_error_db": 1.0}, {}))
    monkeypatch.setattr(export, "export_saved_model", lambda model, folder, *_: f"{folder}/1")
    page = (repository / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = code_of(page.split("\n## Keras\n")[0])
    names = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 5
    assert len(names["discovered"].calls) == len(names["found"]) and (tmp_path / "report").is_dir()
    assert len(names["merged"].types) == len(names["discovered"].types) - 1
    assert set(names["new"]["type"]) <= set(names["discovered"].types["type"])
    assert set(names["singers"]["answer"]) == {"a", "b"}
    assert len(names["embedded"]) == len(names["found"]) > 0
    assert len(names["scored"]) == 5 and len(names["songs"]) == 4
    assert names["version"] == "models/finch/1"
    table = pd.read_csv("segments.csv")
    pd.testing.assert_frame_equal(table, names["found"], check_dtype=False)


def test_the_code_for_keras_runs_and_its_encoder_is_one(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (repository / "docs" / "python.md").read_text(encoding="utf-8")
    blocks, names = code_of(page.split("\n## Keras\n")[1]), {"nv": neurovocal_tf}
    # Tracing so small models takes twice as long as all that they compute.
    tf.config.run_functions_eagerly(True)
    try:
        for block in blocks:
            exec(block, names)
    finally:
        tf.config.run_functions_eagerly(False)
    assert len(blocks) == 4
    frames, encoder = tf.constant(names["frames"], tf.float32), names["leaky"].encoder
    again = names["again"].predict_step(frames)
    np.testing.assert_allclose(again, names["predicted"], rtol=0, atol=1e-6)
    assert names["sung"].shape == (2, 20, 6) and np.isfinite(names["sung"]).all()
    check_encoder(encoder)
    for turned, axis in ((tf.identity, -1), (tf.transpose, 0)):
        state = turned(encoder.initial_state(tf.ones([10], tf.bool)))
        for frame in tf.unstack(frames, axis=1):
            state = encoder.step(turned(frame), state, axis=axis)
        np.testing.assert_allclose(turned(state), encoder(frames)[:, -1], rtol=0, atol=1e-5)


def test_the_five_lines_of_readme_are_of_names_that_there_are(repository):
    page = (repository / "README.md").read_text(encoding="utf-8")
    (block,) = code_of(page)
    compile(block, "README.md", "exec")
    names = set(re.findall(r"\bnv\.(\w+)", block))
    assert names and names <= set(neurovocal_tf.__all__)
    verbs = set(re.findall(r"\bmodel\.(\w+)\(", block))
    assert verbs and all(callable(getattr(neurovocal_tf.Model, verb)) for verb in verbs)
