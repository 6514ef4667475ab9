"""Arrays go through JSON unchanged, and the JSON is what Python's own module reads."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neurovocal_tf import json_numbers

DTYPES = st.sampled_from(
    [np.float16, np.float32, np.float64, np.int8, np.int32, np.int64, np.uint8, np.bool_]
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    )
)


@given(ARRAYS)
def test_arrays_come_back_as_they_were_bit_for_bit(array):
    text = json_numbers.dumps({"numbers": [array]})
    for loads in (json_numbers.loads, json.loads):
        (found,) = loads(text)["numbers"]
        np.testing.assert_array_equal(
            np.array(found).astype(array.dtype).reshape(array.shape), array
        )
        # -0 is equal to 0; of NaN there is but one in JSON.
        if array.dtype.kind == "f":
            is_negative = np.signbit(np.array(found, np.float64).reshape(array.shape))
            np.testing.assert_array_equal(is_negative, np.signbit(array) & ~np.isnan(array))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.arange(10, dtype=np.float32)[::2],
        np.arange(4, dtype=">i4"),
    ],
)
def test_no_layout_of_an_array_is_in_the_way(array):
    assert json_numbers.loads(json_numbers.dumps(array)) == array.tolist()


@pytest.mark.parametrize("shape", [(1, 7, 5), (30,), (7, 1, 1, 5), (2, 40), (1, 1), (0, 9), ()])
def test_a_large_array_is_written_in_pieces_that_make_the_same_text(shape, rng, monkeypatch):
    array = rng.normal(size=shape).astype(np.float32)
    whole = json_numbers.dumps(array)
    monkeypatch.setattr(json_numbers, "_NUMBERS_AT_ONCE", 4)
    assert json_numbers.dumps(array) == whole


def test_a_float32_has_no_more_digits_than_it_needs():
    assert json_numbers.dumps(np.array([0.1, 1.0, -80.5], np.float32)) == b"[0.1,1.0,-80.5]"


def test_what_is_not_finite_has_the_words_of_tensorflow_serving():
    assert (
        json_numbers.dumps(np.array([np.nan, np.inf, -np.inf, 1.0]))
        == b"[NaN, Infinity, -Infinity, 1.0]"
    )


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
)


@given(st.recursive(LEAVES, st.lists))
def test_any_document_is_read_as_by_the_standard_library(document):
    text = json.dumps(document).encode()
    assert json_numbers.loads(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a": nan}',
        b"\xff",
        b'"\x01"',
        b"[1,]",
        b"[1e400]",
        b"-1e999",
        "[1]".encode("utf-16"),
    ],
)
def test_what_is_no_json_is_an_error(text):
    with pytest.raises(ValueError):
        json_numbers.loads(text)
