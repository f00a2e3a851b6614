"""Requests to a host that misbehaves, and the errors that they end with."""

from typing import Any

import pytest
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.ready_made.http import HttpClient, Options, Request

from ..misbehaving import Misbehaving

FOLLOWING = Options(follow_redirects=True)


def request(target: Misbehaving, path: str, **more: Any) -> Request:
    return Request.model_validate({"url": target.url + path, **more})


async def refused(
    client: HttpClient, sent: Request, options: Options | None = None
) -> tuple[int, str]:
    """The error that is final."""
    with pytest.raises(TerminalError) as error:
        await client.send(sent, options)
    return error.value.status_code, error.value.message


async def retried(client: HttpClient, sent: Request) -> RetryableError:
    """The error that is retried."""
    with pytest.raises(RetryableError) as error:
        await client.send(sent)
    return error.value
