r"""Finds the call types in a folder of recordings, their order, and how sure both are.

    neurovocal discover --preset=songbird --data_dir=/data/finch --out=/runs/finch_report
    neurovocal discover ... --annotations=/data/finch_by_hand
    neurovocal discover ... --recordings_table=/data/days.csv --group_column=day
    neurovocal discover ... --recordings_table=/data/birds.csv --identity_column=bird
    neurovocal discover --preset=speech ... --recordings_table=/data/people.csv \
        --speaker_column=speaker --annotations=/data/words
    neurovocal discover ... --merges=/runs/finch_report/merges.csv
    neurovocal discover ... --types=/runs/finch_report
    neurovocal discover ... --workdir=/runs/finch

The output folder gets report.html, which a browser opens without a network; calls.csv, types.csv,
syntax.json and merges.csv; identity.csv and identity.json with --identity_column; the types as
labels for Raven, Audacity and Praat; call_types.json and call_types.npz, the fitted types for
--types; and segments/, what `neurovocal segment` would write: segments that are corrected there by
hand are taken as they are the next time. Of speech it also gets utterances.csv, how each word that
people labelled, or else each bout, is said beside what its speaker says otherwise, and prosody/,
the same for Praat (docs/speech.md). Write yes into the column accept of merges.csv and name it
with --merges to join types; no others change. Ctrl-C keeps the segments found so far, and the same
command goes on with the rest. --types looks for no new types. --workdir names a trained run, by
which the report also has unusual calls, generated songs and hidden units.
"""

import os

from absl import flags

from neurovocal_tf import flags as setting_flags
from neurovocal_tf import processors

_DATA_DIR = setting_flags.define_path("data_dir", None, setting_flags.RECORDINGS, required=True)
_OUT = setting_flags.define_path(
    "out", None, "Folder of the report; made if it is not there.", required=True
)
_FEATURES = flags.DEFINE_enum(
    "features",
    None,
    ["songbird", "mouse_usv", "bat", "speech"],
    "How calls are measured to be compared; by default as --preset says, else as songbird.",
)
_REFINE = setting_flags.define_path(
    "refine",
    None,
    "Take a second look at what is found, by a file that `neurovocal segment --learn` has written.",
)
_TYPES = setting_flags.define_path(
    "types", None, "Folder of an earlier report, whose call types are taken; none are searched for."
)
_MERGES = setting_flags.define_path(
    "merges", None, "A merges.csv with yes in its column accept: these pairs of types are joined."
)
_WORKDIR = setting_flags.define_path(
    "workdir",
    None,
    "Folder of a run that `neurovocal train` has trained on such recordings: by it calls are "
    "judged where they stand, and the unusual ones are listed in unusual.csv and in the report, "
    "which also shows its songs beside the real ones and what its hidden units tell of the types.",
)
_ANNOTATIONS = setting_flags.define_path(
    "annotations",
    None,
    "Labelled segments to compare the types with: a file or folder of CSV, Audacity, Raven, "
    "Praat, or another format that `neurovocal convert --help` lists.",
)
_RECORDINGS_TABLE = setting_flags.define_path(
    "recordings_table", None, "Table with a column file and facts about the recordings."
)
_GROUP_COLUMN = flags.DEFINE_string(
    "group_column",
    None,
    "Column of --recordings_table with the groups to compare: days, individuals, contexts.",
)
_SPEAKER_COLUMN = flags.DEFINE_string(
    "speaker_column",
    None,
    "Column of --recordings_table with who speaks, whose own norm each utterance is held against; "
    "of speech.",
)
_IDENTITY_COLUMN = flags.DEFINE_string(
    "identity_column",
    None,
    "Column of --recordings_table with who sings: individuals or species. Recordings without a "
    "value are told by the others' calls; identity.csv has the answers.",
)
_FORMAT = flags.DEFINE_enum(
    "format",
    None,
    ["parquet"],
    "Write all tables once more with types: calls.parquet, types.parquet and so on.",
)
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Give up what people have changed in the tables of earlier results."
)
_SEED = flags.DEFINE_integer(
    "discovery_seed", 0, "Of what is drawn at random: samples, bootstraps, shuffles.", lower_bound=0
)
_WORKERS = flags.DEFINE_integer(
    "workers", 0, "Recordings at once; 0: as many as there are processor cores.", lower_bound=0
)
_SECTIONS = ("audio", "segmentation", "bout_gap_s", "ignore_labels", "label_column")
setting_flags.define(_SECTIONS)
setting_flags.define_preset()


def main(argv: list[str]) -> int | None:
    from neurovocal_tf.annotations import parquet  # here, so that --help needs none of these
    from neurovocal_tf.ownership import owned
    from neurovocal_tf.segmentation import folder

    if _FORMAT.value:
        parquet.check()
    paths = folder.recordings_by_name(_DATA_DIR.value)
    config, preset = _config(paths)
    # What is wrong with the flags is told before minutes are spent.
    asked = _asked(paths, config, preset)
    run = _run(paths, asked) if _WORKDIR.value else None
    os.makedirs(_OUT.value, exist_ok=True)
    with owned(_OUT.value, "report"):
        _discover(_segmented(paths, config), paths, config, asked, run)


def _segmented(paths, config):
    """The folder's recordings, segmented as `neurovocal segment` does."""
    from neurovocal_tf.segmentation import folder

    run = folder.SegmentedFolder(
        _DATA_DIR.value,
        os.path.join(_OUT.value, "segments"),
        config,
        paths,
        _OVERWRITE.value,
        _refinement(),
    )
    for name, what in sorted(run.changed.items()):
        setting_flags.say(f"{name} {what}")
    with _bar(run.num_bytes_left, "segment", unit="B", unit_scale=True) as bar:
        run.run(_WORKERS.value or processors.num_cores(), bar.update)
    for note in run.notes:
        setting_flags.say(note)
    for name, reason in sorted(run.skipped.items()):
        setting_flags.say(f"skipped {name}: {reason}")
    return run


def _refinement():
    from neurovocal_tf.segmentation import refinement

    return refinement.read(_REFINE.value) if _REFINE.value else None


def _run(paths, asked):
    from neurovocal_tf.discovery import unusual  # needs TensorFlow

    return unusual.load(_WORKDIR.value, list(paths.values()), asked, _DATA_DIR.value)


def _unusual(found, paths, asked, run):
    """The report's part about unusual calls, lines about them, and the files that stay as they
    are.
    """
    from neurovocal_tf.discovery import unusual, unusual_report

    with _bar(len(found.names), "judge", unit="recording") as bar:
        judged = unusual.judge(found, paths, run, asked, bar.update)
    found.caveats.extend(judged.caveats)
    kept = unusual_report.write(_OUT.value, found, judged, _OVERWRITE.value)
    told = unusual_report.part(found, judged, paths, asked.config.audio)
    return {"unusual": told}, [unusual_report.summary(judged)], kept


def _learned(found, paths, durations_s, asked, trained):
    """The report's parts about a run's songs and units, as `_unusual` has them."""
    from neurovocal_tf.evaluation import run_report

    with _bar(None, "sing and read", unit="piece") as bar:
        return run_report.parts(
            trained,
            found,
            paths,
            durations_s,
            asked,
            _OUT.value,
            _refinement(),
            _WORKERS.value or processors.num_cores(),
            _OVERWRITE.value,
            bar.update,
        )


def _discover(run, paths, config, asked, trained):
    from neurovocal_tf.discovery import discover, written

    with _bar(len(run.finished), "measure", unit="recording") as bar:
        spans_s = {name: run.segments(name) for name in run.finished}
        found = discover.discover(paths, spans_s, asked, bar.update)
    found.caveats.extend(
        f"{name} is left out: {reason}" for name, reason in sorted(run.skipped.items())
    )
    durations_s = {name: run.duration_s(name) for name in run.finished}
    further = [_speech(found, paths, durations_s, config, asked)]
    if trained:
        further += [
            _unusual(found, paths, asked, trained),
            _learned(found, paths, durations_s, asked, trained.trained),
        ]
    parts, lines, changed = {}, written.summary(found), []
    for part, more_lines, more_changed in further:
        parts, lines, changed = parts | part, lines + more_lines, changed + more_changed
    with _bar(len(run.finished), "write", unit="recording") as bar:
        page, kept = written.write(
            _OUT.value,
            found,
            paths,
            durations_s,
            config,
            asked.groups,
            _OVERWRITE.value,
            bar.update,
            parts,
        )
    kept += changed
    if _FORMAT.value:
        kept += written.write_typed(_OUT.value, _OVERWRITE.value)
    if kept:
        setting_flags.say(
            f"{len(kept)} files have been changed since they were written, and are kept as they "
            f"are; the first: {os.path.join(_OUT.value, kept[0])}. --overwrite gives that up"
        )
    for line in lines:
        print(line)
    for caveat in found.caveats:
        setting_flags.say(caveat)
    print(f"report: {page}")


def _speech(found, paths, durations_s, config, asked):
    """The report's part about how it is said, as `_unusual` has it; of speech alone."""
    from neurovocal_tf.discovery import prosody, prosody_report, speech, speech_tables

    if not found.fitted.recipe.num_cepstra:
        return {}, [], []
    try:
        prosody.check_installed()
    except ValueError as reason:
        found.caveats.append(f"nothing is said of pitch and prosody: {reason}")
        return {}, [], []
    spoken = speech.describe(found, paths, config.audio, asked.speakers, asked.labels, asked.seed)
    found.caveats.extend(spoken.caveats)
    kept = speech_tables.write(_OUT.value, spoken, paths, durations_s, _OVERWRITE.value)
    told = prosody_report.part(spoken, found, paths, config.audio)
    return {"speech": told}, prosody_report.summary(spoken), kept


def _config(paths):
    """The settings, and the name of the preset or None."""
    from neurovocal_tf.segmentation import preset_choice

    names = [flags.FLAGS["preset"].value]

    def choose():
        chosen = preset_choice.choose(paths, setting_flags.config_from_flags().audio)
        names.append(chosen[0])
        return chosen

    config = setting_flags.config_from_flags(setting_flags.chosen_preset(choose))
    return config, names[-1]


def _asked(paths, config, preset):
    from neurovocal_tf.annotations import recordings_table
    from neurovocal_tf.discovery import discover, features, fitted_file, merges

    columns = {
        "group_column": _GROUP_COLUMN.value,
        "identity_column": _IDENTITY_COLUMN.value,
        "speaker_column": _SPEAKER_COLUMN.value,
    }
    named = {setting: {} for setting in columns}
    given = [setting for setting, column in columns.items() if column]
    if bool(_RECORDINGS_TABLE.value) != bool(given):
        told = (
            f"`{given[0]}` must be given with `recordings_table`"
            if given
            else "`recordings_table` must be given with `group_column`, `identity_column` or "
            "`speaker_column`"
        )
        raise ValueError(
            f"{told}. Received: recordings_table={_RECORDINGS_TABLE.value}, "
            + ", ".join(f"{setting}={column}" for setting, column in columns.items())
        )
    for setting, column in columns.items():
        if column:
            named[setting], notes = recordings_table.values_of(
                _RECORDINGS_TABLE.value, column, paths, setting
            )
            for note in notes:
                setting_flags.say(note)
    known = fitted_file.load(_TYPES.value, "types") if _TYPES.value else None
    recipe = known.recipe if known else features.recipe_of(_FEATURES.value or preset)
    if _SPEAKER_COLUMN.value and not recipe.num_cepstra:
        raise ValueError(
            "`speaker_column` must be given with --preset=speech or --features=speech. "
            f"Received: speaker_column={_SPEAKER_COLUMN.value}"
        )
    individuals = named["identity_column"]
    if len(set(individuals.values())) == 1:
        raise ValueError(
            "`identity_column` must name two individuals at least. "
            f"Received: {', '.join(set(individuals.values()))} alone"
        )
    return discover.Asked(
        config=config,
        recipe=recipe,
        known=known,
        merges=merges.accepted(_MERGES.value) if _MERGES.value else (),
        groups=named["group_column"],
        speakers=named["speaker_column"],
        individuals=individuals,
        labels=_labels(paths, config) if _ANNOTATIONS.value else {},
        seed=_SEED.value,
    )


def _labels(paths, config):
    from neurovocal_tf.discovery import given_labels

    labels, notes = given_labels.read(_ANNOTATIONS.value, paths, config)
    for note in notes:
        setting_flags.say(note)
    return labels


def _bar(total, what, **more):
    import tqdm

    return tqdm.tqdm(total=total, dynamic_ncols=True, desc=what, **more)
