"""With what the folder of an archive is begun, which is there before any part is done: results of
other settings belong in another folder.
"""

from neurovocal_tf.archive import stores, tables
from neurovocal_tf.archive.work import Work
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import begun_with


def begin(work: Work) -> None:
    """Writes what the folder of a `Work` is begun with.

    Raises: ValueError, one line, if it was begun with other settings.
    """
    config, refinement, calls = (
        stores.join(work.out_dir, name) for name in ("config.json", "refinement.json", tables.CALLS)
    )
    if stores.exists(config):
        begun_with.check_config(_text(config), Config.from_json(work.config), work.out_dir)
        before = _text(refinement) if stores.exists(refinement) else ""
        begun_with.check_refinement(before, work.refined, work.out_dir)
    if not work.judged_by and stores.exists(calls):
        raise ValueError(
            f"`types` or `workdir` must be given, by which {calls} was made, or the results go "
            "elsewhere. Received: neither"
        )
    # In this order, for without the one the other is not looked at.
    if work.refined:
        stores.write_text(refinement, work.refined)
    stores.write_text(config, work.config + "\n")


def _text(path: str) -> str:
    return stores.read_bytes(path).decode("utf-8")
