"""`Ingress`: the HTTP API of a restate-server by which runs are submitted and read."""

import re
from dataclasses import dataclass
from math import isfinite
from urllib.parse import quote

from pydantic import TypeAdapter
from pydantic_core import from_json

from parallelizework.client.models import FailedSubtask, Progress
from parallelizework.client.server_api.http import Answer, Http, Request, TimedOut
from parallelizework.client.server_messages import (
    BAD_ID,
    CANCELLED,
    SERVICE_NOT_FOUND,
    UNKNOWN_ID,
)
from parallelizework.errors import (
    Refused,
    RunFailed,
    UnfitData,
    UnknownFanOut,
    UnknownRun,
    Unreachable,
)
from parallelizework.messages import REASON, HandlerName
from parallelizework.outcomes import CompletionReason

_NOT_READY = 470
_NOT_FOUND = 404
_CONFLICT = 409
_READ = 30.0  # seconds
_PROGRESS = 3.0  # seconds; a worker answers at once, or there is none
_LONGEST_DELAY = 10 * 365 * 86_400  # seconds
_HEADER = re.compile(r"[!-~]([ -~]*[!-~])?")  # what a header can carry as it is

_FAILURES = TypeAdapter(list[FailedSubtask])


@dataclass(frozen=True)
class Submitted:
    """The id of a run, and whether it was not there before."""

    run: str
    is_new: bool


@dataclass(frozen=True)
class Ingress:
    """A restate-server's ingress at a URL such as `http://localhost:8080`."""

    http: Http
    url: str

    async def submit(
        self, name: str, task: bytes, idempotency_key: str | None, delay: float | None
    ) -> Submitted:
        """Start a run of the fan-out `name`, in `delay` seconds.

        Raises:
            UnknownFanOut: Nothing of that name is served.
            UnfitData: No header can carry that key, or the delay is no time to come.
            Unreachable, Refused: The server is away, or did not accept it.
        """
        key = {} if idempotency_key is None else _key(idempotency_key)
        request = Request(
            "POST",
            f"{self.url}/restate/send/{quote(name, safe='')}/{HandlerName.RUN}",
            query={} if delay is None else {"delay": f"{_milliseconds(delay)}ms"},
            headers=key,
            body=task,
            repeatable=bool(key),
        )
        answer = await self.http.ask(request)
        if answer.status == _NOT_FOUND:
            raise UnknownFanOut(f"no fan-out {name!r} is served")
        if not answer.ok:
            raise Refused(f"{name} was not submitted: {answer.message}")
        sent = from_json(answer.body)
        return Submitted(sent["invocationId"], sent["status"] != "PreviouslyAccepted")

    async def result(self, run: str, within: float) -> bytes | None:
        """The result of a run as JSON, or None if it does not end within that time.

        Args:
            within: Seconds; 0 for a look that does not wait.

        Raises:
            UnknownRun, RunFailed, Unreachable: There is none to be had.
        """
        url = f"{self.url}/restate/{'attach' if within else 'output'}/{run}"
        request = Request("GET", url, timeout=within or _READ, repeatable=True)
        try:
            answer = await self.http.ask(request)
        except TimedOut:
            return None
        if answer.status == _NOT_READY:
            return None
        if not answer.ok:
            raise self._without_result(run, answer)
        return answer.body

    async def progress(self, run: str) -> Progress | None:
        """The progress of a run; None if FanOutProgress does not know it (yet)."""
        answer = await self._progress(run, "get")
        return Progress.of(from_json(answer.body)) if answer else None

    async def failures(self, run: str) -> list[FailedSubtask]:
        """The first subtasks that failed; none if FanOutProgress does not know it."""
        answer = await self._progress(run, "failures")
        return _FAILURES.validate_json(answer.body) if answer else []

    async def _progress(self, run: str, handler: str) -> Answer | None:
        url = f"{self.url}/FanOutProgress/{run}/{handler}"
        request = Request("GET", url, timeout=_PROGRESS, repeatable=True)
        try:
            answer = await self.http.ask(request)
        except TimedOut as error:
            raise Unreachable(
                "no worker answers for FanOutProgress: ask `parallelizework doctor`"
            ) from error
        if answer.status == _NOT_FOUND:
            return None
        if not answer.ok:
            raise Refused(f"the progress of {run} is not known: {answer.message}")
        return answer

    async def serves_progress(self, run: str) -> bool:
        """Whether a worker answers for FanOutProgress, whatever it knows of `run`."""
        url = f"{self.url}/FanOutProgress/{run}/get"
        answer = await self.http.ask(Request("GET", url, timeout=_PROGRESS))
        return SERVICE_NOT_FOUND.format("FanOutProgress") not in answer.message

    async def check(self) -> None:
        """See that it answers.

        Raises:
            Unreachable, Refused: It does not, or is not well.
        """
        await self.http.need(Request("GET", f"{self.url}/restate/health", timeout=5))

    def _without_result(self, run: str, answer: Answer) -> Exception:
        message = answer.message
        if BAD_ID in message or message in UNKNOWN_ID:
            return UnknownRun(f"{self.url} knows no run {run!r}")
        if answer.is_of_invocation:
            return RunFailed(run, answer.status, message, _reason(answer))
        return Refused(f"the result of {run} could not be had: {message}")


def _reason(answer: Answer) -> CompletionReason | None:
    if (answer.status, answer.message) == (_CONFLICT, CANCELLED):
        return CompletionReason.CANCELLED
    said = (answer.error and answer.error.metadata) or {}
    word = said.get(REASON)
    return CompletionReason(word) if word in list(CompletionReason) else None


def _key(idempotency_key: str) -> dict[str, str]:
    if not _HEADER.fullmatch(idempotency_key):
        raise UnfitData(
            f"the idempotency key {idempotency_key!r} cannot be sent: give one or more "
            "printable ASCII characters, without spaces around them"
        )
    return {"idempotency-key": idempotency_key}


def _milliseconds(delay: float) -> int:
    if not (isfinite(delay) and 0 <= delay <= _LONGEST_DELAY):
        raise UnfitData(
            f"a run cannot be delayed by {delay} s: give 0 to {_LONGEST_DELAY} s"
        )
    return round(delay * 1000)
