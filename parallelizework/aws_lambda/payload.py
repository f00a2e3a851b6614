"""The limits of AWS Lambda for the request and the response of an invocation.

AWS Lambda refuses a larger request or response, and the restate-server would invoke the
function again and again. So an invocation that comes near to a limit ends with an error
that says what to change.
"""

from parallelizework.aws_lambda.answers import Response, failed
from parallelizework.aws_lambda.event import Event, is_call, name_of

_MB = 1024 * 1024
# 6 MB each for the request and the response of a synchronous invocation, as JSON:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAX_BODY = 6 * _MB - 32 * 1024  # without the other fields
_LARGE_BODY = _MAX_BODY * 11 // 12  # of a request: the next one may be too large
# A journal has the subtasks twice: as the list that `split` has returned, and in the
# calls. It also has values. And base 64 makes 4 bytes of 3.
MAX_MESSAGE = 2 * _MB
"""The largest message, in bytes."""

_TOO_LARGE = 413
_REMEDY = (
    "use references as subtasks and values, such as paths or keys; or add a function "
    "combine; or use a smaller max_concurrency or max_items_per_batch"
)


def refused_request(event: Event) -> Response | None:
    """Return the response to a request that has nearly reached the limit, else None."""
    size = len(event.get("body") or "")
    if size <= _LARGE_BODY or not is_call(event):
        return None
    return _too_large(event, f"the journal of {name_of(event)} is {size / _MB:.1f} MB")


def checked_response(event: Event, response: Response) -> Response:
    """Return a response; if it is too large, return an error instead."""
    size = len(response["body"])
    if size <= _MAX_BODY or not is_call(event):
        return response
    return _too_large(event, f"an answer of {name_of(event)} is {size / _MB:.1f} MB")


def _too_large(event: Event, problem: str) -> Response:
    text = f"{problem}. AWS Lambda allows 6 MB: {_REMEDY}"
    return failed(event, _TOO_LARGE, text)
