"""`Request`: an HTTP request, and `Template`: a request with placeholders."""

import operator
import re
from typing import Annotated, Literal, Self

import httpx
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from parallelizework.ready_made.http.portable import MISFIT, is_portable
from parallelizework.ready_made.http.requests.urls import check_url

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# The headers of the connection. A task that sets them could smuggle another request.
_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding"}
_PROXY = {"proxy-authorization", "proxy-connection"}
_RESERVED = {*_HOP_BY_HOP, *_PROXY, "content-length", "host", "upgrade"}


class Secret(BaseModel):
    """The value of a header that only the worker has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: str = Field(
        pattern=r"^[A-Z][A-Z0-9_]*$",
        description="the name in the worker's variable PARALLELIZEWORK_HTTP_SECRET_...",
    )


def _upper(method: object) -> object:
    return method.upper() if isinstance(method, str) else method


class Template(BaseModel):
    """A request with placeholders: `{name}` is replaced with the row's value of `name`.

    Placeholders are replaced in the URL, in the values of headers, and in the texts of
    `json` and `body`. In the URL, the values are percent-encoded. A text in `json` that
    consists of one placeholder becomes the row's value, of any type. `{{name}}` is
    replaced with `{name}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    url: str = Field(description="http:// or https://, without user and password")
    method: Annotated[Method, BeforeValidator(_upper)] = "GET"
    headers: dict[str, str | Secret] = Field(
        default={},
        description='the values, each a text or {"secret": NAME}',
        exclude_if=operator.not_,
    )
    content: JsonValue = Field(
        default=None,
        alias="json",
        description="the body as JSON; null means no body",
        exclude_if=lambda content: content is None,
    )
    body: str | None = Field(
        default=None,
        description="the body as text",
        exclude_if=lambda body: body is None,
    )
    timeout: float | None = Field(
        default=None,
        gt=0,
        description="the longest time of one attempt, in seconds; 30 by default",
        exclude_if=lambda timeout: timeout is None,
    )

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str | Secret]) -> dict[str, str | Secret]:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name):
                raise ValueError(f"{name!r} is not a valid header name")
            if name.lower() in _RESERVED:
                raise ValueError(f"the header {name} cannot be set")
            if isinstance(value, str) and not is_header_value(value):
                raise ValueError(
                    f"the header {name} contains a line break or another control "
                    "character, or it begins or ends with a space"
                )
        return headers

    @field_validator("content")
    @classmethod
    def _is_json(cls, content: JsonValue) -> JsonValue:
        if not is_portable(content):
            raise ValueError(f"the value {MISFIT}")
        return content

    @field_validator("body")
    @classmethod
    def _is_text(cls, body: str | None) -> str | None:
        (body or "").encode()
        return body

    @model_validator(mode="after")
    def _has_one_body(self) -> Self:
        if self.content is not None and self.body is not None:
            raise ValueError("set json or body, not both")
        return self


class Request(Template):
    """One HTTP request."""

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"is not a URL: {error}") from error
        check_url(parsed)
        if parsed.userinfo:
            raise ValueError(
                "has a user or a password, which others could read. Use a header with "
                'the value {"secret": NAME} instead'
            )
        return url

    @property
    def host(self) -> str:
        """The host of the URL, in the form for the look-up of its addresses."""
        return httpx.URL(self.url).raw_host.decode("ascii")


class Options(BaseModel):
    """Options for all requests of a task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    response_headers: tuple[str, ...] = Field(
        default=("content-type",),
        description="the names of the headers that a response in the result has",
    )
    follow_redirects: bool = Field(
        default=False,
        description="follow up to 10 redirects; each is checked like a request",
    )
    max_concurrency_per_host: int | None = Field(
        default=None,
        ge=1,
        description="how many requests each worker process sends to one host at once",
    )


def is_header_value(value: str) -> bool:
    """Whether a text can be sent as the value of a header."""
    return (
        not _CONTROL.search(value)
        and value == value.strip(" \t")
        and not _SURROGATE.search(value)
    )
