"""The body in a result of HttpFanOut: JSON, text or base64."""

from typing import Any

import httpx
import pytest

from parallelizework.ready_made.http import Options, Reply
from parallelizework.ready_made.http.results.result_lines import Response
from parallelizework.ready_made.http.subtask import SubTask


@pytest.mark.parametrize(
    ("kind", "body", "encoding", "expected"),
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
        ("text/plain; charset=punycode", b"a-", "base64", "YS0="),
        ("text/plain; charset*=punycode''a", b"a", "text", "a"),
        ("text/plain; charset=unicode-escape", b"a", "base64", "YQ=="),
        ("text/plain; charset=idna", b"a", "base64", "YQ=="),
        ("text/plain; charset=utf-7", b"+AGE-", "base64", "K0FHRS0="),
        ("text/plain; charset=", b"a", "text", "a"),
        ('text/plain; a=b; Charset="UTF-8"', "é".encode(), "text", "é"),
        *(
            (f"text/plain; charset={charset}", text.encode(charset), "text", text)
            for text, charsets in {
                "a": ["us-ascii", "windows-1250", "iso-8859-16", "utf-16", "utf-32le"],
                "Ж": ["koi8-r", "windows-1251", "iso-8859-5", "utf-16be"],
                "ї": ["koi8-u"],
                "あ": ["shift_jis", "Shift-JIS", "euc-jp", "cp932"],
                "中": ["gb2312", "gbk", "gb18030", "big5"],
                "한": ["euc-kr", "ks_c_5601-1987"],
                "€": ["windows-1252", "iso-8859-15", "ISO_8859-15"],
            }.items()
            for charset in charsets
        ),
        ("application/json", b"[1e400]", "text", "[1e400]"),
        ("application/json", b'"\\ud800"', "text", '"\\ud800"'),
        ("application/json", b"9" * 5_000, "text", "9" * 5_000),
        ("image/svg+xml", b"<svg/>", "text", "<svg/>"),
        ("image/png", b"\x00", "base64", "AA=="),
        ("", b"a", "base64", "YQ=="),
    ],
)
def test_a_body_is_encoded_by_its_content_type_if_it_is_valid(
    kind: str, body: bytes, encoding: str, expected: Any
) -> None:
    headers = httpx.Headers({"Content-Type": kind, "X-Other": "b"})
    reply = Reply(200, headers, body, "http://h/", 0.0123)
    subtask = SubTask(index=3, options=Options(response_headers=("x-OTHER",)))

    response = Response.of(reply, subtask, attempts=2)

    assert (response.encoding, response.body) == (encoding, expected)
    assert (response.index, response.attempts, response.elapsed_ms) == (3, 2, 12.3)
    assert response.headers == {"x-other": "b"}
    assert response.model_dump_json().startswith('{"index":3,')
