"""The result of HttpFanOut: a line for each request, or the file with these lines."""

from base64 import b64encode
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import from_json

from parallelizework.outcomes import Failure
from parallelizework.ready_made.http.portable import is_portable
from parallelizework.ready_made.http.results.charset import text_of
from parallelizework.ready_made.http.sending.client import Reply
from parallelizework.ready_made.http.subtask import SubTask

_JSON = ("application/json", "+json")
_TEXT = ("text/", "application/xml", "+xml", "application/javascript")


class _Line(BaseModel):
    """The first fields of each line; `ResultsFile` reads the index at the start."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(description="the index of the request or of the row, from 0")
    row: JsonValue = Field(
        default=None,
        description="the fields of the row that include_row names",
        exclude_if=lambda row: row is None,
    )


class Response(_Line):
    """A response with a status below 400."""

    status: int
    headers: dict[str, str] = Field(description="the headers in response_headers")
    body: JsonValue = Field(description="JSON, text, or bytes in base64")
    encoding: Literal["json", "text", "base64"] = Field(
        description="the encoding of body"
    )
    elapsed_ms: float = Field(
        description="the time of the last attempt, in milliseconds"
    )
    attempts: int | None = Field(description="the number of attempts")

    @classmethod
    def of(cls, reply: Reply, subtask: SubTask, *, attempts: int | None) -> Self:
        """The line for a reply to a subtask's request."""
        encoding, body = _body(reply)
        wanted = {name.lower() for name in subtask.options.response_headers}
        return cls(
            index=subtask.index,
            row=subtask.row,
            status=reply.status,
            headers={k: v for k, v in reply.headers.items() if k in wanted},
            body=body,
            encoding=encoding,
            elapsed_ms=round(reply.seconds * 1_000, 1),
            attempts=attempts,
        )


class Failed(_Line):
    """A request without a response, or with a status of 400 or above."""

    url: str | None = Field(description="null if the row is invalid")
    code: int = Field(
        description="the status of the response; 502 or 504 if there is no response"
    )
    message: str
    attempts: int | None = Field(description="the number of attempts")

    @classmethod
    def of(cls, failure: Failure[SubTask]) -> Self:
        """The line for a subtask's failure."""
        request = failure.subtask.request
        return cls(
            index=failure.subtask.index,
            row=failure.subtask.row,
            url=request and request.url,
            code=failure.code,
            message=failure.message,
            attempts=failure.attempts,
        )


class Responses(BaseModel):
    """Responses and failures, each in the order of the requests."""

    responses: list[Response]
    failures: list[Failed]


class Written(BaseModel):
    """The file of results: one line per row, in order, each a JSON object."""

    results_file: str = Field(
        description="the path of the file in PARALLELIZEWORK_HTTP_FOLDER"
    )
    succeeded: int
    failed: int


def _body(reply: Reply) -> tuple[Literal["json", "text", "base64"], JsonValue]:
    content_type = reply.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith(_JSON):
        try:
            value = from_json(reply.body, allow_inf_nan=False)
            if is_portable(value):
                return "json", value
        except ValueError:
            pass
    if kind.endswith(_JSON) or kind.startswith(_TEXT) or kind.endswith(_TEXT):
        text = text_of(reply.body, content_type)
        if text is not None:
            return "text", text
    if not reply.body:
        return "text", ""
    return "base64", b64encode(reply.body).decode()
