"""A host that misbehaves, and the client that sends requests to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from parallelizework.ready_made.http import HttpClient
from parallelizework.settings import HttpSettings

from ..misbehaving import Misbehaving, misbehaving


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def target() -> Iterator[Misbehaving]:
    with misbehaving() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(HttpSettings(allowed_hosts=("127.0.0.1",)))
    yield client
    await client.aclose()
