"""`Task`: the input of HttpFanOut, in one of three forms."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, JsonValue, Tag

from parallelizework.policy import Policy
from parallelizework.ready_made.http.portable import MISFIT, is_portable
from parallelizework.ready_made.http.requests.request import Options, Request, Template
from parallelizework.ready_made.http.subtask import Include

Row = dict[str, JsonValue]


def _portable(row: Row) -> Row:
    if not is_portable(dict(row)):
        raise ValueError(f"the row {MISFIT}")
    return row


class _Common(Options):
    policy: Policy = Policy()

    @property
    def options(self) -> Options:
        """The options of all requests."""
        return Options(**{name: getattr(self, name) for name in Options.model_fields})


class Requests(_Common):
    """A list of requests."""

    requests: list[Request]


class _OfRows(_Common):
    request: Template
    include_row: Include = Field(
        default=False,
        description="add the row to its response or failure: true for the whole row, "
        "or the names of some fields",
    )


class Rows(_OfRows):
    """One request for each row."""

    rows: list[Annotated[Row, AfterValidator(_portable)]]


class RowsFile(_OfRows):
    """One request for each row of a file, one JSON object per line (NDJSON)."""

    rows_file: str = Field(
        description="the path of the file in PARALLELIZEWORK_HTTP_FOLDER"
    )
    results: Literal["file", "inline"] = Field(
        default="file",
        description="file: write the results to NAME.results.ndjson in the folder of "
        "the rows; inline: return them in the answer",
    )


def _form(task: Any) -> str | None:
    """The form of a task, by the field that only this form has."""
    for form in ("requests", "rows_file", "rows"):
        if form in task if isinstance(task, dict) else hasattr(task, form):
            return form
    return None


Task = Annotated[
    Annotated[Requests, Tag("requests")]
    | Annotated[Rows, Tag("rows")]
    | Annotated[RowsFile, Tag("rows_file")],
    Discriminator(
        _form,
        custom_error_type="no_requests",
        custom_error_message=(
            "set requests, or request and rows, or request and rows_file"
        ),
    ),
]
