"""`HttpFanOut`: HTTP requests in bulk."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from uuid import uuid4

from pydantic import JsonValue
from restate import TerminalError

from parallelizework.fan_out import FanOut
from parallelizework.outcomes import Attempt, Done, Failure
from parallelizework.policy import Policy
from parallelizework.ready_made.http.requests.request import Request
from parallelizework.ready_made.http.requests.row_to_request import Unfilled, filled
from parallelizework.ready_made.http.results.partial_result import PartialResult, joined
from parallelizework.ready_made.http.results.result_lines import (
    Failed,
    Response,
    Responses,
    Written,
)
from parallelizework.ready_made.http.results.results_file import ResultsFile
from parallelizework.ready_made.http.rows_file import RowsFolder
from parallelizework.ready_made.http.sending.client import HttpClient
from parallelizework.ready_made.http.shard import InFile, Listed, Shard
from parallelizework.ready_made.http.subtask import Job, SubTask, included
from parallelizework.ready_made.http.task import Requests, Rows, RowsFile, Task
from parallelizework.settings import HttpSettings

# One failure does not end the other requests. A server that is overloaded or starting
# needs longer pauses between attempts than the user's own program.
_POLICY = Policy(
    tolerated_failure_percentage=100,
    max_attempts=6,
    initial_retry_interval=timedelta(seconds=0.5),
    max_retry_interval=timedelta(seconds=30),
)

Result = Responses | Written


def http_fan_out(
    settings: HttpSettings,
) -> FanOut[Task, SubTask, PartialResult, Result]:
    """The fan-out `HttpFanOut`."""
    worker = _Worker(settings)
    return FanOut(
        "HttpFanOut",
        split=worker.split,
        expand=worker.expand,
        execute=worker.execute,
        combine=worker.combine,
        aggregate=worker.aggregate,
        policy=_POLICY,
    )


class _Worker:
    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._client = HttpClient(settings)
        self._folder = RowsFolder(settings.folder)

    def split(self, task: Task) -> Iterator[Shard]:
        """The shards of the requests, or of the file of rows."""
        if not self._settings.allowed_hosts:
            raise TerminalError(
                "HttpFanOut is off because no host is allowed. The worker's operator "
                "can allow hosts with PARALLELIZEWORK_HTTP_ALLOWED_HOSTS",
                403,
            )
        match task:
            case Requests():
                plain = ((request, None) for request in task.requests)
                return Listed.of(plain, task.options)
            case Rows():
                return Listed.of(_requests(task), task.options)
            case RowsFile():
                return self._in_file(task)

    def expand(self, shard: Shard) -> Iterator[SubTask | Done[PartialResult]]:
        """The subtasks of a shard."""
        if isinstance(shard, Listed):
            return iter(shard.subtasks)
        return shard.expanded(self._folder)

    async def execute(self, subtask: SubTask, attempt: Attempt) -> PartialResult:
        """Send a request."""
        if subtask.request is None:
            raise TerminalError(subtask.problem or "", 400)
        reply = await self._client.send(
            subtask.request, subtask.options, key=attempt.key
        )
        response = Response.of(reply, subtask, attempts=attempt.number)
        return PartialResult.of(response, subtask.job)

    def combine(self, values: list[PartialResult]) -> PartialResult:
        """Combine partial results; if the results go to a file, write a part of it."""
        whole = joined(values)
        if not whole.job:
            return whole
        results, parts = self._results(whole.job), list[str]()
        for is_written, group in groupby(values, lambda value: bool(value.parts)):
            if is_written:
                parts += [part for value in group for part in value.parts]
            elif responses := [each for value in group for each in value.responses]:
                lines = [_line(response) for response in responses]
                parts.append(results.write_part(responses[0].index, lines))
        written = whole.written + len(whole.responses)
        return PartialResult(job=whole.job, written=written, parts=parts)

    def aggregate(
        self, values: list[PartialResult], failures: list[Failure[SubTask]]
    ) -> Result:
        """The answer, or the name of the file of results."""
        whole = self.combine(values)
        failed = [Failed.of(failure) for failure in failures]
        job = whole.job or next((f.subtask.job for f in failures), None)
        if job is None:
            # A redrive adds new responses after the old ones.
            responses = sorted(whole.responses, key=lambda response: response.index)
            return Responses(responses=responses, failures=failed)
        results = self._results(job)
        results.finish(whole.parts, [_line(each) for each in failed])
        return Written(
            results_file=self._folder.name(results.file),
            succeeded=whole.written,
            failed=len(failed),
        )

    def _in_file(self, task: RowsFile) -> Iterator[Shard]:
        rows_file, to_file = task.rows_file, task.results == "file"
        job = Job(rows_file=rows_file, name=uuid4().hex) if to_file else None
        ranges = list(self._folder.ranges(rows_file))
        for rows in ranges or [None] * to_file:
            yield InFile(
                template=task.request,
                options=task.options,
                include_row=task.include_row,
                rows_file=rows_file,
                rows=rows,
                job=job,
            )

    def _results(self, job: Job) -> ResultsFile:
        return ResultsFile(self._folder.path(job.rows_file), job.name)


def _requests(task: Rows) -> Iterator[tuple[Request, JsonValue]]:
    for index, row in enumerate(task.rows):
        try:
            yield filled(task.request, row), included(row, task.include_row)
        except Unfilled as error:
            raise TerminalError(f"row {index}: {error}", 400) from error


def _line(outcome: Response | Failed) -> bytes:
    return outcome.model_dump_json().encode() + b"\n"
