"""A trained model in Python: what it gives is what the parts beneath it give."""

import dataclasses
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from matplotlib import figure

import neurovocal_tf
from neurovocal_tf import Model, load, load_model, segment
from neurovocal_tf.evaluation import report, usual_ranges
from neurovocal_tf.evaluation.likelihood import LikelihoodOptions, log_likelihood_bracket
from neurovocal_tf.generation import songs
from neurovocal_tf.model import scoring
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.segmentation import sequences
from neurovocal_tf.serving import export

NUM_FRAMES = 12


@pytest.fixture(scope="module")
def model(trained_run):
    return load_model(trained_run)


@pytest.fixture(scope="module")
def paths(simulated_recordings):
    return sorted(map(str, simulated_recordings.glob("*.wav")))


@pytest.fixture(scope="module")
def frames(model, paths):
    """What the model sees of the first recording, [1, L, V], and its length."""
    samples, rate = load(paths[0])
    frames, lengths, _ = sequences.sequence_frames(samples, rate, model.scale, model.config)
    return frames[np.newaxis], tf.cast(lengths, tf.int32)


def test_a_model_is_what_its_run_trained(model, trained_run):
    assert isinstance(model, Model) and model.workdir == str(trained_run)
    assert model.sample_rate == 16_000 and model.epoch >= 1
    assert repr(model) == (
        f"Model(65 bins of 16000 Hz, epoch {model.epoch}, workdir={str(trained_run)!r})"
    )
    assert neurovocal_tf.load_trained is load_model


def test_songs_are_those_of_their_seeds(model, singer):
    sung = model.generate(2, NUM_FRAMES, seed=3, progress=False)
    for song, expected in zip(sung, songs.generate_songs(singer, [3, 4], NUM_FRAMES), strict=True):
        assert song.seed == expected.seed
        np.testing.assert_array_equal(song.decibels, expected.decibels)
        np.testing.assert_array_equal(song.waveform, expected.waveform)
    # 64 samples a frame at 16 kHz.
    (timed,) = model.generate(seconds=NUM_FRAMES * 64 / 16_000, seed=4, progress=False)
    np.testing.assert_array_equal(timed.decibels, sung[1].decibels)


def test_samples_prime_as_their_file_does(model, paths):
    samples, rate = load(paths[0])
    of_file, of_samples = (
        model.generate(1, NUM_FRAMES, prime=prime, rate=rate, progress=False)[0].decibels
        for prime, rate in ((paths[0], None), (samples, rate))
    )
    np.testing.assert_array_equal(of_file, of_samples)


def test_embeddings_and_scores_are_those_of_the_frames(model, paths, frames):
    samples, rate = load(paths[0])
    embedded, scored = model.embed(paths[0], progress=False), model.score(samples, rate)
    expected = scoring.embed(model.model, *frames).embedding
    np.testing.assert_allclose(embedded.filter(like="embedding_").iloc[0], expected, atol=1e-6)
    generation = model.config.generation
    scores = scoring.score(model.model, *frames, generation.num_gibbs_steps, generation.chain_start)
    assert list(scored) == ["file", *scoring.SCORES] and scored["file"].tolist() == [""]
    for name in scoring.SCORES:
        assert scored[name].item() == pytest.approx(float(getattr(scores, name)), abs=1e-4)


def test_a_folder_has_a_row_for_each_recording_that_can_be_used(model, paths, tmp_path):
    shutil.copy(paths[0], tmp_path / "b.wav")
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.warns(UserWarning, match=r"1 recordings cannot be used; the first: .*a\.wav"):
        table = model.embed(tmp_path, progress=False)
    assert table["file"].tolist() == [str(tmp_path / "b.wav")]
    assert list(table.attrs["skipped"]) == [str(tmp_path / "a.wav")]
    os.remove(tmp_path / "b.wav")
    with pytest.raises(ValueError, match="`recordings` must hold one at least that can be used"):
        model.embed(tmp_path, progress=False)


def test_a_table_of_segments_has_a_row_for_each(model, paths):
    found = segment(paths[:2], progress=False, min_group_segments=1).iloc[1:]
    embedded, scored = model.embed(found, progress=False), model.score(found, progress=False)
    assert len(found) > 3 and embedded.index.equals(found.index)
    columns = ["file", "onset_s", "offset_s"]
    pd.testing.assert_frame_equal(embedded[columns], found[columns], check_dtype=False)
    row = found.iloc[2]
    samples, rate = load(row["file"])
    alone = model.score(samples[round(row["onset_s"] * rate) : round(row["offset_s"] * rate)], rate)
    pd.testing.assert_series_equal(
        alone.iloc[0][list(scoring.SCORES)],
        scored.iloc[2][list(scoring.SCORES)],
        check_names=False,
        rtol=1e-4,
    )


def test_a_click_shorter_than_a_window_is_embedded_and_has_no_score(model, paths):
    click = pd.DataFrame({"file": [paths[0]], "onset_s": [0.5], "offset_s": [0.501]})
    assert np.isfinite(model.embed(click, progress=False).filter(like="embedding_")).all(axis=None)
    assert model.score(click, progress=False)[list(scoring.SCORES)].isna().all(axis=None)


def test_a_log_likelihood_is_that_of_the_frames(model, paths, frames):
    told = model.log_likelihood(
        paths[0], num_temperatures=4, num_chains=2, num_frames=20, progress=False
    )
    options = LikelihoodOptions(4, 2, 20, compiled=False)
    bracket = log_likelihood_bracket(model.model, [np.asarray(frames[0][0])], options)
    assert told["log_likelihood_ais_nats"] == pytest.approx(bracket.optimistic.value)
    assert told["num_likelihood_frames"] == 20 and told["num_temperatures"] == 4


def test_an_evaluation_is_that_of_the_run_and_draws_when_asked(model, tmp_path, monkeypatch):
    # tools/evaluate.py goes the whole way.
    given = []
    monkeypatch.setattr(
        report,
        "evaluate",
        lambda *arguments: given.append(arguments) or ({"x": 1.0}, {"songs": figure.Figure()}),
    )
    told = model.evaluate("data", num_temperatures=7, seconds=0.5, pictures=tmp_path / "drawn")
    assert told == {"x": 1.0} and os.listdir(tmp_path / "drawn") == ["songs.png"]
    model.evaluate(num_temperatures=0, progress=False)
    assert given[0][:5] == (
        model,
        model.workdir,
        "data",
        report.SongOptions(0.5),
        LikelihoodOptions(
            7, 8, 5000, compiled=False, num_gibbs_steps=model.config.generation.num_gibbs_steps
        ),
    )
    assert given[1][2:5] == (None, report.SongOptions(), None)


def test_an_export_is_loaded_as_the_same_model(model, export_dir):
    exported = load_model(export_dir)
    assert exported.workdir is None and exported.config == model.config
    assert (exported.scale, exported.epoch) == (model.scale, model.epoch)
    for mine, theirs in zip(model.model.variables, exported.model.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert load_model(export_dir / "1").epoch == model.epoch
    for verb in (exported.evaluate, lambda: exported.export("x"), lambda: exported.save("x")):
        with pytest.raises(ValueError, match="needs a model's run, and an export has none"):
            verb()


def test_a_damaged_export_is_named(export_dir, tmp_path):
    shutil.copytree(export_dir / "1" / "assets.extra", tmp_path / "7" / "assets.extra")
    with pytest.raises(ValueError, match=r"workdir=.*/7, which is damaged or of another version"):
        load_model(tmp_path)


def test_what_an_export_calls_usual_is_measured_on_the_runs_recordings(model, monkeypatch):
    # export/export_saved_model.py goes the whole way.
    given = []
    monkeypatch.setattr(
        export, "export_saved_model", lambda *arguments: given.append(arguments) or "models/1"
    )
    monkeypatch.setattr(usual_ranges, "usual_ranges", lambda *arguments: arguments[1:])
    monkeypatch.setattr(usual_ranges, "usual_calls_of", lambda *arguments: ("calls", arguments[2]))
    assert model.export("models", max_frames=40) == "models/1"
    told = RunFolder(model.workdir).data().for_export()
    assert given == [(model, "models", 40, (model.workdir, None), told, ("calls", None))]


def test_an_export_without_its_recordings_calls_nothing_unusual_and_says_so(model, monkeypatch):
    def gone(*arguments):
        raise ValueError("They have gone.")

    monkeypatch.setattr(export, "export_saved_model", lambda *arguments: arguments[3])
    monkeypatch.setattr(usual_ranges, "usual_ranges", gone)
    with pytest.warns(UserWarning, match="They have gone. So nothing will be called unusual"):
        assert model.export("models") == scoring.EVERYTHING_USUAL
    with pytest.raises(ValueError, match="They have gone"):
        model.export("models", "data")


def test_a_saved_run_is_the_same_model_and_goes_on(model, tmp_path):
    path = model.save(tmp_path / "kept" / "run")
    saved = load_model(path)
    for mine, theirs in zip(model.model.variables, saved.model.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert RunFolder(path).data() == RunFolder(model.workdir).data()
    with pytest.raises(ValueError, match="`workdir` must be a new or an empty folder"):
        model.save(path)
    assert os.listdir(tmp_path / "kept") == ["run"]


def test_what_is_no_longer_the_runs_model_is_not_saved(trained_run, tmp_path):
    changed = load_model(trained_run)
    changed.model.variables[0].assign(changed.model.variables[0] + 1)
    with pytest.raises(ValueError, match="`save` copies the best model of the run"):
        changed.save(tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_a_model_keeps_the_settings_it_is_loaded_with(trained_run, model):
    other = load_model(trained_run, lambda config: config.replace(num_gibbs_steps=1))
    assert other.config == model.config.replace(num_gibbs_steps=1)
    fields = {field.name for field in dataclasses.fields(other)}
    assert fields == {"model", "config", "scale", "sample_rate", "epoch", "space", "workdir"}


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m, p: m.generate(0), "`num_songs` must be a whole number between 1 and 100000"),
        (lambda m, p: m.generate(1, 2.5), "`num_frames` must be a whole number between"),
        (lambda m, p: m.generate(1, 9, seconds=1), "`seconds` must be left out where num_frames"),
        (lambda m, p: m.generate(temperature=np.nan), "`temperature` must be a number between"),
        (lambda m, p: m.generate(seed=-1), "`seed` must be a whole number between 0"),
        (lambda m, p: m.generate(prime="gone.wav"), "`prime` must be the path of a file"),
        (lambda m, p: m.generate(prime=np.zeros(999)), "`rate` must be .* as load does"),
        (lambda m, p: m.embed(np.zeros(9999), 8000), "`rate` must be 16000, .* load"),
        (lambda m, p: m.embed(np.zeros((9999, 2)), 16_000), "`samples` must be one channel"),
        (lambda m, p: m.embed(np.zeros(100), 16_000), "has 100 samples, fewer than a window"),
        (lambda m, p: m.embed(p[0], 16_000), "`rate` must be left out for all but samples"),
        (lambda m, p: m.score("gone"), "`recordings` must be the path of a file"),
        (lambda m, p: m.score([]), "`recordings` must be samples .* nothing in it"),
        (lambda m, p: m.score(pd.DataFrame({"file": p})), "must be a table with the columns file"),
        (
            lambda m, p: m.score(
                pd.DataFrame({"file": p[:1], "onset_s": [1.0], "offset_s": [9.0]})
            ),
            "offset_s=9.0 in row 0",
        ),
        (lambda m, p: m.log_likelihood(p[0], num_temperatures=0), "`num_temperatures` must be at"),
        (lambda m, p: m.log_likelihood(p[0], base="x"), "`base` must be mean_field or biases"),
        (lambda m, p: m.log_likelihood(p[0], num_chains=1), "`num_chains` must be a whole number"),
        (lambda m, p: m.evaluate(seconds=0), "`seconds` must be a number between 0.1"),
        (lambda m, p: m.evaluate("gone"), "`data_dir` must hold the recordings this run began"),
        (lambda m, p: m.export("x", max_frames=0), "`max_frames` must be a whole number"),
        (lambda m, p: load_model(None), "`workdir` must be the path of a run folder"),
        (lambda m, p: load_model("gone"), "`workdir` must be a folder that `neurovocal train` has"),
    ],
)
def test_a_wrong_argument_is_named(call, message, model, paths):
    with pytest.raises(ValueError, match=message):
        call(model, paths)


def test_nothing_is_shown_when_asked(model, paths, capfd):
    model.generate(1, 5, progress=False)
    model.embed(paths[:1], progress=False)
    assert capfd.readouterr() == ("", "")
