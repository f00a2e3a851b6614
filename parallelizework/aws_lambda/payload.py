"""The limits of AWS Lambda for the request and the response of an invocation.

AWS Lambda refuses a larger request or response, and the restate-server would invoke the
function again and again. So an invocation that comes near to a limit ends with an error
that says what to change.
"""

import base64
import struct
from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]
Response = dict[str, Any]

_MB = 1024 * 1024
# 6 MB each for the request and the response of a synchronous invocation, as JSON:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_BODY = 6 * _MB - 32 * 1024  # without the other fields
_LARGE_BODY = _MAX_BODY * 11 // 12  # of a request: the next one may be too large
MAX_MESSAGE = _MAX_BODY * 3 // 4  # base 64 makes 4 bytes of 3
"""The largest message that fits, in bytes."""

# The protocol of Restate: types of messages, and the tags of fields.
_OUTPUT, _END = 0x0401, 0x0003
_FAILURE, _CODE, _MESSAGE = 15 << 3 | 2, 1 << 3, 2 << 3 | 2
_TOO_LARGE = 413
_REMEDY = (
    "use references as subtasks and values, such as paths or keys; or add a function "
    "combine; or use a smaller max_concurrency or max_items_per_batch"
)


def refused_request(event: Event) -> Response | None:
    """Return the response to a request that has nearly reached the limit, else None."""
    size = len(event.get("body") or "")
    if size <= _LARGE_BODY or not _is_call(event):
        return None
    return _error(event, f"the journal of {_name(event)} is {size / _MB:.1f} MB")


def checked_response(event: Event, response: Response) -> Response:
    """Return a response; if it is too large, return an error instead."""
    size = len(response["body"])
    if size <= _MAX_BODY or not _is_call(event):
        return response
    return _error(event, f"an answer of {_name(event)} is {size / _MB:.1f} MB")


def _is_call(event: Event) -> bool:
    return event["path"].startswith("/invoke/")


def _name(event: Event) -> str:
    return event["path"].removeprefix("/invoke/")


def _error(event: Event, problem: str) -> Response:
    """Return the response that ends an invocation of Restate with an error."""
    text = f"{problem}. AWS Lambda allows 6 MB: {_REMEDY}"
    failure = bytes([_CODE]) + _varint(_TOO_LARGE) + _field(_MESSAGE, text.encode())
    body = _message(_OUTPUT, _field(_FAILURE, failure)) + _message(_END, b"")
    headers = {key.lower(): value for key, value in event["headers"].items()}
    return {
        "statusCode": 200,
        "headers": {"content-type": headers.get("content-type", "")},
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
