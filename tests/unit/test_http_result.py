"""How HttpFanOut tells a body: as JSON, as text or in base64."""

from typing import Any

import httpx
import pytest

from parallelizework.workers.http import Reply
from parallelizework.workers.http.result import Response


@pytest.mark.parametrize(
    ("kind", "body", "encoding", "told"),
    [
        ("application/json", b'{"a": [1, null]}', "json", {"a": [1, None]}),
        ("application/problem+json; charset=utf-8", b'"b"', "json", "b"),
        ("application/json", b"", "text", ""),
        ("application/json", b"{", "text", "{"),
        ("application/json", b"NaN", "text", "NaN"),
        ("application/json", b"\xff", "base64", "/w=="),
        ("text/html", "é".encode(), "text", "é"),
        ("text/plain; charset=iso-8859-1", b"\xe9", "text", "é"),
        ("text/plain", b"\xe9", "base64", "6Q=="),
        ("text/plain; charset=nonsense", b"a", "base64", "YQ=="),
        ("text/plain; charset=rot13", b"a", "base64", "YQ=="),
        ("text/plain; charset=punycode", b"\xff", "base64", "/w=="),
        ("image/svg+xml", b"<svg/>", "text", "<svg/>"),
        ("image/png", b"\x00", "base64", "AA=="),
        ("", b"a", "base64", "YQ=="),
    ],
)
def test_a_body_is_told_as_what_it_says_it_is_if_it_is(
    kind: str, body: bytes, encoding: str, told: Any
) -> None:
    headers = httpx.Headers({"Content-Type": kind, "X-Other": "b"})
    reply = Reply(200, headers, body, "http://h/", 0.0123)

    response = Response.of(reply, index=3, headers=("x-OTHER",), attempts=2)

    assert (response.encoding, response.body) == (encoding, told)
    assert (response.index, response.attempts, response.elapsed_ms) == (3, 2, 12.3)
    assert response.headers == {"x-other": "b"}
    assert response.model_dump_json().startswith('{"index":3,')
