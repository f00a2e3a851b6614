"""The client of HttpFanOut and redirects: where they lead, and what they carry."""

import pytest

from parallelizework.ready_made.http import HttpClient

from ..misbehaving import Misbehaving
from .sending import FOLLOWING, refused, request

pytestmark = pytest.mark.anyio


async def test_a_redirect_is_a_reply_unless_redirects_are_followed(
    client: HttpClient, target: Misbehaving
) -> None:
    sent = request(target, f"/to/302?url={target.url}/echo", method="POST", body="b")

    here = await client.send(sent)
    there = await client.send(sent, FOLLOWING)

    assert (here.status, here.headers["location"]) == (302, f"{target.url}/echo")
    assert (there.status, there.url) == (200, f"{target.url}/echo")
    assert b'"method": "GET"' in there.body


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (
            "/to/302?url=http://10.0.0.1/",
            403,
            "the addresses of 10.0.0.1 are not allowed",
        ),
        ("/to/307?url=http://[::1]/", 403, "the addresses of ::1 are not allowed"),
        (
            "/to/302?url=http://169.254.169.254/",
            403,
            "are not allowed: 169.254.169.254",
        ),
        ("/to/302?url=file:///etc/passwd", 502, "invalid or not http or https"),
    ],
)
async def test_a_redirect_to_a_host_or_scheme_that_is_not_allowed_is_refused(
    client: HttpClient, target: Misbehaving, path: str, code: int, message: str
) -> None:
    answer = await refused(client, request(target, path), FOLLOWING)

    assert answer[0] == code
    assert message in answer[1]


async def test_a_chain_of_redirects_ends_after_ten(
    client: HttpClient, target: Misbehaving
) -> None:
    code, _ = await refused(client, request(target, "/loop"), FOLLOWING)

    assert code == 508
    assert len(target.requests_for("/loop")) == 11
