"""A run on annotations, and what its evaluation tells label by label."""

import collections
import shutil

import numpy as np
import pytest
import reference

from neurovocal_tf import pipeline, report, trainer
from neurovocal_tf.run_folder import RunFolder


@pytest.fixture(scope="module")
def annotated_run(tmp_path_factory, simulated_recordings, tiny_config):
    """(run folder, folder of recordings, configuration) of one epoch on bouts that annotations cut."""
    base = tmp_path_factory.mktemp("annotated")
    shutil.copytree(simulated_recordings, base / "data")
    config = tiny_config.replace(
        sequence="bout", annotations=str(base / "data"), learning_rates=(1e-3,), epochs_per_rate=(1,), cd_steps=(1,), epochs=1
    )
    trainer.train(config, base / "data", base / "run", pictures=False)
    return base / "run", base / "data", config


def test_errors_of_held_out_frames_are_told_by_label(annotated_run, monkeypatch):
    workdir, _, config = annotated_run
    # Singing and drawing take longer than all that is looked at here.
    monkeypatch.setattr(report.songs, "sing_songs", lambda *_: [])
    monkeypatch.setattr(report, "_song_picture", lambda *_: None)
    monkeypatch.setattr(report.plots, "statistics_figure", lambda *_: None)
    trained = trainer.load_trained(workdir)
    figures, _ = report.evaluate(trained, workdir, options=report.SongOptions(seconds=0.1, num_songs=1))
    data = RunFolder(workdir).data()
    errors = collections.defaultdict(list)
    for frames, _, labels in pipeline.labelled_sequences(data.sources_in()[1], data.sample_rate, data.scale, config).as_numpy_iterator():
        predicted = np.asarray(trained.model.predict_step(frames[np.newaxis]))[0]
        for label in set(labels) - {b""}:
            errors[label.decode()].append((frames[labels == label], predicted[labels == label]))
    assert {name for name in figures if "label" in name} == {f"one_step_error_of_label_{label}_db" for label in errors} != set()
    for label, parts in errors.items():
        actual, predicted = (np.concatenate(some)[np.newaxis] for some in zip(*parts, strict=True))
        expected = reference.root_mean_square_error(actual, predicted, np.ones(actual.shape[:2]))
        # A compiled prediction may differ from an eager one by rounding.
        assert figures[f"one_step_error_of_label_{label}_db"] == pytest.approx(expected, rel=1e-4)


def test_a_run_goes_on_with_the_annotations_it_began_with_wherever_they_lie(annotated_run, tmp_path):
    workdir, data_dir, config = annotated_run
    shutil.copytree(workdir, tmp_path / "run")
    moved = tmp_path / "moved.csv"
    text = (data_dir / "annotations.csv").read_text(encoding="utf-8")
    moved.write_text(text.replace(",a\n", ",z\n"), encoding="utf-8")
    config = config.replace(annotations=str(moved))
    with pytest.raises(ValueError, match="`annotations` cannot change when a run goes on, and those of .*simulated_00"):
        trainer.train(config, data_dir, tmp_path / "run", pictures=False)
    moved.write_text(text, encoding="utf-8")
    assert trainer.train(config, data_dir, tmp_path / "run", pictures=False)["epoch"] == 1
