"""Answers to a restate-server that the SDK does not make: an error, or a refusal."""

import base64
from typing import Any

from parallelizework.aws_lambda.event import Event, header, is_of_server
from parallelizework.serde.restate_protocol import failed_end

Response = dict[str, Any]

_REFUSAL = (
    "not a request of a restate-server: register the ARN of a version of this function "
    "at your restate-server"
)


def refused_event(event: object) -> Response | None:
    """Return the response to an event of somebody else, such as a test event of AWS.

    None if the event is a request of a restate-server.
    """
    if is_of_server(event):
        return None
    return {
        "statusCode": 400,
        "headers": {"content-type": "text/plain"},
        "isBase64Encoded": False,
        "body": _REFUSAL,
    }


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
