"""`PartialResult`: the responses of some subtasks, in memory or in parts of a file."""

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field
from restate import TerminalError

from parallelizework.ready_made.http.results.result_lines import Response
from parallelizework.ready_made.http.subtask import Job

_MAX_INLINE = 12 * 1024 * 1024  # bytes; spaces in JSON may enlarge Restate's message


class PartialResult(BaseModel):
    """The responses of some subtasks of a run, in order.

    Attributes:
        responses: The responses that are not in a file.
        size: The size of these responses as JSON, in bytes.
        job: The run whose file has the results; None if the results are in the answer.
        written: The number of responses in the parts of the file.
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
    if whole.job is None and whole.size > _MAX_INLINE:
        raise TerminalError(
            f"the responses of HttpFanOut take more than {_MAX_INLINE // 2**20} MiB, "
            "which is too large for one answer. Put the rows into a file and set "
            "rows_file: then the responses are written to a file too",
            413,
        )
    return whole
