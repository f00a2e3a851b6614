"""A template and a row become a request of HttpFanOut."""

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallelizework.ready_made.http.requests.request import Template
from parallelizework.ready_made.http.requests.row_to_request import Unfilled, filled

ROW: dict[str, Any] = {"a": "x y/é?", "n": 1.5, "t": True, "l": [1, "{a}"], "o": None}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{n}", 1.5),
        ("{l}", [1, "{a}"]),
        ("{o}!", "null!"),
        ("{t} {n}", "true 1.5"),
        ({"{a}": ["{a}", {"deep": "{t}"}, 7]}, {"{a}": [ROW["a"], {"deep": True}, 7]}),
        ("{{a}} {{}} { a } {}", "{a} {{}} { a } {}"),
        ("{{a}}", "{a}"),
    ],
)
def test_placeholders_in_json_become_the_values_of_the_row(
    content: Any, expected: Any
) -> None:
    template = Template(url="http://h/", json=content)

    assert filled(template, ROW).content == expected


def test_values_are_quoted_in_the_url_but_not_in_texts() -> None:
    template = Template(
        url="http://h/{a}?b={a}", headers={"X": "<{n}>"}, body="{a}, }}", method="PUT"
    )

    request = filled(template, ROW)

    assert request.url == "http://h/x%20y%2F%C3%A9%3F?b=x%20y%2F%C3%A9%3F"
    assert (request.method, request.headers, request.body) == (
        "PUT",
        {"X": "<1.5>"},
        "x y/é?, }}",
    )


@given(st.text().filter(lambda text: text not in (".", "..")))
def test_a_text_of_a_row_cannot_change_other_segments_of_the_url(text: str) -> None:
    request = filled(Template(url="http://h/{a}/end"), {"a": text})

    start, _, end = request.url.removeprefix("http://h/").rpartition("/")
    assert (unquote(start), end) == (text, "end")


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        (
            {"url": "http://h/{missing}"},
            "the template needs 'missing', but the row has a,",
        ),
        ({"url": "{a}"}, "url: Value error, must begin with http"),
        ({"url": "http://h:{a}/"}, "url: Value error, is not a URL"),
        ({"url": "http://h/", "headers": {"X": "{line}"}}, "headers: Value error, the"),
        ({"url": "http://h/{up}"}, "url: the value '..' would change the path"),
    ],
)
def test_a_row_that_makes_no_request_says_why(
    template: dict[str, Any], complaint: str
) -> None:
    row = {**ROW, "line": "a\r\nb", "up": ".."}

    with pytest.raises(Unfilled) as unfilled:
        filled(Template.model_validate(template), row)

    assert str(unfilled.value).startswith(complaint)
