"""`filled`: makes a request from a template and a row. Pure."""

import re
from collections.abc import Callable, Mapping
from textwrap import shorten
from urllib.parse import quote

from pydantic import JsonValue, ValidationError
from pydantic_core import to_json

from parallelizework.ready_made.http.requests.request import Request, Secret, Template

Row = Mapping[str, JsonValue]

_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_PLACEHOLDER = re.compile(rf"\{{\{{(?P<kept>{_NAME})\}}\}}|\{{(?P<name>{_NAME})\}}")

_SHOWN = 200  # characters of the names in a row


class Unfilled(ValueError):
    """A template and a row make no valid request; the message contains the cause."""


def filled(template: Template, row: Row) -> Request:
    """The request for a row.

    Raises:
        Unfilled: The row lacks a value, or the request is invalid.
    """
    headers = {
        name: value if isinstance(value, Secret) else _text(value, row)
        for name, value in template.headers.items()
    }
    body = template.body
    try:
        return Request(
            url=_text(template.url, row, _quoted),
            method=template.method,
            headers=headers,
            json=_json(template.content, row),
            body=None if body is None else _text(body, row),
            timeout=template.timeout,
        )
    except ValidationError as error:
        raise Unfilled(_mistake(error)) from error


def _mistake(error: ValidationError) -> str:
    """The first error in a request, without the contents of the request."""
    first, *_ = error.errors(
        include_url=False, include_context=False, include_input=False
    )
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}" if field else first["msg"]


def _json(value: JsonValue, row: Row) -> JsonValue:
    match value:
        case str():
            whole = _PLACEHOLDER.fullmatch(value)
            if whole and whole["name"]:
                return _value(whole["name"], row)
            return _text(value, row)
        case list():
            return [_json(item, row) for item in value]
        case dict():
            return {name: _json(item, row) for name, item in value.items()}
        case _:
            return value


def _text(text: str, row: Row, shown: Callable[[str], str] = str) -> str:
    def replaced(found: re.Match[str]) -> str:
        if found["kept"]:
            return f"{{{found['kept']}}}"
        value = _value(found["name"], row)
        return shown(value if isinstance(value, str) else to_json(value).decode())

    return _PLACEHOLDER.sub(replaced, text)


def _quoted(value: str) -> str:
    if value in (".", ".."):
        raise Unfilled(f"url: the value {value!r} would change the path of the URL")
    return quote(value, safe="")


def _value(name: str, row: Row) -> JsonValue:
    try:
        return row[name]
    except KeyError:
        has = shorten(", ".join(row), _SHOWN, placeholder="...") or "nothing"
        raise Unfilled(f"the template needs {name!r}, but the row has {has}") from None
