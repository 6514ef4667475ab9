"""What a training run shows on the screen."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from tqdm.auto import tqdm

from neurovocal_tf.config import Config
from neurovocal_tf.data.pipeline import num_batches
from neurovocal_tf.runs.run_folder import DataSummary


def bar_of(config: Config) -> Callable[[DataSummary, int], list[keras.callbacks.Callback]]:
    """What `trainer.train` takes as `progress` to show a bar."""
    return lambda data, num_epochs: [
        Progress(num_epochs, num_batches(data.training_frames, config, data.num_training))
    ]


class Progress(keras.callbacks.Callback):
    """One bar for the whole run with the time left, the last epoch's time, and how much of it was
    waiting for data.

    Args:
        num_epochs: int, of the whole run.    num_batches: int, of an epoch.
    """

    def __init__(self, num_epochs: int, num_batches: int) -> None:
        super().__init__()
        self.num_epochs, self.num_batches = num_epochs, num_batches
        self._bar, self._last = None, ""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch_began_s, self._waited_s = time.time(), 0.0
        if self._bar is None:
            total = (self.num_epochs - epoch) * self.num_batches
            self._bar = tqdm(
                total=total, unit="batch", dynamic_ncols=True, mininterval=1.0, smoothing=0.02
            )
        self._bar.set_description(f"epoch {epoch + 1}/{self.num_epochs}{self._last}")

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._batch_began_s = time.time()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        arrived_s = float(tf.convert_to_tensor(self.model.data_arrived_s))
        self._waited_s += max(arrived_s - self._batch_began_s, 0.0)
        self._bar.update()
        if batch % 10 == 0:
            self._bar.set_postfix(
                {name: f"{float(value):.4g}" for name, value in logs.items()}, refresh=False
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._last = (
            f", the last {time.time() - self._epoch_began_s:.1f} s, {self._waited_s:.1f} s of it "
            "waiting for data"
        )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the bar, also where the run was interrupted."""
        if self._bar is not None:
            self._bar.close()


class SearchProgress(keras.callbacks.Callback):
    """One bar for all trials of a search with the time left; each of its epochs counts the same.

    Args:
        num_epochs: int, of all trials together.    num_done: int, of them done before.
        unit: of the errors.
    """

    def __init__(self, num_epochs: int, num_done: int, unit: str) -> None:
        super().__init__()
        self.num_epochs, self.num_done, self.unit = num_epochs, num_done, unit
        self._bar, self._smallest = None, float("inf")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._bar is None:
            self._bar = tqdm(
                total=self.num_epochs,
                initial=self.num_done,
                unit="epoch",
                dynamic_ncols=True,
                desc="search",
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        error = float(logs["val_one_step_error"])
        self._smallest = min(self._smallest, error)
        self._bar.set_postfix_str(
            f"held-out one-step error {error:.4g} {self.unit}, smallest {self._smallest:.4g}",
            refresh=False,
        )
        self._bar.update()

    def close(self) -> None:
        """Ends the bar; the trials share it."""
        if self._bar is not None:
            self._bar.close()


@contextlib.contextmanager
def share_bar(description: str) -> Iterator[Callable[[float], None]]:
    """A bar for a job that tells the share of it that is done: yields the function to call with it,
    from 0 to 1; shown once called.
    """
    bars = []

    def show(share):
        if not bars:
            shape = "{desc}: {percentage:3.0f} %|{bar}| {remaining}"
            bars.append(tqdm(total=100, desc=description, dynamic_ncols=True, bar_format=shape))
        bars[0].update(100 * share - bars[0].n)

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()
