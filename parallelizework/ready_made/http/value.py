"""`Value`: responses on their way to the result, in it or in files."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field
from restate import TerminalError

from parallelizework.ready_made.http.result import Response
from parallelizework.ready_made.http.subtask import Job

_INLINE = 12 * 1024 * 1024  # bytes: what may be combined, less what spaces may add


class Value(BaseModel):
    """The responses of a part of a run, in order.

    Attributes:
        responses: Those that are in no file.
        size: How many bytes they take as JSON.
        job: Where they belong; None if they are the answer.
        written: How many are in files.
        parts: The names of these.
    """

    model_config = ConfigDict(frozen=True)

    responses: list[Response] = []
    size: int = 0
    job: Job | None = Field(default=None, exclude_if=lambda job: job is None)
    written: int = Field(default=0, exclude_if=lambda count: count == 0)
    parts: list[str] = Field(default=[], exclude_if=lambda parts: not parts)

    @classmethod
    def of(cls, response: Response, job: Job | None) -> "Value":
        """One response."""
        size = len(response.model_dump_json())
        return cls(responses=[response], size=size, job=job)


def joined(values: Sequence[Value]) -> Value:
    """All of them as one.

    Raises:
        TerminalError: 413; the answer would be too large.
    """
    whole = Value(
        responses=[response for value in values for response in value.responses],
        size=sum(value.size for value in values),
        job=next((value.job for value in values if value.job), None),
        written=sum(value.written for value in values),
        parts=[part for value in values for part in value.parts],
    )
    if whole.job is None and whole.size > _INLINE:
        raise TerminalError(
            f"the responses of HttpFanOut take more than {_INLINE // 2**20} MiB, which "
            "is too much for one answer: put the rows into a file and give it as "
            "rows_file, so that the responses go to a file too",
            413,
        )
    return whole
