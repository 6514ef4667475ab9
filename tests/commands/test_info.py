"""`neurovocal info`: what something is, in a few lines."""

import json
import shutil

import command_modules
import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="module")
def info():
    """Facts of a path by name."""
    return command_modules.functions_of("info")["_of_path"]


def test_of_recordings_it_tells_rates_durations_and_what_cannot_be_read(
    info, simulated_recordings, tmp_path
):
    one = info(simulated_recordings / "simulated_000.wav")
    assert one == {
        "what": "a recording",
        "sample rate": "16000 Hz",
        "channels": 1,
        "duration": "1.500 s",
    }
    shutil.copytree(simulated_recordings, tmp_path / "birds")
    soundfile.write(tmp_path / "birds" / "mice.flac", np.zeros((250_000, 2)), 250_000)
    (tmp_path / "birds" / "broken.wav").write_bytes(b"RIFF")
    facts = info(tmp_path / "birds")
    assert (facts["recordings"], facts["duration"]) == (6, "8.500 s")
    assert facts["sample rates"] == "16000 Hz (5), 250000 Hz (1)"
    assert facts["channels"] == "1 (5), 2 (1)" and facts["formats"] == ".wav (5), .flac (1)"
    assert facts["not readable"].startswith("1: ") and "broken.wav" in facts["not readable"]


def test_of_annotations_it_tells_labels_and_what_counts_for_nothing(info, tmp_path):
    (tmp_path / "labels.txt").write_text("0.5\t1\ta\n1.5\t2.25\tb\n3\t4\ta\n9\t8\tc\n")
    facts = info(tmp_path / "labels.txt")
    assert facts["labels"] == "a (2), b (1)" and facts["times"] == "0.5 to 4 s"
    assert "`offset` must not be before `onset`" in facts["notes"]


def test_of_a_report_it_tells_the_call_types(info, tmp_path):
    told = {"types": ["a", "b"], "num_calls": 7, "num_types": {"found": 2}}
    (tmp_path / "syntax.json").write_text(json.dumps(told))
    assert info(tmp_path)["call types"] == "2: a, b"


def test_of_a_run_it_tells_the_data_the_model_and_the_epoch(info, repository):
    facts = info(repository / "tests" / "support" / "earlier_run")
    assert facts["what"] == "a run folder of `neurovocal train`"
    assert facts["trained on"].startswith("4 recordings, ")
    assert facts["held out"].startswith("1 recordings, ")
    assert facts["frames"] == "33 bins, 500 a second, at 16000 Hz"
    assert facts["model"] == "2 layers of 6 recurrent units, 6 hidden units"
    assert facts["epochs"] == "3 done, epoch 3 kept"
    assert facts["held-out one-step error"] == "4.517 dB"
    assert "--n_fft=64 --hop_length=32" in facts["settings"]


def test_of_an_export_it_tells_the_newest_version(info, tmp_path):
    told = {
        "num_bins": 65,
        "sample_rate_hz": 16_000,
        "hop_length": 64,
        "max_frames": 40,
        "epoch": 3,
        "training_data": {"num_training_sources": 4},
        "versions": {"neurovocal_tf": "0.2.0", "python": "3.11.7"},
    }
    for number in ("9", "10"):
        (tmp_path / number / "assets.extra").mkdir(parents=True)
        (tmp_path / number / "saved_model.pb").touch()
        metadata = tmp_path / number / "assets.extra" / "neurovocal_tf.json"
        metadata.write_text(json.dumps(told | {"epoch": int(number)}))
    for path, number in ((tmp_path, "10"), (tmp_path / "9", "9")):
        facts = info(path)
        assert (str(facts["version"]), facts["epoch"]) == (str(tmp_path / number), int(number))
        assert facts["frames"] == "65 bins, 250 a second, at 16000 Hz"
        assert facts["longest song"] == "40 frames, 0.160 s"
        assert facts["written with"] == "neurovocal_tf 0.2.0, python 3.11.7"
    metadata.write_text("{}")
    with pytest.raises(ValueError, match="`path` must be as this version .* another version"):
        info(tmp_path)
