"""How many fields a message has, counted without parsing it."""

from collections.abc import MutableSequence

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from neurovocal_tf.server.message_shape import has_more_fields

KIND = predict_pb2.PredictRequest.DESCRIPTOR


def request(num_strings=3, num_filters=2):
    message = predict_pb2.PredictRequest(output_filter=["state"] * num_filters)
    message.model_spec.name, message.model_spec.version.value = "bird", 2**40
    message.inputs["seed"].CopyFrom(tf.make_tensor_proto(np.arange(99)))
    message.inputs["temperature"].float_val.extend([1.0] * 50)
    message.inputs["audio_bytes"].CopyFrom(tf.make_tensor_proto([b"\x08\x00"] * num_strings))
    return message


def num_fields(message, in_entry=0):
    """Of a parsed message, whose maps have entries of so many fields."""
    total = 0
    for field, value in message.ListFields():
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        is_repeated = isinstance(value, MutableSequence)
        values = list(value.values()) if is_map else value if is_repeated else [value]
        is_packed = is_repeated and field.cpp_type not in (
            field.CPPTYPE_STRING,
            field.CPPTYPE_MESSAGE,
        )
        total += 1 if is_packed else (1 + in_entry * is_map) * len(values)
        total += sum(num_fields(item) for item in values if isinstance(item, Message))
    return total


@pytest.mark.parametrize("num_strings, num_filters", [(3, 2), (500, 0), (1, 200)])
def test_the_fields_are_those_of_the_parsed_message(num_strings, num_filters):
    message = request(num_strings, num_filters)
    data, count = message.SerializeToString(), num_fields(message, in_entry=2)
    assert not has_more_fields(data, KIND, count)
    assert has_more_fields(data, KIND, count - 1)


def test_many_fields_of_every_depth_are_found():
    def field(number, contents):
        size, digits = len(contents), []
        while size >= 0x80:
            digits.append(size % 0x80 + 0x80)
            size //= 0x80
        return bytes([number << 3 | 2, *digits, size]) + contents

    entry = field(1, b"seed")
    for data in (
        field(3, b"") * 20_000,
        field(2, entry + field(2, field(8, b"") * 20_000)),
        field(2, entry + field(2, field(2, field(2, b"") * 20_000))),
        field(2, b"") * 20_000,
        # In a group of a field that nobody knows, and of numbers nobody asked for.
        b"\x9b\x06" + b"\x98\x06\x01" * 20_000 + b"\x9c\x06",
    ):
        assert has_more_fields(data, KIND, 10_000)


@given(st.binary(max_size=60), st.integers(0, 200))
def test_what_is_no_message_is_counted_without_an_error(noise, cut):
    for data in (noise, request().SerializeToString(deterministic=True)[:cut] + noise):
        found = has_more_fields(data, KIND, len(data))
        assert found in (False, True)
        try:
            message = predict_pb2.PredictRequest.FromString(data)
        except DecodeError:
            continue
        assert not found and (
            num_fields(message) == 0 or has_more_fields(data, KIND, num_fields(message) - 1)
        )
