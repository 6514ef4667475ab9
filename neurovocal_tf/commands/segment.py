r"""Finds the vocalizations in a folder of recordings of any length and format, and says how well
they agree with the truth.

    neurovocal segment --preset=songbird --data_dir=/data/finches \
        --out=/runs/segments
    neurovocal segment --preset=auto --data_dir=/data/unknown --out=/runs/unknown --plot
    neurovocal segment --preset=bat --data_dir=/data/bats --out=/runs/bats --time_expansion=10
    neurovocal segment ... --format=audacity,raven,textgrid
    neurovocal segment ... --truth=/data/finches_by_hand
    neurovocal segment ... --truth=/data/finches_by_hand --tune
    neurovocal segment ... --truth=/data/finches_by_hand --learn
    neurovocal segment ... --refine=/runs/segments/refinement.json
    neurovocal segment ... --review
    neurovocal segment ... --shard=2/8
    neurovocal segment ... --merge

The output folder gets annotations.csv (file, onset_s, offset_s, label, score), files.csv,
dropped.csv (what reaches the threshold and is no segment, with its reason), skipped.csv (files
without a result, with the reason), recordings.csv and written.csv (hashes) and config.json; with
--format a folder or a table for each format, with --truth scores.csv, with --plot pictures, with
--review pages, with --tune tuned.flags, with --learn refinement.json. Tables that people have
changed since are kept as they are, and what is new goes beside them. Ctrl-C keeps what is done, and
the same command goes on with the rest; it ends --tune with the best settings so far. `file` is
relative to the output folder. Times are seconds of the sound itself, whatever its --time_expansion.
The score is by how many dB the loudest moment of a segment is over the detector's threshold.
--shard=i/n, from 1/n to n/n, has the jobs of an array segment a part each, and --merge makes of
them what one run would have written.
"""

import contextlib
import math
import os

from absl import flags

from neurovocal_tf import flags as setting_flags
from neurovocal_tf import processors

_DATA_DIR = setting_flags.define_path("data_dir", None, setting_flags.RECORDINGS, required=True)
_OUT = setting_flags.define_path("out", None, "Folder of results; made if absent.", required=True)
_TRAIN_LIST, _HELD_OUT_LIST = (
    setting_flags.define_path(
        name,
        None,
        "Segment only these, and those of the other list: a text file of names or patterns "
        "relative to --data_dir, one a line, or TABLE.csv:COLUMN=VALUE, rows of a table with a "
        "column `file`.",
    )
    for name in ("train_list", "held_out_list")
)
_FORMAT = flags.DEFINE_list(
    "format",
    None,
    "Written beside annotations.csv, with commas between: audacity, batdetect2, notmat, raven, "
    "textgrid, whisperseg, one file a recording, of raven also one over all; avn, kaleidoscope, "
    "opensoundscape, one over all; parquet, the tables of segments, files and what was dropped "
    "again, with types.",
)
_OVERWRITE = flags.DEFINE_bool(
    "overwrite",
    False,
    "Give up what people have changed in the tables of earlier results; without it, these are kept "
    "as they are.",
)
_TRUTH = setting_flags.define_path(
    "truth",
    None,
    "Annotations to compare with: a file or folder of CSV, Audacity, Raven, Praat, or another "
    "format that `neurovocal convert --help` lists. Recordings that are not in it are not scored.",
)
_TOLERANCE_MS = flags.DEFINE_float(
    "tolerance_ms", 10.0, "How far a boundary may be off the truth, in ms.", lower_bound=0.0
)
_TUNE = flags.DEFINE_bool(
    "tune",
    False,
    "Search for the detector's settings that agree best with --truth, instead of segmenting.",
)
_TUNE_MINUTES = flags.DEFINE_float(
    "tune_minutes", 4.0, "How long --tune searches at most, in minutes.", lower_bound=0.0
)
_LEARN = flags.DEFINE_bool(
    "learn",
    False,
    "Learn from --truth which sounds are calls and where their boundaries lie, instead of "
    "segmenting: a second look for --refine.",
)
_REFINE = setting_flags.define_path(
    "refine",
    None,
    "Take a second look at what is found, by a file that --learn has written. Settings of groups "
    "have no part then.",
)
_TUNE_SEED = flags.DEFINE_integer(
    "tune_seed",
    0,
    "Which third of the recordings is held out from --tune and --learn.",
    lower_bound=0,
)
_PLOT = flags.DEFINE_bool(
    "plot", False, "Draw every recording with its segments, and histograms of all."
)
_REVIEW = flags.DEFINE_bool(
    "review",
    False,
    "Write a page for each recording, review/NAME.html, to look at in a browser, hear, correct and "
    "label what was found; it saves tables that --annotations and --truth read.",
)
_SHARD = flags.DEFINE_string(
    "shard",
    None,
    "i/n: segment the i-th of n parts alone, counted from 1, into shards/i_of_n of --out. Each may "
    "be started again, on any machine that sees both folders; --merge makes the tables of all.",
)
_MERGE = flags.DEFINE_bool(
    "merge",
    False,
    "Make of all shards the tables that one run would have written, instead of segmenting; with "
    "the other flags as the shards had them. --format, --plot, --review and --truth belong here.",
)
_WORKERS = flags.DEFINE_integer(
    "workers", 0, "Recordings at once; 0: as many as there are processor cores.", lower_bound=0
)
_JSON = setting_flags.define_path("json", None, "Where to write the figures.")
# In windows as long and as far apart as a model's frames segments are measured and pictures drawn.
_SECTIONS = ("audio", "segmentation", "n_fft", "hop_length")
setting_flags.define((*_SECTIONS, "ignore_labels", "label_column", "picture_format", "picture_dpi"))
setting_flags.define_preset()


def main(argv: list[str]) -> int | None:
    from neurovocal_tf import files  # here, so that --help needs none of these
    from neurovocal_tf.ownership import owned
    from neurovocal_tf.segmentation import folder, formats, preset_choice

    act, out, shard = _act(), _OUT.value, _shard()
    formats.check(_FORMAT.value or ())
    paths = _asked_for(folder.recordings_by_name(_DATA_DIR.value))
    audio = setting_flags.config_from_flags().audio
    config = setting_flags.config_from_flags(
        setting_flags.chosen_preset(lambda: preset_choice.choose(paths, audio))
    )
    if shard:
        # The preset is chosen by all, so that the shards agree.
        paths, out = shard.paths(paths), shard.folder(out)
        setting_flags.say(f"shard {shard}: {len(paths)} recordings")
    true = _true_segments(paths, config) if _TRUTH.value else None
    os.makedirs(out, exist_ok=True)
    with owned(out, "segments"):
        figures = act(out, paths, true, config)
    if _JSON.value:
        files.write_json(
            _JSON.value,
            {name: None if math.isnan(value) else value for name, value in figures.items()},
        )


def _act():
    """What is to be done."""
    acts = {_TUNE.name: _tune, _LEARN.name: _learn, _MERGE.name: _merge}
    chosen = [flag.name for flag in (_TUNE, _LEARN, _MERGE) if flag.value]
    learning = [name for name in chosen if name != _MERGE.name]
    if len(chosen) > 1 or (learning and _REFINE.value):
        refined = [_REFINE.name] if _REFINE.value else []
        raise ValueError(
            "`tune`, `learn` or `refine` must be given, one of them at most, and no `merge` beside "
            f"the first two. Received: {' and '.join(f'--{n}' for n in chosen + refined)}"
        )
    return acts[chosen[0]] if chosen else _segment


def _shard():
    """The part that is to be segmented, or None for all."""
    from neurovocal_tf.segmentation import shards

    if _SHARD.value is None:
        return None
    others = (_MERGE, _TUNE, _LEARN, _FORMAT, _PLOT, _REVIEW, _TRUTH)
    given = [f"--{flag.name}" for flag in others if flag.value]
    if given:
        raise ValueError(
            f"`shard` must be given without {', '.join(given)}, which take all recordings: "
            f"--merge does. Received: shard={_SHARD.value}"
        )
    return shards.Shard.parse(_SHARD.value)


def _segment(out, paths, true, config):
    run = _folder(out, paths, config)
    if run.num_resumed:
        setting_flags.say(f"{run.num_resumed} of {len(paths)} recordings were finished before")
    for name, what in sorted(run.changed.items()):
        told = (
            "what people have marked in the former one is kept; --overwrite gives that up"
            if run.is_by_hand(name)
            else "it is segmented anew"
        )
        setting_flags.say(f"{name} {what}: {told}")
    with _bar(run.num_bytes_left, "segment", unit="B", unit_scale=True) as bar:
        run.run(_WORKERS.value or processors.num_cores(), bar.update)
    return _told_of_all(run, true, config)


def _merge(out, paths, true, config):
    from neurovocal_tf.ownership import owned
    from neurovocal_tf.segmentation import shards

    run, parts = _folder(out, paths, config), {}
    with contextlib.ExitStack() as stack:
        for shard in shards.begun(out):
            stack.enter_context(owned(shard.folder(out), "segments"))
            parts[shard] = run.beside(shard.folder(out))
        shards.merge(run, parts)
        run.save()
    return _told_of_all(run, true, config)


def _folder(out, paths, config):
    from neurovocal_tf.segmentation import folder, refinement

    refined = refinement.read(_REFINE.value) if _REFINE.value else None
    return folder.SegmentedFolder(_DATA_DIR.value, out, config, paths, _OVERWRITE.value, refined)


def _told_of_all(run, true, config):
    """Tells and writes all that is asked for of a finished folder.  -> the figures"""
    figures = _report(run) | (_score(run, true) if true else {})
    if set(_FORMAT.value or ()) - {"csv"}:
        _write_formats(run, config)
    if _PLOT.value:
        _draw(run, true, config)
    if _REVIEW.value:
        _write_review(run, config)
    return figures


def _asked_for(paths):
    """Of all recordings by name those that the lists name, or all."""
    from neurovocal_tf.data import split

    texts = {holder.name: holder.value for holder in (_TRAIN_LIST, _HELD_OUT_LIST) if holder.value}
    if not texts:
        return paths
    named = set()
    for setting, text in texts.items():
        named.update(split.listed(text, setting, _DATA_DIR.value, paths.values()))
    setting_flags.say(f"{len(named)} of {len(paths)} recordings are listed")
    return {name: path for name, path in paths.items() if path in named}


def _true_segments(paths, config):
    from neurovocal_tf.annotations import matching
    from neurovocal_tf.segmentation import truth

    true, notes = truth.segments_by_file(
        _TRUTH.value,
        paths,
        config.audio.channel,
        matching.Choice.of(config.data.ignore_labels, config.data.label_column),
        config.audio.time_expansion,
    )
    for note in notes:
        setting_flags.say(note)
    return true


def _report(run):
    from neurovocal_tf.segmentation import file_rows

    notes = [f"{name} {found.note}" for name, found in sorted(run.results.items()) if found.note]
    skipped = [f"skipped {name}: {reason}" for name, reason in sorted(run.skipped.items())]
    for line in [*run.notes, *notes, *skipped]:
        setting_flags.say(line)
    figures = run.figures()
    for line in file_rows.summary(figures, run.out_dir, bool(_REFINE.value)):
        print(line)
    return figures


def _score(run, true):
    from neurovocal_tf.segmentation import truth

    table = truth.score(
        {name: run.segments(name) for name in run.finished}, true, _TOLERANCE_MS.value / 1000
    )
    run.reports.write("scores.csv", *truth.score_rows(table))
    print(truth.as_table(table))
    not_scored = len(set(run.finished) - set(true))
    if not_scored:
        setting_flags.say(f"{not_scored} recordings are not in {_TRUTH.value} and are not scored")
    return {name: value for name, value in table[-1].items() if name != "file"}


def _tune(out, paths, true, config):
    from neurovocal_tf.interrupts import first_interrupt
    from neurovocal_tf.segmentation import tuning

    tolerance_s = _TOLERANCE_MS.value / 1000
    training, held_out = _annotated_parts(paths, true, config)
    with first_interrupt() as stop, _bar(None, "tune", unit="trial") as bar:

        def on_trial(segment_f1):
            bar.set_postfix_str(f"segment F1 {segment_f1:.3f}", refresh=False)
            bar.update()

        tuned, ending = tuning.search_until(
            training, config, tolerance_s, 60 * _TUNE_MINUTES.value, stop.is_set, on_trial
        )
        if ending == "stopped":
            setting_flags.say("stopped: these are the best settings so far")
        elif ending == "out of time":
            setting_flags.say(
                f"stopped after --tune_minutes={_TUNE_MINUTES.value:g}: more of them may find "
                "better settings"
            )
    path = os.path.join(out, "tuned.flags")
    setting_flags.write_flags(path, tuned, sections=_SECTIONS)
    figures = {}
    parts, settings = (
        {"training": training, "held_out": held_out},
        {"before": config, "after": tuned},
    )
    for part, when, scores in tuning.compared(parts, settings, tolerance_s):
        figures |= _told(part, when, "tuning", scores)
    print(f"settings: {path}")
    return figures


def _learn(out, paths, true, config):
    from neurovocal_tf.segmentation import refinement, tuning

    tolerance_s = _TOLERANCE_MS.value / 1000
    training, held_out = _annotated_parts(paths, true, config)
    learned = refinement.learn(training, config)
    path = os.path.join(out, "refinement.json")
    refinement.write(path, learned)
    figures = {}
    for part, examples in (("training", training), ("held_out", held_out)):
        before = tuning.pooled_agreement(examples, config, tolerance_s)
        after = refinement.pooled_agreement(examples, config, learned, tolerance_s)
        figures |= _told(part, "before", "learning", before.scores())
        figures |= _told(part, "after", "learning", after.scores())
    print(f"refinement: {path}")
    return figures


def _annotated_parts(paths, true, config):
    """Examples to learn from and examples to report on."""
    from neurovocal_tf.segmentation import truth, tuning

    if true is None:
        raise ValueError("`truth` must be given, to learn from. Received: truth=None")
    return tuning.split(truth.examples(paths, true, config), _TUNE_SEED.value)


def _told(part, when, what, scores):
    """Prints the F1 of a part before or after something, and returns all figures by name."""
    f1 = "   ".join(
        f"{kind} F1 {scores[f'{kind}_f1']:.3f}" for kind in ("segment", "onset", "frame")
    )
    print(f"{part.replace('_', ' '):9} {when:7} {what}:   {f1}")
    return {f"{part}_{when}_{name}": value for name, value in scores.items()}


def _write_formats(run, config):
    from neurovocal_tf.segmentation import formats

    with _bar(len(run.all_finished), "format", unit="recording") as bar:
        kept = formats.write(run, _FORMAT.value, config, bar.update)
    if kept:
        setting_flags.say(
            f"{len(kept)} files have been changed since they were written, and are kept as they "
            f"are; the first: {os.path.join(run.out_dir, kept[0])}. --overwrite gives that up"
        )
    print(f"{', '.join(_FORMAT.value)}: {run.out_dir}")


def _draw(run, true, config):
    from neurovocal_tf.segmentation import pictures

    with _bar(len(run.finished), "plot", unit="picture") as bar:
        pictures.draw(run, true, config, bar.update)
    print(f"pictures: {os.path.join(run.out_dir, 'pictures')}")


def _write_review(run, config):
    from neurovocal_tf.pages import review

    with _bar(len(run.finished), "review", unit="page") as bar:
        failed = review.write(run, config, bar.update)
    for name, reason in failed.items():
        setting_flags.say(f"no page of {name}: {reason}")
    print(f"review: {os.path.join(run.out_dir, 'review')}")


def _bar(total, what, **more):
    import tqdm

    return tqdm.tqdm(total=total, dynamic_ncols=True, desc=what, **more)
