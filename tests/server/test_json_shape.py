"""How deep and how large a JSON text is, told without parsing it: never less than it becomes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurovocal_tf.server import json_shape, json_tensors
from neurovocal_tf.server.limits import Limits
from neurovocal_tf.server.refusals import Refusal

LEAVES = st.none() | st.booleans() | st.integers() | st.text('"[]{},:\\ aé', max_size=8)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner)
)


def counted(value):
    """(depth, values and names, empty arrays and objects) of a parsed document."""
    if not isinstance(value, list | dict):
        return 0, 1, 0
    items = list(value.values()) if isinstance(value, dict) else value
    depths, values, empty = zip((0, 0, 0), *map(counted, items))
    names = len(value) if isinstance(value, dict) else 0
    return 1 + max(depths), 1 + names + sum(values), sum(empty) + (not value)


@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
@given(document=DOCUMENTS, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_depth_and_values_are_those_of_the_parsed_text(piece, document, indent, ascii_only):
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_shape, "_PIECE", piece)
        found = json_shape.measure(text)
    depth, values, empty = counted(document)
    assert (found.depth, found.num_values) == (depth, values + empty)


@pytest.mark.parametrize(
    "body, status",
    [
        (b'{"inputs": ' + b"[" * 30, 400),
        (b"[" * 1_000_000, 400),
        (b'{"a":' * 1_000_000, 400),
        (b'{"inputs": [' + b"[]," * 1_000_000 + b"1]}", 413),
        (b'{"inputs": [' + b'{"a":0},' * 1_000_000 + b"1]}", 413),
        (b'{"inputs": [' + b'"\\\\",' * 1_000_000 + b"1]}", 413),
        (b"1," * 1_000_000, 413),
    ],
)
def test_what_would_become_much_is_refused_and_never_parsed(body, status, monkeypatch):
    monkeypatch.setattr(json_tensors.json_numbers, "loads", None)
    limits = Limits(max_request_bytes=2**22)
    with pytest.raises(Refusal) as refusal:
        json_tensors.parse(body, limits)
    assert refusal.value.http_status == status
    assert str(limits.max_json_depth if status == 400 else 2**19) in refusal.value.message


def test_what_a_request_may_be_is_taken():
    deepest = b'{"instances": [{"x": ' + b"[" * 16 + b'{"b64": ""}' + b"]" * 16 + b"}]}"
    assert json_tensors.parse(deepest, Limits())["instances"]
    text = b'{"inputs": "' + b'[],\\"' * 100_000 + b'"}'
    assert len(json_tensors.parse(text, Limits())["inputs"]) == 400_000
