"""The settings: their rules, their messages, and their way through JSON."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurovocal_tf import flags, presets
from neurovocal_tf import settings as settings_module
from neurovocal_tf.config import Config, changed_settings, may_change_on_resume, settings


def test_names_are_unique_over_all_sections():
    names = [field.name for _, field in settings()]
    assert len(names) == len(set(names))


def test_every_setting_has_help_that_ends_as_a_sentence():
    assert [field.name for _, field in settings() if not field.metadata["help"].endswith(".")] == []


def test_a_configuration_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().training.seed = 1


def test_json_round_trip_of_defaults_and_changes():
    changed = Config().replace(
        learning_rates=(1e-3, 1e-5),
        epochs_per_rate=(3,),
        cd_steps=(2,),
        gates="tanh",
        compiled=False,
    )
    for config in (Config(), changed):
        assert Config.from_json(config.to_json()) == config


@given(
    threshold=st.floats(0, 1e6),
    rates=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    seed=st.integers(0, 2**31 - 1),
)
def test_json_round_trip_keeps_every_bit(threshold, rates, seed):
    config = Config().replace(
        threshold=threshold,
        learning_rates=tuple(rates),
        epochs_per_rate=(1,),
        cd_steps=(1,),
        seed=seed,
    )
    assert Config.from_json(config.to_json()) == config


def test_replace_reaches_every_section_and_leaves_the_original():
    config = Config()
    values = dict(
        sample_rate=8000,
        threshold=3.0,
        n_fft=512,
        batch_size=2,
        num_layers=1,
        seed=5,
        num_iterations=3,
    )
    changed = config.replace(**values)
    assert [name for name, _, _ in changed_settings(config, changed)] == list(values)
    assert [after for _, _, after in changed_settings(config, changed)] == list(values.values())
    assert config == Config()


@pytest.mark.parametrize(
    "values, message",
    [
        (dict(n_fft=8), "`n_fft` must be between 16 and 16384. Received: n_fft=8"),
        (dict(n_fft=257), "`n_fft` must be even. Received: n_fft=257"),
        (
            dict(hop_length=129),
            "`hop_length` must be at most n_fft / 2. Received: hop_length=129, n_fft=256",
        ),
        (dict(threshold=-0.5), "`threshold` must be at least 0. Received: threshold=-0.5"),
        (dict(threshold=float("nan")), "`threshold` must be at least 0. Received: threshold=nan"),
        (dict(threshold="high"), "`threshold` must be float. Received: threshold='high'"),
        (dict(batch_size=2.5), "`batch_size` must be int. Received: batch_size=2.5"),
        (dict(batch_size=True), "`batch_size` must be int. Received: batch_size=True"),
        (
            dict(num_shares=3),
            "`num_shares` must divide `batch_size`. Received: num_shares=3, batch_size=8",
        ),
        (
            dict(parallel_parts=3),
            "`parallel_parts` must divide `batch_size`. Received: parallel_parts=3, batch_size=8",
        ),
        (dict(compiled=1), "`compiled` must be bool. Received: compiled=1"),
        (dict(gates="relu"), "`gates` must be one of sigmoid, tanh. Received: gates=relu"),
        (
            dict(channel="left"),
            "`channel` must be mean, loudest or a number. Received: channel=left",
        ),
        (
            dict(learning_rates=()),
            "`learning_rates` must be a list of float. Received: learning_rates=()",
        ),
        (
            dict(learning_rates=0.1),
            "`learning_rates` must be a list of float. Received: learning_rates=0.1",
        ),
        (
            dict(cd_steps=(1, 0, 1)),
            "`cd_steps` must be between 1 and 8192. Received: cd_steps=(1, 0, 1)",
        ),
        (
            dict(cd_steps=(1, 2)),
            "`cd_steps` must have one number or 3, as `learning_rates`. Received: cd_steps=(1, 2)",
        ),
        (
            dict(threshold_method="percentile", threshold=101.0),
            "`threshold` must be between 0 and 100 for threshold_method=percentile",
        ),
        (
            dict(min_length_ms=500.0),
            (
                "`min_length_ms` must be below `max_length_ms`. "
                "Received: min_length_ms=500, max_length_ms=500"
            ),
        ),
        (
            dict(annotations="a.csv"),
            (
                "`annotations` cut segments and bouts, not whole recordings: `sequence` must be "
                "bout, segment or packed."
            ),
        ),
        (
            dict(low_hz=20_000.0),
            "`low_hz` must be below `high_hz`. Received: low_hz=20000, high_hz=10000",
        ),
        (dict(tempo=3), "`tempo` is not a setting."),
        (dict(treshold=3), "`treshold` is not a setting. Did you mean threshold?"),
    ],
)
def test_a_bad_value_is_named(values, message):
    with pytest.raises(ValueError) as error:
        Config().replace(**values)
    assert str(error.value).startswith(message)


def test_no_band_pass_upper_edge_is_no_contradiction():
    assert Config().replace(low_hz=0.0, high_hz=0.0).segmentation.high_hz == 0.0
    assert Config().replace(low_hz=500.0, high_hz=0.0).segmentation.low_hz == 500.0


@pytest.mark.parametrize("channel", ["mean", "loudest", "0", "15"])
def test_channels_are_words_or_numbers(channel):
    assert Config().replace(channel=channel).audio.channel == channel


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"music": {}}', "config.json must hold the sections"),
        ("[]", "config.json must hold the sections"),
        ('{"audio": {"tempo": 1}}', "config.json: `tempo` is not a setting of `audio`."),
        (
            '{"audio": {"sample_rate": "fast"}}',
            "`sample_rate` must be int. Received: sample_rate='fast'",
        ),
        ("{", "Expecting property name"),
    ],
)
def test_a_damaged_config_file_is_a_value_error(text, message):
    with pytest.raises(ValueError, match="^" + message.replace("[", r"\[")):
        Config.from_json(text)


def test_json_without_a_section_or_setting_has_its_defaults():
    """Files written before a setting existed stay readable."""
    data = json.loads(Config().replace(threshold=7.0).to_json())
    del data["generation"], data["audio"]["channel"]
    assert Config.from_json(json.dumps(data)) == Config().replace(threshold=7.0)


# As version 0.1.0 wrote it, shortened.
EARLIER = """{
  "audio": {"sample_rate": 0, "time_expansion": 1, "channel": "loudest"},
  "data": {"sequence": "bout", "annotations": "/marks", "annotation_tier": "words",
           "shuffle_windows": 64, "cache_mb": 7},
  "model": {"hidden_scalar": 2.28, "recurrent_scalar": 0.5},
  "training": {"epochs": 3, "compiled": false, "precision": "bfloat16", "parallel_parts": 4,
               "seed": 5}
}"""


def test_a_config_file_of_an_earlier_version_is_read_and_what_counts_no_more_is_told_once(caplog):
    settings_module.warn_once.cache_clear()
    config = Config.from_json(EARLIER)
    execution = dict(compiled=False, precision="bfloat16", parallel_parts=4, cache_mb=7)
    model = dict(hidden_scalar=2.28, recurrent_scalar=0.5)
    assert config == Config().replace(
        sequence="bout", annotations="/marks#words", epochs=3, seed=5, **execution, **model
    )
    assert (config.model.hidden_units(88), config.model.recurrent_units(88)) == (200, 44)
    assert Config.from_json(EARLIER) == config
    told = (
        "config.json: shuffle_windows is no longer a setting and is ignored: 4096 windows are "
        "shuffled at a time."
    )
    assert caplog.messages == [told]


def test_nothing_is_told_of_a_config_file_of_an_earlier_version_with_the_defaults(caplog):
    settings_module.warn_once.cache_clear()
    data = {
        "data": {
            "annotations": "",
            "annotation_tier": "",
            "shuffle_windows": 4096,
            "cache_mb": 1024,
        }
    }
    assert Config.from_json(json.dumps(data)) == Config() and caplog.messages == []


@pytest.mark.parametrize(
    "section, name", [("model", "shuffle_windows"), ("model", "compiled"), ("data", "precision")]
)
def test_a_setting_of_an_earlier_version_is_known_in_its_own_section_only(section, name):
    with pytest.raises(ValueError, match=f"config.json: `{name}` is not a setting of `{section}`."):
        Config.from_json(json.dumps({section: {name: 1}}))


def test_a_resumed_run_may_change_only_what_leaves_the_weights_alone():
    assert set(may_change_on_resume()) == {
        "cache_mb",
        "epochs",
        "annotations",
        "recordings_table",
        "train_list",
        "held_out_list",
        "texts",
        "spellings",
        "text_updates",
        "picture_format",
        "picture_dpi",
    }


def test_a_section_must_be_one_of_its_own_kind():
    with pytest.raises(ValueError) as error:
        Config(segmentation=Config())
    assert str(error.value) == (
        "`segmentation` must be of type SegmentationConfig. Received: segmentation of type Config: "
        "give its section segmentation"
    )
    with pytest.raises(ValueError, match="`audio` must be of type AudioConfig. .* of type dict$"):
        Config(audio={"channel": "mean"})


def test_a_list_counts_as_a_tuple_and_a_number_of_numpy_as_one():
    given = Config().replace(learning_rates=[np.float32(0.5)] * 3, n_fft=np.int64(512))
    plain = Config().replace(learning_rates=(0.5,) * 3, n_fft=512)
    assert given == plain and Config.from_json(given.to_json()) == plain


@pytest.mark.parametrize("name", presets.NAMES)
def test_a_preset_is_what_its_flags_are_on_a_command_line(name, settings_of, tmp_path):
    path = tmp_path / "one.flags"
    path.write_text(f"--preset={name}\n")
    assert Config.preset(name) == Config.from_flagfile(path) == settings_of(path)
    assert len(Config.presets()[name]) > 10


@pytest.mark.parametrize("name", [None, 5, ["songbird"]])
def test_what_is_no_name_is_no_preset(name):
    with pytest.raises(ValueError, match="`preset` must be among"):
        Config.preset(name)
    with pytest.raises(ValueError, match="`path` must be that of a flag file|No such file"):
        Config.from_flagfile(name if name else "none")


def test_an_array_for_a_number_is_refused():
    with pytest.raises(ValueError, match="`n_fft` must be int"):
        Config().replace(n_fft=np.zeros(3))


def test_an_unknown_preset_is_refused_and_the_nearest_is_offered():
    with pytest.raises(ValueError, match=r"`preset` must be among .*Did you mean songbird\?"):
        Config.preset("songbrd")


def test_every_setting_comes_back_from_a_flag_file(tmp_path):
    changed = Config().replace(
        compiled=False, cd_steps=(1, 2, 3), gates="tanh", annotations="a b", sequence="bout"
    )
    flags.write_flags(tmp_path / "flags.txt", changed)
    assert Config.from_flagfile(tmp_path / "flags.txt") == changed


def test_a_flag_file_is_read_as_on_a_command_line(tmp_path, settings_of):
    (tmp_path / "other.flags").write_text("--threshold=3\n")
    path = tmp_path / "mine.flags"
    path.write_text(
        "# mine\n--preset=songbird\n--flagfile=other.flags\n--nocompiled\n-low_hz=100\n"
        "--learned_initial_state\n--shuffle_windows=4096\n--annotations=~/a.csv\n"
    )
    read = Config.from_flagfile(path)
    assert read == settings_of(path)
    assert (read.segmentation.threshold, read.execution.compiled) == (3.0, False)


@pytest.mark.parametrize(
    "line, message",
    [
        ("--treshold=3", "`treshold` is not a setting, .* Did you mean threshold?"),
        ("--data_dir=x", "`data_dir` is not a setting, and only settings are read here."),
        ("--threshold=loud", "`threshold` must be a number. Received: threshold=loud"),
        ("--n_fft=2.5", "`n_fft` must be a whole number. Received: n_fft=2.5"),
        ("--n_fft=8", "`n_fft` must be between 16 and 16384. Received: n_fft=8"),
        ("--cd_steps=1,x", "`cd_steps` must be a list, each of it a whole number."),
        ("--compiled=maybe", "`compiled` must be true or false. Received: compiled=maybe"),
        ("--threshold", "`threshold` must be a number. Received: threshold="),
    ],
)
def test_a_bad_line_of_a_flag_file_is_named(line, message, tmp_path):
    (tmp_path / "mine.flags").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        Config.from_flagfile(tmp_path / "mine.flags")


def test_a_flag_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="flag file .*none.flags: No such file"):
        Config.from_flagfile(tmp_path / "none.flags")
