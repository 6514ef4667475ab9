"""The chief of a search that several processes share: it hands out trials, and gives those of
workers that are lost to others.

keras-tuner's own chief never learns that a worker is dead, and then waits for ever. Here every call
is a sign of life, and workers call while they train.
"""

import concurrent.futures
import contextlib
import io
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from neurovocal_tf.training.search_roles import Role

# What a worker's calls carry beside keras-tuner's messages: the search it takes part in, and who it
# is.
SEARCH, WORKER = "neurovocal-search", "neurovocal-worker"
# Once more is often enough: a trial that takes its worker down, for memory say, takes two at most.
MOST_RETRIES = 1
# What becomes of a trial in the end.
ENDED = ("COMPLETED", "FAILED")
# Between two pings of a worker.
PING_MS = 10_000
_LOOK_S = 0.2
_MOST_CALLS = 16


class Chief:
    """Serves an oracle to workers until its trials are done.

    Args:
        oracle: keras-tuner's, with `MOST_RETRIES` for each trial.
        search: text, the same in all processes that search alike.
        role: the chief's.
        ended: called with each trial that has ended and the name of its worker.
        report: called with lines for the user.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        search: str,
        role: Role,
        ended: Callable[[Any, str], object],
        report: Callable[[str], object],
    ) -> None:
        self.oracle, self.search, self._role = oracle, search, role
        self._ended, self._report = ended, report
        # keras-tuner's own lock stays locked where one of its methods raises.
        self._lock = threading.Lock()
        self._heard_s: dict[str, float] = {}
        self._last_heard_s = 0.0
        self._dismissed: set[str] = set()
        self._error: Exception | None = None

    def run(
        self,
        listening: Callable[[int], object] = lambda port: None,
        look: Callable[[], object] = lambda: None,
    ) -> None:
        """Serves until every trial is done, and every worker that lives knows it.

        Args:
            listening: called with the port once workers can call.
            look: called again and again while trials are left.

        Raises:
            OSError: the address is not this machine's, or is taken.
            ValueError: no worker has called for as long as `Role.wait_s`.
        """
        server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(_MOST_CALLS),
            options=[
                # Two chiefs at one port would each get some of the calls.
                ("grpc.so_reuseport", 0),
                # By default a server hangs up on who pings more often than once in five minutes.
                ("grpc.http2.min_ping_interval_without_data_ms", PING_MS // 2),
            ],
        )
        protos.get_service_grpc().add_OracleServicer_to_server(_Calls(self), server)
        port = self._listen(server)
        server.start()
        try:
            self._last_heard_s = time.monotonic()
            listening(port)
            while not self._is_over():
                time.sleep(_LOOK_S)
                self._look_after_workers()
                if not self._dismissed:
                    look()
        finally:
            server.stop(grace=1.0).wait()

    def _listen(self, server):
        try:
            port = server.add_insecure_port(self._role.address)
        except RuntimeError:
            port = 0
        if not port:
            raise OSError(
                "KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT must be an address of the chief's "
                f"machine and a port that is free. Received: {self._role.address}"
            )
        return port

    def _is_over(self):
        if self._error is not None:
            raise self._error
        with self._lock:
            if not self._dismissed and not self._all_ended():
                return False
            # Whoever is between two trials asks within a second, and would else wait for an answer.
            return set(self._living()) <= self._dismissed

    def _all_ended(self):
        """Whether the last worker may have ended the last trial and gone without asking again."""
        return self.oracle.remaining_trials() == 0 and all(
            trial.status in ENDED for trial in self.oracle.trials.values()
        )

    def _living(self):
        now = time.monotonic()
        limit_s = self._role.lost_after_s
        return [name for name, heard_s in list(self._heard_s.items()) if now - heard_s <= limit_s]

    def _look_after_workers(self):
        with self._lock:
            living = self._living()
            for worker in set(self.oracle.ongoing_trials) - set(living):
                self._give_up(worker, f"no sign of life for {self._role.lost_after_s:.0f} s")
            silent_s = time.monotonic() - self._last_heard_s
            if silent_s > self._role.wait_s and not self._all_ended():
                done = sum(trial.status in ENDED for trial in self.oracle.trials.values())
                raise ValueError(
                    f"No worker has called for {silent_s:.0f} s ({done} trials are done): start "
                    "workers and the same command again, which goes on."
                )

    def _give_up(self, worker, reason):
        trial = self.oracle.ongoing_trials[worker]
        trial.status = "INVALID"
        # It counts the tries that are left, in its own words.
        with contextlib.redirect_stdout(io.StringIO()):
            self._end(trial)
        # A call of its next process, or its own if it was only held up, brings it back.
        del self._heard_s[worker]
        what = "counts as failed" if trial.status == "FAILED" else "begins anew"
        self._report(f"trial {int(trial.trial_id) + 1} {what}: {worker} was lost ({reason})")

    def create_trial(self, worker: str) -> Any:
        """A trial for a worker to run; one with status IDLE: ask again; STOPPED: there is none."""
        with self._failing():
            if worker in self.oracle.ongoing_trials:
                self._give_up(worker, "it began anew")
                self.heard(worker)
            trial = self.oracle.create_trial(worker)
            if trial.status == "STOPPED" and self.oracle.ongoing_trials:
                # One of these may yet be lost, and is then for others to do.
                trial.status = "IDLE"
            elif trial.status == "STOPPED":
                self._dismissed.add(worker)
            return trial

    def update_trial(
        self, worker: str, trial_id: str, metrics: Mapping[str, float], step: int
    ) -> None:
        """Notes what a trial has reached, if it is still the worker's."""
        with self._failing():
            if self.is_held(worker, trial_id):
                self.oracle.update_trial(trial_id, metrics, step=step)

    def end_trial(self, worker: str, trial: Any) -> None:
        """Ends a trial, if it is still the worker's."""
        with self._failing():
            number = int(trial.trial_id) + 1
            if not self.is_held(worker, trial.trial_id):
                self._report(f"trial {number}: {worker} ended it after it had been given up")
                return
            self._end(trial)
            self._ended(self.oracle.trials[trial.trial_id], worker)

    def _end(self, trial):
        self.oracle.end_trial(trial)
        # It has kept itself while the trial was still among those that run, and those begin anew.
        self.oracle.save()

    def is_held(self, worker: str, trial_id: str) -> bool:
        """Whether a trial is the one that a worker was given last, and not given up since."""
        held = self.oracle.ongoing_trials.get(worker)
        return held is not None and held.trial_id == trial_id

    def heard(self, worker: str) -> None:
        """Notes a sign of life."""
        self._last_heard_s = self._heard_s[worker] = time.monotonic()

    @contextlib.contextmanager
    def _failing(self):
        """Alone with the oracle; what goes wrong ends the chief and not the call alone."""
        with self._lock:
            try:
                yield
            except Exception as error:
                self._error = error
                raise


class _Calls(OracleServicer):
    """keras-tuner's service; it knows who calls, and whether they search the same."""

    def __init__(self, chief: Chief) -> None:
        super().__init__(chief.oracle)
        self._chief = chief

    def CreateTrial(self, request: Any, context: grpc.ServicerContext) -> Any:
        trial = self._chief.create_trial(self._caller(context))
        return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

    def UpdateTrial(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._chief.update_trial(
            self._caller(context), request.trial_id, request.metrics, request.step
        )
        trial = self._trial(request.trial_id, context)
        return protos.get_service().UpdateTrialResponse(trial=trial.to_proto())

    def EndTrial(self, request: Any, context: grpc.ServicerContext) -> Any:
        trial = keras_tuner.engine.trial.Trial.from_proto(request.trial)
        self._chief.end_trial(self._caller(context), trial)
        return protos.get_service().EndTrialResponse()

    def GetTrial(self, request: Any, context: grpc.ServicerContext) -> Any:
        worker = self._caller(context)
        trial = self._trial(request.trial_id, context).to_proto()
        if not self._chief.is_held(worker, request.trial_id):
            trial.status = protos.get_proto().TrialStatus.STOPPED
        return protos.get_service().GetTrialResponse(trial=trial)

    def _trial(self, trial_id, context):
        if trial_id not in self.oracle.trials:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"The chief has begun anew, and knows of no trial {int(trial_id) + 1}: start this "
                "worker again.",
            )
        return self.oracle.trials[trial_id]

    def _caller(self, context):
        told = dict(context.invocation_metadata())
        if told.get(SEARCH) != self._chief.search:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                "A worker must be given the chief's command line, recordings and version. "
                f"Received: a search {told.get(SEARCH)}, where the chief's is "
                f"{self._chief.search}",
            )
        self._chief.heard(told[WORKER])
        return told[WORKER]
