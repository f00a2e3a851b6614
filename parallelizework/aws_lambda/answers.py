"""Answers to a restate-server that the SDK does not make: an error, or a refusal."""

import base64
from collections.abc import Mapping
from typing import Any, cast

from parallelizework.serde.restate_protocol import failed_end

Event = Mapping[str, Any]
Response = dict[str, Any]

_FIELDS = {"path", "httpMethod", "headers", "body", "isBase64Encoded"}
_REFUSAL = (
    "not a request of a restate-server: register the ARN of a version of this function "
    "at your restate-server"
)


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
    return {
        "statusCode": 200,
        "headers": {"content-type": header(event, "content-type")},
        "isBase64Encoded": True,
        "body": base64.b64encode(failed_end(code, text)).decode(),
    }
