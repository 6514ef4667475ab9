"""An evaluation says in words how good a model is, and its table fits on a screen."""

import pytest

from neurovocal_tf.evaluation.verdict import as_table, verdict

SONGS = {
    "real_num_syllables": 115,
    "generated_num_syllables": 285,
    "ratio_syllables_per_s": 1.18,
    "ratio_median_duration": 0.89,
    "ratio_median_gap": 1.01,
    "ratio_median_peak_frequency": 1.0,
    "real_num_types": 9,
    "generated_num_types": 7,
    "song_share_unlike": 0.007,
    "song_share_unlike_null_worst": 0.01,
    "song_frechet": 0.1,
    "song_frechet_null_worst": 0.03,
    "song_frechet_vq3": 0.05,
}
ERRORS = {
    "one_step_error_db": 3.35,
    "one_step_error_of_label_a_db": 9.0,
    "baseline_mean_db": 7.23,
    "baseline_ridge_var2_db": 3.67,
}


def likelihood_of(raised, annealed, is_close=True):
    return {
        "log_likelihood_ais_nats": annealed,
        "log_likelihood_raise_nats": raised,
        "likelihood_gap_nats": annealed - raised,
        "is_likelihood_gap_close": is_close,
        "num_temperatures": 200,
        "num_temperatures_that_would_do": 12_000,
        "baseline_ar1_log_likelihood_nats": -340.4,
        "baseline_ridge_var2_log_likelihood_nats": -300.0,
    }


@pytest.mark.parametrize(
    "error, expected",
    [
        (3.35, "smaller than every baseline's, the nearest ridge VAR(2) with 3.67"),
        (3.7, "no smaller than that of ridge VAR(2) (ridge VAR(2) 3.67)"),
        (9.0, "no smaller than that of mean and ridge VAR(2) (ridge VAR(2) 3.67)"),
    ],
)
def test_the_next_frame_is_beside_its_baselines(error, expected):
    (line,) = verdict(ERRORS | {"one_step_error_db": error})
    assert line.startswith(f"next frame: an error of {error:g} dB, {expected}")


@pytest.mark.parametrize(
    "sides, expected",
    [
        ((-299.0, -298.0), "likelier than every baseline: ridge VAR(2)"),
        ((-301.0, -299.0), "which cannot be told from a baseline: ridge VAR(2)"),
        ((-302.0, -301.0), "less likely than a baseline: ridge VAR(2)"),
    ],
)
def test_a_likelihood_is_above_a_baseline_when_both_of_its_sides_are(sides, expected):
    (line,) = verdict(likelihood_of(*sides))
    assert expected in line and line.endswith("the two estimates agree.")
    (line,) = verdict(likelihood_of(*sides, is_close=False))
    assert line.endswith("the two estimates do not agree, see below.")
    assert "--num_temperatures=12000" in as_table(likelihood_of(*sides, is_close=False))


@pytest.mark.parametrize(
    "changes, expected",
    [
        (
            {},
            "like the recordings in syllables a second, their length, gaps and pitch, each within",
        ),
        ({"ratio_median_gap": 0.63}, "but gaps 0.63 times those of the recordings (shorter)"),
        (
            dict.fromkeys([name for name in SONGS if name.startswith("ratio_")], 2.0),
            "unlike the recordings: syllables a second 2.00 times",
        ),
        ({"generated_num_syllables": 0}, "silent, or makes noise without pauses"),
        ({"generated_num_syllables": 3}, "3 syllables were found in them, too few"),
        ({"real_num_syllables": 4}, "the recordings have 4 syllables, too few"),
        ({"song_share_unlike": 0.4}, "40 % of the syllables are like none"),
        ({"real_num_types": None, "ratio_median_gap": None}, "like the recordings in"),
        ({}, "like the bird's own halves in unlike any real one."),
        ({}, "neither that nor better than a chain of frame codes in Frechet over variance."),
    ],
)
def test_songs_are_said_to_be_like_the_recordings_or_what_is_off(changes, expected):
    assert expected in "\n".join(verdict(SONGS | changes))


def test_the_table_fits_on_a_screen_whatever_there_is():
    every = SONGS | ERRORS | likelihood_of(-302.0, -301.0) | {"pseudo_log_likelihood_nats": None}
    names = ("syllables_per_s", "median_duration_s", "median_gap_s", "median_peak_frequency_hz")
    every |= dict.fromkeys(("resynthesis_db", "resynthesis_random_phases_db"), -9.0)
    every |= {f"{who}_{name}": 1.0 for who in ("real", "generated") for name in names}
    every |= {f"baseline_{name}_log_likelihood_nats": -400.0 for name in ("independent", "x")}
    every |= {f"one_step_error_of_label_{label}_db": 1.0 for label in range(20)}
    lines = as_table(every).splitlines()
    assert len(lines) <= 20 and lines[0].endswith("mean 7.23, ridge VAR(2) 3.67")
    assert lines[-1].endswith("not defined") and "label" not in "\n".join(lines)
    assert as_table({}) == "" and verdict({}) == []


PIECES = {
    "chord_divergence_bits_generated": 0.02,
    "chord_divergence_bits_null_high": 0.029,
    "chord_change_divergence_bits_generated": 0.39,
    "chord_change_divergence_bits_null_high": 0.227,
    "chord_change_divergence_bits_frame_chain": 0.155,
    "chord_change_divergence_bits_independent": 0.962,
    "share_held_generated": 0.033,
    "share_held_real": 0.103,
    "share_held_frame_chain": None,
}


def test_pieces_are_beside_real_ones_and_simple_models():
    assert verdict(PIECES) == [
        "pieces: as near to the training pieces as other real ones in chords.",
        "pieces: farther from the training pieces than real ones: changes of chords 0.39 bits "
        "(real ones 0.23 at most).",
    ]
    _, change, held = as_table(PIECES).splitlines()
    assert change.endswith("real pieces at most 0.227, frame chain 0.155, independent keys 0.962")
    assert held.endswith("real 0.103")


@pytest.mark.parametrize("auc, told", [(0.9, "are told from others"), (0.55, "cannot be told")])
def test_couplings_are_beside_chance_and_a_regression(auc, told):
    figures = {"coupling_auc_model": auc, "coupling_auc_model_null_high": 0.586}
    (line,) = verdict(figures | {"coupling_auc_regression": 0.8})
    assert told in line and line.endswith("(chance 0.586, by logistic regression 0.800).")
    assert as_table(figures).endswith("chance at most 0.586")


def test_the_table_of_pieces_fits_on_a_screen_too():
    of = ("generated", "real", "frame_chain", "independent", "null_high")
    events = ("chord", "chord_change", "highest_voice_step", "lowest_voice_step")
    shares = ("in_scale", "triads_and_sevenths", "held", "repeated_passages", "known_passages")
    figures = {f"{name}_divergence_bits_{who}": 0.1 for name in events for who in of}
    figures |= {f"share_{name}_{who}": 0.1 for name in shares for who in of}
    figures |= {f"keys_a_frame_{who}": 0.1 for who in of}
    figures |= likelihood_of(-5.4, -5.3) | {"one_step_error": 0.1, "accuracy": 0.3}
    names = ("independent", "markov_chain", "previous_frame", "logistic")
    figures |= {f"baseline_{name}_log_likelihood_nats": -11.0 for name in names}
    assert len(as_table(figures).splitlines()) <= 20


def test_what_sound_loses_stands_beside_random_phases():
    figures = {"resynthesis_db": -15.23, "resynthesis_random_phases_db": -5.01}
    (line,) = verdict(figures)
    assert "within -15.2 dB of themselves, under random phases within -5.0 dB" in line
    assert as_table(figures).endswith("random phases -5.01")
    assert not verdict({"resynthesis_db": None, "resynthesis_random_phases_db": None})
