r"""Converts what one voice has said into another's, or annotations from one program's format to
another's.

    neurovocal convert --workdir=/runs/voices --input=seven.wav --to=theo --out=seven_theo.wav
    neurovocal convert --workdir=/runs/voices --input=seven.wav --to=theo:0.7,lucas:0.3 \
        --keep=pitch,energy --out=seven_both.wav
    neurovocal convert --annotations=labels.txt --format=csv --out=converted
    neurovocal convert --annotations=finches_by_hand --data_dir=/data/finches \
        --format=raven --out=selections
    neurovocal convert --annotations=words.TextGrid#words --format=audacity --out=labels

With --input a recording is said by a voice that a run has learned: the run has conditions, which
--to names, and was trained with --labels=units. Written is the sound, 16 bit. Settings of songs
that are not given are those of the run.

With --annotations the format of what is read is found out: tables by the names of their columns,
the files of Audacity, Raven, Praat, ELAN, Kaleidoscope, evsonganaly, WhisperSeg, batdetect2,
BirdNET, DAS, vak, avn, opensoundscape, TIMIT. With --data_dir annotations go to the recordings of
the same names, times beyond their ends are cut, and what no recording has is left out; without it
they keep the names that they have. The folder --out gets one table, annotations.csv or a like name,
or a file for each recording, and skipped.csv with the reasons where something is left out. Files
that are there already stay, and are named.
"""

import os

from absl import flags

from neurovocal_tf import config as config_lib
from neurovocal_tf import flags as setting_flags

_ANNOTATIONS = setting_flags.define_path(
    "annotations",
    None,
    "File or folder of annotations; FILE#TIER reads only the tier TIER of Praat's and ELAN's.",
)
_INPUT = setting_flags.define_path("input", None, "Recording that another voice is to say.")
_WORKDIR = setting_flags.define_path(
    "workdir", None, "Run folder, trained with conditions and --labels=units, that says --input."
)
_TO = flags.DEFINE_multi_string(
    "to",
    None,
    "Whose voice says --input: a value of the run's condition, or NAME=VALUE where there are "
    "several, again for another one. a:0.3,b:0.7 is a mixture of two.",
)
_KEEP = flags.DEFINE_string(
    "keep",
    "",
    "What is kept of --input: pitch, its contour around the target's own median, which needs "
    "praat-parselmouth; energy, how loud each frame is. pitch,energy: both.",
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the voice.", lower_bound=0, upper_bound=2**62)
_TEMPERATURE = flags.DEFINE_float(
    "temperature",
    1.0,
    "Below 1: a more usual voice; above 1: a more varied one.",
    lower_bound=0.01,
    upper_bound=100,
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
    "What to write of --annotations. csv, parquet, kaleidoscope, opensoundscape, avn: one table "
    "over all recordings; the others: a file for each.",
)
_OUT = setting_flags.define_path(
    "out",
    None,
    "WAV file of --input's other voice; folder of --annotations' results, made if it is not there.",
    required=True,
)
_DATA_DIR = setting_flags.define_path(
    "data_dir", None, "Folder of the annotated recordings, or one recording."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace files that are there already.")
_OF_SONGS = tuple(field.name for section, field in config_lib.settings() if section == "generation")
_OF_VOICES = ("workdir", "to", "keep", "seed", "temperature", *_OF_SONGS)
_SETTINGS = ("time_expansion", "ignore_labels", "label_column")
_MOST_TOLD = 10
setting_flags.define((*_SETTINGS, "generation"))


def main(argv: list[str]) -> int | None:
    setting_flags.one_of(_ANNOTATIONS, _INPUT)
    of_voice = _INPUT.value is not None
    asked, needed, others = (
        ("input", (_WORKDIR, _TO), ("format", "data_dir", *_SETTINGS))
        if of_voice
        else ("annotations", (_FORMAT,), _OF_VOICES)
    )
    for holder in needed:
        if not holder.value:
            raise ValueError(f"flag --{holder.name}: must be given with --{asked}")
    setting_flags.leave_out(asked, *others)
    (_convert_voice if of_voice else _convert_annotations)()


def _convert_voice():
    from neurovocal_tf import keras_backend  # here, so that --help and annotations need none

    keras_backend.check()
    from neurovocal_tf.generation import voice_conversion
    from neurovocal_tf.generation.singer import MOST_FRAMES, Singer
    from neurovocal_tf.generation.songs import write_sound
    from neurovocal_tf.runs.trained import load_trained

    keep, out = voice_conversion.kept_of(_KEEP.value), _OUT.value
    stem, ending = os.path.splitext(out)
    if ending.lower() != ".wav":
        raise ValueError(f"`out` must be a WAV file, such as said.wav. Received: out={out}")
    if os.path.exists(out) and not _OVERWRITE.value:
        raise ValueError(
            f"`out` must not be there already, unless --overwrite is given. Received: out={out}"
        )
    trained = load_trained(_WORKDIR.value, setting_flags.config_from_flags)
    singer = Singer(trained, MOST_FRAMES)
    units = voice_conversion.units_of_run(_WORKDIR.value, singer)
    to = trained.model.conditions.blend_of(_TO.value)
    samples, notes = voice_conversion.read(_INPUT.value, singer)
    source = voice_conversion.hear(samples, singer, units)
    how = _SEED.value, _TEMPERATURE.value, keep
    song, more = voice_conversion.convert(singer, units, source, to, *how)
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    write_sound(stem, song.waveform, singer.sample_rate, ending)
    for note in notes:
        setting_flags.say(f"{_INPUT.value} {note}")
    for note in more:
        setting_flags.say(note)
    seconds = len(song.waveform) / singer.sample_rate
    print(f"{out}: {seconds:.2f} s, {len(source.runs)} units")


def _convert_annotations():
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
