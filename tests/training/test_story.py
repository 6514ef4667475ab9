"""A run says which epoch it keeps, and why not another."""

import math

import pytest

from neurovocal_tf.training.story import kept_epochs, line_of, story

BASELINES = {"baseline_mean": 7.23, "baseline_ridge_var2": 3.71}


def history_of(*rows):
    """Rows of (error, Gibbs steps, song distance, that of the halves)."""
    names = ("val_one_step_error", "cd_steps", "song_distance", "baseline_song_distance")
    return [
        {"epoch": number, **dict(zip(names, row, strict=True)), **BASELINES}
        for number, row in enumerate(rows, start=1)
    ]


NAN, INF = math.nan, math.inf
SANG = history_of(
    (5.4, 5, NAN, NAN),
    (5.269, 5, 1.1, 0.2),
    (5.321, 5, 0.31, 0.2),
    (5.25, 5, NAN, NAN),
    (5.3, 5, 0.45, 0.2),
    (5.3, 5, INF, 0.2),
)


def test_after_every_epoch_it_is_known_which_one_is_kept():
    assert kept_epochs(SANG) == [1, 2, 3, 3, 3, 3]


@pytest.mark.parametrize(
    "num_epochs, expected",
    [
        (1, "epoch 1 is kept, the first: held-out one-step error 5.4 dB"),
        (
            2,
            "epoch 2 is kept: songs 1.10 from the recordings (halves of these: 0.20), the first to "
            "sing; held-out one-step error 5.269 dB",
        ),
        (
            3,
            "epoch 3 is kept: songs 0.31 from the recordings (halves of these: 0.20); held-out "
            "one-step error 5.321 dB; epoch 2 has 5.269 but songs 1.10 from the recordings",
        ),
        (4, None),
        (
            5,
            "epoch 5 is not kept: songs 0.45 from the recordings; epoch 3 has songs 0.31 from the "
            "recordings",
        ),
        (
            6,
            "epoch 6 is not kept: songs of too few syllables to compare; epoch 3 has songs 0.31 "
            "from the recordings",
        ),
    ],
)
def test_an_epoch_is_said_to_be_kept_with_the_figures_that_decide(num_epochs, expected):
    assert line_of(SANG[:num_epochs], "dB") == expected


def test_more_gibbs_steps_and_smaller_errors_are_reasons_too():
    history = history_of((5.0, 1, NAN, NAN), (4.0, 1, NAN, NAN), (4.5, 2, NAN, NAN))
    assert line_of(history[:2], "dB") == ("epoch 2 is kept: held-out one-step error 4 dB, before 5")
    assert line_of(history, "dB") == (
        "epoch 3 is kept: held-out one-step error 4.5 dB, and the first with 2 Gibbs steps"
    )
    broken = history_of((NAN, 1, NAN, NAN), (NAN, 1, NAN, NAN), (4.0, 1, NAN, NAN))
    assert line_of(broken[:2], "dB") == "epoch 2 is not kept: its error is not finite"
    assert line_of(broken, "dB").endswith("that of epoch 1 is not finite")


def test_the_story_tells_why_the_smallest_error_was_not_kept_and_how_the_baselines_do():
    assert story(SANG, "dB") == [
        "epoch 3 of 6 is kept: held-out one-step error 5.321 dB, songs 0.31 from the recordings",
        "Of the 6 epochs with 5 Gibbs steps, 4 sang; the nearest songs are kept (2: 1.10, 3: 0.31, "
        "5: 0.45, 6: too few syllables).",
        "One half of the recordings is 0.20 from the other: songs that near are as like them as "
        "they are like each other.",
        "epoch 4 has a better held-out one-step error 5.25 dB, but it was not asked to sing.",
        "Baselines of the one-step error (5.321 dB): mean 7.23, ridge VAR(2) 3.71; "
        "ridge VAR(2) no worse.",
    ]


def test_the_story_of_one_epoch_of_binary_units_is_short():
    row = {"epoch": 1, "cd_steps": 3, "val_one_step_error": 0.1, "num_bad_steps": 2}
    assert story([row | {"val_pseudo_log_likelihood": -6.5}], "") == [
        "epoch 1 of 1 is kept: held-out pseudo-log-likelihood -6.5 nats",
        "2 updates were left out, whose gradients were not finite.",
    ]
