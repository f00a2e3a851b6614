"""Answers to a restate-server that the SDK does not make: an error, or a refusal."""

import base64
import struct
from collections.abc import Mapping
from typing import Any, cast

Event = Mapping[str, Any]
Response = dict[str, Any]

_FIELDS = {"path", "httpMethod", "headers", "body", "isBase64Encoded"}
_REFUSAL = (
    "not a request of a restate-server: register the ARN of a version of this function "
    "at your restate-server"
)
# The protocol of Restate: types of messages, and the tags of fields.
_OUTPUT, _END = 0x0401, 0x0003
_FAILURE, _CODE, _MESSAGE = 15 << 3 | 2, 1 << 3, 2 << 3 | 2


def refused_event(event: object) -> Response | None:
    """Return the response to an event of somebody else, such as a test event of AWS.

    None if the event is a request of a restate-server.
    """
    if isinstance(event, Mapping) and _is_of_server(cast("Event", event)):
        return None
    return {
        "statusCode": 400,
        "headers": {"content-type": "text/plain"},
        "isBase64Encoded": False,
        "body": _REFUSAL,
    }


def _is_of_server(event: Event) -> bool:
    """Whether an event has all fields, and is not of a load balancer or a gateway."""
    has_fields = event.keys() >= _FIELDS
    return bool(has_fields and event["isBase64Encoded"] and event["headers"])


def is_call(event: Event) -> bool:
    """Whether an event calls a handler of a service."""
    return event["path"].startswith("/invoke/")


def name_of(event: Event) -> str:
    """Return the service and the handler that an event calls: `Album/runSubtask`."""
    return event["path"].removeprefix("/invoke/")


def header(event: Event, name: str) -> str:
    """Return a header of a request; empty if the request does not have it."""
    headers = {key.lower(): value for key, value in event["headers"].items()}
    return headers.get(name, "")


def failed(event: Event, code: int, text: str) -> Response:
    """Return the response that ends an invocation of Restate with an error.

    Args:
        event: The request.
        code: The status of the error.
        text: The message of the error.
    """
    failure = bytes([_CODE]) + _varint(code) + _field(_MESSAGE, text.encode())
    body = _message(_OUTPUT, _field(_FAILURE, failure)) + _message(_END, b"")
    return {
        "statusCode": 200,
        "headers": {"content-type": header(event, "content-type")},
        "isBase64Encoded": True,
        "body": base64.b64encode(body).decode(),
    }


def _message(kind: int, content: bytes) -> bytes:
    return struct.pack(">HHI", kind, 0, len(content)) + content


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
