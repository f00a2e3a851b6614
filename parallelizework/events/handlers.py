"""`add_handler`: a handler of a virtual object that reads and writes JSON itself."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from restate import TerminalError, VirtualObject
from restate.handler import TypeHint, handler_from_callable
from restate.serde import BytesSerde

from parallelizework.restate_sdk import CONTINUED, RETRIED_WITHOUT_END
from parallelizework.serde.validated_json import Json

_logger = logging.getLogger(__name__)

_RETRIED: dict[str, Any] = {"invocation_retry_policy": RETRIED_WITHOUT_END}
PRIVATE: dict[str, Any] = {"ingress_private": True}
SHARED: dict[str, Any] = {"kind": "shared"}
# A restate-server (1.7) keeps the answer of each request for this time, also without
# an `Idempotency-Key`: the ingress adds one. Nobody needs the answer of a reader again.
FORGOTTEN: dict[str, Any] = {"idempotency_retention": timedelta(0)}

Handler = Callable[[Any, bytes], Awaitable[bytes]]


def add_handler(
    virtual_object: VirtualObject,
    name: str,
    function: Handler,
    types: tuple[Json[Any], Json[Any]],
    **options: Any,
) -> None:
    """Add a handler. A restate-server retries it without end if no worker answers.

    An exception that should not reach the handler is a bug of ours. The handler raises
    a `TerminalError` instead. Otherwise Restate would retry the invocation without end.

    Args:
        virtual_object: The virtual object.
        name: The name of the handler.
        function: The handler.
        types: The types of its input and its output, for the ingress's OpenAPI page.
        options: More options of the handler.
    """

    async def handler(ctx: object, body: bytes) -> bytes:
        try:
            return await function(ctx, body)
        except (TerminalError, *CONTINUED):
            raise
        except Exception as error:
            _logger.exception("handler failed: %s/%s", virtual_object.name, name)
            message = f"{virtual_object.name}/{name} failed: {error!r:.1000}"
            raise TerminalError(message, 500) from error

    handler.__doc__ = function.__doc__
    raw: dict[str, Any] = {"input_serde": BytesSerde(), "output_serde": BytesSerde()}
    register = virtual_object.handler(name, **raw, **_RETRIED, **options)
    io = handler_from_callable(register(handler)).handler_io
    accepted, returned = types
    io.input_type = TypeHint[Any](bytes, generate_json_schema=accepted.schema)
    io.output_type = TypeHint[Any](bytes, generate_json_schema=returned.schema)
