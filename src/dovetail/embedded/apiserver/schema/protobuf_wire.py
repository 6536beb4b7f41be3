"""The pieces that protobuf messages are written of: numbers and what has a length. Pure.

Source: the Protocol Buffers documentation, "Encoding".
"""

from __future__ import annotations


def varint(value: int) -> bytes:
    """A number that is not negative."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    """A field of an int32, int64 or bool; negative ones are two's complement."""
    return varint(number << 3) + varint(value & (1 << 64) - 1)


def message(number: int, body: bytes) -> bytes:
    """A field with a length: a message, bytes, text."""
    return varint(number << 3 | 2) + varint(len(body)) + body
