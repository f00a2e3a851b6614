"""`SubTask`: one request of a run, as it travels to where it is executed."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

from parallelizework.ready_made.http.request import Options, Request

Include = StrictBool | tuple[str, ...]  # all of a row, nothing, or some fields


class Job(BaseModel):
    """A run whose results go to a file.

    Attributes:
        rows_file: The file of its rows.
        name: No other run has it.
    """

    model_config = ConfigDict(frozen=True)

    rows_file: str
    name: str


class SubTask(BaseModel):
    """One request of a run.

    Attributes:
        index: Its position in the task.
        request: What to send.
        problem: Why there is nothing to send.
        row: What its response or failure has of the row; None for nothing.
        job: Where its response goes; None if that is the answer.
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
    """What a response or failure has of its row; None for nothing."""
    if include is True:
        return row
    if not include or not isinstance(row, dict):
        return None
    return {name: row[name] for name in include if name in row}
