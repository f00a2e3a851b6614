"""`Event`: what AWS Lambda invokes a function with."""

from collections.abc import Mapping
from typing import Any, cast

Event = Mapping[str, Any]

_FIELDS = {"path", "httpMethod", "headers", "body", "isBase64Encoded"}


def is_of_server(event: object) -> bool:
    """Whether an event is a request of a restate-server.

    Such a request has the fields of a request of a gateway or a load balancer, without
    their `requestContext`.
    """
    if not isinstance(event, Mapping):
        return False
    found = cast("Event", event)
    has_fields = found.keys() >= _FIELDS and "requestContext" not in found
    return bool(has_fields and found["isBase64Encoded"] and found["headers"])


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
