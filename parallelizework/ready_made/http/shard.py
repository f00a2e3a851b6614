"""`Shard`: some requests of a run, as `split` hands them on to be expanded."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue

from parallelizework.outcomes import Done
from parallelizework.ready_made.http.portable import MISFIT, is_portable
from parallelizework.ready_made.http.request import Options, Request, Template
from parallelizework.ready_made.http.rows import Range, RowsFolder
from parallelizework.ready_made.http.subtask import Include, Job, SubTask, included
from parallelizework.ready_made.http.template import Unfilled, filled
from parallelizework.ready_made.http.value import Value

_REQUESTS = 1_000  # in a shard: a coordinator's worth


class Listed(BaseModel):
    """Requests that the task itself has."""

    model_config = ConfigDict(frozen=True)

    subtasks: list[SubTask]

    @classmethod
    def of(
        cls, requests: Iterable[tuple[Request, JsonValue]], options: Options
    ) -> Iterator[Self]:
        """Requests, with what is included of their rows, in pieces of bounded size."""
        numbered = enumerate(requests)
        while piece := list(islice(numbered, _REQUESTS)):
            yield cls(
                subtasks=[
                    SubTask(index=index, request=request, options=options, row=row)
                    for index, (request, row) in piece
                ]
            )


class InFile(BaseModel):
    """Rows of a file, and what makes them requests.

    Attributes:
        include_row: What is included of a row in its response or failure.
        rows: Which ones; None if there are none in the file.
        job: Where their responses go; None if they are the answer.
    """

    model_config = ConfigDict(frozen=True)

    template: Template
    options: Options
    include_row: Include = False
    rows_file: str
    rows: Range | None
    job: Job | None

    def expanded(self, folder: RowsFolder) -> Iterator[SubTask | Done[Value]]:
        """A subtask a row; a row that makes no request is one that fails.

        Without rows, a file of results without lines is still to be written.
        """
        if self.rows is None:
            yield Done(Value(job=self.job))
            return
        for index, row in folder.rows(self.rows_file, self.rows):
            yield self._subtask(index, row)

    def _subtask(self, index: int, row: JsonValue) -> SubTask:
        request, problem = None, f"row {index}: it is no JSON object"
        if not is_portable(row):
            row, problem = None, f"row {index}: it {MISFIT}"
        elif isinstance(row, dict):
            try:
                request, problem = filled(self.template, row), None
            except Unfilled as error:
                problem = f"row {index}: {error}"
        return SubTask(
            index=index,
            request=request,
            problem=problem,
            options=self.options,
            row=included(row, self.include_row),
            job=self.job,
        )


Shard = Listed | InFile
