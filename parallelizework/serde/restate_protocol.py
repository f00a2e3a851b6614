"""Messages of Restate's protocol, where the SDK does not read or write them. Pure.

A message is a header of eight bytes and a content in the format of Protocol Buffers:
https://github.com/restatedev/service-protocol
"""

import struct
from collections.abc import Iterator

OUTPUT, END, SIGNAL = 0x0401, 0x0003, 0xFBFF
"""Kinds of messages: the answer, the end of the invocation, and a signal to it."""
_COMMANDS, _KINDS = 0x0400, 0xFC00  # the first command, and the bits of a kind

VALUE, FAILURE = 14, 15
"""Fields of an `OUTPUT`: one of the two."""
CODE, MESSAGE, METADATA = 1, 2, 3
"""Fields of a `FAILURE`."""
PARAMETER = 3
"""A field of a command that sends a message: the body of the message."""

_VARINT, _BYTES = 0, 2  # wire types; `_BYTES` has a length
_SEVEN_BITS = 0x7F


def is_command(kind: int) -> bool:
    """Whether a message of this kind is a command of a journal."""
    return kind & _KINDS == _COMMANDS


def failed_end(code: int, text: str) -> bytes:
    """Return the messages that end an invocation with an error.

    Args:
        code: The status of the error.
        text: The message of the error.
    """
    number = bytes([CODE << 3 | _VARINT]) + _varint(code)
    failure = number + _field(MESSAGE, text.encode())
    return _message(OUTPUT, _field(FAILURE, failure)) + _message(END, b"")


def fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of the content of a message: the number and the value."""
    at = 0
    while at < len(content):
        tag, at = _number(content, at)
        number, at = _number(content, at)
        if tag & 7 == _VARINT:
            yield tag >> 3, number
        else:
            yield tag >> 3, content[at : at + number]
            at += number


def _message(kind: int, content: bytes) -> bytes:
    return struct.pack(">HHI", kind, 0, len(content)) + content


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > _SEVEN_BITS:
        encoded.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _number(content: bytes, at: int) -> tuple[int, int]:
    """Return the number at a position, and the position after it."""
    number = shift = 0
    while True:
        byte = content[at]
        number |= (byte & _SEVEN_BITS) << shift
        at, shift = at + 1, shift + 7
        if byte <= _SEVEN_BITS:
            return number, at
