"""Texts and sounds in one space, learned after a model: deterministic, and as if never killed."""

import dataclasses
import shutil
import types

import numpy as np
import pandas as pd
import pytest
import tiny_runs

from neurovocal_tf import load_model
from neurovocal_tf.conditions import Conditions
from neurovocal_tf.data.said_calls import said_calls, text_of, with_texts
from neurovocal_tf.runs import checkpoint, text_space
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.training import text_stage, trainer
from neurovocal_tf.training.text_stage import TextStage

UPDATES = 3


@pytest.fixture(scope="module")
def config(tiny_config):
    return tiny_config.replace(texts="annotations", spellings="a=ah", text_updates=UPDATES)


@pytest.fixture(scope="module")
def parts(trained_run, simulated_recordings, config):
    return RunFolder(trained_run).data().parts_in(config, simulated_recordings)


@pytest.fixture(scope="module")
def stage_in(parts, simulated_recordings, config):
    """(folder, said, settings) -> the `TextStage` of a run there, of few and small updates."""

    def stage(folder, said, **changes):
        data = types.SimpleNamespace(trained_on=parts.training, held_out=parts.validation)
        changed = config.replace(**changes)
        return TextStage(changed, data, simulated_recordings, RunFolder(folder), said.append)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_stage, "_UPDATES_A_ROUND", 1)
        patch.setattr(text_stage, "_BATCH_SIZE", 4)
        yield stage


def learn(stage, model):
    """`learn`, op by op: a graph of so few updates takes ten times as long to make."""
    with tiny_runs.quick_training():
        stage.learn(model)


@pytest.fixture(scope="module")
def learned(trained_run, stage_in, tmp_path_factory):
    """(folder of a finished run that has learned texts then; its model)."""
    folder, said = tmp_path_factory.mktemp("texts") / "run", []
    shutil.copytree(trained_run, folder)
    learn(stage_in(folder, said), load_model(folder).model)
    assert "the right text is the nearest" in said[-1] and not list(folder.glob("texts_*.npz"))
    return folder, load_model(folder)


def test_calls_are_cut_where_people_marked_them(parts, simulated_recordings, config):
    # A model of conditions knows who sings in each.
    known = Conditions.of({"bird": ["a"]})
    parts = [
        dataclasses.replace(
            part,
            conditions=known,
            sources=tuple(dataclasses.replace(one, conditions=("a",)) for one in part.sources),
        )
        for part in parts[:2]
    ]
    (training, held_out), _ = with_texts(parts, simulated_recordings, config)
    assert text_of("a", config) == "ah" and text_of("long_b", config) == "long b"
    calls = said_calls(training, config, 0)
    spans = [span for source in training.sources for span in source.track]
    assert len(calls) == len(spans)
    for text in {call.text for call in calls}:
        own = [b - a for a, b, label in spans if text_of(label, config) == text]
        found = [len(call.own_frames) for call in calls if call.text == text]
        # A frame more or less at either end.
        np.testing.assert_allclose(np.sort(found), np.sort(own) * 16_000 / 64, atol=2)
    assert said_calls(held_out, config, 0)


def test_a_finished_run_learns_texts_by_the_same_command_once(
    learned, config, simulated_recordings
):
    said = []
    trainer.train(config, simulated_recordings, learned[0], said.append, pictures=False)
    assert f"{learned[0]}/texts.keras is of these texts and weights, and stays" in said


def test_what_was_killed_goes_on_to_the_same_space(learned, stage_in, tmp_path, monkeypatch):
    folder, said, saved = tmp_path / "run", [], checkpoint.save
    folder.mkdir()
    (folder / "config.json").write_text((learned[0] / "config.json").read_text())

    def die(path, model, done, *rest):
        saved(path, model, done, *rest)
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", die)
    with pytest.raises(KeyboardInterrupt):
        learn(stage_in(folder, said), learned[1].model)
    monkeypatch.setattr(checkpoint, "save", saved)
    learn(stage_in(folder, said), learned[1].model)
    assert "texts: going on after update 2" in said
    one = text_space.read(RunFolder(folder), learned[1].model)
    for mine, theirs in zip(one.variables, learned[1].space.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_calls_are_found_by_texts_and_texts_by_calls(learned, simulated_recordings):
    model = learned[1]
    points = model.encode_text(["ah", "b"])
    assert points["text"].tolist() == ["ah", "b"] and points.shape == (2, 65)
    calls = model._calls_of(simulated_recordings, False).head(4)
    heard = model.encode_audio(calls, progress=False)
    scores = heard.filter(like="joint_").to_numpy() @ points.filter(like="joint_").to_numpy().T
    calls.attrs["skipped"] = {"bad.wav": "is an empty file"}
    found = model.find("ah", calls, progress=False)
    np.testing.assert_allclose(found["score"], np.sort(scores[:, 0])[::-1], atol=1e-6)
    told = model.texts_of(calls, num_texts=2, progress=False)
    assert list(told) == ["file", "onset_s", "offset_s", "rank", "text", "score"]
    assert told["rank"].tolist() == [1, 2] * 4 and len(told) == 8
    assert found.attrs["skipped"] == told.attrs["skipped"] == calls.attrs["skipped"]
    for text, message in {" ": "a letter at least", "b7": "and '7' it has not"}.items():
        with pytest.raises(ValueError, match=message):
            model.find(text, calls)


def test_a_model_without_texts_says_how_it_comes_to_some(trained_run, learned):
    with pytest.raises(ValueError, match="`find` needs a model whose run has learned texts"):
        load_model(trained_run).find("b", pd.DataFrame())
    # A space over weights that the run has left behind is none.
    other = build_model(learned[1].config)
    assert text_space.read(RunFolder(learned[0]), other) is None


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(texts="folder"), "`texts` must be what recordings have, and none has a label"),
        (dict(spellings="q=queue"), "`spellings` must be LABEL=TEXT of labels that are there"),
        (dict(spellings=",".join(f"{x}=one" for x in "abcdei")), "two texts at least"),
    ],
)
def test_texts_that_do_not_fit_are_told_before_a_model_trains(changes, message, stage_in, tmp_path):
    with pytest.raises(ValueError, match=message):
        stage_in(tmp_path, [], **changes)


def test_a_damaged_space_is_named(learned, tmp_path):
    (tmp_path / "texts.keras").write_bytes(b"none")
    with pytest.raises(ValueError, match="texts.keras is damaged or of another version"):
        text_space.read(RunFolder(tmp_path), learned[1].model)
