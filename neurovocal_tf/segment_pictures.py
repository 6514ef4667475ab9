"""Draws every recording of a segmented folder with its segments, one at a time, and histograms of all."""

import os

import numpy as np

from neurovocal_tf import plots, segment_plots
from neurovocal_tf.audio import readers
from neurovocal_tf.audio.overview import overview


def draw(folder, true, config, on_picture=lambda: None):
    """Writes `pictures/NAME.png` for each finished recording (NAME_2.png and so on where it needs more pages), and `histograms.png`.

    Args:
        folder: `SegmentedFolder`.    true: dict of name -> `[S, 2]` seconds, or None.    config: `Config`.
        on_picture: called after each recording.
    """
    durations, gaps, peaks = [], [], []
    for name in folder.finished:
        found = folder.segments(name)
        seen = _overview(folder, name, found, config)
        for number, figure in enumerate(
            segment_plots.segment_figures(seen, found, None if true is None else true.get(name, ()), name), start=1
        ):
            path = os.path.join(folder.out_dir, "pictures", f"{name}{'' if number == 1 else f'_{number}'}.png")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            plots.save_figure(figure, path)
        durations.append(found[:, 1] - found[:, 0])
        gaps.append(found[1:, 0] - found[:-1, 1])
        peaks.append(seen.peak_frequencies_hz)
        on_picture()
    if durations:
        figure = segment_plots.histograms_figure(*(np.concatenate(parts) for parts in (durations, gaps, peaks)))
        plots.save_figure(figure, os.path.join(folder.out_dir, "pictures", "histograms.png"))


def _overview(folder, name, found, config):
    audio, path = config.audio, folder.paths[name]
    rate = audio.sample_rate or readers.probe(path, audio.time_expansion).sample_rate
    column_s = segment_plots.column_s(folder.duration_s(name))
    return overview(lambda: readers.blocks(path, audio.channel, rate, audio.time_expansion), rate, config.segmentation, found, column_s)
