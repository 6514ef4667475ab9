"""One training by several devices of a machine learns what one device does."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from neurovocal_tf.training import strategies, workers

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A process of its own, whose processor is two devices.
TRAINING = """
import json, sys
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from neurovocal_tf.config import Config
from neurovocal_tf.training import strategies, trainer

config = Config().replace(
    visible_units="bernoulli", num_hidden=4, num_recurrent=3, num_layers=1, num_direct_frames=0,
    window_frames=8, batch_size=8, num_shares=2, learning_rates=(0.01,), epochs_per_rate=(2,),
    cd_steps=(1,), dropout=0.2, weight_average=0.5, clip_norm=1.0, compiled=False,
)
for name, parts in (("one", 2), ("mirrored", 1)):
    one = name == "one"
    replicas = strategies.ALONE if one else strategies.of_this_machine(config)
    trainer.train(
        config.replace(parallel_parts=parts), sys.argv[1], f"{sys.argv[2]}/{name}",
        pictures=False, replicas=replicas,
    )
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder of a run by one device and of one by two."""
    folder, rng = tmp_path_factory.mktemp("runs"), np.random.default_rng(0)
    arrays = {}
    for name, lengths in (("train", [40, 9, 23, 31]), ("valid", [17, 11]), ("test", [12])):
        arrays[name] = rng.random((sum(lengths), 5)) < 0.3
        arrays[f"{name}_lengths"] = np.array(lengths)
    np.savez(folder / "frames.npz", **arrays)
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, folder / "frames.npz", folder],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def test_two_devices_learn_what_one_does_and_write_the_same_files(runs):
    checkpoints = [np.load(runs / name / "checkpoint.npz") for name in ("one", "mirrored")]
    one, two = ({k: c[k] for k in c.files if "/" in k} for c in checkpoints)
    assert one.keys() == two.keys()
    for name, array in one.items():
        # Sums in another order, through two epochs; a wrong row of noise is a thousand times that.
        scale = np.abs(array).max(initial=1e-6)
        np.testing.assert_allclose(two[name], array, rtol=0, atol=1e-5 * scale, err_msg=name)
    assert {path.name for path in (runs / "one").iterdir()} == {
        path.name for path in (runs / "mirrored").iterdir()
    }
    histories = [json.loads(bytes(c["meta"]))["history"] for c in checkpoints]
    for row, other in zip(*histories, strict=True):
        for name in row.keys() - {"epoch_s"}:
            assert other[name] == pytest.approx(row[name], rel=1e-5), name


def test_a_machine_of_one_device_has_nobody_to_share_with(tiny_config):
    with pytest.raises(ValueError, match="must be none on a machine with fewer than two GPUs"):
        strategies.of_this_machine(tiny_config)


def test_a_cluster_of_one_is_one_process(tiny_config):
    cluster = workers.Cluster(("worker 0 (a:1)",), (("a", 1),), 0)
    workers.call_roll(cluster, {}, 1.0)
    assert strategies.of_workers(tiny_config, cluster) is strategies.ALONE
