r"""Finds the vocalizations in an archive of recordings, on one machine or by Apache Beam on many.

    neurovocal segment_archive --preset=songbird --data_dir=/archive --out=/runs/archive
    neurovocal segment_archive --preset=bat --data_dir=gs://bats/2026 --out=gs://bats/segments \
        --beam="--runner=DataflowRunner --project=bats --region=europe-west1"
    neurovocal segment_archive ... --beam="--runner=FlinkRunner --flink_master=flink:8081"
    neurovocal segment_archive ... --types=/runs/finch_report --workdir=/runs/finch

Needs the extra archive: pip install 'neurovocal_tf[archive]'. Reads and writes gs://, s3:// and
hdfs:// where Beam's client for them is installed ('apache-beam[gcp]', [aws], [hadoop]), and local
folders. Without --beam it runs on this machine's cores. The output folder gets the tables of
`neurovocal segment`, byte for byte, and the same as Parquet; with --types and --workdir also
calls.csv, the type of each call and how unusual it is. A recording that cannot be read is a row of
skipped.csv. parts/ there holds what is done, some recordings a file: the same command goes on with
what is left, does anew what has failed for its store, and takes what has come to the archive since.
"""

import contextlib
import os
import shlex
import threading

from absl import flags

from neurovocal_tf import flags as setting_flags
from neurovocal_tf import processors

_DATA_DIR = setting_flags.define_path(
    "data_dir",
    None,
    "The archive: a remote folder, searched with all below it; or local recordings as "
    "`neurovocal segment` takes them.",
    required=True,
)
_OUT = setting_flags.define_path(
    "out", None, "Folder of the results, local or remote; made if it is not there.", required=True
)
_BEAM = flags.DEFINE_string(
    "beam",
    "",
    "Beam's own flags, with blanks between, such as --runner=FlinkRunner; https://beam.apache.org "
    "lists those of each runner.",
)
_TYPES = setting_flags.define_path(
    "types",
    None,
    "Folder of a report of `neurovocal discover`: calls.csv tells the type of each call by those.",
)
_WORKDIR = setting_flags.define_path(
    "workdir",
    None,
    "Folder of a run that `neurovocal train` has trained on such recordings: calls.csv tells how "
    "each call scores where it stands, and whether it is unusual. Workers must reach it, too.",
)
_REFINE = setting_flags.define_path(
    "refine",
    None,
    "Take a second look at what is found, by a file that `neurovocal segment --learn` has written.",
)
_WORKERS = flags.DEFINE_integer(
    "workers",
    0,
    "Processes on this machine, where --beam names no runner; 0: as many as there are cores.",
    lower_bound=0,
)
_JSON = setting_flags.define_path("json", None, "Where to write the figures.")
_SECTIONS = ("audio", "segmentation", "n_fft", "hop_length")
setting_flags.define(_SECTIONS)
setting_flags.define_preset()
# Seconds between two looks at how many parts are done.
_LOOK_S = 2.0
# So many times in turn may workers be lost with nothing done.
_MOST_LOSSES = 3
# A line that names more is not read.
_MOST_NAMED = 4


def main(argv: list[str]) -> int | None:
    from neurovocal_tf import files  # here, so that --help needs none of these
    from neurovocal_tf.archive import begun, catalogue, stores
    from neurovocal_tf.ownership import owned

    stores.check_installed()
    from neurovocal_tf.archive import pipeline

    beam_flags = _beam_flags()
    pipeline.connect(beam_flags)
    data_dir, out = (
        value if stores.is_remote(value) else os.path.abspath(value)
        for value in (_DATA_DIR.value, _OUT.value)
    )
    for setting, place in (("data_dir", data_dir), ("out", out)):
        stores.check(place, setting)
    found = catalogue.of(data_dir, out)
    config = _config(found)
    work, call_columns = _work(out, data_dir, config)
    with contextlib.ExitStack() as stack:
        if not stores.is_remote(out):
            os.makedirs(out, exist_ok=True)
            stack.enter_context(owned(out, "segments"))
        begun.begin(work)
        _do_all(found, work, beam_flags)
        figures = _write(found, work, call_columns, config)
    if _JSON.value:
        files.write_json(_JSON.value, figures)


def _beam_flags():
    try:
        return shlex.split(_BEAM.value)
    except ValueError as reason:
        raise ValueError(
            f"`beam` must be flags with blanks between: {reason}. Received: beam={_BEAM.value}"
        ) from None


def _config(found):
    from neurovocal_tf.segmentation import preset_choice

    def choose():
        if found.is_remote:
            raise ValueError(
                "`preset` must be named where recordings are not on this machine, to be listened "
                "to. Received: preset=auto"
            )
        paths = {name: entry.path for name, entry in found.entries.items()}
        return preset_choice.choose(paths, setting_flags.config_from_flags().audio)

    return setting_flags.config_from_flags(setting_flags.chosen_preset(choose))


def _work(out, data_dir, config):
    """What is to be done, and the columns of calls.csv, if any."""
    from neurovocal_tf.archive import calls, stores, work
    from neurovocal_tf.segmentation import begun_with, refinement

    refined = refinement.read(_REFINE.value) if _REFINE.value else None
    if refined:
        refined.check(config)
    told, columns = "", ()
    if _TYPES.value or _WORKDIR.value:
        held_out = None if stores.is_remote(data_dir) else data_dir
        by, notes = calls.judged_by(
            _absolute(_TYPES.value), _absolute(_WORKDIR.value), config, held_out
        )
        told, columns = by.to_json(), by.columns
        for note in notes:
            setting_flags.say(note)
    text = begun_with.refinement_text(refined)
    return work.Work(out, config.to_json(), text, told), columns


def _absolute(path):
    from neurovocal_tf.archive import stores

    return path if not path or stores.is_remote(path) else os.path.abspath(path)


def _do_all(found, work, beam_flags):
    """Does what is not done yet, and does again what workers did that were lost."""
    from neurovocal_tf.archive import local_run, parts, pipeline, stores

    left, num_losses = _left(found, work), 0
    if len(left) < len(found.entries):
        done = len(found.entries) - len(left)
        setting_flags.say(f"{done} of {len(found.entries)} recordings were finished before")
    while left:
        planned = parts.planned(left, work.settings, num_losses)
        try:
            with _progress(planned, work):
                if pipeline.is_local(beam_flags):
                    num_workers = _WORKERS.value or processors.num_cores()
                    local_run.run(planned, work, beam_flags, num_workers)
                else:
                    pipeline.run(planned, work, beam_flags)
            break
        except local_run.WorkersLost as reason:
            before, left = len(left), _left(found, work)
            num_losses = 0 if len(left) < before else num_losses + 1
            if num_losses == _MOST_LOSSES:
                raise ValueError(
                    f"{reason}, {num_losses} times without a part done: memory may be too small "
                    f"for so many --workers, or a recording ends what reads it: {_some(left)}"
                ) from None
            setting_flags.say(f"{reason}: the {len(left)} recordings that are left are begun anew")
        except ValueError as reason:
            raise ValueError(
                f"the pipeline has failed, and the same command goes on with what is left: {reason}"
            ) from reason
    if not stores.is_remote(work.out_dir):
        stores.sweep(stores.join(work.out_dir, parts.FOLDER))


def _some(entries):
    names = [entry.name for entry in entries]
    more = f" or one of {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _left(found, work):
    from neurovocal_tf.archive import parts

    final = parts.done(work.out_dir, found.entries, work.settings).final
    return [entry for name, entry in found.entries.items() if name not in final]


def _write(found, work, call_columns, config):
    from neurovocal_tf.archive import parts, tables
    from neurovocal_tf.segmentation import file_rows

    known = parts.done(work.out_dir, found.entries, work.settings)
    missing = sorted(found.entries.keys() - known.files.keys())
    if missing:
        raise ValueError(
            f"{len(missing)} recordings have no result, such as {missing[0]}: the same command "
            "goes on with them. What workers elsewhere write, --out must lead to from here, too"
        )
    figures, skipped, changed = tables.write(
        work.out_dir,
        found,
        parts.records(work.out_dir, known),
        call_columns,
        config.audio.channel_number,
    )
    for told in changed:
        setting_flags.say(f"people have changed {told}")
    for name, reason in sorted(skipped.items()):
        setting_flags.say(f"skipped {name}: {reason}")
    for line in file_rows.summary(figures, work.out_dir, bool(work.refined)):
        print(line)
    return figures


@contextlib.contextmanager
def _progress(planned, work):
    """A bar of the parts that are done, where that can be seen for nothing."""
    import tqdm

    from neurovocal_tf.archive import parts, stores

    if stores.is_remote(work.out_dir):
        yield
        return
    files, ended = {part.file for part in planned}, threading.Event()
    with tqdm.tqdm(total=len(files), unit="part", dynamic_ncols=True, desc="segment") as bar:

        def look():
            there = files & {*stores.names_in(stores.join(work.out_dir, parts.FOLDER))}
            bar.update(len(there) - bar.n)

        def watch():
            while not ended.wait(_LOOK_S):
                look()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            look()
