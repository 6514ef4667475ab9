"""Flag files and presets: what they hold, include, and come before."""

import pytest
from absl import flags as absl_flags
from parsed_flags import parsed, parsed_with_preset, write

from neurovocal_tf import flags
from neurovocal_tf.config import Config, changed_settings


def test_a_preset_comes_before_all_other_flags_wherever_it_stands(tmp_path):
    song = Config.preset("songbird")
    assert song.segmentation.min_group_segments == 3
    for arguments in (
        ["--threshold=4", "--preset=songbird"],
        ["--preset", "songbird", "--threshold=4"],
        [f"--flagfile={write(tmp_path / 'mine.flags', '--preset=songbird', '--threshold=4')}"],
    ):
        assert flags.config_from_flags(flag_values=parsed_with_preset(*arguments)) == song.replace(
            threshold=4.0
        )


def test_an_unknown_preset_is_refused_and_auto_is_chosen_later(capsys):
    with pytest.raises(absl_flags.IllegalFlagValueError, match="auto.*songbird"):
        parsed_with_preset("--preset=dodo")
    with pytest.raises(ValueError, match="`preset` must be among songbird.* Received: preset=dodo"):
        Config.preset("dodo")
    values = parsed_with_preset("--preset=auto", "--threshold=4")
    chosen = flags.chosen_preset(lambda: ("bat", "it squeaks"), values)
    assert capsys.readouterr().err == "preset bat: it squeaks\n"
    config = flags.config_from_flags(chosen, values)
    assert config == Config.preset("bat").replace(threshold=4.0)
    assert flags.chosen_preset(lambda: 1 / 0, parsed_with_preset("--preset=bat")) is None


def test_flag_files_include_others_relative_to_their_own_place_and_later_values_win(tmp_path):
    write(
        tmp_path / "a" / "base.flags",
        "# a comment",
        "--threshold=1",
        "  --hop_length=64",
        "",
        "--gates=tanh",
    )
    top = write(
        tmp_path / "a" / "b" / "top.flags",
        "--flagfile=../base.flags",
        "--threshold=2",
        "--flagfile ../base2.flags",
    )
    write(tmp_path / "a" / "base2.flags", "--dropout=0.5")
    config = flags.config_from_flags(
        flag_values=parsed("--dropout=0.1", f"--flagfile={top}", "--hop_length=32")
    )
    assert config == Config().replace(threshold=2.0, hop_length=32, gates="tanh", dropout=0.5)
    assert (
        flags.config_from_flags(flag_values=parsed("--flagfile", str(top))).segmentation.threshold
        == 2.0
    )


def test_nothing_after_two_dashes_is_a_flag_file():
    assert flags.expand_flagfiles(["--", "--flagfile=x"], absl_flags.FlagValues()) == [
        "--",
        "--flagfile=x",
    ]


def test_a_flag_file_may_hold_settings_that_the_tool_does_not_use(tmp_path):
    top = write(tmp_path / "top.flags", "--threshold=2", "--nocompiled", "--learning_rates=1e-3")
    assert flags.given_flags(parsed(f"--flagfile={top}", sections=("segmentation",))) == (
        "threshold",
    )


SHUFFLING = (
    "--shuffle_windows is no longer a setting and is ignored: 4096 windows are shuffled at a "
    "time.\n"
)


def tier_is_used(name, whole):
    return f"--{name} is no longer a flag: {whole} takes its place, and is used.\n"


@pytest.mark.parametrize(
    ("lines", "changes", "told"),
    [
        (["--shuffle_windows=64", "--threshold=3"], {"threshold": 3.0}, SHUFFLING),
        (["--shuffle_windows=64", "--shuffle_windows=4096"], {}, ""),
        (["--annotations=", "--annotation_tier=", "--shuffle_windows=4096"], {}, ""),
        (
            ["--annotation_tier=words", "--sequence=bout", "--annotations=/a", "--annotations=/b"],
            {"sequence": "bout", "annotations": "/b#words"},
            tier_is_used("annotation_tier", "--annotations=/b#words"),
        ),
        (
            ["--annotation_tier=words"],
            {},
            (
                "--annotation_tier is no longer a flag and is ignored: --annotations=FILE#TIER "
                "takes its place.\n"
            ),
        ),
        (
            ["--nocompiled", "--precision=bfloat16", "--cache_mb=7"],
            {"compiled": False, "precision": "bfloat16", "cache_mb": 7},
            "",
        ),
    ],
)
def test_a_flag_file_of_an_earlier_version_is_read_and_what_counts_no_more_is_told(
    lines, changes, told, tmp_path, capfd
):
    values = parsed(f"--flagfile={write(tmp_path / 'earlier.flags', *lines)}")
    assert flags.config_from_flags(flag_values=values) == Config().replace(**changes)
    assert capfd.readouterr() == ("", told)


def test_a_tier_goes_to_annotations_that_are_given_elsewhere(tmp_path, capfd):
    earlier = write(
        tmp_path / "earlier.flags", "--annotation_tier=words", "--sequence=bout", "--annotations=/a"
    )
    assert (
        parsed(f"--flagfile={earlier}", "--annotations", "/new place").annotations
        == "/new place#words"
    )
    assert capfd.readouterr().err == tier_is_used(
        "annotation_tier", "--annotations=/new place#words"
    )


def test_flags_that_are_gone_are_known_to_the_tools_that_had_them_only(tmp_path, capfd):
    values = absl_flags.FlagValues()
    flags.define(("audio",), values)
    absl_flags.DEFINE_string("truth", None, "Truth.", flag_values=values)
    # Settings that a tool does not use are passed over in a flag file, those that are gone too.
    earlier = write(
        tmp_path / "earlier.flags",
        "--shuffle_windows=64",
        "--annotation_tier=words",
        "--truth_tier=words",
    )
    assert flags.expand_flagfiles([f"--flagfile={earlier}", "--truth=x"], values) == [
        "--truth=x#words"
    ]
    assert capfd.readouterr().err == tier_is_used("truth_tier", "--truth=x#words")
    for argument in ("--shuffle_windows=64", "--annotation_tier=words"):
        with pytest.raises(absl_flags.UnrecognizedFlagError):
            values(["tool", *flags.expand_flagfiles([argument], values)])
    with pytest.raises(absl_flags.UnrecognizedFlagError, match="truth_tier"):
        parsed("--truth_tier=words")


@pytest.mark.parametrize(
    "typo", ["--shufle_windows=64", "--annotations_tier=words", "--shuffle_window=64"]
)
def test_a_flag_that_never_was_one_stays_a_mistake(typo, tmp_path):
    with pytest.raises(absl_flags.UnrecognizedFlagError):
        parsed(f"--flagfile={write(tmp_path / 'earlier.flags', typo)}")


def test_an_unknown_flag_in_a_flag_file_is_refused(tmp_path):
    with pytest.raises(absl_flags.UnrecognizedFlagError, match="tresh"):
        parsed(
            f"--flagfile={write(tmp_path / 'top.flags', '--tresh=2')}", sections=("segmentation",)
        )


@pytest.mark.parametrize(
    "lines, message",
    [
        (["--flagfile=gone.flags"], "gone.flags: No such file or directory"),
        (["--flagfile=."], "Is a directory"),
        (["--flagfile="], "--flagfile must name a file"),
        (["--flagfile=other.flags"], "top.flags includes itself"),
        (["", "threshold=3"], "top.flags, line 2: must be --name=value. Received: threshold=3"),
    ],
)
def test_a_bad_flag_file_is_named_with_its_reason(lines, message, tmp_path):
    write(tmp_path / "other.flags", "--flagfile=top.flags")
    with pytest.raises(ValueError) as error:
        parsed(f"--flagfile={write(tmp_path / 'top.flags', *lines)}")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_binary_flag_file_is_named(tmp_path):
    (tmp_path / "sound.wav").write_bytes(b"RIFF\xff\xfe\x00")
    with pytest.raises(ValueError, match="sound.wav: not a text file"):
        parsed(f"--flagfile={tmp_path / 'sound.wav'}")


def test_one_file_may_be_included_twice_side_by_side(tmp_path):
    write(tmp_path / "base.flags", "--threshold=1")
    top = write(
        tmp_path / "top.flags", "--flagfile=base.flags", "--threshold=2", "--flagfile=base.flags"
    )
    assert parsed(f"--flagfile={top}").threshold == 1.0


def test_flag_files_of_the_repository_are_valid(repository):
    files = sorted((repository / "tools" / "flagfiles").glob("*.flags"))
    assert {"published", "songbird", "mouse_usv", "speech", "demo"} <= {file.stem for file in files}
    for file in files:
        flags.config_from_flags(flag_values=parsed(f"--flagfile={file}"))


@pytest.mark.parametrize(
    ("name", "num_visible", "hidden", "recurrent"),
    [
        ("jsb", 88, 200, 200),
        ("nottingham", 88, 200, 200),
        ("mouse_usv", 257, 218, 167),
        ("demo", 129, 129, 193),
        ("songbird", 129, 219, 167),
    ],
)
def test_the_flag_files_ask_for_as_many_units_as_ever(
    name, num_visible, hidden, recurrent, repository
):
    config = flags.config_from_flags(
        flag_values=parsed(f"--flagfile={repository / 'tools' / 'flagfiles' / name}.flags")
    )
    assert (config.model.hidden_units(num_visible), config.model.recurrent_units(num_visible)) == (
        hidden,
        recurrent,
    )


@pytest.mark.parametrize("name", ["published", "seed"])
def test_the_flag_file_of_the_published_configuration_is_it_but_for_where_its_weights_start(
    repository, name
):
    published = f"--flagfile={repository / 'tools' / 'flagfiles' / f'{name}.flags'}"
    learning = flags.config_from_flags(flag_values=parsed(published))
    config = flags.config_from_flags(
        flag_values=parsed(published, "--gates=tanh", "--weight_init=published")
    )
    assert [name for name, _, _ in changed_settings(learning, config)] == ["gates", "weight_init"]
    s, d, m, t, g = (
        config.segmentation,
        config.data,
        config.model,
        config.training,
        config.generation,
    )
    assert (s.threshold_method, s.threshold, s.low_hz, s.high_hz) == ("percentile", 90.0, 0.0, 0.0)
    assert (s.smoothing_ms, s.min_gap_ms, s.min_length_ms, s.max_length_ms, s.buffer_ms) == (
        4.0,
        2.0,
        15.0,
        500.0,
        5.0,
    )
    assert (s.split_depth_db, s.offset_below_peak_db, s.min_group_segments) == (0.0, 0.0, 1)
    assert (
        config.spectrogram.n_fft,
        config.spectrogram.hop_length,
        config.spectrogram.scaling,
    ) == (256, 128, "max_power")
    assert (d.sequence, d.batch_size, d.window_frames) == ("packed", 1, 160)
    num_visible = config.spectrogram.n_fft // 2 + 1
    assert (num_visible, m.hidden_units(num_visible), m.recurrent_units(num_visible)) == (
        129,
        219,
        167,
    )
    assert (m.visible_units, m.num_layers, m.gates, m.weight_init) == (
        "mean_field",
        3,
        "tanh",
        "published",
    )
    assert (m.learned_initial_state, m.num_direct_frames, m.dropout, m.input_noise) == (
        False,
        0,
        0.0,
        0.0,
    )
    assert t.negative_start == "data"
    assert (t.optimizer, t.learning_rates, t.epochs_per_rate) == (
        "rmsprop",
        (3e-4, 1e-4, 5e-5, 3e-5, 1e-5),
        (50,),
    )
    assert (t.epochs, t.cd_steps, t.clip_norm, t.l1, t.l2, t.weight_average) == (
        0,
        (15,),
        0.0,
        1e-4,
        0.0,
        0.0,
    )
    assert (g.num_gibbs_steps, g.chain_start, g.emission_noise) == (20, "zeros", 0.0)


@pytest.mark.parametrize("line", ["--threshold=7", "# comment\n--threshold=7"])
def test_a_flag_file_may_begin_with_a_byte_order_mark(line, tmp_path):
    (tmp_path / "x.flags").write_text(line, encoding="utf-8-sig")
    assert parsed(f"--flagfile={tmp_path / 'x.flags'}")["threshold"].value == 7.0
