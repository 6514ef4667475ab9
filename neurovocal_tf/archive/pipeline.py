"""The parts of an archive on whatever runs Apache Beam's pipelines.

The pipeline is one step, `Worker.do` of each part: nothing flows back but the files that workers
write, so that it makes no difference which runner takes how many attempts at a part.
Source: https://beam.apache.org/documentation/runners/capability-matrix/
"""

import argparse
import contextlib
import importlib.util
import io
import logging
import shlex
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from neurovocal_tf.archive.parts import Part
from neurovocal_tf.archive.work import Work, Worker

# Beam's runner in Python. Its DirectRunner would fetch another one from the network first.
_LOCAL = "FnApiRunner"
# It asks for its flags first, and for what it needs after all of them.
_DATAFLOW, _CLIENT_OF_DATAFLOW = "dataflow", "apitools"
# As Beam takes them, in any letters and without their ending.
_LOCAL_NAMES = {"", "direct", "fnapi"}


class _DoParts(beam.DoFn):
    """Does parts; what travels to workers is text."""

    def __init__(self, work: str, flags: Sequence[str]) -> None:
        self._work, self._flags = work, list(flags)

    def setup(self) -> None:
        """Reads once a worker what all parts need."""
        connect(self._flags)
        self._worker = Worker(Work.from_json(self._work))

    def process(self, element: str) -> None:
        """Does one part."""
        self._worker.do(Part.from_json(element))


def connect(flags: Sequence[str]) -> None:
    """Sets Beam's file systems up, by its own flags.

    Raises: ValueError, one line, if they are none.
    """
    # Each runner tells of each of its steps; errors come as such.
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    options, said = PipelineOptions(list(flags)), io.StringIO()
    FileSystems.set_options(options)
    parsers: list[argparse.ArgumentParser] = []
    try:
        with contextlib.redirect_stderr(said):
            options.get_all_options(add_extra_args_fn=parsers.append)
            # Beam passes over what it does not know; a runner elsewhere may have further flags.
            unknown = parsers[0].parse_known_args(list(flags))[1] if is_local(flags) else []
    except SystemExit:
        # So ends a parser of command lines, when it has said why.
        reason = said.getvalue().strip().splitlines()[-1].rpartition("error: ")[2]
        raise ValueError(
            f"`beam` must be Beam's own flags: {reason}. Received: beam={shlex.join(flags)}"
        ) from None
    if unknown:
        raise ValueError(
            f"`beam` must be Beam's own flags, and {unknown[0]} is none. "
            f"Received: beam={shlex.join(flags)}"
        )
    if _runner(flags) == _DATAFLOW and importlib.util.find_spec(_CLIENT_OF_DATAFLOW) is None:
        raise ValueError(
            "`beam` names Dataflow, whose client is not here: pip install 'apache-beam[gcp]'. "
            f"Received: beam={shlex.join(flags)}"
        )


def is_local(flags: Sequence[str]) -> bool:
    """Whether Beam's flags name no runner, or that of this machine."""
    return _runner(flags) in _LOCAL_NAMES


def _runner(flags: Sequence[str]) -> str:
    named = PipelineOptions(list(flags)).view_as(StandardOptions).runner or ""
    return named.lower().removesuffix("runner")


def local(flags: Sequence[str], num_workers: int) -> list[str]:
    """Beam's flags for so many processes on this machine, unless they tell themselves."""
    told = [*flags, f"--runner={_LOCAL}"]
    if not any(flag.startswith("--direct_") for flag in flags):
        mode = "multi_processing" if num_workers > 1 else "in_memory"
        told += [f"--direct_num_workers={num_workers}", f"--direct_running_mode={mode}"]
    return told


def run(parts: Sequence[Part], work: Work, flags: Sequence[str]) -> None:
    """Does parts, and returns when all are done.

    Args:
        parts: of an archive.    work: `Work`.    flags: Beam's own.

    Raises: ValueError, one line, if the pipeline has failed.
    """
    try:
        pipeline = beam.Pipeline(options=PipelineOptions(list(flags)))
        _ = (
            pipeline
            | beam.Create([part.to_json() for part in parts])
            # Else a runner may take creating and doing for one step on one machine.
            | beam.Reshuffle()
            | beam.ParDo(_DoParts(work.to_json(), flags))
        )
        pipeline.run().wait_until_finish()
    # What runners raise is of many kinds.
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ValueError(lines[-1] if lines else type(error).__name__) from error
