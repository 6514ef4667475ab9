"""Conditions by their names and numbers: which are known, and what is answered where one is not."""

import pytest

from neurovocal_tf.conditions import NO_CONDITIONS, Conditions, shares_of

BIRDS = Conditions.of({"individual": ["or60", "gy6or6", "", "or60"], "context": ["alone"]})


def test_the_unknown_is_the_first_of_each_and_the_others_are_sorted():
    assert BIRDS.values == {
        "individual": ("unknown", "gy6or6", "or60"),
        "context": ("unknown", "alone"),
    }
    assert BIRDS.sizes == (3, 2) and len(BIRDS) == 2 and not NO_CONDITIONS


def test_numbers_are_those_of_the_values_and_of_what_is_not_known_0():
    assert BIRDS.numbers(["or60", "alone"]) == (2, 1)
    assert BIRDS.numbers(["", "in the dark"]) == (0, 0)


def test_what_is_named_is_told_from_what_is_left_out_be_it_unknown():
    assert BIRDS.named(None) == {} == NO_CONDITIONS.named(None)
    assert BIRDS.named(iter(["context=unknown", "individual=or60"])) == {0: 2, 1: 0}


@pytest.mark.parametrize(
    "given, numbers",
    [
        (None, (0, 0)),
        ("individual=gy6or6", (1, 0)),
        ({"context": "alone"}, (0, 1)),
        (["context=alone", "individual = or60"], (2, 1)),
        ("individual=unknown", (0, 0)),
    ],
)
def test_conditions_are_named_in_each_form(given, numbers):
    assert BIRDS.numbers_of(given) == numbers


@pytest.mark.parametrize(
    "given, told",
    [
        ("gy6or6", "must be NAME=VALUE"),
        ("bird=gy6or6", "must name one of individual, context. Received"),
        ("individual=gy6or", "unknown, gy6or6, or60. .* Did you mean gy6or6?"),
        (["context=alone", "context=alone"], "context twice"),
    ],
)
def test_what_is_not_known_is_answered_with_what_is(given, told):
    with pytest.raises(ValueError, match=told) as error:
        BIRDS.numbers_of(given)
    assert "\n" not in str(error.value)


def test_a_model_without_conditions_takes_none():
    assert NO_CONDITIONS.numbers_of(None) == ()
    with pytest.raises(ValueError, match="has learned no conditions"):
        NO_CONDITIONS.numbers_of("individual=gy6or6")


def test_texts_have_their_places():
    assert BIRDS.texts == ("", "individual=gy6or6", "individual=or60", "context=alone")
    for text, (place, number) in zip(BIRDS.texts[1:], BIRDS.places, strict=True):
        assert BIRDS.numbers_of(text)[place] == number


def test_they_are_the_same_from_json():
    assert Conditions.from_json(BIRDS.to_json()) == BIRDS


@pytest.mark.parametrize(
    "values",
    [{"a": ("b",)}, {"": ("unknown",)}, {"a=b": ("unknown",)}, {"a": ("unknown", "c", "b")}],
)
def test_what_are_no_conditions_is_refused(values):
    with pytest.raises(ValueError, match="`values` must be unknown and other values, sorted"):
        Conditions(values)


@pytest.mark.parametrize(
    "given, blend",
    [
        ("individual=or60", {(2, 0): 1.0}),
        ({"individual": "or60", "context": "alone"}, {(2, 1): 1.0}),
        (["context=alone", "individual=gy6or6:0.3, or60:0.7"], {(1, 1): 0.3, (2, 1): 0.7}),
        (
            "individual=gy6or6:.333,or60:.333,unknown:.333",
            {(1, 0): 0.333, (2, 0): 0.333, (0, 0): 0.333},
        ),
        (
            ["individual=or60:0.5,gy6or6:0.5", "context=alone:0.25,unknown:0.75"],
            {(2, 1): 0.125, (2, 0): 0.375, (1, 1): 0.125, (1, 0): 0.375},
        ),
    ],
)
def test_values_may_be_mixed_each_condition_by_its_own_shares(given, blend):
    assert dict(BIRDS.blend_of(given)) == pytest.approx(blend)


def test_where_there_is_one_condition_its_name_may_be_left_out():
    voices = Conditions.of({"name_part": ["theo", "10:30"]})
    assert voices.blend_of("theo") == (((2,), 1.0),)
    assert voices.blend_of(["10:30"]) == (((1,), 1.0),)
    assert dict(voices.blend_of("10:30:0.5,theo:0.5")) == {(1,): 0.5, (2,): 0.5}


@pytest.mark.parametrize(
    "given, told",
    [
        (
            "individual=or61",
            "one of individual that the model has heard: unknown, gy6or6, or60.* or60",
        ),
        (
            "individual=or60:0.5,or61:0.5",
            "that the model has heard: .*Received: to=individual=or61",
        ),
        ("individual=or60:0.5,gy6or6:0.6", "shares that add up to 1.*, which add up to 1.1"),
        ("individual=or60:2,gy6or6:-1", "different values, with shares above 0"),
        ("individual=or60:0.5,or60:0.5", "different values, with shares above 0"),
        ("individual=or60:half", "each value of a blend its share, such as a:0.3,b:0.7"),
        ("or60", "be NAME=VALUE"),
        ("bird=or60", "name one of individual, context"),
        (["individual=or60", "individual=gy6or6"], "each condition once"),
        (None, "name one of individual, context, such as"),
    ],
)
def test_a_mixture_that_is_none_is_told_in_a_line(given, told):
    with pytest.raises(ValueError, match=f"`to` must .*{told}") as error:
        BIRDS.blend_of(given)
    assert "\n" not in str(error.value)


def test_shares_are_read_where_nobody_knows_what_a_model_has_learned():
    found = shares_of({"individual": "a:0.3,b:0.7", "hour": "10:30"})
    assert found == [("individual=a", 0.3), ("individual=b", 0.7), ("hour=10:30", 1.0)]
    for given, told in (
        ("a", "be NAME=VALUE, such as"),
        (None, "be NAME=VALUE, such as individual=gy6or6. Received: none"),
        ("individual=a:0.3,b", "each value of a blend its share, such as"),
        ("individual=a:0.3,b:0.8", "shares that add up to 1"),
    ):
        with pytest.raises(ValueError, match=f"`to` must .*{told}"):
            shares_of(given)
