"""Secrets of HttpFanOut: sent to the right hosts, and shown nowhere."""

import pytest

from parallelizework.ready_made.http import HttpClient
from parallelizework.settings import HttpSettings

from ..misbehaving import Misbehaving, misbehaving
from .sending import FOLLOWING, refused, request

pytestmark = pytest.mark.anyio


async def test_a_secret_is_sent_and_shown_nowhere(
    target: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARALLELIZEWORK_HTTP_SECRET_TOKEN", "Bearer s3cr3t")
    client = HttpClient(HttpSettings(allowed_hosts=("127.0.0.1",)))
    headers = {"Authorization": {"secret": "TOKEN"}}

    reply = await client.send(request(target, "/echo/secret", headers=headers))
    _, message = await refused(client, request(target, "/status/404", headers=headers))
    await client.aclose()

    [received] = target.requests_for("/echo/secret")
    assert received.headers["authorization"] == "Bearer s3cr3t"
    assert b'"authorization": "***"' in reply.body
    assert "s3cr3t" not in message
    assert '"authorization": "***"' in message


async def test_a_secret_does_not_follow_a_redirect_to_another_origin(
    target: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARALLELIZEWORK_HTTP_SECRET_TOKEN", "s3cr3t")
    client = HttpClient(HttpSettings(allowed_hosts=("127.0.0.1",)))
    headers = {"X-Key": {"secret": "TOKEN"}, "Cookie": "a=b", "X-Other": "c"}
    with misbehaving() as elsewhere:
        for host in (target, elsewhere):
            path = f"/to/307?url={host.url}/echo/redirected"
            await client.send(request(target, path, headers=headers), FOLLOWING)
        await client.aclose()

    [same] = target.requests_for("/echo/redirected")
    [other] = elsewhere.requests_for("/echo/redirected")
    assert same.headers["x-key"] == "s3cr3t"
    assert other.headers["x-other"] == "c"
    assert not {"x-key", "cookie"} & other.headers.keys()


@pytest.mark.parametrize(
    ("value", "hosts", "complaint"),
    [
        (None, {}, "the worker has no secret TOKEN: set PARALLELIZEWORK_HTTP_SECRET"),
        ("s3cr3t", {"TOKEN": ("example.com",)}, "the secret TOKEN is not allowed for"),
        ("s3\ncr3t", {}, "the secret TOKEN contains a line break"),
    ],
)
async def test_a_secret_that_cannot_be_sent_is_a_400_that_says_why(
    target: Misbehaving,
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    hosts: dict[str, tuple[str, ...]],
    complaint: str,
) -> None:
    if value:
        monkeypatch.setenv("PARALLELIZEWORK_HTTP_SECRET_TOKEN", value)
    settings = HttpSettings(allowed_hosts=("127.0.0.1",), hosts_of_secrets=hosts)
    headers = {"X-Key": {"secret": "TOKEN"}}

    code, message = await refused(
        HttpClient(settings), request(target, "/echo/nothing", headers=headers)
    )

    assert code == 400
    assert message.startswith(complaint)
    assert "cr3t" not in message
    assert not target.requests_for("/echo/nothing")
