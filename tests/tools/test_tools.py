"""The commands as a user calls them: what they write, what they say of a mistake,
and that kill -9 costs nothing.
"""

import csv
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import simulated_calls
import soundfile
import tensorflow as tf
from forked_tools import environment, locked_in, running_tools

from neurovocal_tf import flags
from neurovocal_tf.ownership import owned
from neurovocal_tf.runs.run_folder import RunFolder

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = sorted(
    str(path.relative_to(ROOT))
    for folder in ("tools", "export")
    for path in (ROOT / folder).glob("*.py")
)


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    """See `forked_tools.Tool`."""
    folder = tmp_path_factory.mktemp("calls")
    with running_tools(folder) as tool:
        yield tool


@pytest.fixture(scope="module")
def tiny_flags(tiny_config, tmp_path_factory):
    """`tiny_config` as a flag file."""
    path = tmp_path_factory.mktemp("flags") / "tiny.flags"
    flags.write_flags(path, tiny_config)
    return f"--flagfile={path}"


def arrays_of(workdir):
    """A checkpoint's arrays and its history without times."""
    with np.load(RunFolder(workdir).checkpoint, allow_pickle=False) as arrays:
        values = dict(arrays)
    meta = json.loads(bytes(values.pop("meta")))
    # Times are in the history, in what is remembered of the recordings, and so in the checksum.
    del values["memory"], values["checksum"]
    return (
        values,
        [{k: v for k, v in row.items() if k != "epoch_s"} for row in meta["history"]],
        meta["best"],
    )


# --- help


@pytest.mark.parametrize("script", TOOLS)
def test_help_explains_itself_without_tensorflow(script, tmp_path):
    for library in ("tensorflow", "keras"):
        (tmp_path / f"{library}.py").write_text(
            "raise SystemExit('a library that takes seconds to import')"
        )
    env = {**environment(), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    shown = subprocess.run(
        [sys.executable, ROOT / script, "--help"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"python {script} --" in shown.stdout and " flag" in shown.stdout


# --- searches


def test_a_search_writes_its_trials_and_the_best_as_a_flag_file(
    tool, tiny_config, tiny_flags, simulated_recordings, settings_of, tmp_path
):
    code, out, err = tool.quickly()(
        "tools/tune.py",
        tiny_flags,
        f"--data_dir={simulated_recordings}",
        f"--workdir={tmp_path / 'search'}",
        *("--batch_size=64", "--tuner=random", "--num_trials=2", "--trial_epochs=1"),
        "--search=dropout",
        f"--json={tmp_path / 'best.json'}",
    )
    assert code == 0, err
    assert "trial 2 of 2: " in err and "search: 100%" in err
    assert len(out.splitlines()) == 4 and out.rstrip().endswith("best.flags")
    with open(tmp_path / "search" / "trials.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    errors = [float(row["val_one_step_error"]) for row in rows]
    figures = json.loads((tmp_path / "best.json").read_text())
    assert (figures["num_trials"], figures["num_failed"]) == (2, 0)
    assert figures["val_one_step_error_db"] == errors[0] == min(errors)
    config = settings_of(tmp_path / "search" / "best.flags")
    dropout = float(f"{float(rows[0]['dropout']):.4g}")
    assert config == tiny_config.replace(batch_size=64, dropout=dropout)


# --- the way from recordings to songs


def test_training_killed_in_the_middle_goes_on_to_the_same_weights(
    tool, trained_run, simulated_recordings, tiny_flags, tmp_path
):
    workdir = tmp_path / "run"
    command = [tiny_flags, f"--data_dir={simulated_recordings}", f"--workdir={workdir}"]
    history = pathlib.Path(RunFolder(workdir).file("history.csv"))
    process_id = tool.start("tools/train.py", *command)
    deadline = time.monotonic() + 300
    while not history.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process_id, signal.SIGKILL)
    code, _, err = tool.finish()
    assert code == -signal.SIGKILL, err
    num_epochs = len(arrays_of(workdir)[1])
    assert 1 <= num_epochs < 3

    code, _, err = tool("tools/train.py", *command)
    assert code == 0 and f"going on after epoch {num_epochs}\n" in err
    (arrays, rows, best), (expected, expected_rows, expected_best) = (
        arrays_of(workdir),
        arrays_of(trained_run),
    )
    assert (rows, best) == (expected_rows, expected_best) and arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
    assert re.search(r"epoch \d of 3 is kept: held-out one-step error [\d.]+ dB", err)
    assert re.search(r"Baselines of the one-step error .* mean [\d.]+, previous frame [\d.]+", err)
    assert {"flags.txt", "config.json", "model.keras", "curves.png", "samples_epoch_3.png"} <= set(
        os.listdir(workdir)
    )


@pytest.fixture(scope="module")
def plain_songs(tool, trained_run, tmp_path_factory):
    """Folder of the songs of the seeds 5 to 7, 25 frames each."""
    out = tmp_path_factory.mktemp("songs")
    code, printed, err = tool(
        "tools/generate.py",
        f"--workdir={trained_run}",
        f"--out={out}",
        "--num_songs=3",
        # At 16 kHz, and 64 samples from one to the next.
        "--seconds=0.1",
        "--seed=5",
    )
    assert (code, printed) == (0, "") and len(err.splitlines()) == 3
    assert sorted(os.listdir(out)) == sorted(
        f"song_{i}.{kind}" for i in (5, 6, 7) for kind in ("npz", "png", "wav")
    )
    return out


def test_generated_songs_are_those_of_the_endpoints_and_of_the_export(
    tool, trained_run, endpoints, plain_songs, tmp_path
):
    assert (
        tool(
            "export/export_saved_model.py",
            f"--workdir={trained_run}",
            f"--export_dir={tmp_path / 'models'}",
        )[0]
        == 0
    )
    assert os.listdir(tmp_path / "models") == ["1"]

    rows = tf.constant([6, 5], tf.int64), tf.constant([25, 25]), tf.ones([2])
    expected = endpoints.generate(*rows)
    # TensorFlow's own client sings them from the export.
    code, _, err = tool(
        shutil.which("saved_model_cli", path=os.path.dirname(sys.executable)),
        *("run", "--dir", tmp_path / "models" / "1", "--outdir", tmp_path / "client"),
        *("--tag_set", "serve", "--signature_def", "serving_default"),
        *("--input_exprs", "seed=[6,5];num_frames=[25,25];temperature=[1.0,1.0]"),
    )
    assert code == 0, err
    served = np.load(tmp_path / "client" / "spectrogram.npy")
    for i, seed in enumerate((6, 5)):
        with np.load(plain_songs / f"song_{seed}.npz", allow_pickle=False) as song:
            np.testing.assert_array_equal(song["decibels"], expected["spectrogram"][i])
            np.testing.assert_array_equal(song["decibels"], served[i])
            heard, rate = soundfile.read(plain_songs / f"song_{seed}.wav")
            assert (
                (rate, len(heard))
                == (16_000, 24 * 64 + 128)
                == (song["sample_rate"], len(song["waveform"]))
            )


@pytest.mark.parametrize("tool_name, work", [("generate", "songs_5_1"), ("evaluate", "evaluation")])
def test_a_folder_that_another_process_writes_into_is_refused_in_a_line(
    tool_name, work, tool, trained_run, tmp_path
):
    workdir = shutil.copytree(trained_run, tmp_path / "run")
    out = {"generate": ["--seed=5", "--num_songs=1", f"--out={workdir}"], "evaluate": []}[tool_name]
    before = sorted(os.listdir(workdir))
    with owned(workdir, work):
        code, printed, err = tool(f"tools/{tool_name}.py", f"--workdir={workdir}", *out)
    assert (code, printed) == (1, "") and err.splitlines()[-1] == (
        f"error: {workdir} is being written by another run, process {os.getpid()} on "
        f"{socket.gethostname()}: wait until it ends, or choose another folder."
    )
    assert sorted(os.listdir(workdir)) == before


def test_flags_of_generation_hold_for_that_call_and_a_recording_primes(
    tool, trained_run, plain_songs, simulated_recordings, tmp_path
):
    kinds = {np.load(plain_songs / "song_5.npz")["decibels"].tobytes()}
    for option in ("--emission_noise=1", f"--prime={simulated_recordings / 'simulated_000.wav'}"):
        common = (
            f"--workdir={trained_run}",
            f"--out={tmp_path}",
            "--num_songs=1",
            "--num_frames=25",
            "--seed=5",
        )
        assert tool("tools/generate.py", *common, option)[0] == 0
        kinds.add(np.load(tmp_path / "song_5.npz")["decibels"].tobytes())
    assert len(kinds) == 3


def test_evaluation_prints_and_writes_flat_figures_with_units(tool, trained_run, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(trained_run, workdir)
    code, out, err = tool(
        *(
            "tools/evaluate.py",
            f"--workdir={workdir}",
            "--seconds=1",
            "--num_songs=2",
            f"--json={tmp_path / 'figures.json'}",
        ),
        *("--num_temperatures=10", "--num_chains=2", "--num_test_frames=64"),
    )
    assert code == 0, err
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert all(value is None or isinstance(value, (int, float)) for value in figures.values())
    assert (
        figures["one_step_error_db"] < figures["baseline_mean_db"]
        and figures["baseline_previous_frame_db"] > 0
    )
    assert figures["num_likelihood_frames"] == 64 < figures["num_test_frames"]
    assert np.isfinite(
        [
            figures["log_likelihood_ais_nats"],
            figures["log_likelihood_raise_nats"],
            figures["likelihood_gap_nats"],
        ]
    ).all()
    for name in ("independent", "previous_frame", "ar1", "ridge_var2"):
        assert np.isfinite(figures[f"baseline_{name}_log_likelihood_nats"])
    assert {"real_syllables_per_s", "generated_syllables_per_s", "song_ks_duration"} <= set(figures)
    # The verdict, the table, and where the rest is.
    words, table, *measures, rest = out.split("\n\n")
    assert [line.split(":")[0] for line in words.splitlines()][0] == "next frame"
    assert "one_step_error_db " in table and len(table.splitlines()) <= 20
    assert rest.startswith(f"all {len(figures)} figures: ")
    assert "songs beside the recordings" in measures[0] and "nan" not in out
    drawn = {"likelihood", "songs", "statistics", "syllables", "transitions"}
    written = os.listdir(workdir)
    assert {f"{name}.png" for name in drawn} <= set(written) and "evaluation.json" not in written


def test_a_trained_run_judges_the_calls_that_are_discovered(tool, trained_run, tmp_path):
    songs, out = tmp_path / "songs", tmp_path / "out"
    songs.mkdir()
    simulated_calls.write(songs, count=3, duration_s=8.0)
    code, printed, err = tool(
        "tools/discover.py",
        *("--preset=songbird", f"--data_dir={songs}", f"--out={out}", f"--workdir={trained_run}"),
    )
    assert code == 0, err
    # The run is of a second and a half of song that it was not trained on.
    assert "no call is called unusual: too few calls are held out" in printed
    assert re.search(r"the run holds out \d+ calls, fewer than 20", err)
    with open(out / "unusual.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with open(out / "calls.csv", newline="", encoding="utf-8") as file:
        assert len(rows) == len(list(csv.DictReader(file)))
    assert all(float(row["surprise"]) for row in rows) and '"unusual"' in (
        out / "report.html"
    ).read_text(encoding="utf-8")


def test_frame_sequences_train_and_are_evaluated_on_their_test_split(tool, tiny_flags, tmp_path):
    rng = np.random.default_rng(1)
    lengths = {"train": [9, 20, 31], "valid": [16], "test": [7, 15]}
    splits = {
        name: (rng.random((sum(parts), 6)) < 0.3).astype(np.uint8)
        for name, parts in lengths.items()
    }
    np.savez(
        tmp_path / "rolls.npz",
        **splits,
        **{f"{name}_lengths": np.array(parts) for name, parts in lengths.items()},
    )
    workdir, frames = f"--workdir={tmp_path / 'run'}", f"--frames={tmp_path / 'rolls.npz'}"
    code, _, err = tool("tools/train.py", f"--frames={tmp_path}", workdir)
    assert code == 1 and "a folder of MIDI files (.mid, .midi) without recordings. Rec" in err
    assert not (tmp_path / "run").exists()
    code, _, err = tool.quickly()(
        "tools/train.py", tiny_flags, "--visible_units=bernoulli", "--epochs=1", frames, workdir
    )
    assert code == 0, err
    code, out, err = tool("tools/evaluate.py", workdir, "--num_temperatures=10", "--num_chains=4")
    assert code == 0, err
    figures = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert out.startswith("next frame: ") and "songs:" not in out
    assert figures["num_likelihood_frames"] == figures["num_test_frames"] == 22
    # So small a machine is easily annealed, and one that has hardly learned yet is not far
    # from independent units.
    assert abs(figures["likelihood_gap_nats"]) < 0.1
    assert figures["log_likelihood_ais_nats"] == pytest.approx(
        figures["baseline_independent_log_likelihood_nats"], abs=1.5
    )
    assert figures["pseudo_log_likelihood_nats"] < 0
    assert (
        0 < figures["accuracy"] <= figures["accuracy_2012"] < 1
        and "baseline_markov_chain_accuracy" in figures
    )
    assert "likelihood.png" in os.listdir(tmp_path / "run")
    code, _, err = tool(
        "tools/generate.py", workdir, "--num_songs=2", "--num_frames=11", "--seed=3"
    )
    assert code == 0, err
    assert sorted(os.listdir(tmp_path / "run" / "songs")) == [
        "song_3.npz",
        "song_3.png",
        "song_4.npz",
        "song_4.png",
    ]
    frames = np.load(tmp_path / "run" / "songs" / "song_3.npz")["frames"]
    # Without emission noise it is the mean that is given out.
    assert frames.shape == (11, 6) and 0 <= frames.min() < frames.max() <= 1
    code, _, err = tool(
        "export/export_saved_model.py", workdir, f"--export_dir={tmp_path / 'models'}"
    )
    assert code == 1 and "`workdir` must hold a model of recordings" in err


def test_odd_formats_are_a_drill_that_training_passes(
    tool, shared_recordings, tiny_flags, tmp_path
):
    workdir = tmp_path / "run"
    command = [
        tiny_flags,
        "--epochs=1",
        "--batch_size=512",
        "--n_fft=256",
        "--hop_length=128",
        f"--workdir={workdir}",
    ]
    code, _, err = tool.quickly()(
        "tools/train.py", *command, f"--data_dir={shared_recordings / 'odd_formats'}"
    )
    assert code == 0, err
    assert "Traceback" not in err and "9 files skipped" in err
    skipped = (workdir / "skipped.csv").read_text().splitlines()
    assert skipped[0] == "file,reason" and len(skipped) == 10
    assert any("bad_text.wav,is not audio" in line for line in skipped)


def test_folds_are_runs_of_their_own_and_their_mean_and_spread_are_told(
    tool, simulated_recordings, tiny_flags, tmp_path
):
    command = [
        tiny_flags,
        "--batch_size=64",
        "--epochs=1",
        "--folds=2",
        f"--data_dir={simulated_recordings}",
        f"--workdir={tmp_path}",
    ]
    code, _, err = tool.quickly()("tools/train.py", *command)
    assert code == 0, err
    assert sorted(os.listdir(tmp_path)) == ["fold_1_of_2", "fold_2_of_2"]
    assert re.search(
        r"^val_one_step_error: mean [\d.]+, standard deviation [\d.e-]+ over 2 folds$",
        err,
        re.MULTILINE,
    )
    (first, second) = (RunFolder(tmp_path / name).data() for name in ("fold_1_of_2", "fold_2_of_2"))
    assert first.training[0].end == first.validation[0].begin == pytest.approx(1 / 3)
    assert (
        second.training[0].end
        == second.validation[0].begin
        == first.validation[0].end
        == pytest.approx(2 / 3)
    )


# --- mistakes


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory, trained_run, simulated_recordings):
    """Folders to make mistakes with."""
    root = tmp_path_factory.mktemp("mistakes")
    for name in (
        "empty",
        "no_audio",
        "short",
        "silent",
        "nan",
        "broken",
        "one",
        "untrained",
        "truncated",
    ):
        (root / name).mkdir()
    (root / "no_audio" / "notes.txt").write_text("sing!")
    for i in range(3):
        soundfile.write(root / "short" / f"{i}.wav", np.full(100, 0.1 * i), 16_000)
        soundfile.write(root / "silent" / f"{i}.wav", np.zeros(9_000), 16_000)
        soundfile.write(root / "nan" / f"{i}.wav", np.full(9_000, np.nan), 16_000, subtype="FLOAT")
        (root / "broken" / f"{i}.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVE")
    shutil.copy(simulated_recordings / "simulated_000.wav", root / "one")
    shutil.copytree(trained_run, root / "run")
    shutil.copytree(trained_run, root / "cut")
    shutil.copytree(trained_run, root / "later")
    config = json.loads((root / "later" / "config.json").read_text())
    config["training"]["sed"] = 1
    (root / "later" / "config.json").write_text(json.dumps(config))
    (root / "cut" / "checkpoint.npz").write_bytes(
        (root / "run" / "checkpoint.npz").read_bytes()[:1000]
    )
    return root


TRAIN = ("tools/train.py", "--data_dir={birds}", "--workdir={root}/new")
MISTAKES = {
    "an empty folder": (
        (*TRAIN, "--data_dir={root}/empty"),
        "and it is empty. Received: data_dir={root}/empty",
    ),
    "a folder with no audio": (
        (*TRAIN, "--data_dir={root}/no_audio"),
        "it holds no audio among 1 file. Received: data_dir={root}/no_audio",
    ),
    "no folder": (
        (*TRAIN, "--data_dir={root}/gone"),
        "there is no such folder. Received: data_dir={root}/gone",
    ),
    "nothing found": (
        (*TRAIN, "--sequence=segment", "--threshold=1000"),
        (
            "5 of 5 no vocalization found by the detector: try another --threshold, or "
            "--sequence=recording"
        ),
    ),
    "files shorter than a window": (
        (*TRAIN, "--data_dir={root}/short"),
        "3 of 3 shorter than one window: 100 samples, and n_fft=256",
    ),
    "silence": (
        (*TRAIN, "--data_dir={root}/silent"),
        "No usable recording in {root}/silent: 3 of 3 is silent",
    ),
    "NaN samples": (
        (*TRAIN, "--data_dir={root}/nan"),
        "No usable recording in {root}/nan: 3 of 3 holds NaN or infinite samples",
    ),
    "broken headers": (
        (*TRAIN, "--data_dir={root}/broken"),
        "No usable recording in {root}/broken: 3 of 3 ",
    ),
    "one recording": (
        (*TRAIN, "--data_dir={root}/one"),
        "needs at least two usable ones, and there is one: use --validation=temporal",
    ),
    "a band above Nyquist": (
        (*TRAIN, "--sequence=segment", "--low_hz=9000"),
        "`low_hz` must be below half the sample rate, 8000 Hz",
    ),
    "a flag out of range": (
        (*TRAIN, "--n_fft=8"),
        "--n_fft=8: 8 is not an integer in the range [16, 16384]",
    ),
    "flags that contradict each other": (
        (*TRAIN, "--n_fft=64"),
        "`hop_length` must be at most n_fft / 2. Received: hop_length=128, n_fft=64",
    ),
    "an unknown flag": (
        (*TRAIN, "--tresh=3"),
        "Unknown command line flag 'tresh'. Did you mean: preset, threshold",
    ),
    "a stray argument": ((*TRAIN, "now"), "unexpected arguments: now"),
    "recordings and frame sequences at once": (
        (*TRAIN, "--frames={root}/rolls.npz"),
        "--data_dir or --frames must be given, one of them. Received: --data_dir and --frames",
    ),
    "a file of frames that is none": (
        ("tools/train.py", "--workdir={root}/new", "--frames={root}/gone.npz"),
        "`frames` must be an .npz file, and there is none. Received: frames={root}/gone.npz",
    ),
    "no flags": (("tools/train.py",), "--workdir must be given"),
    "a missing flag file": (
        (*TRAIN, "--flagfile={root}/gone.flags"),
        "flag file {root}/gone.flags: No such file or directory",
    ),
    "a workdir of another configuration": (
        (*TRAIN, "--workdir={root}/run", "{tiny}", "--num_layers=2"),
        (
            "`num_layers` cannot change when a run goes on: {root}/run has num_layers=1, received "
            "num_layers=2. Use another --workdir"
        ),
    ),
    "a workdir that is a file": (
        (*TRAIN, "--workdir={root}/no_audio/notes.txt"),
        "{root}/no_audio/notes.txt: File exists",
    ),
    "recordings that have gone": (
        (*TRAIN, "--workdir={root}/run", "{tiny}", "--data_dir={root}/empty"),
        (
            "`data_dir` must hold the recordings this run began with, and there is no "
            "{root}/empty/simulated_"
        ),
    ),
    "generate without a run": (
        ("tools/generate.py", "--workdir={root}/empty"),
        "`workdir` must be a folder that `neurovocal train` has written",
    ),
    "evaluate without a run": (
        ("tools/evaluate.py", "--workdir={root}/gone"),
        "`workdir` must be a folder that `neurovocal train` has written",
    ),
    "a report by a run that is none": (
        (
            "tools/discover.py",
            *(
                "--preset=songbird",
                "--data_dir={birds}",
                "--out={root}/new",
                "--workdir={root}/gone",
            ),
        ),
        "`workdir` must be a folder that `neurovocal train` has written",
    ),
    "export without a run": (
        ("export/export_saved_model.py", "--workdir={root}/empty", "--export_dir={root}/models"),
        "`workdir` must be a folder that `neurovocal train` has written",
    ),
    "evaluate without its recordings": (
        ("tools/evaluate.py", "--workdir={root}/run", "--data_dir={root}/gone"),
        (
            "`data_dir` must hold the recordings this run began with, and there is no such folder. "
            "Received: data_dir={root}/gone"
        ),
    ),
    "an export over a file": (
        (
            "export/export_saved_model.py",
            "--workdir={root}/run",
            "--export_dir={root}/no_audio/notes.txt",
        ),
        "{root}/no_audio/notes.txt: File exists",
    ),
    "a cut checkpoint": (
        ("tools/generate.py", "--workdir={root}/cut"),
        "{root}/cut/checkpoint.npz is not a checkpoint",
    ),
    "a broken recording to prime with": (
        (
            "tools/generate.py",
            "--workdir={root}/run",
            "--out={root}/songs",
            "--prime={root}/broken/0.wav",
        ),
        "`prime` must be a recording. Received: prime={root}/broken/0.wav, which ",
    ),
    "no songs": (
        ("tools/generate.py", "--workdir={root}/run", "--num_songs=0"),
        "flag --num_songs=0",
    ),
    "a length told twice": (
        ("tools/generate.py", "--workdir={root}/run", "--seconds=1", "--num_frames=9"),
        "--seconds or --num_frames must be given, one of them. Received: --seconds and",
    ),
    "a text for a model without labels": (
        ("tools/generate.py", "--workdir={root}/run", "--text=abc"),
        "`text` must be left out: this model has learned no labels. Received: text=abc",
    ),
    "labels for a run that began without": (
        (*TRAIN, "--workdir={root}/run", "{tiny}", "--labels=annotations"),
        "`labels` cannot change when a run goes on: {root}/run has labels=, received ",
    ),
    "too long a song": (
        ("tools/generate.py", "--workdir={root}/run", "--seconds=1e9"),
        "`seconds` must be of 1000000 frames at most. Received: seconds=1e+09",
    ),
    "a preset that is none": (
        (*TRAIN, "--preset=songbrd"),
        "flag --preset=songbrd: must be one of auto, songbird, mouse_usv, bat, speech, published, "
        "demo, jsb, nottingham, spikes. Did you mean songbird?",
    ),
    "a run of another version": (
        ("tools/generate.py", "--workdir={root}/later"),
        "{root}/later/config.json is damaged or of another version (config.json: `sed` is not a "
        "setting of `training`. Did you mean seed?)",
    ),
    "what is told of a run of another version": (
        ("neurovocal", "info", "{root}/later"),
        "{root}/later/config.json is damaged or of another version",
    ),
    "a run where nobody may write": (
        (*TRAIN, "--workdir={locked}/run"),
        "{locked}/run: ",
    ),
    "songs where nobody may write": (
        ("tools/generate.py", "--workdir={root}/run", "--out={locked}/songs"),
        "{locked}/songs: ",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line_that_names_it(
    mistake, tool, mistakes, simulated_recordings, tiny_flags
):
    arguments, message = MISTAKES[mistake]
    places = dict(root=mistakes, birds=simulated_recordings, tiny=tiny_flags)
    places["locked"] = locked_in(mistakes)
    trained = {path: path.read_bytes() for path in (mistakes / "run").rglob("*") if path.is_file()}
    code, out, err = tool(*(argument.format(**places) for argument in arguments))
    assert (code, out) == (1, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n")
    assert message.format(**places) in err
    # Nothing already trained is lost, and no run begins.
    assert {
        path: path.read_bytes() for path in (mistakes / "run").rglob("*") if path.is_file()
    } == trained
    assert not RunFolder(mistakes / "new").has_run()
