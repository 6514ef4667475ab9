"""The parts of discovery's report that a trained run adds: its songs, and what its units tell."""

from collections.abc import Callable, Mapping

from neurovocal_tf import files
from neurovocal_tf.discovery import generated, hidden_report
from neurovocal_tf.discovery.discover import Asked, Discovery
from neurovocal_tf.evaluation import generated_songs, unit_readings
from neurovocal_tf.runs.trained import Trained
from neurovocal_tf.segmentation.refinement import Refinement
from neurovocal_tf.segmentation.written_files import WrittenFiles


def parts(
    trained: Trained,
    found: Discovery,
    paths: Mapping[str, str],
    durations_s: Mapping[str, float],
    asked: Asked,
    out_dir: str,
    refinement: Refinement | None = None,
    num_workers: int = 1,
    overwrite: bool = False,
    on_piece: Callable[[], object] = lambda: None,
) -> tuple[dict[str, object], list[str], list[str]]:
    """Sings, reads the run's units, and writes generated.json and hidden_units.csv.

    Args:
        trained: `Trained`.    found: `Discovery` of the recordings.
        paths, durations_s: dicts of recording's name -> path, seconds.
        asked: `Asked`, what was found by.    out_dir: folder of the report.
        refinement: the second look that was taken, or None.
        num_workers: songs that are segmented at once.
        overwrite: whether to give up what people have changed in the tables.
        on_piece: called after each song and each stretch of a recording.

    Returns: dict of the page's parts; lines for a terminal; names of the files that people have
        changed, and which stay as they are.

    Raises: ValueError if the model has learned frame sequences, which nobody can hear.
    """
    told = generated_songs.beside(
        trained, found, paths, durations_s, asked, refinement, num_workers, on_piece
    )
    written = WrittenFiles(out_dir, overwrite)
    kept = []
    without_clips = {name: value for name, value in told.items() if name != "examples"}
    if not written.write_unless_changed(
        generated.FILE_NAME, lambda path: files.write_json(path, without_clips)
    ):
        kept.append(generated.FILE_NAME)
    page: dict[str, object] = {"generated": told}
    lines = [generated.summary(told["compared"]) if told["compared"] else str(told["note"])]
    units = unit_readings.units_of(trained, found, paths, asked.config.audio, asked.seed, on_piece)
    if units is not None:
        page["hidden"] = hidden_report.part(found, units, paths, asked.config.audio)
        kept += hidden_report.write(out_dir, found, units, overwrite)
        lines += hidden_report.summary(units)
    return page, lines, kept
