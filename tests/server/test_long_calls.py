"""Long calls in parts: the same answers bit for bit, and who leaves holds nobody up."""

from types import SimpleNamespace

import numpy as np
import pytest

from neurovocal_tf.audio import wav
from neurovocal_tf.server import long_calls
from neurovocal_tf.server.loaded_version import LoadedVersion
from neurovocal_tf.server.refusals import Refusal


@pytest.fixture(scope="module")
def version(export_dir):
    loaded = LoadedVersion(export_dir / "1", num_batch_threads=2)
    yield loaded
    loaded.close()


def asked(version):
    """Inputs of every signature, with rows of very different lengths."""
    rng = np.random.default_rng(5)
    recordings = [
        wav.encode(rng.uniform(-0.5, 0.5, n).astype(np.float32), 16_000).numpy()
        for n in (2_000, 300, 2_500)
    ]
    state_size = version.signatures["generate_continue"].inputs["state"].tensor_shape.dim[1].size
    state = rng.normal(size=(4, state_size)).astype(np.float32)
    state[3, 0] = np.inf
    values = {
        "seed": np.array([3, 2**40, -5, 8]),
        "num_frames": np.array([39, 0, 1_000, -3], np.int32),
        "temperature": np.array([1.0, 0.5, 2.0, np.nan], np.float32),
        "frame": np.array([0, 7, 2**35, 1]),
        "state": state,
        "spectrogram": rng.uniform(-60, 0, (4, 30, 65)).astype(np.float32),
        "lengths": np.array([30, 2, 0, 17], np.int32),
        "known": rng.uniform(-0.5, 0.5, (4, 300)).astype(np.float32),
        "num_known": np.array([0, 300, 5, 200], np.int32),
        "onsets": np.array([[0, 200], [300, 5], [0, 0], [64, 64]]),
        "offsets": np.array([[150, 400], [900, 300], [0, 0], [500, 700]]),
        "num_calls": np.array([2, 2, -1, 1], np.int32),
        "audio_bytes": np.array([*recordings, b"no recording"], object),
    }
    for name, signature in version.signatures.items():
        yield name, {key: values[key] for key in signature.inputs}


def test_in_parts_every_answer_is_the_whole_ones_bit_for_bit(version, monkeypatch):
    whole = {name: version._compute(name, inputs) for name, inputs in asked(version)}
    monkeypatch.setattr(long_calls, "_PART_FRAMES", 16)
    monkeypatch.setattr(long_calls, "_PART_BYTES", 1)
    num_calls, compute = {}, version._compute

    def counted(name, inputs):
        num_calls[name] = num_calls.get(name, 0) + 1
        return compute(name, inputs)

    monkeypatch.setattr(version, "_compute", counted)
    for name, inputs in asked(version):
        found = version.predict(name, inputs)
        assert found.keys() == whole[name].keys()
        for key, expected in whole[name].items():
            assert found[key].dtype == expected.dtype, (name, key)
            np.testing.assert_array_equal(found[key], expected, err_msg=f"{name}: {key}")
    # 40 frames are three parts; row by row there are four, and generate_audio has four to sound.
    assert num_calls.pop("generate_continue") == 3 * 2 + 3 and num_calls.pop("generate") == 3
    assert num_calls.pop("synthesise") == 8 and set(num_calls.values()) == {4}


def test_a_file_is_written_as_the_graph_writes_it(rng):
    for samples in (rng.uniform(-3, 3, 999), rng.uniform(-0.5, 0.5, 10), np.zeros(5), np.zeros(0)):
        samples = samples.astype(np.float32)
        assert long_calls._wav_file(samples, 44_100) == wav.encode(samples, 44_100).numpy()


@pytest.mark.parametrize("name", ["generate", "generate_audio", "score_audio"])
def test_who_leaves_is_noticed_after_the_part_in_work(version, name, monkeypatch):
    monkeypatch.setattr(long_calls, "_PART_FRAMES", 4)
    monkeypatch.setattr(long_calls, "_PART_BYTES", 1)
    num_calls, compute = [], version._compute

    def counted(*call):
        num_calls.append(call)
        return compute(*call)

    monkeypatch.setattr(version, "_compute", counted)
    with pytest.raises(Refusal, match="The caller is gone"):
        version.predict(name, dict(asked(version))[name], lambda: len(num_calls) < 2)
    assert len(num_calls) == 2


def test_who_waits_for_a_turn_and_leaves_does_not_wait_on(version):
    places = version._long_calls._places["encode"]
    while places.acquire(blocking=False):
        pass
    wanted = iter([True, True, False])
    with pytest.raises(Refusal, match="The caller is gone"):
        version.predict("encode", dict(asked(version))["encode"], lambda: next(wanted))
    places.release(2)
    assert version.predict("encode", dict(asked(version))["encode"])["status"][0] == 0


def test_of_other_models_nothing_is_taken_for_granted(version):
    signatures = version.signatures
    known = {"max_frames": 40}
    assert "encode_audio" in long_calls.rows_apart(known, signatures)
    # As long as their texts, and as what is said.
    of_text = {"generate_text": SimpleNamespace(inputs={"text": 0, "seed": 0})}
    assert "generate_text" in long_calls.rows_apart(known, {**signatures, **of_text})
    assert long_calls.rows_apart({}, signatures) == set()
    others = {name: signatures[name] for name in signatures if name != "generate_continue"}
    assert long_calls.rows_apart(known, others) == set()


def test_a_song_in_parts_begins_under_its_conditions_and_a_row_that_cannot_is_left_out():
    """By a stand-in for an export whose frames tell the state that they were sung from."""
    beginning = ("seed", "num_frames", "temperature", "condition", "condition_number")
    going_on = (*beginning[:3], "frame", "state")
    signatures = {
        "generate": SimpleNamespace(inputs=dict.fromkeys(beginning), outputs={}),
        "generate_continue": SimpleNamespace(inputs=dict.fromkeys(going_on), outputs={}),
    }

    def compute(name, inputs):
        assert set(inputs) == set(beginning if name == "generate" else going_on)
        state = inputs["condition_number"] if name == "generate" else inputs["state"]
        lengths = np.where(state[:, 0] == 9, 0, inputs["num_frames"])
        sung = np.arange(max(lengths, default=0)) < lengths[:, None]
        return {
            "spectrogram": np.where(sung, state, 0)[..., None],
            "lengths": lengths,
            "state": np.where(state == 9, 0, state),
            "next_frame": lengths,
            "status": np.where(state[:, 0] == 9, 10, 0),
        }

    calls = long_calls.LongCalls({"max_frames": 1000}, signatures, 1)
    inputs = {name: np.zeros(3) for name in beginning[:3]} | {
        "num_frames": np.array([300, 200, 300]),
        "condition": np.full((3, 1), b"", object),
        "condition_number": np.array([[2], [9], [5]]),
    }
    found = calls.answer(compute, "generate", inputs, lambda: True)
    assert found["lengths"].tolist() == [300, 0, 300] and found["status"].tolist() == [0, 10, 0]
    np.testing.assert_array_equal(found["spectrogram"][:, :, 0], np.tile([[2], [0], [5]], 300))


def test_rows_of_several_conditions_are_counted_by_row():
    answered = []

    def compute(name, inputs):
        answered.append(len(inputs["condition"]))
        return {"status": np.zeros(len(inputs["condition"]))}

    signatures = {
        "generate": SimpleNamespace(inputs=dict.fromkeys(("seed", "num_frames", "temperature"))),
        "generate_continue": SimpleNamespace(
            inputs=dict.fromkeys(("seed", "num_frames", "temperature", "frame", "state"))
        ),
        "encode_audio": SimpleNamespace(inputs=dict.fromkeys(("audio_bytes", "condition"))),
    }
    calls = long_calls.LongCalls({"max_frames": 40}, signatures, 1)
    files = np.array([b"x" * 200_000, b"y" * 200_000, b"z"], object)
    inputs = {"audio_bytes": files, "condition": np.full((3, 2), b"a=b", object)}
    found = calls.answer(compute, "encode_audio", inputs, lambda: True)
    assert found["status"].shape == (3,) and answered == [1, 2]
