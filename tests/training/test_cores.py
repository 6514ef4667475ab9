"""How a batch is shared out over the cores."""

import pytest
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.training import cores


@pytest.mark.parametrize(
    "batch_size, num_cores, wanted, num_parts",
    [
        (8, 2, 0, 2),
        (8, 16, 0, 2),
        (20, 2, 0, 2),
        (20, 16, 0, 5),
        (9, 2, 0, 1),
        (1, 2, 0, 1),
        (7, 4, 0, 1),
        (8, 1, 0, 1),
        (8, 1, 4, 4),
    ],
)
def test_a_batch_has_a_part_for_every_core_that_four_rows_can_be_spared_for(
    batch_size, num_cores, wanted, num_parts, monkeypatch
):
    monkeypatch.setattr(cores, "num_cores", lambda: num_cores)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda: ["CPU"])
    assert (
        cores.num_parts(Config().replace(batch_size=batch_size, parallel_parts=wanted)) == num_parts
    )


@pytest.mark.parametrize("num_cores, threads", [(1, 1), (2, 1), (16, 8)])
def test_each_part_of_a_batch_has_its_share_of_the_cores(num_cores, threads, monkeypatch):
    found = []
    monkeypatch.setattr(cores, "num_cores", lambda: num_cores)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda: ["CPU"])
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", found.append)
    cores.share_out_cores(Config().replace(batch_size=8))
    assert found == [threads]


def test_beside_a_gpu_a_batch_stays_whole(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda: ["CPU", "GPU"])
    assert cores.num_parts(Config()) == 1
