"""The protobuf wire format, as much of it as the CEL runtime's serialised expressions need.

Rules of this file: it knows no message, only fields (number, value). A value is an `int` for varints, `bytes` for everything
else (fixed64 stays eight bytes). Groups and fixed32 do not occur in CEL's messages and are refused.
"""

from __future__ import annotations

VARINT = 0
FIXED64 = 1
LENGTH = 2

_UINT64 = 2**64


def read_fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """The (number, value) pairs of one message, in order. Raises ValueError when the bytes are no message."""
    fields: list[tuple[int, int | bytes]] = []
    position, end = 0, len(data)
    try:
        while position < end:
            # Nearly all keys and sizes are one byte, and this is where compiling spends its time.
            key = data[position]
            position += 1
            if key > 0x7F:
                key, position = read_varint(data, position - 1)
            kind = key & 7
            if kind == LENGTH:
                size = data[position]
                position += 1
                if size > 0x7F:
                    size, position = read_varint(data, position - 1)
                fields.append((key >> 3, data[position : position + size]))
                position += size
            elif kind == VARINT:
                value, position = read_varint(data, position)
                fields.append((key >> 3, value))
            elif kind == FIXED64:
                fields.append((key >> 3, data[position : position + 8]))
                position += 8
            else:
                raise ValueError(f"wire type {kind} at byte {position} is not one that CEL expressions use")
    except IndexError:
        raise ValueError(f"the message of {end} bytes is cut within a number") from None
    if position != end:
        raise ValueError(f"the message of {end} bytes is cut: its last field ends at {position}")
    return fields


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and where the next byte stands. Raises IndexError when the bytes end before it does."""
    byte = data[position]
    position += 1
    if byte < 0x80:
        return byte, position
    result, shift = byte & 0x7F, 7
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def varint(value: int) -> bytes:
    """The bytes of a number; negative ones are written as CEL's int64, in two's complement."""
    value %= _UINT64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number_field(number: int, value: int) -> bytes:
    """A field that holds a number."""
    return varint(number << 3) + varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """A field that holds text or a message."""
    return varint(number << 3 | LENGTH) + varint(len(value)) + value


def fixed64_field(number: int, value: bytes) -> bytes:
    """A field that holds eight bytes, such as a double."""
    return varint(number << 3 | FIXED64) + value


def signed(value: int) -> int:
    """The int64 that a varint stands for."""
    return value - _UINT64 if value >= _UINT64 // 2 else value
