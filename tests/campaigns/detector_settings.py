r"""What the threshold of a preset would be if it were chosen without one of the sources, and what
it finds there.

    python tests/campaigns/detector_settings.py RECORDINGS

RECORDINGS holds folders with annotations.csv: those of three birds and two sets of mouse clips.
Prints segment F1, both boundaries within 10 ms, of each preset with other thresholds and spreads,
and for each source what the settings with the best mean on the others give on it.
"""

import concurrent.futures
import itertools
import os
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
_TOLERANCE_S = 0.01
_SOURCES = {
    "songbird": (
        "bengalese_finch_gy6or6_full",
        "bengalese_finch_bl26lb16",
        "zebra_finch_R402",
    ),
    "mouse_usv": ("mouse_usv", "mouse_usv_noisy"),
}
_GRIDS = {
    "songbird": tuple(itertools.product((5.0, 6.0, 7.0, 8.0, 9.0), (0.5, 1.0, 1.5, 2.0))),
    "mouse_usv": tuple(itertools.product((3.0, 3.75, 4.5, 5.25, 6.0, 7.5), (0.5, 1.0, 2.0))),
}


def examples_of(folder):
    """The annotated recordings of a folder as `tuning.Example`s."""
    from neurovocal_tf.config import Config
    from neurovocal_tf.segmentation import truth
    from neurovocal_tf.segmentation.folder import recordings_by_name

    paths = recordings_by_name(folder)
    true, _ = truth.segments_by_file(os.path.join(folder, "annotations.csv"), paths)
    return truth.examples(paths, true, Config())


def segment_f1(examples, config):
    from neurovocal_tf.segmentation import tuning

    return tuning.pooled_agreement(examples, config, _TOLERANCE_S).scores()["segment_f1"]


def main(recordings):
    from neurovocal_tf.config import Config

    for preset, sources in _SOURCES.items():
        config = Config.preset(preset)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            examples = list(pool.map(examples_of, (f"{recordings}/{name}" for name in sources)))
        print(f"{preset}: " + ", ".join(sources))
        grid = _GRIDS[preset]
        table = np.array(
            [
                [
                    segment_f1(some, config.replace(threshold=threshold, noise_spreads=spreads))
                    for some in examples
                ]
                for threshold, spreads in grid
            ]
        )
        for (threshold, spreads), row in zip(grid, table, strict=True):
            print(
                f"  {threshold:5.2f} dB {spreads:3.1f} spreads  "
                + " ".join(f"{x:.3f}" for x in row)
            )
        now = [segment_f1(some, config) for some in examples]
        for place, name in enumerate(sources):
            others = np.delete(table, place, axis=1).mean(axis=1)
            best = int(np.argmax(others))
            threshold, spreads = grid[best]
            print(
                f"  without {name}: {threshold:g} dB and {spreads:g} spreads, which give "
                f"{table[best, place]:.3f} there; the preset's {config.segmentation.threshold:g} "
                f"and {config.segmentation.noise_spreads:g} give {now[place]:.3f}"
            )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(*sys.argv[1:])
