"""`SubTask`: one request of a run, and the row that its result includes."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

from parallelizework.ready_made.http.requests.request import Options, Request

Include = StrictBool | tuple[str, ...]  # the whole row, nothing, or some fields


class Job(BaseModel):
    """A run whose results are written to a file.

    Attributes:
        rows_file: The file of its rows.
        name: The unique name of the run.
    """

    model_config = ConfigDict(frozen=True)

    rows_file: str
    name: str


class SubTask(BaseModel):
    """One request of a run.

    Attributes:
        index: The index of the request in the task.
        request: The request to send; None if the row is invalid.
        problem: Why there is no request.
        row: The fields of the row that its result includes; None for no fields.
        job: The run whose file has its result; None if the result is answered.
    """

    model_config = ConfigDict(frozen=True)

    index: int
    request: Request | None = None
    problem: str | None = Field(default=None, exclude_if=lambda text: text is None)
    options: Options = Field(
        default=Options(), exclude_if=lambda options: options == Options()
    )
    row: JsonValue = Field(default=None, exclude_if=lambda row: row is None)
    job: Job | None = Field(default=None, exclude_if=lambda job: job is None)


def included(row: JsonValue, include: Include) -> JsonValue:
    """The part of a row that its result includes; None for no part."""
    if include is True:
        return row
    if not include or not isinstance(row, dict):
        return None
    return {name: row[name] for name in include if name in row}
