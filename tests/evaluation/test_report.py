"""A run on annotations, and what its evaluation tells label by label."""

import collections
import os
import shutil

import numpy as np
import pytest
import reference
import tensorflow as tf

from neurovocal_tf.evaluation import report
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import Trained, build_model
from neurovocal_tf.training.preparation import prepare_data


@pytest.fixture(scope="module")
def annotated_run(tmp_path_factory, simulated_recordings, tiny_config):
    """(run folder, folder of recordings, configuration)
    of a run on bouts that annotations cut, before its first epoch.
    """
    base = tmp_path_factory.mktemp("annotated")
    shutil.copytree(simulated_recordings, base / "data")
    config = tiny_config.replace(sequence="bout", annotations=str(base / "data"))
    folder = RunFolder(base / "run")
    os.makedirs(folder.path)
    prepared(config, base / "data", base / "run")
    folder.write_config(config)
    return base / "run", base / "data", config


def prepared(config, data_dir, workdir):
    return prepare_data(
        config, data_dir, RunFolder(workdir), tf.Variable(0, dtype=tf.int64), lambda line: None
    )


def test_errors_of_held_out_frames_are_told_by_label(annotated_run, monkeypatch):
    workdir, _, config = annotated_run
    # Singing, comparing songs and drawing take longer than all that is looked at here.
    monkeypatch.setattr(report, "_songs", lambda *_: ({}, {}, None))
    data = RunFolder(workdir).data()
    trained = Trained(build_model(config), config, data.scale, data.sample_rate, epoch=0)
    figures, _ = report.evaluate(
        trained, workdir, song_options=report.SongOptions(seconds=0.1, num_songs=1)
    )
    errors = collections.defaultdict(list)
    for frames, _, labels in data.parts_in(config).test.labelled_sequences().as_numpy_iterator():
        predicted = np.asarray(trained.model.predict_step(frames[np.newaxis]))[0]
        for label in set(labels) - {b""}:
            errors[label.decode()].append((frames[labels == label], predicted[labels == label]))
    assert (
        {name for name in figures if "label" in name}
        == {f"one_step_error_of_label_{label}_db" for label in errors}
        != set()
    )
    for label, parts in errors.items():
        actual, predicted = (np.concatenate(some)[np.newaxis] for some in zip(*parts, strict=True))
        expected = reference.root_mean_square_error(actual, predicted, np.ones(actual.shape[:2]))
        # A compiled prediction may differ from an eager one by rounding.
        assert figures[f"one_step_error_of_label_{label}_db"] == pytest.approx(expected, rel=1e-4)


def test_a_condition_says_whose_recordings_and_songs_are_evaluated(
    simulated_recordings, tiny_config, tmp_path, monkeypatch
):
    names = sorted(name for name in os.listdir(simulated_recordings) if name.endswith(".wav"))
    table = tmp_path / "voices.csv"
    table.write_text("file,voice\n" + "".join(f"{x},{'ab'[i % 2]}\n" for i, x in enumerate(names)))
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("\n".join(names[:2]))
    config = tiny_config.replace(
        recordings_table=str(table), condition_columns="voice", held_out_list=str(held_out)
    )
    folder = RunFolder(tmp_path / "run")
    os.makedirs(folder.path)
    prepared(config, simulated_recordings, folder.path)
    folder.write_config(config)
    data = folder.data()
    model = build_model(config, known=data.conditions)
    trained = Trained(model, config, data.scale, data.sample_rate, epoch=0)
    sung = []

    def songs(trained, training, held_out, options, say, sources):
        sung.extend(sources)
        return {}, {}, None

    monkeypatch.setattr(report, "_songs", songs)
    figures, _ = report.evaluate(trained, folder.path, condition="voice=b")
    assert {source.conditions for source in sung} == {("b",)}
    (frames,) = [
        frames
        for frames, number, *_ in data.parts_in(config)
        .test.numbered_sequences()
        .as_numpy_iterator()
        if number == 1
    ]
    batch = frames[np.newaxis], None, None, np.array([[2]], np.int32)
    error = np.sqrt(np.mean(np.square(frames - np.asarray(model.predict_step(batch))[0])))
    # A compiled prediction may differ from an eager one by rounding.
    assert figures["one_step_error_db"] == pytest.approx(error, rel=1e-4)


def test_a_run_does_not_go_on_with_other_annotations(annotated_run, tmp_path):
    workdir, data_dir, config = annotated_run
    other = tmp_path / "other.csv"
    text = (data_dir / "annotations.csv").read_text(encoding="utf-8")
    other.write_text(text.replace(",a\n", ",z\n"), encoding="utf-8")
    with pytest.raises(
        ValueError,
        match="`annotations` cannot change when a run goes on, and those of .*simulated_00",
    ):
        prepared(config.replace(annotations=str(other)), data_dir, workdir)
