"""`PartialResult`: the responses of some subtasks of a run, inline or in parts."""

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field
from restate import TerminalError

from parallelizework.ready_made.http.results.result_lines import Response
from parallelizework.ready_made.http.subtask import Job

_INLINE = 12 * 1024 * 1024  # bytes: Restate's message, less what spaces may add


class PartialResult(BaseModel):
    """The responses of some subtasks of a run, in order.

    Attributes:
        responses: The responses that are not in a file.
        size: How many bytes these take as JSON.
        job: The run whose file of results they belong to; None if they are answered.
        written: How many responses are in parts of the file.
        parts: The names of the parts.
    """

    model_config = ConfigDict(frozen=True)

    responses: list[Response] = []
    size: int = 0
    job: Job | None = Field(default=None, exclude_if=lambda job: job is None)
    written: int = Field(default=0, exclude_if=lambda count: count == 0)
    parts: list[str] = Field(default=[], exclude_if=lambda parts: not parts)

    @classmethod
    def of(cls, response: Response, job: Job | None) -> Self:
        """The result of one subtask."""
        size = len(response.model_dump_json())
        return cls(responses=[response], size=size, job=job)


def joined(values: Sequence[PartialResult]) -> PartialResult:
    """All partial results as one.

    Raises:
        TerminalError: 413; the answer would be too large.
    """
    whole = PartialResult(
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
