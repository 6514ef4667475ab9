r"""Converts annotations: from the files of any program that the package reads to those of another.

    neurovocal convert --annotations=labels.txt --format=csv --out=converted
    neurovocal convert --annotations=finches_by_hand --data_dir=/data/finches \
        --format=raven --out=selections
    neurovocal convert --annotations=words.TextGrid#words --format=audacity --out=labels

The format of what is read is found out: tables by the names of their columns, the files of
Audacity, Raven, Praat, ELAN, Kaleidoscope, evsonganaly, WhisperSeg, batdetect2, BirdNET, DAS, vak,
avn, opensoundscape, TIMIT. With --data_dir annotations go to the recordings of the
same names, times beyond their ends are cut, and what no recording has is left out; without it they
keep the names that they have. The folder --out gets one table, annotations.csv or a like name, or a
file for each recording, and skipped.csv with the reasons where something is left out. Files that
are there already stay, and are named.
"""

import os

from absl import flags

from neurovocal_tf import flags as setting_flags

_ANNOTATIONS = setting_flags.define_path(
    "annotations",
    None,
    "File or folder of annotations; FILE#TIER reads only the tier TIER of Praat's and ELAN's.",
    required=True,
)
_FORMAT = flags.DEFINE_enum(
    "format",
    None,
    (
        *(
            "csv",
            "parquet",
            "audacity",
            "raven",
            "textgrid",
            "kaleidoscope",
            "opensoundscape",
            "avn",
        ),
        *("whisperseg", "batdetect2", "notmat"),
    ),
    "What to write. csv, parquet, kaleidoscope, opensoundscape, avn: one table over all "
    "recordings; the others: a file for each.",
    required=True,
)
_OUT = setting_flags.define_path(
    "out", None, "Folder of the results; made if it is not there.", required=True
)
_DATA_DIR = setting_flags.define_path(
    "data_dir", None, "Folder of the recordings, or one recording."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace files that are there already.")
_MOST_TOLD = 10
setting_flags.define(["time_expansion", "ignore_labels", "label_column"])


def main(argv: list[str]) -> int | None:
    from neurovocal_tf.annotations import matching  # here, so that --help needs none of these
    from neurovocal_tf.segmentation import conversion, folder

    config = setting_flags.config_from_flags()
    recordings = folder.recordings_by_name(_DATA_DIR.value) if _DATA_DIR.value else None
    found = conversion.find(
        _ANNOTATIONS.value,
        recordings,
        matching.Choice.of(config.data.ignore_labels, config.data.label_column),
        config.audio.time_expansion,
    )
    written, skipped = conversion.write(_OUT.value, found, _FORMAT.value, config, _OVERWRITE.value)
    for note in found.notes:
        setting_flags.say(note)
    num_annotations = sum(map(len, found.of.values()))
    several = f" and {len(written) - 1} more" if len(written) > 1 else ""
    print(
        f"{num_annotations} annotations of {len(found.of)} recordings read; written: "
        f"{written[0]}{several}"
    )
    # The notes have told the others.
    for name, reason in skipped[len(found.skipped) :][:_MOST_TOLD]:
        setting_flags.say(f"skipped {name}: {reason}")
    if skipped:
        setting_flags.say(f"{len(skipped)} left out: {os.path.join(_OUT.value, 'skipped.csv')}")
