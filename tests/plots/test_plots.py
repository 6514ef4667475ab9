import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
from matplotlib.image import AxesImage
from matplotlib.image import imread as read_image

from neurovocal_tf.config import Config
from neurovocal_tf.plots import canvas
from neurovocal_tf.plots import syllables as syllable_plots
from neurovocal_tf.plots.couplings import couplings_figure
from neurovocal_tf.plots.songs import _edges, comparison_figure, song_figure, statistics_figure
from neurovocal_tf.plots.training import curves_figure, filters_figure, hidden_figure

FRAME_S, MAX_HZ = 0.004, 16_000


@pytest.fixture
def song(rng):
    """1,500 frames of 129 bins: six seconds in dB."""
    return rng.normal(-60, 8, size=(1500, 129)).astype(np.float32)


def _history(num_epochs):
    ramp = list(np.linspace(2.0, 1.0, num_epochs))
    return {
        "epoch": list(range(1, num_epochs + 1)),
        **dict.fromkeys(
            (
                "cd_cost",
                "reconstruction_error",
                "val_cd_cost",
                "val_reconstruction_error",
                "val_one_step_error",
            ),
            ramp,
        ),
        "baseline_mean": [7.0] * num_epochs,
        "baseline_previous_frame": [4.5] * num_epochs,
        "baseline_ridge_var2": [3.5] * num_epochs,
        "learning_rate": [1e-3] * (num_epochs // 2) + [1e-4] * (num_epochs - num_epochs // 2),
        "cd_steps": [1] * (num_epochs // 2) + [15] * (num_epochs - num_epochs // 2),
        "epoch_s": [1.0] * num_epochs,
    }


def _statistics(rng, count):
    return types.SimpleNamespace(
        durations_s=rng.uniform(0.03, 0.1, count),
        gaps_s=rng.uniform(0.01, 0.2, max(count - 1, 0)),
        centroids_hz=rng.uniform(1e3, 4e3, count),
        peak_frequencies_hz=125.0 * rng.integers(8, 40, count),
    )


def _images(figure):
    return [image for axis in figure.axes for image in axis.images]


def _pixels(figure):
    """Drawing is where a bad array shows."""
    pixels = canvas.figure_to_rgb(figure)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert pixels.min() < 255
    return pixels


def test_figures_need_neither_pyplot_nor_a_display():
    code = (
        "import sys, numpy as np; from neurovocal_tf.plots import canvas, songs; "
        "canvas.figure_to_rgb(songs.song_figure(np.zeros((9, 5)), 0.01, 4000, 'x')); "
        "sys.exit('matplotlib.pyplot' in sys.modules or 'tensorflow' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env={"PATH": "", "MPLBACKEND": "TkAgg"}, check=False
        ).returncode
        == 0
    )


def test_a_long_song_wraps_on_even_rows_that_cover_all_of_it(song):
    figure = song_figure(song, FRAME_S, MAX_HZ, "a song")
    rows = [axis for axis in figure.axes if axis.images]
    assert len(rows) == 3
    limits = np.array([axis.get_xlim() for axis in rows])
    np.testing.assert_allclose(limits, [[0, 2], [2, 4], [4, 6]])
    assert {axis.get_ylim() for axis in rows} == {(0.0, 16.0)}
    assert [axis.get_ylabel() for axis in rows] == ["frequency (kHz)"] * 3
    assert rows[-1].get_xlabel() == "time (s)"
    np.testing.assert_array_equal(
        np.concatenate([image.get_array().T for image in _images(figure)]), song
    )
    _pixels(figure)


def test_all_rows_share_the_colours_of_one_bar_in_decibels(song):
    figure = song_figure(song, FRAME_S, MAX_HZ, "a song")
    assert {image.get_clim() for image in _images(figure)} == {canvas.decibel_limits(song)}
    assert [axis.get_ylabel() for axis in figure.axes].count("dB") == 1
    chosen = song_figure(song, FRAME_S, MAX_HZ, "a song", limits=(-80.0, -20.0))
    assert {image.get_clim() for image in _images(chosen)} == {(-80.0, -20.0)}


def test_a_waveform_stands_over_the_time_of_its_spectrogram(song, rng):
    waveform = rng.normal(size=round(6 * 8000)).astype(np.float32)
    figure = song_figure(song, FRAME_S, MAX_HZ, "a song", waveform, 8000)
    rows = [axis for axis in figure.axes if axis.images]
    waves = [axis for axis in figure.axes if axis.collections and not axis.axison]
    assert len(waves) == len(rows) == 3
    for row, wave in zip(rows, waves, strict=True):
        np.testing.assert_allclose(row.get_xlim(), wave.get_xlim())
    assert len({wave.get_ylim() for wave in waves}) == 1
    _pixels(figure)
    for row, wave in zip(rows, waves, strict=True):
        np.testing.assert_allclose(row.get_position().intervalx, wave.get_position().intervalx)


def test_an_hour_of_song_still_fits_a_picture():
    figure = song_figure(np.zeros((100_000, 2)), 0.036, MAX_HZ, "an hour")
    assert len(_images(figure)) == 24
    assert figure.get_size_inches()[1] * figure.dpi < 2**16


def test_colour_limits_ignore_clicks_and_what_is_not_finite(song):
    low, high = canvas.decibel_limits(song)
    spoilt = song.copy()
    spoilt[0, :3] = np.nan, np.inf, 300.0
    assert canvas.decibel_limits(spoilt) == pytest.approx((low, high), abs=0.1)
    assert canvas.decibel_limits(np.full((3, 2), -7.0)) == (-7.0, -6.0)
    assert canvas.decibel_limits(np.full((3, 2), np.nan)) == (0.0, 1.0)


def test_real_songs_stand_above_generated_ones_on_the_same_scales(song):
    figure = comparison_figure([song[:500]], [song[500:1100], song[:300]], FRAME_S, MAX_HZ)
    rows = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title(loc="left") for axis in rows] == ["real", "generated", "generated"]
    assert len({image.get_clim() for image in _images(figure)}) == 1
    for axis in rows:
        np.testing.assert_allclose(axis.get_xlim(), (0, 600 * FRAME_S))
        assert axis.get_ylim() == (0.0, 16.0)
    assert rows[-1].get_xlabel() == "time (s)"
    tops = [axis.get_position().y0 for axis in rows]
    assert tops == sorted(tops, reverse=True)
    _pixels(figure)


def test_generated_songs_alone_can_be_compared_and_nothing_cannot(song):
    _pixels(comparison_figure([], [song[:50]], FRAME_S, MAX_HZ))
    with pytest.raises(ValueError, match="`real` and `generated` must hold at least one song"):
        comparison_figure([], [], FRAME_S, MAX_HZ)


def test_curves_show_the_model_beside_labelled_baselines():
    figure = curves_figure(_history(40))
    error = figure.axes[0]
    assert error.get_ylabel() == "one-step error (dB)"
    assert [text.get_text() for text in error.texts] == [
        "mean 7.00 ↑",
        "previous frame 4.50 ↑",
        "ridge VAR(2) 3.50 ↑",
    ]
    assert sum(line.get_linestyle() == "--" for line in error.lines) == 0
    labels = [axis.get_ylabel() for axis in figure.axes]
    assert set(labels) >= {
        "CD cost (nats)",
        "reconstruction error (dB)",
        "learning rate",
        "Gibbs steps k",
    }
    assert {
        axis.get_yscale()
        for axis in figure.axes
        if axis.get_ylabel() in ("learning rate", "Gibbs steps k")
    } == {"log"}
    _pixels(figure)


def test_a_baseline_far_off_does_not_flatten_the_model_and_a_near_one_has_a_line():
    history = _history(40) | {"baseline_ridge_var2": [1.9] * 40}
    error = curves_figure(history).axes[0]
    low, high = error.get_ylim()
    assert low < 1.0 and 2.0 < high < 2.3
    assert [line.get_ydata()[0] for line in error.lines if line.get_linestyle() == "--"] == [1.9]
    assert [text.get_text() for text in error.texts][-1] == "ridge VAR(2) 1.90"
    history = _history(40) | {"baseline_mean": [-0.1] * 40}
    below = curves_figure(history).axes[0]
    assert below.texts[0].get_text() == "mean -0.10 ↓" and below.get_ylim()[0] > 0.5


def test_songs_have_a_row_of_their_own_and_the_kept_epoch_a_line_through_all():
    history = _history(4)
    history |= {
        "song_distance": [np.nan, 0.9, np.inf, 0.4],
        "baseline_song_distance": [np.nan, 0.2, 0.2, 0.2],
        "kept_epoch": [1, 2, 2, 4],
    }
    figure = curves_figure(history)
    songs = figure.axes[1]
    assert songs.get_ylabel() == "distance of songs"
    assert [text.get_text() for text in songs.get_legend().get_texts()] == [
        "songs from the recordings",
        "too few syllables to compare",
        "one half of the recordings from the other, 0.20",
    ]
    for axis in figure.axes[:4]:
        assert [4, 4] in [list(line.get_xdata()) for line in axis.lines]
    (kept, _) = figure.axes[0].get_legend().get_texts()
    assert kept.get_text() == "kept, epoch 4"
    _pixels(figure)


@pytest.mark.parametrize("num_epochs", [1, 1000])
def test_nothing_leaves_the_curves_and_no_legend_covers_them(num_epochs):
    history = _history(num_epochs) | {"song_distance": list(np.linspace(1, 0.1, num_epochs))}
    figure = curves_figure(history | {"kept_epoch": [num_epochs] * num_epochs})
    _pixels(figure)
    whole, renderer = figure.bbox, figure.canvas.get_renderer()
    for axis in figure.axes:
        box = axis.get_tightbbox(renderer)
        assert whole.x0 - 1 <= box.x0 and box.x1 <= whole.x1 + 1
        legend = axis.get_legend()
        if legend is not None:
            assert legend.get_window_extent(renderer).y0 >= axis.bbox.y1 - 1
    labels = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(labels) for b in labels[:i])


@pytest.mark.parametrize(
    "places, expected",
    [
        ([0.5], [0.5]),
        ([1.0, 1.0, 1.0], [0.8, 0.9, 1.0]),
        ([0.2, 0.0, 0.05], [0.2, 0.0, 0.1]),
        ([0.0] * 3, [0.0, 0.1, 0.2]),
    ],
)
def test_labels_move_apart_in_their_order(places, expected):
    np.testing.assert_allclose(canvas.spread(places, 0.1), expected)
    assert canvas.spread([0.5] * 100, 0.1) == pytest.approx(np.linspace(0, 1, 100), abs=0.6)


def test_every_second_phase_is_shaded():
    figure = curves_figure(
        {**_history(9), "learning_rate": [3.0] * 3 + [2.0] * 3 + [1.0] * 3, "cd_steps": [1] * 9}
    )
    (patch,) = figure.axes[0].patches
    np.testing.assert_allclose(
        patch.get_extents().transformed(figure.axes[0].transData.inverted()).intervalx, (3.5, 6.5)
    )


@pytest.mark.parametrize("num_epochs", [0, 1, 2])
def test_curves_of_the_first_epochs_draw(num_epochs):
    _pixels(curves_figure(_history(num_epochs)))


def test_curves_leave_out_what_is_missing_or_not_finite():
    history = _history(6)
    for name in ("epoch", "val_cd_cost", "cd_steps", "baseline_mean"):
        del history[name]
    history["val_one_step_error"] = [float("nan"), 2.0, float("inf"), 1.5, 1.2, 1.1]
    history["reconstruction_error"] = [float("nan")] * 6
    history["baseline_ridge_var2"] = [float("nan")] * 6
    history["learning_rate"] = history["learning_rate"][:3]
    figure = curves_figure(history)
    assert figure.axes[0].lines[0].get_xdata().tolist() == [2, 4, 5, 6]
    _pixels(figure)
    _pixels(curves_figure({}))


def test_a_wild_first_epoch_does_not_flatten_the_curve():
    history = _history(5)
    history["val_one_step_error"] = [500.0, 4.0, 3.5, 3.4, 3.3]
    assert curves_figure(history).axes[0].get_ylim()[1] < 10


def test_filters_are_the_largest_columns_by_the_frequency_of_their_peaks(rng):
    W = 1e-3 * rng.normal(size=(20, 30))
    W[[15, 3, 9], [4, 8, 20]] = [5.0, -4.0, 3.0]
    figure = filters_figure(W, MAX_HZ, num=3)
    (image,) = (image for image in figure.axes[0].images if isinstance(image, AxesImage))
    np.testing.assert_allclose(image.get_array(), W[:, [8, 20, 4]])
    assert figure.axes[0].get_ylim() == (0.0, 16.0)
    low, high = image.get_clim()
    assert low == -high
    _pixels(figure)


def test_hidden_units_stand_in_the_order_of_their_peaks():
    hidden = np.zeros((50, 3))
    hidden[[40, 5, 20], [0, 1, 2]] = 1.0
    figure = hidden_figure(hidden, FRAME_S)
    (image,) = figure.axes[0].images
    np.testing.assert_array_equal(image.get_array().T, hidden[:, [1, 2, 0]])
    np.testing.assert_allclose(figure.axes[0].get_xlim(), (0, 50 * FRAME_S))
    # The first to peak is number 1, at the top.
    assert figure.axes[0].get_ylim() == (3.5, 0.5)
    _pixels(figure)


def test_histograms_count_every_syllable_as_a_share(rng):
    figure = statistics_figure(_statistics(rng, 300), _statistics(rng, 40))
    assert [axis.get_xlabel() for axis in figure.axes] == [
        "syllable duration (ms)",
        "gap (ms)",
        "spectral centroid (kHz)",
        "peak frequency (kHz)",
    ]
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["real (300)", "generated (40)"]
    for axis in figure.axes:
        assert axis.get_xlim()[0] == 0.0 and axis.get_ylabel().startswith("share of the ")
    _pixels(figure)


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (1, 1), (0, 5)])
def test_histograms_of_almost_nothing_draw(rng, counts):
    _pixels(statistics_figure(*(_statistics(rng, count) for count in counts)))


def test_sheets_have_a_row_for_each_type_and_say_where_there_is_none(rng):
    def sheet(name, count):
        examples = [rng.normal(-60, 8, (int(length), 33)) for length in rng.integers(1, 90, count)]
        return syllable_plots.Sheet(name, 0.25, examples)

    real = [sheet("A", 5), sheet("B", 1)]
    figure = syllable_plots.sheets_figure(real, [sheet("A", 40), sheet("B", 0)], FRAME_S, MAX_HZ)
    assert len(_images(figure)) == 3
    said = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert said == ["none"]
    _pixels(figure)
    _pixels(syllable_plots.sheets_figure([], [], FRAME_S, MAX_HZ))


@pytest.mark.parametrize("num_states", [1, 3, 40])
def test_transitions_are_shares_of_what_follows(rng, num_states):
    counts = rng.integers(0, 9, (num_states, num_states))
    names = [str(number) for number in range(num_states)]
    figure = syllable_plots.transitions_figure(names, counts, np.zeros_like(counts))
    drawn = np.asarray(_images(figure)[0].get_array())
    sums = drawn.sum(axis=1)
    np.testing.assert_allclose(sums, np.where(counts.sum(axis=1) > 0, 1.0, 0.0))
    _pixels(figure)


def test_histogram_bins_hold_whole_fft_bins():
    values = 125.0 * np.arange(8, 200)
    widths = np.diff(_edges(values))
    np.testing.assert_allclose(widths / 125.0, np.round(widths[0] / 125.0))
    counts, _ = np.histogram(values, _edges(values))
    assert set(counts[2:-3]) == {round(widths[0] / 125.0)}


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ((0, 5), 0.0),
        ((1, 5), -70.0),
        ((1, 5), np.nan),
        ((5, 1), np.inf),
        ((300, 5), 0.0),
        ((300, 5), np.nan),
    ],
)
def test_constant_empty_and_not_finite_arrays_draw(shape, value):
    array = np.full(shape, value)
    with np.errstate(all="raise"):
        for figure in (
            song_figure(array, FRAME_S, MAX_HZ, "odd", np.full(100, value), 8000),
            comparison_figure([array], [array], FRAME_S, MAX_HZ),
            hidden_figure(array, FRAME_S),
            filters_figure(array.T, MAX_HZ),
        ):
            _pixels(figure)


def test_no_figure_changes_what_it_is_given(song, rng):
    song[3, 4] = np.nan
    waveform, W, hidden, history = (
        rng.normal(size=900),
        rng.normal(size=(9, 7)),
        rng.random((40, 6)),
        _history(5),
    )
    statistics = _statistics(rng, 30)
    given = [song, waveform, W, hidden, statistics.durations_s, statistics.gaps_s]
    before = [array.copy() for array in given]
    song_figure(song, FRAME_S, MAX_HZ, "", waveform, 8000)
    comparison_figure([song], [song], FRAME_S, MAX_HZ)
    filters_figure(W, MAX_HZ)
    hidden_figure(hidden, FRAME_S)
    statistics_figure(statistics, statistics)
    curves_figure(history)
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert history == _history(5)


def test_a_saved_picture_is_whole_and_alone_in_its_folder(song, tmp_path):
    figure = song_figure(song[:100], FRAME_S, MAX_HZ, "a song")
    path = tmp_path / "song.png"
    path.write_bytes(b"an older picture")
    canvas.save_figure(figure, path)
    assert [p.name for p in tmp_path.iterdir()] == ["song.png"]
    assert read_image(path).shape[:2] == canvas.figure_to_rgb(figure).shape[:2]


@pytest.mark.parametrize("format, dpi", [("png", 100), ("png", 170), ("svg", 100)])
def test_pictures_are_as_large_and_in_the_format_that_is_asked_for(song, format, dpi, tmp_path):
    settings = Config().replace(picture_format=format, picture_dpi=dpi).execution
    for name in ("a.b", "again"):
        figure = song_figure(song[:100], FRAME_S, MAX_HZ, "a song")
        canvas.save_picture(figure, tmp_path / name, settings)
    path = tmp_path / f"a.b.{format}"
    assert str(path) == canvas.picture_path(tmp_path / "a.b", settings)
    assert path.read_bytes() == (tmp_path / f"again.{format}").read_bytes()
    if format == "png":
        assert read_image(path).shape[1] == 12 * dpi
    else:
        assert path.read_bytes().startswith(b"<?xml") and b"<svg" in path.read_bytes()


def test_a_picture_that_fails_leaves_the_old_one_and_no_litter(tmp_path):
    path = tmp_path / "song.png"
    path.write_bytes(b"an older picture")

    class Broken:
        def savefig(self, file, **told):
            pathlib.Path(file).write_bytes(b"half a pic")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        canvas.save_figure(Broken(), path)
    assert path.read_bytes() == b"an older picture"
    assert [p.name for p in tmp_path.iterdir()] == ["song.png"]


def test_couplings_are_drawn_around_zero_without_what_units_do_to_themselves(rng):
    table = rng.normal(size=(6, 6))
    table[2, 2] = 100.0
    figure = couplings_figure({"a": table, "nothing": np.zeros((6, 6)), "bad": table * np.nan})
    for image in _images(figure)[:1]:
        low, high = image.get_clim()
        assert low == -high and high < 10 and image.get_array()[2, 2] == 0
    _pixels(figure)
    assert table[2, 2] == 100.0
    with pytest.raises(ValueError, match="`panels` must hold at least one table"):
        couplings_figure({})
