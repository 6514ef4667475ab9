"""How many fields a message of gRPC has, counted in its bytes before any of them is built: of two
bytes each, 16 MB of them keep a parser, and with it the whole process, busy for a second and more.
https://protobuf.dev/programming-guides/encoding/
"""

from google.protobuf.descriptor import Descriptor

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10


def has_more_fields(data: bytes, descriptor: Descriptor, limit: int) -> bool:
    """Whether a message and those in it have more fields than so many. Numbers that are packed into
    one field count as one; what is no message is counted as far as a parser would come.

    Args:
        data: bytes of the message.    descriptor: of its type.    limit: int.
    """
    num_fields, parts = 0, [(0, len(data), descriptor)]
    while parts:
        place, end, kind = parts.pop()
        while place < end:
            num_fields += 1
            if num_fields > limit:
                return True
            tag, place = _varint(data, place)
            wire_type, field = tag & 7, kind.fields_by_number.get(tag >> 3)
            if wire_type == _VARINT:
                _, place = _varint(data, place)
            elif wire_type == _DELIMITED:
                length, place = _varint(data, place)
                if field is not None and field.message_type is not None:
                    parts.append((place, min(place + length, end), field.message_type))
                place += length
            else:
                # The two ends of a group have nothing between that is not a field itself.
                place += _WIDTHS.get(wire_type, 0)
    return False


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of any length, and the place after it; past the end, nothing but zeros."""
    value = 0
    for shift, byte in enumerate(data[place : place + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, place + shift + 1
    return value, place + _LONGEST_VARINT
