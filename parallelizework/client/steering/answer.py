"""Answer a subtask that waits: it succeeds with a value, or it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic_core import PydanticSerializationError, to_json

from parallelizework.client.server_api.http import Request, succeeded
from parallelizework.errors import UnfitData
from parallelizework.waiting.models import ANSWERS, Answered

if TYPE_CHECKING:
    from parallelizework.client.server_api.server import Server

_BAD_REQUEST = 400


async def succeed(server: Server, key: str, value: object) -> Answered:
    """Answer with a value.

    Raises:
        UnfitData: The value does not fit the type of the subtask's value.
        Refused: The key is unknown; or the subtask has another answer, or has ended.
    """
    try:
        body = to_json(value, inf_nan_mode="constants")
    except PydanticSerializationError as error:
        raise UnfitData(f"the answer for {key} is not JSON: {error}") from error
    return await _send(server, key, "succeed", body)


async def fail(server: Server, key: str, message: str, code: int) -> Answered:
    """Answer with a failure.

    Raises:
        UnfitData: The code is not between 400 and 599.
        Refused: The key is unknown; or the subtask has another answer, or has ended.
    """
    body = to_json({"message": message, "code": code})
    return await _send(server, key, "fail", body)


async def _send(server: Server, key: str, handler: str, body: bytes) -> Answered:
    name = quote(key, safe="")
    url = f"{server.ingress.url}/restate/call/{ANSWERS}/{name}/{handler}"
    # A second, equal answer changes nothing: so the request can be repeated.
    request = Request("POST", url, body=body, repeatable=True)
    answer = await server.http.ask(request)
    if answer.status == _BAD_REQUEST:
        raise UnfitData(answer.message)
    return Answered.model_validate_json(succeeded(request, answer).body)
