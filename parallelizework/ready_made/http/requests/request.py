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
# The connection's own headers: a task that sets them could smuggle in another request.
_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding"}
_PROXY = {"proxy-authorization", "proxy-connection"}
_RESERVED = {*_HOP_BY_HOP, *_PROXY, "content-length", "host", "upgrade"}


class Secret(BaseModel):
    """A header's value that the worker has, and the task does not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: str = Field(
        pattern=r"^[A-Z][A-Z0-9_]*$",
        description="of the variable PARALLELIZEWORK_HTTP_SECRET_... of the worker",
    )


def _upper(method: object) -> object:
    return method.upper() if isinstance(method, str) else method


class Template(BaseModel):
    """A request with placeholders: `{name}` stands for what a row calls `name`.

    They are replaced in the URL, where they are percent-encoded, in the values of
    headers, and in the texts of `json` and `body`. A text of `json` that is nothing but
    a placeholder becomes the row's value, whatever its type. `{{name}}` is `{name}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    url: str = Field(description="http:// or https://, without user and password")
    method: Annotated[Method, BeforeValidator(_upper)] = "GET"
    headers: dict[str, str | Secret] = Field(
        default={},
        description='values, or {"secret": NAME}',
        exclude_if=operator.not_,
    )
    content: JsonValue = Field(
        default=None,
        alias="json",
        description="sent as JSON, unless null",
        exclude_if=lambda content: content is None,
    )
    body: str | None = Field(
        default=None, description="sent as it is", exclude_if=lambda body: body is None
    )
    timeout: float | None = Field(
        default=None,
        gt=0,
        description="how long all of it may take, in seconds",
        exclude_if=lambda timeout: timeout is None,
    )

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str | Secret]) -> dict[str, str | Secret]:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header")
            if name.lower() in _RESERVED:
                raise ValueError(f"the header {name} cannot be set by hand")
            if isinstance(value, str) and not is_header_value(value):
                raise ValueError(
                    f"the header {name} has a line break or the like, or begins or "
                    "ends with a space"
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
            raise ValueError("json and body exclude each other")
        return self


class Request(Template):
    """One HTTP request."""

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"is no URL: {error}") from error
        check_url(parsed)
        if parsed.userinfo:
            raise ValueError(
                "has a user or a password, which everybody could read: let a header "
                'be {"secret": NAME}'
            )
        return url

    @property
    def host(self) -> str:
        """The host, as it is looked up."""
        return httpx.URL(self.url).raw_host.decode("ascii")


class Options(BaseModel):
    """What holds for all requests of a task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    response_headers: tuple[str, ...] = Field(
        default=("content-type",),
        description="which headers of a response to answer with",
    )
    follow_redirects: bool = Field(
        default=False, description="up to 10 of them; each is checked like a request"
    )
    max_concurrency_per_host: int | None = Field(
        default=None,
        ge=1,
        description="how many requests each worker process sends to a host at once",
    )


def is_header_value(value: str) -> bool:
    """Whether a text can be sent as the value of a header."""
    return (
        not _CONTROL.search(value)
        and value == value.strip(" \t")
        and not _SURROGATE.search(value)
    )
