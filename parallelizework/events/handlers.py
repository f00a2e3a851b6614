"""`add_handler`: a handler of a virtual object that a restate-server always retries."""

from datetime import timedelta
from typing import Any

from restate import VirtualObject

from parallelizework.restate_sdk import RETRIED_WITHOUT_END
from parallelizework.serde.json_handler import JsonHandler, add_json_handler
from parallelizework.serde.validated_json import Json

_RETRIED: dict[str, Any] = {"invocation_retry_policy": RETRIED_WITHOUT_END}
PRIVATE: dict[str, Any] = {"ingress_private": True}
SHARED: dict[str, Any] = {"kind": "shared"}
# A restate-server (1.7) keeps the answer of each request for this time, also without
# an `Idempotency-Key`: the ingress adds one. Nobody needs the answer of a reader again.
FORGOTTEN: dict[str, Any] = {"idempotency_retention": timedelta(0)}


def add_handler(
    virtual_object: VirtualObject,
    name: str,
    function: JsonHandler,
    types: tuple[Json[Any], Json[Any]],
    **options: Any,
) -> None:
    """Add a handler as `add_json_handler` does. It is retried without end."""
    add_json_handler(virtual_object, name, function, types, **_RETRIED, **options)
