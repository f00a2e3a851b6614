"""`add_json_handler`: a handler that reads and writes JSON itself."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from restate import Service, TerminalError, VirtualObject
from restate.handler import TypeHint, handler_from_callable
from restate.serde import BytesSerde

from parallelizework.restate_sdk import CONTINUED
from parallelizework.serde.validated_json import Json

_logger = logging.getLogger(__name__)

JsonHandler = Callable[[Any, bytes], Awaitable[bytes]]


def add_json_handler(
    to: Service | VirtualObject,
    name: str,
    function: JsonHandler,
    types: tuple[Json[Any], Json[Any]],
    **options: Any,
) -> None:
    """Add a handler that reads and writes JSON itself: so bad input becomes a 400.

    An exception that should not reach the handler is a bug of ours. The handler raises
    a `TerminalError` instead. Otherwise Restate would retry the invocation without end.

    Args:
        to: The service or the virtual object.
        name: The name of the handler.
        function: The handler.
        types: The types of its input and its output, for the ingress's OpenAPI page.
        options: More options of the handler.
    """

    async def handler(ctx: Any, body: bytes) -> bytes:
        try:
            return await function(ctx, body)
        except (TerminalError, *CONTINUED):
            raise
        except Exception as error:
            _logger.exception("handler failed: %s/%s", to.name, name)
            message = f"{to.name}/{name} failed unexpectedly: {error!r:.1000}"
            raise TerminalError(message, 500) from error

    handler.__doc__ = function.__doc__
    raw: dict[str, Any] = {"input_serde": BytesSerde(), "output_serde": BytesSerde()}
    register = to.handler(name, **raw, **options)
    io = handler_from_callable(register(handler)).handler_io
    accepted, returned = types
    io.input_type = TypeHint[Any](bytes, generate_json_schema=accepted.schema)
    io.output_type = TypeHint[Any](bytes, generate_json_schema=returned.schema)
