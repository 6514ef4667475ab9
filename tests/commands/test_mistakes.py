"""What a user gets wrong, by command: one line that says what to do, and exit code 1, without what
takes seconds to import.
"""

import re

import pytest
from forked_tools import IMPORTS_OF_FLAGS, locked_in, running_tools

from neurovocal_tf.commands.command_line import COMMANDS

NAMES = [command.name for command in COMMANDS]
WITH_PRESETS = ("segment", "segment_archive", "discover", "train", "tune")
# What each must be told.
REQUIRED = {
    "segment": ("data_dir", "out"),
    "segment_archive": ("data_dir", "out"),
    "simulate": ("out",),
    "convert": ("out",),
    "discover": ("data_dir", "out"),
    "train": ("workdir",),
    "tune": ("data_dir", "workdir"),
    "evaluate": ("workdir",),
    "generate": ("workdir",),
    "find": ("workdir",),
    "export": ("workdir", "export_dir"),
    "serve": ("model_dir",),
    "check_exactness": ("version",),
}
SEGMENT = ("segment", "--data_dir={birds}", "--out={new}")
DISCOVER = ("discover", "--data_dir={birds}", "--out={new}")
CONVERT = ("convert", "--annotations={birds}/annotations.csv", "--out={new}", "--format=csv")
MISTAKES = {
    "a flag file that is not there": ((*SEGMENT, "--flagfile={new}"), "flag file {new}: No such"),
    "a setting out of its range": ((*SEGMENT, "--low_hz=-1"), "flag --low_hz=-1: -1.0 is not"),
    "settings that contradict": (
        (*SEGMENT, "--low_hz=9", "--high_hz=8"),
        "`low_hz` must be below `high_hz`. Received: low_hz=9, high_hz=8",
    ),
    "a choice that is none": (
        (*SEGMENT, "--detector=contrst"),
        "flag --detector=contrst: must be one of envelope, contrast. Did you mean contrast?",
    ),
    "a format that is none": ((*SEGMENT, "--format=ravn"), "`format` must be among csv, "),
    "recordings that are not there": (
        ("segment", "--data_dir={gone}", "--out={new}"),
        "there is no such folder. Received: data_dir={gone}",
    ),
    "no recordings": (
        ("segment", "--data_dir={empty}", "--out={new}"),
        "it is empty. Received: data_dir={empty}",
    ),
    "segments where nobody may write": (
        ("segment", "--data_dir={birds}", "--out={locked}/x"),
        "{locked}/x: ",
    ),
    "segments over a file": (
        ("segment", "--data_dir={birds}", "--out={birds}/annotations.csv"),
        "{birds}/annotations.csv: File exists",
    ),
    "a truth that is not there": (
        (*SEGMENT, "--truth={gone}"),
        "`truth` must be an annotation file, or a folder of them. Received: truth={gone}",
    ),
    "two acts at once": ((*SEGMENT, "--tune", "--learn"), "`tune`, `learn` or `refine` must be"),
    "a report of recordings that are not there": (
        ("discover", "--data_dir={gone}", "--out={new}"),
        "there is no such folder. Received: data_dir={gone}",
    ),
    "types that are not there": (
        (*DISCOVER, "--types={empty}"),
        "`types` must be a folder with call_types.json, which `neurovocal discover` has written",
    ),
    "a report where nobody may write": (
        ("discover", "--data_dir={birds}", "--out={locked}/x"),
        "{locked}/x: ",
    ),
    "a search for what cannot be searched": (
        ("tune", "--data_dir={birds}", "--workdir={new}", "--search=n_fft"),
        "`search` must name settings among hidden_scalar, ",
    ),
    "a search of no trials": (
        ("tune", "--data_dir={birds}", "--workdir={new}", "--num_trials=0"),
        "flag --num_trials=0: 0 is not",
    ),
    "simulated recordings beside others": (
        ("simulate", "--out={strange}"),
        "`out` must be a new folder, or hold nothing but simulated recordings. {strange} holds "
        "mine.txt",
    ),
    "simulated recordings where nobody may write": (
        ("simulate", "--out={locked}/x"),
        "{locked}/x",
    ),
    "a kind that is none": (
        ("simulate", "--out={new}", "--kind=bird_song"),
        "flag --kind=bird_song: must be one of bird, bat, spikes. Did you mean bird?",
    ),
    "annotations that are not there": (
        ("convert", "--annotations={gone}", "--format=csv", "--out={new}"),
        "`annotations` must be an annotation file, or a folder of them. Received: annotations=",
    ),
    "annotations that are none": (
        ("convert", "--annotations={strange}/mine.txt", "--format=csv", "--out={new}"),
        "{strange}/mine.txt, line 1: must be the begin of an annotation file",
    ),
    "a format to write that is none": (
        (*CONVERT, "--format=texgrid"),
        "flag --format=texgrid: must be one of csv, parquet, audacity, raven, textgrid, "
        "kaleidoscope, opensoundscape, avn, whisperseg, batdetect2, notmat. Did you mean textgrid?",
    ),
    "annotations without a format to write": (
        (*CONVERT[:2], "--out={new}"),
        "flag --format: must be given with --annotations",
    ),
    "neither annotations nor a voice to convert": (
        ("convert", "--out={new}"),
        "--annotations or --input must be given, one of them. Received: none",
    ),
    "both annotations and a voice to convert": (
        (*CONVERT, "--input={new}"),
        "--annotations or --input must be given, one of them. Received: --annotations and --input",
    ),
    "a voice to convert into none": (
        ("convert", "--input={new}", "--workdir={gone}", "--out={new}"),
        "flag --to: must be given with --input",
    ),
    "a seed for annotations": (
        (*CONVERT, "--seed=3"),
        "flag --seed: must be left out with --annotations",
    ),
    "a number of texts for the calls of one": (
        ("find", "--workdir={gone}", "--text=a", "--data_dir={birds}", "--num_texts=2"),
        "flag --num_texts: must be left out with --text",
    ),
    "a target for annotations": (
        (*CONVERT, "--to=theo"),
        "flag --to: must be left out with --annotations",
    ),
    "annotations where nobody may write": (
        (*CONVERT, "--out={locked}/x"),
        "{locked}/x: ",
    ),
    "words to find nowhere": (
        ("find", "--workdir={gone}", "--text=seven"),
        "`text` and `data_dir` must be given together",
    ),
    "nothing to find": (("find", "--workdir={gone}"), "--text or --input must be given"),
    "what is not there": (("info", "{gone}"), "`path` must be a file or a folder, and there is"),
    "what is nothing": (
        ("info", "{strange}/mine.txt"),
        "`path` must be a recording, annotations, or a folder of either",
    ),
    "a folder of nothing": (("info", "{empty}"), "it is empty. Received: path={empty}"),
    "a report of another version": (
        ("info", "{other_report}"),
        "`path` must be as this version of the package writes it. Received: path={other_report}",
    ),
    "versions that are not there": (("serve", "--model_dir={gone}"), "{gone}: No such file"),
    "a song where no folder is": (
        ("client", "--out={gone}/song.wav"),
        "`out` must be a file in a folder that exists, or -. Received: out={gone}/song.wav",
    ),
    "a song's length told twice": (
        ("client", "--seconds=3", "--num_frames=9"),
        "--seconds or --num_frames must be given, one of them. Received: --seconds and",
    ),
    "a demo where nobody may write": (("demo", "--workdir={locked}/x"), "{locked}/x: "),
    "a number that is none": (
        ("client", "--seconds=nan"),
        "flag --seconds=nan: must be a finite number",
    ),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory, simulated_recordings):
    """Folders to make mistakes with, by name."""
    root = tmp_path_factory.mktemp("mistakes")
    (root / "empty").mkdir()
    (root / "strange").mkdir()
    (root / "strange" / "mine.txt").write_text("mine")
    (root / "other_report").mkdir()
    (root / "other_report" / "syntax.json").write_text("{}")
    names = ("empty", "strange", "other_report", "gone", "new")
    return {
        "birds": simulated_recordings,
        "locked": locked_in(root),
        **{name: root / name for name in names},
    }


@pytest.fixture(scope="module")
def neurovocal(places, tmp_path_factory):
    """Runs a command that may not import TensorFlow: the line of its mistake."""
    with running_tools(tmp_path_factory.mktemp("calls"), IMPORTS_OF_FLAGS) as tool:

        def line(*arguments):
            code, out, err = tool("neurovocal", *(text.format(**places) for text in arguments))
            assert (code, out) == (1, "") and err.startswith("error: "), (code, out, err)
            assert err.count("\n") == 1 and err.endswith("\n"), err
            assert not places["new"].exists() or not any(places["new"].iterdir())
            return err.removeprefix("error: ").removesuffix("\n")

        yield line


@pytest.mark.parametrize("name", NAMES)
def test_a_flag_that_no_command_has_and_a_stray_word_are_named(name, neurovocal):
    assert neurovocal(name, "--tresh=3").startswith("Unknown command line flag 'tresh'")
    # The first word after info is its path.
    given = ["one"] if name == "info" else [f"--{flag}=csv" for flag in REQUIRED.get(name, ())]
    assert neurovocal(name, *given, "stray").startswith("unexpected arguments: stray")
    assert neurovocal(name, "--flagfile").startswith("--flagfile must name a file")


@pytest.mark.parametrize("name", REQUIRED)
def test_what_a_command_must_be_told_is_named(name, neurovocal):
    named = re.findall(r"--(\w+) must be given", neurovocal(name))
    assert sorted(named) == sorted(REQUIRED[name])


@pytest.mark.parametrize("name", WITH_PRESETS)
def test_the_nearest_preset_is_offered(name, neurovocal):
    said = neurovocal(name, "--preset=mouse_usw")
    assert said.startswith("flag --preset=mouse_usw: must be one of auto, songbird, mouse_usv, ")
    assert said.endswith(" Did you mean mouse_usv?")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line_that_names_it(mistake, neurovocal, places):
    arguments, message = MISTAKES[mistake]
    assert message.format(**places) in neurovocal(*arguments)
