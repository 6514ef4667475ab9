"""Fixtures of all tests."""

import collections
import fcntl
import gc
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import numpy as np
import pytest

# How long an example takes is the machine's business.
hypothesis.settings.register_profile("whatever_else_runs", deadline=None)
hypothesis.settings.load_profile("whatever_else_runs")

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Files of a minute, or of few tests of which one takes long: at the end of the tests no process is
# to wait for another that has such a file before it.
BEGIN_FIRST = (
    "tools/test_tools.py",
    "tools/test_benchmark.py",
    "training/test_search.py",
    "training/test_trainer.py",
    "serving/test_export.py",
    "model/test_tiling.py",
    "training/test_strategies.py",
    "training/test_song_check.py",
    "tools/test_discover.py",
    "api/test_docs.py",
    "evaluation/test_generated_songs.py",
    "test_keras_backend.py",
    "commands/test_wheel.py",
)


def pytest_collection_modifyitems(items):
    """What takes long begins first; then, as pytest-xdist has it, files of the most tests."""
    files = [item.nodeid.split("::")[0].removeprefix("tests/") for item in items]
    first = {name: place for place, name in enumerate(BEGIN_FIRST)}
    gone = [name for name in first if not (ROOT / "tests" / name).exists()]
    assert not gone, f"BEGIN_FIRST must name files that are there. Received: {gone}"
    count = collections.Counter(files)
    ranks = [(first.get(name, len(first)), -count[name], name) for name in files]
    items[:] = [items[i] for i in sorted(range(len(items)), key=ranks.__getitem__)]


def pytest_collection_finish():
    """Leaves what has been imported, which stays, out of the search for circles, and searches less
    often: tracing makes so many objects that this was a twentieth of the time of all tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 5, 5)


@pytest.fixture(scope="session")
def repository():
    """Root folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_recordings():
    """Folder of real recordings that lies beside the repository;
    tests that need it are skipped where it is absent.
    """
    folder = ROOT.parent / "shared" / "recordings"
    if not folder.is_dir():
        pytest.skip(
            "the folder of real recordings, shared/recordings beside the repository, is not there"
        )
    return folder


@pytest.fixture(scope="session")
def settings_of():
    """What a tool that uses every setting, as training does,
    makes of a flag file: path -> `Config`.
    """
    from absl import flags as absl_flags

    from neurovocal_tf import flags

    def config_of(flagfile):
        values = absl_flags.FlagValues()
        flags.define(None, values)
        values(["tool", *flags.expand_flagfiles([f"--flagfile={flagfile}"], values)])
        return flags.config_from_flags(flag_values=values)

    return config_of


@pytest.fixture
def quick_training():
    """See `tiny_runs.quick_training`."""
    import tiny_runs

    with tiny_runs.quick_training():
        yield


@pytest.fixture
def rng():
    """A fresh generator with a fixed seed for each test."""
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """(name, make) -> the folder that `make(path)` makes: of all processes that run tests the first
    that needs it does so, and the others wait for that. Tests only read it.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name, make):
        with open(base / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (base / name).exists():
                make(base / f"{name}.part")
                (base / f"{name}.part").rename(base / name)
        return base / name

    return made


@pytest.fixture(scope="session")
def simulated_recordings(made_once):
    """Folder of five recordings of the simulated bird, 1.5 s each at 16 kHz."""
    from neurovocal_tf.data.simulated_song import write_recordings

    return made_once(
        "simulated", lambda path: write_recordings(path, num_recordings=5, duration_s=1.5)
    )


@pytest.fixture(scope="session")
def tiny_config():
    """A configuration that trains in seconds: 65 bins, six recurrent and six hidden units,
    three epochs over two phases.
    """
    import tiny_runs

    return tiny_runs.CONFIG


@pytest.fixture(scope="session")
def trained_run(made_once, simulated_recordings, tiny_config):
    """Run folder of an undisturbed training with `tiny_config` on `simulated_recordings`."""
    import tiny_runs

    from neurovocal_tf.training import trainer

    def make(path):
        with tiny_runs.quick_pictures():
            trainer.train(tiny_config, simulated_recordings, path)

    return made_once("undisturbed", make)


@pytest.fixture(scope="session")
def endpoints(trained_run):
    """Endpoints of `trained_run`, of at most 40 frames, with ranges for every score;
    traced once for all tests.
    """
    from neurovocal_tf.model import scoring
    from neurovocal_tf.runs.trained import load_trained
    from neurovocal_tf.serving import endpoints

    usual = (
        scoring.UsualRanges(
            score=(-1.0, 1.0), order_score=(0.0, 1.5), surprise=(-5.0, float("inf"))
        ),
        scoring.UsualRanges(30, score=(-0.5, 0.5), order_score=(0.5, 1.2), surprise=(-2.0, 9.0)),
    )
    return endpoints.Endpoints(load_trained(trained_run), max_frames=40, usual=usual)


@pytest.fixture(scope="session")
def singer(endpoints):
    """The `Singer` of `endpoints`."""
    return endpoints.singer


@pytest.fixture(scope="session")
def export_dir(trained_run, endpoints, made_once):
    """Folder of versions that holds a first one, an export of `endpoints`; tests only read that."""
    from neurovocal_tf.runs.trained import load_trained
    from neurovocal_tf.serving import export

    def make(path):
        with pytest.MonkeyPatch.context() as patch:
            # As traced as they are.
            patch.setattr(export, "Endpoints", lambda *_: endpoints)
            version = export.export_saved_model(
                load_trained(trained_run), path, 40, endpoints.usual, {"num_training_sources": 4}
            )
        assert version == os.path.join(path, "1")

    return made_once("bird", make)


@pytest.fixture(scope="session")
def model_server(export_dir, tmp_path_factory):
    """Ports of a server of the first version in `export_dir`, named "bird",
    that takes requests of at most 1 MiB.
    """
    import running_server

    from neurovocal_tf.server import page_policy
    from neurovocal_tf.server.limits import Limits
    from neurovocal_tf.server.versions import Versions

    folder = tmp_path_factory.mktemp("served")
    (folder / "1").symlink_to(export_dir / "1")
    versions = Versions(folder)
    versions.refresh()
    with running_server.running(
        versions, "bird", page_policy.PAGE, Limits(max_request_bytes=2**20)
    ) as ports:
        yield ports
    versions.close()
