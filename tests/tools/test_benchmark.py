"""The benchmark measures what it says: the same model in every peer, operations as counted,
all variants in turn.
"""

import contextlib
import importlib
import os
import pathlib
import sys
import time
import types
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.config import Config
from neurovocal_tf.data.simulated_song import simulate_song
from neurovocal_tf.rbm import energy, units
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.segmentation import detector

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module", autouse=True)
def suites():
    """Makes tools/ a place to import from, as it is for tools/benchmark.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield
        for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
            del sys.modules[name]


@pytest.fixture
def tiny(tiny_config):
    """(config, model, batch) of a model whose steps take milliseconds."""
    from benchmarks import configurations

    config = tiny_config.replace(window_frames=6, batch_size=4)
    return config, build_model(config), configurations.random_batch(config)


def free_energies(peer_free_energy, gaussian, rng):
    """A peer's F and the package's, of the same W, biases and frames; sigma is 1."""
    W, bv, bh, v = (
        rng.normal(size=shape).astype(np.float32)
        for shape in ((5, 3), (2, 4, 5), (2, 4, 3), (2, 4, 5))
    )
    rbm = energy.RBM(
        tf.constant(W),
        tf.constant(bv),
        tf.constant(bh),
        units.Gaussian(tf.zeros([5])) if gaussian else units.MeanField(),
    )
    return peer_free_energy(W, v, bv, bh), energy.free_energy(rbm, tf.constant(v))


@pytest.mark.parametrize("visible_units", ["gaussian", "mean_field"])
def test_the_keras_peer_is_the_same_machine(visible_units, tiny, rng):
    from benchmarks import configurations
    from benchmarks.keras_peer import PlainRNNRBM

    config, model, _ = tiny
    peer = PlainRNNRBM(
        configurations.sizes_of(model), config.replace(visible_units=visible_units).model, 1, True
    )

    def free_energy(W, *arguments):
        peer.W = W
        return peer._free_energy(*arguments)

    # Sums of eight float32 terms of size 5.
    np.testing.assert_allclose(
        *free_energies(free_energy, visible_units == "gaussian", rng), rtol=0, atol=2e-5
    )


@pytest.mark.parametrize("visible_units", ["gaussian", "mean_field"])
def test_the_pytorch_peer_is_the_same_machine(visible_units, tiny, rng):
    torch = pytest.importorskip("torch", reason="PyTorch, an optional peer, is not installed")
    from benchmarks import configurations
    from benchmarks.torch_peer import TorchRNNRBM

    config, model, _ = tiny
    peer = TorchRNNRBM(
        configurations.sizes_of(model), config.replace(visible_units=visible_units).model, 1, True
    )

    def free_energy(W, *arguments):
        peer.W = torch.nn.Parameter(torch.from_numpy(W))
        return peer.free_energy(*map(torch.from_numpy, arguments)).detach().numpy()

    np.testing.assert_allclose(
        *free_energies(free_energy, visible_units == "gaussian", rng), rtol=0, atol=2e-5
    )


def test_operations_are_those_of_the_products_written_out():
    from benchmarks.operations import Sizes, generation, training

    sizes = Sizes(num_visible=3, num_hidden=5, num_recurrent=2, num_layers=2, num_direct_frames=1)
    # Inputs times outputs of every product that one frame takes part in.
    layers = [(3, 6), (2, 6), (2, 6), (2, 6)]
    biases = [(2 + 3, 3), (2 + 3, 5)]
    chain = [(3, 5), (5, 3)] * 4
    assert generation(sizes, 4) == 2 * sum(a * b for a, b in layers + biases + chain)
    by_weights = layers + biases + [(3, 5)] * 2
    by_inputs = layers[1:] + [(2, 3), (2, 5)]
    forward = layers + biases + [(3, 5)] * 2 + chain
    assert training(sizes, 4) == 2 * sum(a * b for a, b in forward + by_weights + by_inputs)


def test_all_variants_take_turns_and_ratios_are_those_of_their_times():
    from benchmarks.timing import Variant, interleaved, ratio

    calls = []
    variants = [
        Variant(name, lambda n=name, s=seconds: calls.append(n) or time.sleep(s), 10)
        for name, seconds in (("a", 0.01), ("b", 0.03))
    ]
    a, b = interleaved("suite", "configuration", variants, seconds=0.0, smallest_rounds=4)
    # Two calls each before the clock is looked at, then one a round, every other round backwards.
    assert calls == ["a", "a", "b", "b", *"ba", *"ab", *"ba", *"ab"]
    assert len(a.times_s) == len(b.times_s) == 4
    assert 1.5 < ratio(a, b) < 4.5


def test_a_suite_measures_every_peer_and_its_figures_are_flat(tiny, monkeypatch):
    from benchmarks import configurations, report, timing, train

    config, _, _ = tiny
    # few batches to an epoch
    monkeypatch.setattr(
        configurations, "CONFIGURATIONS", {"default": config.replace(window_frames=96)}
    )
    monkeypatch.setattr(train, "_NUM_RECORDINGS", 1)
    # Processes of their own import TensorFlow anew.
    monkeypatch.setattr(
        train.apart,
        "variants",
        lambda make, *arguments: contextlib.nullcontext(list(make(*arguments))),
    )
    monkeypatch.setattr(train, "share_out_cores", lambda config: None)
    # A round shows as much as eighteen.
    monkeypatch.setattr(
        train,
        "interleaved",
        lambda *arguments, smallest_rounds=0: timing.interleaved(*arguments, smallest_rounds=1),
    )
    # PyTorch takes seconds to compile
    monkeypatch.setattr(train.importlib.util, "find_spec", lambda name: None)
    comparison, epochs = train.measure(timing.Options(seconds=0.0))
    assert [result.variant.name for result in epochs] == [
        "from memory",
        "later, from WAV",
        "first, from WAV",
    ]
    assert [result.variant.name for result in comparison[2:]] == [
        "neurovocal_tf",
        "neurovocal_tf, bfloat16",
        "Keras",
        "Keras, XLA",
    ]
    figures = report.figures(comparison)
    assert figures["train/default/neurovocal_tf/slower_by"] == 1.0
    assert figures["train/default/matrix_product/share_of_gemm"] == 1.0
    assert figures["train/default/Keras_XLA/median_frames_per_s"] > 0
    assert all(isinstance(value, (int, float)) for value in figures.values())
    assert len(report.table(comparison).splitlines()) == 2 + len(comparison) + 1


def test_what_is_measured_apart_runs_in_a_process_of_its_own(tmp_path, monkeypatch):
    from benchmarks import apart

    (tmp_path / "made_apart.py").write_text(
        "import os\n"
        "from benchmarks.timing import Variant\n"
        "def make(path):\n"
        "    write = lambda text: open(path, 'w').write(f'{text} {os.getpid()}')\n"
        "    yield Variant('alone', write, 3.0, 'word', prepare=lambda: 'prepared')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    made_apart = importlib.import_module("made_apart")

    with apart.variants(made_apart.make, str(tmp_path / "said")) as (variant,):
        assert (variant.name, variant.work, variant.unit) == ("alone", 3.0, "word")
        variant.prepared()()
        assert (tmp_path / "said").read_text() == f"prepared {variant.process_id}"
    assert variant.process_id != os.getpid()


def test_every_size_grows_from_half_the_default_and_is_drawn(tiny, monkeypatch, tmp_path):
    from benchmarks import configurations, growth, growth_figure, timing

    config, _, _ = tiny
    monkeypatch.setattr(configurations, "CONFIGURATIONS", {"default": config})
    monkeypatch.setattr(growth, "_FACTORS", (0.5, 1))
    monkeypatch.setattr(growth, "_NUM_RECORDINGS", (1, 2))

    def one_epoch(paths):
        return timing.Result(
            "growth",
            "recordings",
            timing.Variant(str(len(paths)), None),
            np.array([float(len(paths))]),
            7.0,
        )

    monkeypatch.setattr(growth, "_epoch", one_epoch)
    # The suite `train` takes true steps; to trace one takes seconds.
    monkeypatch.setattr(growth, "our_step", lambda model, config, batch: lambda: None)
    comparisons = list(growth.measure(timing.Options(seconds=0.0)))
    sizes = {
        results[0].configuration: [result.variant.name for result in results]
        for results in comparisons
    }
    hidden = [str(round(share * config.model.hidden_units(65))) for share in (0.5, 1)]
    assert sizes == {
        "frames": ["3", "6"],
        "bins": ["33", "65"],
        "hidden": hidden,
        "k": ["4", "8"],
        "batch": ["2", "4"],
        "recordings": ["1", "2"],
    }
    growth_figure.draw(comparisons, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_the_plain_loop_finds_the_same_segments_and_spectra():
    from benchmarks import segment_peer

    samples, _ = simulate_song(3, duration_s=4.0, sample_rate=16_000)
    config = Config().replace(
        threshold_method="percentile", threshold=70.0, low_hz=0.0, high_hz=0.0
    )
    onsets, offsets, _ = detector.detect(samples, 16_000, config.segmentation)
    peer_onsets, peer_offsets, spectra = segment_peer.segment_spectrograms(
        samples, 16_000, config.segmentation, 256, 128
    )
    assert len(onsets) > 3 and (list(onsets), list(offsets)) == (peer_onsets, peer_offsets)
    power, _, _ = spectrogram.span_power_spectrograms(
        samples, onsets, offsets, 16_000, config.spectrogram
    )
    expected = np.concatenate([of_one.T for of_one in spectra])
    np.testing.assert_allclose(power, expected, atol=1e-5 * expected.max())


def test_the_soak_counts_right_answers_of_every_version_and_finds_a_wrong_one(
    export_dir, model_server
):
    from benchmarks import soak

    served = types.SimpleNamespace(
        process=types.SimpleNamespace(poll=lambda: None),
        rest=f"http://127.0.0.1:{model_server.rest}",
        grpc=f"grpc://127.0.0.1:{model_server.grpc}",
        rest_port=model_server.rest,
        grpc_port=model_server.grpc,
        memory_mb=lambda: 100.0,
    )
    asked = soak.songs({1: export_dir / "1"})
    swapped = []

    def swap():
        time.sleep(0.2)
        swapped.append(1)

    found = soak.run(served, "bird", asked, seconds=1.0, num_callers=6, at_half_time=swap)
    counts = found.counts
    assert (
        counts["good"] == counts["version_1"] > 5
        and counts["malformed"] > 0
        and counts["left"] > 0
        and swapped == [1]
    )
    # Half-time lasts as long as the swap does, and then comes the second half.
    began, ended = found.swap_s
    assert began >= 0.5 and ended >= began + 0.2 and found.memory_mb[-1][0] >= ended
    assert (
        not counts["wrong"]
        and not counts["failed"]
        and not counts["answered_otherwise"]
        and not counts["refused"]
    )
    assert len(found.latencies_s) == counts["good"] and len(found.memory_mb) >= 10
    # An answer that is one bit off.
    name, inputs, expected = asked[0]
    off = {1: (np.nextafter(expected[1][0], np.float32(0)), expected[1][1])}
    assert soak.run(
        served, "bird", [(name, inputs, off)], seconds=0.3, num_callers=2
    ).counts.keys() & {"good", "wrong"} == {"wrong"}


def test_callers_are_counted_whose_calls_are_answered(model_server, monkeypatch):
    from benchmarks import load

    monkeypatch.setattr(load, "_FEWEST_CALLS", 6)
    monkeypatch.setattr(load, "_LIMIT_S", 60.0)
    found = load.step(f"grpc://127.0.0.1:{model_server.grpc}", "bird", 3, 1.0)
    assert (found.num_callers, found.num_refused) == (3, 0)
    assert len(found.latencies_s) >= load._FEWEST_CALLS and found.is_carried
    values = found.figures.values
    assert 0 < values["p50_ms"] <= values["p95_ms"] <= values["p99_ms"]
    assert values["calls_per_s"] == len(found.latencies_s) / found.elapsed_s
    with pytest.raises(ValueError, match="the server refused"):
        next(load.measure(f"grpc://127.0.0.1:{model_server.grpc}", "no_bird", 0.0))


@pytest.mark.parametrize("capacity", [0, 1, 5, 100, 256, 1000])
def test_the_most_callers_that_are_carried_are_found_to_an_eighth(capacity, monkeypatch):
    from benchmarks import load

    tried = []

    def step(address, model, num_callers, seconds):
        tried.append(num_callers)
        return load.Step(num_callers, np.full(200, num_callers / (capacity + 0.5)), 0, 2.0)

    monkeypatch.setattr(load, "step", step)
    monkeypatch.setattr(load, "Client", mock.MagicMock())
    *_, ((last),) = load.measure("http://localhost:8501", "bird", 30.0)
    found, most = last.values["callers_at_p99_below_1_s"], min(capacity, load._MOST_CALLERS)
    assert most - max(found // 8, 0) <= found <= most
    assert max(tried) <= load._MOST_CALLERS and len(tried) <= 14 and len(set(tried)) == len(tried)


def test_a_server_that_ends_by_itself_leaves_its_last_words(tmp_path, monkeypatch, capfd):
    from benchmarks import served

    script = tmp_path / "server.py"
    script.write_text("import ctypes\nprint('at :1 and :2', flush=True)\nctypes.string_at(0)\n")
    monkeypatch.setattr(served, "_SERVER", script)
    with served.serving(tmp_path) as server:
        server.process.wait(60)
    said = capfd.readouterr().err
    assert f"ended by itself with {server.process.returncode}" in said and "string_at" in said


def test_a_server_that_does_not_start_is_an_error(tmp_path, monkeypatch, capfd):
    from benchmarks import served

    script = tmp_path / "server.py"
    script.write_text("raise SystemExit('no model')")
    monkeypatch.setattr(served, "_SERVER", script)
    with pytest.raises(OSError, match="did not start"), served.serving(tmp_path):
        pass
    assert "ended by itself with 1" in capfd.readouterr().err


def test_half_time_is_over_when_the_second_version_alone_is_served(monkeypatch):
    from benchmarks import serve

    told = [
        {1: "AVAILABLE"},
        {1: "AVAILABLE", 2: "LOADING"},
        OSError("busy"),
        {1: "UNLOADING", 2: "AVAILABLE"},
        {1: "END", 2: "AVAILABLE"},
    ]

    def status():
        now = told.pop(0)
        if isinstance(now, OSError):
            raise now
        return now

    served = types.SimpleNamespace(
        rest="http://127.0.0.1:1", process=types.SimpleNamespace(poll=lambda: None)
    )
    monkeypatch.setattr(
        serve.transports,
        "connect",
        lambda *_: types.SimpleNamespace(status=status, close=lambda: None),
    )
    monkeypatch.setattr(serve, "_SWAP_POLL_S", 0.0)
    serve._await_swap(served)
    assert not told


def test_memory_grows_by_what_the_end_has_over_the_beginning():
    from benchmarks import serve

    times = np.arange(0, 100.0)
    memory = np.where(times < 50, 200.0, 220.0)
    memory[48:60] = 999  # both versions at once
    found = serve._growth(list(zip(times, memory, strict=True)), (47, 60))
    assert (found["memory_warm_mb"], found["memory_after_swap_mb"], found["memory_end_mb"]) == (
        200,
        220,
        220,
    )
    assert found["memory_growth_percent"] == pytest.approx(10)


def test_figures_are_lines_of_the_table_and_flat():
    from benchmarks import report, timing

    figures = timing.Figures("serve", "streaming", {"times_real_time": 3.25, "wrong": 0})
    assert "times_real_time" in report.table([figures]) and "3.25" in report.table([figures])
    assert report.figures([figures]) == {
        "serve/streaming/times_real_time": 3.25,
        "serve/streaming/wrong": 0,
    }


def test_what_workers_exchange_follows_from_the_size_of_a_model_and_the_network(tiny):
    from benchmarks import scale

    num_bytes = scale.gradient_bytes(tiny[1])
    assert num_bytes == 4 * sum(weight.numpy().size for weight in tiny[1].trainable_weights)
    # Two workers send half of it twice: what the other has to add, and what it has to know.
    assert scale.all_reduce_s(10**6, 2, 1e9) == pytest.approx(0.008 + 2 * scale.LATENCY_S)
    # Without a network's time only the work counts: half the rows in half the time is all of it.
    step_s = {scale.BATCH_SIZE // n: 0.64 / n for n in (1, *scale.NUM_WORKERS)}
    found = scale.figures(0, step_s)
    rounds = [2 * (n - 1) * scale.NUM_ALL_REDUCES * scale.LATENCY_S for n in (2, 64)]
    for n, waited_s in zip((2, 64), rounds, strict=True):
        assert found[f"10_gbit/{n}/efficiency_same_batch"] == pytest.approx(
            0.64 / (0.64 + n * waited_s), rel=1e-3
        )
    rates = [found[f"1_gbit/{n}/efficiency_rows_each"] for n in scale.NUM_WORKERS]
    assert rates == sorted(rates, reverse=True)
