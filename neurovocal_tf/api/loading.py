"""A trained model from a folder: that of its run, or of its export."""

import dataclasses
import os
from collections.abc import Callable

from neurovocal_tf.api import arguments
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.api.model import Model
from neurovocal_tf.config import Config
from neurovocal_tf.runs import exported
from neurovocal_tf.runs import trained as runs
from neurovocal_tf.runs.run_folder import RunFolder


def load_model(
    workdir: Path, with_flags: Callable[[Config], Config] = lambda config: config
) -> Model:
    """The best model of a run so far, or that of an export.

    Args:
        workdir: run folder; or an export's folder, of one version or of several, whose newest
            counts.
        with_flags: called with the run's `Config` for the one to use, such as
            `lambda config: config.replace(num_gibbs_steps=50)`.

    Returns:
        `Model`. One from an export sings, embeds and scores the same, and has no run to evaluate,
        export or save.

    Raises:
        ValueError: no run in the folder, or one of its files is damaged.
    """
    if not arguments.is_path(workdir):
        raise ValueError(
            "`workdir` must be the path of a run folder. "
            f"Received: workdir of type {type(workdir).__name__}"
        )
    path, run = os.path.abspath(os.path.expanduser(workdir)), None
    version = None if RunFolder(path).has_run() else exported.version_in(path)
    if version is None:
        trained, run = runs.load_trained(path, with_flags), path
    else:
        trained = exported.read(version)
        trained = dataclasses.replace(trained, config=with_flags(trained.config))
    fields = {field.name: getattr(trained, field.name) for field in dataclasses.fields(trained)}
    return Model(**fields, workdir=run)


load_trained = load_model
