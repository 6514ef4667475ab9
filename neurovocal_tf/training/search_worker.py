"""A worker of a search that several processes share: what its tuner has in the place of an oracle,
and signs of life for the chief.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

import grpc
import keras
import keras_tuner
from keras_tuner.src import protos

from neurovocal_tf.training.search_chief import PING_MS, SEARCH, WORKER
from neurovocal_tf.training.search_roles import Role

# A few within the shortest time after which a chief takes a worker for lost.
_SIGN_S = 3.0
_ASK_AGAIN_S = 0.5
_LONGEST_BETWEEN_TRIES_MS = 2000


class ChiefsOracle:
    """The oracle of the chief, as a worker's tuner uses it.

    Args:
        oracle: the worker's own, of which nothing but the objective is used.
        search: text, the same in all processes that search alike.
        role: the worker's.

    Its methods raise `keras_tuner.errors.FatalValueError`, which ends the search, where the chief
    does not answer for as long as `Role.wait_s`, or refuses the worker.
    """

    # Read by keras-tuner, for trainings that are spread over machines themselves.
    multi_worker, should_report = False, True

    def __init__(self, oracle: keras_tuner.Oracle, search: str, role: Role) -> None:
        self.objective = oracle.objective
        self._role = role
        channel = grpc.insecure_channel(
            role.address,
            options=[
                # By default it tries a chief that comes late once in two minutes.
                ("grpc.max_reconnect_backoff_ms", _LONGEST_BETWEEN_TRIES_MS),
                # A chief may calculate for long; one that is gone answers no ping.
                ("grpc.keepalive_time_ms", PING_MS),
                # By default it stops after two.
                ("grpc.http2.max_pings_without_data", 0),
            ],
        )
        self._stub = protos.get_service_grpc().OracleStub(channel)
        self._metadata = ((SEARCH, search), (WORKER, role.name))
        self._training: _Training | None = None

    def create_trial(self, tuner_id: str) -> Any:
        """A trial to run, once there is one; its status is STOPPED where the search is over."""
        while True:
            trial = _trial(self._call("CreateTrial", tuner_id=tuner_id))
            if trial.status == "RUNNING":
                self._training = _Training(self, trial.trial_id)
            if trial.status != "IDLE":
                return trial
            time.sleep(_ASK_AGAIN_S)

    def get_trial(self, trial_id: str) -> Any:
        """A trial as the chief has it; its status is STOPPED where it is not this worker's now."""
        return _trial(self._call("GetTrial", trial_id=trial_id))

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Any:
        """Tells what a trial has reached."""
        return _trial(self._call("UpdateTrial", trial_id=trial_id, metrics=metrics, step=step))

    def end_trial(self, trial: Any) -> None:
        """Tells how a trial has ended."""
        self._training.end()
        self._call("EndTrial", trial=trial.to_proto())

    def save(self) -> None:
        """Nothing: what is to be kept the chief has."""

    def check(self) -> bool:
        """Whether the chief still wants the trial that runs.

        Raises `keras_tuner.errors.FatalValueError` where the chief is gone.
        """
        return self._training.is_wanted()

    def sign(self, trial_id: str) -> str:
        """A sign of life. Returns the trial's status; raises grpc.RpcError."""
        return _trial(self._send("GetTrial", trial_id=trial_id)).status

    def is_out_of_patience(self, since_s: float) -> bool:
        """Whether a chief that has not answered since then, on the monotonic clock, is gone."""
        return time.monotonic() - since_s > self._role.wait_s

    def gone(self) -> Exception:
        """The error that says that the chief is."""
        return keras_tuner.errors.FatalValueError(
            f"The chief at {self._role.address} has not answered for {self._role.wait_s:.0f} s: "
            "start it, or mend KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT."
        )

    def _call(self, name, **fields):
        began_s = time.monotonic()
        while True:
            try:
                return self._send(name, **fields)
            except grpc.RpcError as error:
                code, details = error.code(), error.details()
            if code == grpc.StatusCode.FAILED_PRECONDITION:
                raise keras_tuner.errors.FatalValueError(details)
            if code != grpc.StatusCode.UNAVAILABLE:
                raise keras_tuner.errors.FatalValueError(
                    f"The chief at {self._role.address} failed: {details}"
                )
            if self.is_out_of_patience(began_s):
                raise self.gone()
            time.sleep(_ASK_AGAIN_S)

    def _send(self, name, **fields):
        request = getattr(protos.get_service(), f"{name}Request")(**fields)
        return getattr(self._stub, name)(request, metadata=self._metadata)


class WhileWanted(keras.callbacks.Callback):
    """Ends a training whose trial the chief has given up, or whose chief is gone."""

    def __init__(self, oracle: ChiefsOracle) -> None:
        super().__init__()
        self._oracle = oracle

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._oracle.check():
            self.model.stop_training = True


class _Training:
    """Signs of life while a trial runs, by a thread, since a batch may take long."""

    def __init__(self, oracle: ChiefsOracle, trial_id: str) -> None:
        self._oracle, self._trial_id = oracle, trial_id
        self._ended = threading.Event()
        self._is_wanted, self._chief_is_gone = True, False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def is_wanted(self) -> bool:
        if self._chief_is_gone:
            raise self._oracle.gone()
        return self._is_wanted

    def _run(self):
        answered_s = time.monotonic()
        while not self._ended.wait(_SIGN_S):
            try:
                self._is_wanted = self._oracle.sign(self._trial_id) != "STOPPED"
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    self._chief_is_gone = self._oracle.is_out_of_patience(answered_s)
                    continue
                # It refuses this worker, and says why when the trial ends.
                self._is_wanted = False
            self._chief_is_gone, answered_s = False, time.monotonic()


def _trial(response):
    return keras_tuner.engine.trial.Trial.from_proto(response.trial)
