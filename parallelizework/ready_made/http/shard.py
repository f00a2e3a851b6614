"""`Shard`: some requests of a run, which `expand` turns into subtasks."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue

from parallelizework.outcomes import Done
from parallelizework.ready_made.http.portable import MISFIT, is_portable
from parallelizework.ready_made.http.requests.request import Options, Request, Template
from parallelizework.ready_made.http.requests.row_to_request import Unfilled, filled
from parallelizework.ready_made.http.results.partial_result import PartialResult
from parallelizework.ready_made.http.rows_file import RowRange, RowsFolder
from parallelizework.ready_made.http.subtask import Include, Job, SubTask, included

_MAX_REQUESTS = 1_000  # in a shard: as many subtasks as one coordinator has


class Listed(BaseModel):
    """Requests that the task lists."""

    model_config = ConfigDict(frozen=True)

    subtasks: list[SubTask]

    @classmethod
    def of(
        cls, requests: Iterable[tuple[Request, JsonValue]], options: Options
    ) -> Iterator[Self]:
        """The shards of requests; each request has the fields of its row to include."""
        numbered = enumerate(requests)
        while some := list(islice(numbered, _MAX_REQUESTS)):
            yield cls(
                subtasks=[
                    SubTask(index=index, request=request, options=options, row=row)
                    for index, (request, row) in some
                ]
            )


class InFile(BaseModel):
    """Rows of a file, and the template of their requests.

    Attributes:
        include_row: Which fields of a row its result includes.
        rows: The range of the rows; None if the file has no rows.
        job: The run whose file has the results; None if the results are answered.
    """

    model_config = ConfigDict(frozen=True)

    template: Template
    options: Options
    include_row: Include = False
    rows_file: str
    rows: RowRange | None
    job: Job | None

    def expanded(self, folder: RowsFolder) -> Iterator[SubTask | Done[PartialResult]]:
        """A subtask for each row.

        An invalid row becomes a subtask without a request, which fails. A file without
        rows expands to an empty result, so that an empty file of results is written.
        """
        if self.rows is None:
            yield Done(PartialResult(job=self.job))
            return
        for index, row in folder.rows(self.rows_file, self.rows):
            yield self._subtask(index, row)

    def _subtask(self, index: int, row: JsonValue) -> SubTask:
        request, problem = None, f"row {index}: it is not a JSON object"
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
