"""Flags made from the settings, help, and how a tool ends."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import pytest
import tqdm
from absl import flags as absl_flags
from hypothesis import given, settings
from hypothesis import strategies as st
from parsed_flags import parsed, write

from neurovocal_tf import flags
from neurovocal_tf.config import Config
from neurovocal_tf.config import settings as all_settings
from neurovocal_tf.flag_help import Flags, help_text
from neurovocal_tf.settings import number_type

TOOL = '''r"""Sings like a finch.

    python tool.py --data_dir=/data
"""
import sys

from absl import flags as absl_flags

from neurovocal_tf import flags

_DATA_DIR = absl_flags.DEFINE_string("data_dir", None, "Folder of recordings.", required=True)
_RAISES = absl_flags.DEFINE_string("raises", "", "What main raises.")
_SHARE = absl_flags.DEFINE_float("share", 0.5, "A number.")
flags.define({sections})


def main(argv):
    assert len(argv) == 1
    if _RAISES.value:
        raise eval(_RAISES.value)
    assert "tensorflow" not in sys.modules
    print(flags.config_from_flags().to_json())
    return 0


if __name__ == "__main__":
    flags.run(main)
'''


@pytest.fixture
def tool(tmp_path, repository):
    """Runs a small tool in a process of its own: (exit code, stdout, stderr)."""

    def run(*arguments, sections="", cwd=tmp_path):
        script = tmp_path / "tool.py"
        script.write_text(TOOL.format(sections=sections))
        result = subprocess.run(
            [sys.executable, str(script), *map(str, arguments)],
            cwd=cwd,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(repository)},
            timeout=60,
        )
        return result.returncode, result.stdout, result.stderr

    return run


def test_every_setting_has_a_flag_with_its_default():
    values = parsed()
    assert flags.config_from_flags(flag_values=values) == Config()
    assert flags.given_flags(values) == ()


def test_flags_reach_the_settings_of_their_name():
    values = parsed(
        "--threshold=3",
        "--nocompiled",
        "--learning_rates=1e-3, 3e-4",
        "--epochs_per_rate=4",
        "--cd_steps=1,5",
        "--gates=tanh",
    )
    expected = Config().replace(
        threshold=3.0,
        compiled=False,
        learning_rates=(1e-3, 3e-4),
        epochs_per_rate=(4,),
        cd_steps=(1, 5),
        gates="tanh",
    )
    assert flags.config_from_flags(flag_values=values) == expected
    assert flags.given_flags(values) == (
        "threshold",
        "gates",
        "learning_rates",
        "epochs_per_rate",
        "cd_steps",
        "compiled",
    )


def test_only_given_flags_change_a_base():
    base = Config().replace(threshold=2.5, gates="tanh")
    assert flags.config_from_flags(base, parsed("--threshold=7")) == Config().replace(gates="tanh")


def test_a_tool_may_use_some_sections_only():
    values = parsed("--threshold=3", sections=("audio", "segmentation"))
    assert "n_fft" not in values and "sample_rate" in values
    assert flags.config_from_flags(flag_values=values) == Config().replace(threshold=3.0)


def test_a_tool_may_use_single_settings_of_a_section():
    values = parsed("--n_fft=512", sections=("audio", "n_fft"))
    assert "n_fft" in values and "scaling" not in values and "threshold" not in values
    config = flags.config_from_flags(flag_values=values)
    assert config == Config().replace(n_fft=512)
    audio = flags.flag_lines(config, ("audio",))
    assert flags.flag_lines(config, ("audio", "n_fft")) == [*audio, "# spectrogram", "--n_fft=512"]


def test_a_flag_of_a_tool_that_is_called_as_a_setting_is_none():
    values = absl_flags.FlagValues()
    flags.define(("generation",), values)
    absl_flags.DEFINE_integer("seed", 0, "Seed of the first song.", flag_values=values)
    values(["tool", f"--seed={2**40}", "--num_iterations=3"])
    assert flags.given_flags(values) == ("num_iterations",)
    assert flags.config_from_flags(Config().replace(seed=5), values) == Config().replace(
        seed=5, num_iterations=3
    )
    shown = help_text("Sings.", flags.flags_of("tool.py", flag_values=values))
    assert "random numbers" not in shown and "--num_iterations=100" in shown


def test_an_unknown_section_is_refused():
    with pytest.raises(ValueError, match="`sections` must be among audio, "):
        flags.define(("music",), absl_flags.FlagValues())


@pytest.mark.parametrize(
    "argument, message",
    [
        (
            "--learning_rates=1e-3,abc",
            "flag --learning_rates=1e-3,abc: 'abc' is not a non-negative number",
        ),
        ("--learning_rates=", "flag --learning_rates=: '' is not a non-negative number"),
        ("--cd_steps=1,0,5", "flag --cd_steps=1,0,5: '0' is not an integer in the range [1, 8192]"),
        ("--epochs_per_rate=1.5", "flag --epochs_per_rate=1.5: '1.5' is not a positive integer"),
        ("--n_fft=8", "flag --n_fft=8: 8 is not an integer in the range [16, 16384]"),
        ("--threshold=-1", "flag --threshold=-1: -1.0 is not a non-negative number"),
    ],
)
def test_a_bad_value_is_named_with_its_flag(argument, message):
    with pytest.raises(absl_flags.Error) as error:
        parsed(argument)
    assert str(error.value) == message


def _values_of(field):
    meta, kind = field.metadata, number_type(field)
    if meta["choices"]:
        return st.sampled_from(meta["choices"])
    if kind is bool:
        return st.booleans()
    if kind is str:
        return st.sampled_from(["mean", "loudest", "3"])
    low, high = max(meta["low"], -1e9), min(meta["high"], 1e9)
    numbers = st.integers(int(low), int(high)) if kind is int else st.floats(low, high)
    return st.tuples(numbers) if field.type is not kind else numbers


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_written_flag_file_reads_back_as_the_same_configuration(data):
    values = {}
    for _, field in all_settings():
        # Those tied to others by Config's own rules stay as they are.
        tied = (
            "threshold",
            "min_length_ms",
            "max_length_ms",
            "low_hz",
            "high_hz",
            "n_fft",
            "hop_length",
            "parallel_parts",
            "memory_frames",
            "layer_periods",
            "attention_frames",
            "num_shares",
            "noise_context",
            "sampler",
            "tempering_replicas",
            "recordings_table",
            "condition_columns",
            "condition_from",
            "labels",
            "texts",
            "spellings",
            "freeze",
        )
        if field.name not in tied:
            values[field.name] = data.draw(_values_of(field), label=field.name)
    if values["sequence"] == "recording":
        values["annotations"] = ""
    if values["validation"] != "recordings":
        values["train_list"] = values["held_out_list"] = ""
    config = Config().replace(**values)
    lines = [line for line in flags.flag_lines(config) if not line.startswith("#")]
    assert flags.config_from_flags(flag_values=parsed(*lines)) == config


def test_write_flags_writes_settings_only_and_leaves_no_temporary_file(tmp_path):
    values = parsed("--threshold=3", "--nocompiled", "--cd_steps=1,5,7")
    flags.write_flags(tmp_path / "flags.txt", flag_values=values)
    assert os.listdir(tmp_path) == ["flags.txt"]
    copy = parsed(f"--flagfile={tmp_path / 'flags.txt'}")
    assert flags.config_from_flags(flag_values=copy) == flags.config_from_flags(flag_values=values)
    assert len(flags.given_flags(copy)) == len(list(all_settings()))


def test_a_tool_runs_and_exits_with_zero(tool, tmp_path):
    top = write(tmp_path / "flagfiles" / "top.flags", "--flagfile=base.flags")
    write(tmp_path / "flagfiles" / "base.flags", "--threshold=4")
    code, out, err = tool("--data_dir=x", f"--flagfile={top.relative_to(tmp_path)}")
    assert (code, err) == (0, "") and json.loads(out)["segmentation"]["threshold"] == 4.0


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_quiet_about_absl_and_exits_with_zero(flag, tool):
    code, out, err = tool(flag)
    assert (code, err) == (0, "")
    assert out.startswith("Sings like a finch.\n")
    assert max(map(len, out.splitlines())) <= 80
    for shown in (
        "  --data_dir=...",
        "  --threshold=7.0",
        "  --[no]compiled",
        "Segmentation: ",
        "[16 to 16384]",
        "[sigmoid | tanh]",
    ):
        assert shown in out
    for hidden in ("verbosity", "pdb", "logtostderr"):
        assert hidden not in out
    order = ["data_dir", "sample_rate", "threshold_method", "low_hz", "num_gibbs_steps", "cache_mb"]
    places = [out.index(f"\n  --{name}=") for name in order]
    assert places == sorted(places)
    for _, field in all_settings():
        assert len(re.findall(rf"^  --(\[no\])?{field.name}\b", out, re.MULTILINE)) == 1


def test_help_shows_only_the_sections_a_tool_uses(tool):
    _, out, _ = tool("--help", sections="('audio',)")
    assert (
        "--sample_rate" in out
        and "--threshold" not in out
        and "Segmentation" not in out
        and "matter" not in out
    )


def shown_flags(text):
    return re.findall(r"^  --(?:\[no\])?(\w+)", text, re.MULTILINE)


def test_help_shows_the_flags_that_matter_most_and_the_full_help_all_of_them_once():
    values = absl_flags.FlagValues()
    flags.define(None, values)
    flags.define_preset(values)
    first = ("out", "low_hz", "preset", "seed")
    absl_flags.DEFINE_string("out", None, "Folder.", flag_values=values, module_name="sing")
    of = flags.flags_of("sing", first, flag_values=values)
    of = dataclasses.replace(of, own=[*of.own, ("preset", None, "Which.", "auto | bat")])
    short = help_text("Sings.", of, "neurovocal sing", is_full=False)
    full = help_text("Sings.", of, "neurovocal sing")
    assert shown_flags(short) == list(first)
    assert "flags, by what they are about: neurovocal sing --helpfull\n" in short
    all_names = {"out", "preset", "flagfile", *(field.name for _, field in all_settings())}
    assert sorted(shown_flags(full)) == sorted(all_names)
    assert f"All {len(all_names)} flags" in short and "--helpfull" not in full
    assert "\nOther flags of this command:\n  --flagfile=" in full
    for text in (short, full):
        assert "\n  songbird    Songs of one bird" in text and "\n  auto        the one" in text


def test_help_shows_the_values_of_a_preset_of_flag_files_and_of_other_flags(tmp_path):
    mine = write(tmp_path / "mine.flags", "--preset=bat", "--min_gap_ms=9")
    values = absl_flags.FlagValues()
    flags.define(None, values)
    for arguments, low, gap, said in (
        ([], "500.0", "5.0", ""),
        (["--preset=bat"], "15000.0", "1.5", "Values of settings are those of --preset=bat."),
        (["--out", "x", "--preset", "bat"], "15000.0", "1.5", "those of --out x --preset bat."),
        ([f"--flagfile={mine}", "--low_hz=7"], "7.0", "9.0", "--low_hz=7."),
        (["--preset=auto"], "500.0", "5.0", ""),
    ):
        text = help_text("Sings.", flags.flags_of("sing", None, arguments, values))
        assert f"  --low_hz={low}  [" in text and f"  --min_gap_ms={gap}  [" in text
        assert said in " ".join(text.split()) and ("Values of settings" in text) == bool(said)


def test_help_breaks_long_commands_as_a_shell_does_and_fills_paragraphs():
    command = f"    python tools/x.py --one={'a' * 40} --two={'b' * 40}"
    text = help_text(
        f"Does one thing\nand another.\n\n{command}\n\n{'word ' * 40}",
        Flags([("x", 1, "Help.", "")]),
    )
    lines = text.splitlines()
    assert lines[0] == "Does one thing and another." and max(map(len, lines)) <= 80
    broken = text[text.index("    python") :].split("\n\n")[0]
    assert (
        "".join(line.strip().removesuffix("\\") for line in broken.splitlines()) == command.strip()
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--data_dir=x", "--threshold=abc"], "flag --threshold=abc: 'abc' is not a number"),
        (["--data_dir=x", "--n_fft=1.5"], "flag --n_fft=1.5: '1.5' is not a whole number"),
        (
            ["--data_dir=x", "--compiled=maybe"],
            "flag --compiled=maybe: 'maybe' is not true or false",
        ),
        (
            ["--data_dir=x", "--gates=relu"],
            "flag --gates=relu: must be one of sigmoid, tanh.",
        ),
        (
            ["--data_dir=x", "--gates=sigmoyd"],
            "flag --gates=sigmoyd: must be one of sigmoid, tanh. Did you mean sigmoid?",
        ),
        (["--data_dir=x", "--share=nan"], "flag --share=nan: must be a finite number"),
        (["--data_dir=x", "--share=-inf"], "flag --share=-inf: must be a finite number"),
        (
            ["--data_dir=x", "--tresh=1"],
            "Unknown command line flag 'tresh'. Did you mean: threshold, threshold_method ?",
        ),
        (
            ["--data_dir=x", "stray", "er"],
            "unexpected arguments: stray er (flags are written --name=value)",
        ),
        (["--data_dir=x", "--flagfile=gone"], "flag file gone: No such file or directory"),
        (["--data_dir=x", "--flagfile"], "--flagfile must name a file"),
        (
            ["--data_dir=x", "--hop_length=200"],
            "`hop_length` must be at most n_fft / 2. Received: hop_length=200, n_fft=256",
        ),
        (
            ["--data_dir=x", "--threshold=nan"],
            "`threshold` must be at least 0. Received: threshold=nan",
        ),
        (["--data_dir"], "Missing value for flag --data_dir"),
        ([], "--data_dir must be given"),
        (["--data_dir=x", "--raises=ValueError('a\\nb')"], "a b"),
        (
            [
                "--data_dir=x",
                "--raises=FileNotFoundError(2, 'No such file or directory', 'song.wav')",
            ],
            "song.wav: No such file or directory",
        ),
        (
            ["--data_dir=x", "--raises=PermissionError(13, 'Permission denied', '/run')"],
            "/run: Permission denied",
        ),
        (["--data_dir=x", "--raises=OSError('disk is full')"], "disk is full"),
    ],
)
def test_a_mistake_of_the_user_is_one_line_and_exit_code_1(arguments, message, tool):
    assert tool(*arguments) == (1, "", f"error: {message}\n")


def test_ctrl_c_is_one_line_and_exit_code_130(tool):
    assert tool("--data_dir=x", "--raises=KeyboardInterrupt()") == (130, "", "interrupted\n")


def test_what_a_tool_says_goes_above_its_bar_and_never_among_its_results(capfd):
    with tqdm.tqdm(total=2, ncols=30, mininterval=0.0) as bar:
        flags.say("a.wav is cut off")
        bar.update()
    out, err = capfd.readouterr()
    lines = re.split("[\r\n]+", err)
    assert (
        out == ""
        and lines.count("a.wav is cut off") == 1
        and any("| 1/2" in line for line in lines)
    )


def test_a_bug_keeps_its_traceback(tool):
    code, _, err = tool("--data_dir=x", "--raises=KeyError('bug')")
    assert code == 1 and "Traceback" in err and "KeyError: 'bug'" in err


def test_verbosity_shows_the_traceback_of_a_mistake(tool):
    code, _, err = tool("--data_dir=x", "--raises=ValueError('mistake')", "--verbosity=1")
    assert code == 1 and "Traceback" in err and err.endswith("error: mistake\n")


# --- paths


PATHS = """
from neurovocal_tf import flags

_OUT = flags.define_path("out", None, "Folder.")
flags.define(["data"])


def main(argv):
    print(_OUT.value, flags.config_from_flags().data.annotations)


if __name__ == "__main__":
    flags.run(main)
"""


def said(repository, folder, script, *arguments, **environment):
    """Exit code, standard output and error of a script, as bytes."""
    (folder / "paths.py").write_text(script, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "paths.py", *arguments],
        cwd=folder,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(repository)} | environment,
        timeout=60,
    )
    return result.returncode, result.stdout, result.stderr


def test_a_path_may_begin_at_home_and_blanks_around_it_do_not_count(repository, tmp_path):
    (tmp_path / " there").mkdir()
    for out, expected in (
        ("~/out", "/home/bird/out"),
        ("  out\t", "out"),
        (" ~/out", "/home/bird/out"),
        # A folder of that very name is meant.
        (" there", " there"),
        ("a~b", "a~b"),
    ):
        found = said(
            *(repository, tmp_path, PATHS, f"--out={out}", "--annotations= ~/a b.csv#tier "),
            "--sequence=bout",
            HOME="/home/bird",
        )
        assert found == (0, f"{expected} /home/bird/a b.csv#tier\n".encode(), b"")


def test_a_tool_shows_the_help_of_its_paths_as_its_own(repository, tmp_path):
    code, out, _ = said(repository, tmp_path, PATHS, "--help")
    assert code == 0 and b"Flags of this command:\n  --out" in out


def test_letters_that_the_output_lacks_end_no_run(repository, tmp_path):
    script = """
from neurovocal_tf import flags


def main(argv):
    print("é ü 鳥 ok")
    flags.say("鳥.wav is cut off")
    raise ValueError("鳥 must be a bird")


if __name__ == "__main__":
    flags.run(main)
"""
    found = said(repository, tmp_path, script, PYTHONIOENCODING="ascii")
    bird = rb"\u9ce5"
    said_of_it = bird + b".wav is cut off\nerror: " + bird + b" must be a bird\n"
    assert found == (1, rb"\xe9 \xfc " + bird + b" ok\n", said_of_it)


def test_a_full_disk_is_told_in_a_line_whatever_error_a_library_makes_of_it(tool):
    words = "model.pb; No space left on device"
    code, _, err = tool("--data_dir=x", f"--raises=RuntimeError({words!r})")
    assert (code, err) == (1, f"error: {words}\n")
