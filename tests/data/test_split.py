"""Lists of who trains and who is held out: what they name, what is refused and in which words, and
that a run keeps its split.
"""

import json
import os
import shutil

import pytest
import soundfile
import tiny_runs
from histories import history_of

from neurovocal_tf.config import Config
from neurovocal_tf.data import split
from neurovocal_tf.data.survey import survey, survey_held_out
from neurovocal_tf.evaluation import report
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.training import trainer

NAMES = ("a.wav", "b[1].wav", "day 1/c.wav", "day 1/d.flac", "day 1/late/e.wav", "f.wav")
TABLE = "file,bird,day\na.wav,x,1\nday 1/c.wav, y ,1\nday 1/d.flac,y,2\nf.wav,x=1,2\nf.wav,y,3\n"


@pytest.fixture
def folder(tmp_path):
    """Empty files of those names, and a function of settings,
    lists as lines or as tables' values, that gives the split.
    """
    for name in NAMES:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).touch()
    (tmp_path / "birds.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path


def written(folder, **lists):
    """Settings whose lists are these lines, or these rows of birds.csv."""
    texts = {}
    for setting, lines in lists.items():
        if isinstance(lines, str):
            texts[setting] = f"{folder / 'birds.csv'}:{lines}"
            continue
        texts[setting] = str(folder / f"{setting}.txt")
        (folder / f"{setting}.txt").write_text(
            "".join(f"{line}\n" for line in lines), encoding="utf-8"
        )
    return Config().replace(**texts)


def parts(folder, **lists):
    """Names that train, names that are held out, and the notes."""
    data_dir = folder / "data"
    found = split.named_split(
        written(folder, **lists).data, data_dir, [str(data_dir / name) for name in NAMES]
    )
    return *(
        sorted(os.path.relpath(path, data_dir) for path in part)
        for part in (found.training, found.held_out)
    ), found.notes


@pytest.mark.parametrize(
    "lines, expected",
    [
        (["a.wav"], {"a.wav"}),
        (["# a comment", "", "  ./a.wav  ", "day 1/../f.wav", "a.wav"], {"a.wav", "f.wav"}),
        (["*.wav"], {"a.wav", "b[1].wav", "f.wav"}),
        (["day 1/*"], {"day 1/c.wav", "day 1/d.flac"}),
        (["day 1/**"], {"day 1/c.wav", "day 1/d.flac", "day 1/late/e.wav"}),
        (["**/*.flac", "[ab].wav"], {"a.wav", "day 1/d.flac"}),
        (["b[1].wav"], {"b[1].wav"}),
        ("bird=x", {"a.wav"}),
        ("bird=x=1", {"f.wav"}),
        ("bird=y", {"day 1/c.wav", "day 1/d.flac", "f.wav"}),
        ("day=1", {"a.wav", "day 1/c.wav"}),
    ],
)
def test_a_list_names_recordings_by_lines_patterns_or_the_rows_of_a_table(lines, expected, folder):
    training, held_out, _ = parts(folder, train_list=lines)
    assert set(training) == expected and set(held_out) == set(NAMES) - expected


def test_of_one_list_the_rest_is_the_other_part_and_that_is_said(folder):
    assert parts(folder, held_out_list=["day 1/**"]) == (
        ["a.wav", "b[1].wav", "f.wav"],
        ["day 1/c.wav", "day 1/d.flac", "day 1/late/e.wav"],
        (f"3 of 6 recordings are not in {folder / 'held_out_list.txt'} and train",),
    )
    assert parts(folder, train_list=["f.wav"])[2] == (
        f"5 of 6 recordings are not in {folder / 'train_list.txt'} and are held out",
    )


def test_what_is_in_neither_of_two_lists_is_left_out_and_that_is_said(folder):
    found = parts(folder, train_list=["a.wav"], held_out_list="bird=y")
    assert found == (
        ["a.wav"],
        ["day 1/c.wav", "day 1/d.flac", "f.wav"],
        ("2 of 6 recordings are in neither list and are left out",),
    )


REFUSED = {
    "a line that names nothing": (
        dict(train_list=["a.wav", "# b", "g.wav"]),
        "`train_list` .*: g.wav, which names none, in line 3 of ",
    ),
    "a pattern that names nothing": (
        dict(held_out_list=["day 2/*"]),
        r"`held_out_list` .*: day 2/\*, which names none, in line 1 of",
    ),
    "a folder": (dict(train_list=["day 1"]), r"day 1, which names none, in line 1 of"),
    "a recording elsewhere": (
        dict(train_list=["../data2/a.wav"]),
        r"\.\./data2/a.wav, which names none",
    ),
    "an empty list": (
        dict(train_list=["# nothing"]),
        r"`train_list` must name a recording. Received: train_list=.*txt, which names none",
    ),
    "all recordings": (
        dict(train_list=["**"]),
        r"`train_list` must leave recordings to the other part. .*which names all",
    ),
    "a recording in both": (
        dict(train_list=["*.wav"], held_out_list=["day 1/**", "f.wav"]),
        (
            r"`held_out_list` must name other recordings than `train_list`. "
            r"Received: f.wav in both, in line 2 of .*held.*txt and in line 1 of"
        ),
    ),
    "no such column": (
        dict(train_list="birds=x"),
        "`train_list` must name a table with a column birds. .* with file, bird, day",
    ),
    "no such value": (
        dict(held_out_list="bird=z"),
        r"`held_out_list` must be a value .* Received: bird=z, which no row of .*csv has",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_list_cannot_name_is_refused_in_one_line_with_its_setting_and_place(name, folder):
    lists, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as refused:
        parts(folder, **lists)
    assert "\n" not in str(refused.value)


def test_tables_without_files_and_lists_that_are_not_there_are_refused(folder):
    (folder / "birds.csv").write_text("path,bird\na.wav,x\n", encoding="utf-8")
    with pytest.raises(
        ValueError,
        match=(
            "`train_list` must name a table with a column file. "
            "Received: .*birds.csv with path, bird"
        ),
    ):
        parts(folder, train_list="bird=x")
    (folder / "birds.csv").write_text("file,bird\ng.wav,x\n", encoding="utf-8")
    with pytest.raises(
        ValueError,
        match="`train_list` .* Received: g.wav, which names none, in .*birds.csv, line 2",
    ):
        parts(folder, train_list="bird=x")
    (folder / "birds.csv").unlink()
    for text in ("birds.csv:bird=x", "birds.txt"):
        with pytest.raises(
            ValueError,
            match=(
                "`held_out_list` must be a text file or TABLE.csv:COLUMN=VALUE, and there is no "
                "such file"
            ),
        ):
            split.listed(str(folder / text), "held_out_list", folder / "data", [])


def test_a_named_split_is_one_of_whole_recordings(folder):
    with pytest.raises(
        ValueError,
        match=(
            "`train_list` parts whole recordings: `validation` must be recordings. "
            "Received: validation=temporal"
        ),
    ):
        written(folder, train_list=["a.wav"]).replace(validation="temporal")


# --- surveys and runs


@pytest.fixture
def songs(tmp_path, simulated_recordings):
    """The simulated recordings in a folder of the test's own, data, with an unusable one."""
    shutil.copytree(simulated_recordings, tmp_path / "data")
    (tmp_path / "data" / "empty.wav").touch()
    return tmp_path


def song(*numbers):
    return [f"simulated_{number:03d}.wav" for number in numbers]


def names_of(data):
    return [os.path.basename(source.path) for source in data.sources]


def test_a_survey_looks_at_those_that_are_named_and_sets_the_scale_by_those_that_train(songs):
    config = written(songs, train_list=song(0, 3), held_out_list=song(1))
    samples, rate = soundfile.read(songs / "data" / song(4)[0])
    before = survey(songs / "data", config)
    soundfile.write(songs / "data" / song(4)[0], 3 * samples, rate, subtype="FLOAT")
    found = survey(songs / "data", config)
    assert (names_of(found.training), names_of(found.validation)) == (song(0, 3), song(1))
    assert found.training.scale == before.training.scale and found.skipped == ()
    assert found.notes == ("3 of 6 recordings are in neither list and are left out",)


def test_a_part_without_a_usable_recording_says_why(songs):
    with pytest.raises(
        ValueError,
        match="^Of what is held out: No usable recording in .*: 1 of 1 is an empty file.$",
    ):
        survey(songs / "data", written(songs, held_out_list=["empty.wav"]))


def test_folds_and_frame_sequences_have_a_split_already(songs):
    config = written(songs, held_out_list=song(1))
    with pytest.raises(ValueError, match="`folds` must be 0 where recordings are listed"):
        survey(songs / "data", config, fold=(0, 2))
    with pytest.raises(
        ValueError,
        match=(
            "`held_out_list` must not be given for frame sequences, whose file says what validates"
        ),
    ):
        survey(songs / "rolls.npz", config)


@pytest.fixture
def named_run(songs, tiny_config):
    """(folder, run folder, settings) of a run of one epoch with a named split."""
    lists = written(songs, held_out_list=song(1, 2)).data
    config = tiny_config.replace(held_out_list=lists.held_out_list, batch_size=64, epochs=1)
    with tiny_runs.quick_training():
        trainer.train(config, songs / "data", songs / "run", pictures=False)
    return songs, songs / "run", config


def test_a_run_keeps_its_split_and_refuses_by_name_to_go_on_with_another(
    named_run, tmp_path, quick_training
):
    folder, workdir, config = named_run
    data = json.loads((workdir / "data.json").read_text(encoding="utf-8"))
    assert [source["path"] for source in data["validation"]] == song(1, 2)
    assert data["lists"] == {"held_out_list": song(1, 2)}
    # The list may lie elsewhere and be written otherwise, and recordings may have come since.
    shutil.copy(folder / "data" / song(0)[0], folder / "data" / "new.wav")
    moved = tmp_path / "moved.txt"
    moved.write_text("simulated_00[12].wav\n", encoding="utf-8")
    trainer.train(
        config.replace(epochs=2, held_out_list=str(moved)), folder / "data", workdir, pictures=False
    )
    assert len(history_of(workdir)) == 2
    for changes in (
        dict(held_out_list=""),
        written(folder, held_out_list=song(1)).data,
        written(folder, train_list=song(0)).data,
    ):
        lists = (
            changes
            if isinstance(changes, dict)
            else {name: getattr(changes, name) for name in ("train_list", "held_out_list")}
        )
        with pytest.raises(
            ValueError,
            match=(
                "^`(held_out|train)_list` cannot change when a run goes on, .*such as .*Use "
                "another --workdir"
            ),
        ):
            trainer.train(
                config.replace(epochs=3, **lists), folder / "data", workdir, pictures=False
            )


def test_a_model_is_evaluated_on_what_is_named_for_it_unless_that_has_trained(
    named_run, monkeypatch
):
    folder, workdir, config = named_run
    read = report._labelled
    heard = []
    monkeypatch.setattr(report, "_labelled", lambda data: heard.append(data) or read(data))
    monkeypatch.setattr(report, "_songs", lambda *_: ({"files": names_of(heard[-1])}, {}, None))
    (folder / "data" / "new").mkdir()
    shutil.copy(folder / "data" / song(1)[0], folder / "data" / "new" / "again.wav")
    (folder / "data" / "new" / "empty.wav").touch()
    said, trained = [], load_trained(workdir)

    def evaluated(**options):
        return report.evaluate(trained, workdir, **options)[0]

    as_held_out, named = (
        evaluated(),
        evaluated(
            held_out_list=written(folder, held_out_list=["new/*"]).data.held_out_list,
            say=said.append,
        ),
    )
    assert (as_held_out["files"], named["files"]) == (song(1, 2), ["again.wav"])
    assert said[0].endswith("empty.wav: is an empty file") and said[1].startswith(
        "1 recordings at 16000 Hz of "
    )
    alone = evaluated(held_out_list=written(folder, held_out_list=song(1)).data.held_out_list)
    del named["files"], alone["files"]
    assert named == alone
    with pytest.raises(
        ValueError,
        match=(
            "`held_out_list` must name recordings that have not trained the model. "
            "Received: .*simulated_004.wav"
        ),
    ):
        training = RunFolder(workdir).data().parts_in(config).training
        survey_held_out(
            folder / "data",
            written(folder, held_out_list=song(4)).data.held_out_list,
            config,
            training,
        )


def test_the_recordings_of_a_table_may_be_relative_to_the_table(folder):
    table = folder / "data" / "day 1" / "mine.csv"
    table.write_text("file,bird\nc.wav,x\n../a.wav,x\n", encoding="utf-8")
    data_dir = folder / "data"
    paths = [str(data_dir / name) for name in NAMES]
    found = split.listed(f"{table}:bird=x", "train_list", str(data_dir), paths)
    assert found == [str(data_dir / "a.wav"), str(data_dir / "day 1" / "c.wav")]
    # annotations.csv of a segmented folder is such a table.
    (folder / "out").mkdir()
    table = folder / "out" / "annotations.csv"
    table.write_text("file,label\n../data/day 1/c.wav,x\n../data/gone.wav,y\n", encoding="utf-8")
    assert split.listed(f"{table}:label=x", "train_list", str(data_dir), paths) == [
        str(data_dir / "day 1" / "c.wav")
    ]
    with pytest.raises(ValueError, match="gone.wav, which names none, in .*annotations.csv, line"):
        split.listed(f"{table}:label=y", "train_list", str(data_dir), paths)
