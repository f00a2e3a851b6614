"""`Ingress`: where a restate-server takes requests, and how each of them reads."""

import re
from dataclasses import dataclass
from math import isfinite
from urllib.parse import quote

from parallelizework.client.answers import FailedSubtask, Progress
from parallelizework.client.exchange import (
    Answer,
    Exchange,
    Request,
    TimedOut,
    ask,
    need,
)
from parallelizework.completion import CompletionReason
from parallelizework.errors import (
    Refused,
    RunFailed,
    UnfitData,
    UnknownFanOut,
    UnknownRun,
    Unreachable,
)
from parallelizework.messages import REASON

_NOT_READY = 470
_NOT_FOUND = 404
_CONFLICT = 409
_JSON = {"content-type": "application/json"}
_READ = 30.0  # seconds
_PROGRESS = 3.0  # seconds; a worker answers at once, or there is none
_LONGEST_DELAY = 10 * 365 * 86_400  # seconds
_HEADER = re.compile(r"[!-~]([ -~]*[!-~])?")  # what a header can carry as it is
# A run that failed with 404 has a message of its own, which names a subtask or a part.
_NO_SUCH_RUN = ("not found", "invocation not found")


@dataclass(frozen=True)
class Submitted:
    """What became of a submit.

    Attributes:
        run: The run's id.
        is_new: It was not there before.
    """

    run: str
    is_new: bool


@dataclass(frozen=True)
class Ingress:
    """A restate-server's ingress at a URL such as `http://localhost:8080`."""

    url: str

    def submit(
        self, name: str, task: bytes, idempotency_key: str | None, delay: float | None
    ) -> Exchange["Submitted"]:
        """Start a run of the fan-out `name`, in `delay` seconds.

        Raises:
            UnknownFanOut: Nothing of that name is served.
            UnfitData: No header can carry that key, or the delay is no time to come.
            Unreachable, Refused: The server is away, or did not take it.
        """
        key = {} if idempotency_key is None else _key(idempotency_key)
        query = {} if delay is None else {"delay": f"{_milliseconds(delay)}ms"}
        answer = yield from ask(
            Request(
                "POST",
                f"{self.url}/restate/send/{quote(name, safe='')}/run",
                query=query,
                headers={**_JSON, **key},
                body=task,
                repeatable=bool(key),
            )
        )
        if answer.status == _NOT_FOUND:
            raise UnknownFanOut(f"no fan-out {name!r} is served")
        if not answer.ok:
            raise Refused(f"{name} was not submitted: {answer.message}")
        said = answer.json()
        return Submitted(said["invocationId"], said["status"] != "PreviouslyAccepted")

    def result(self, run: str, timeout: float) -> Exchange[bytes | None]:
        """The result of a run as JSON, or None if it does not end within `timeout` s.

        A timeout of 0 is for a look that does not wait.

        Raises:
            UnknownRun, RunFailed, Unreachable: There is none to be had.
        """
        how = "attach" if timeout else "output"
        url = f"{self.url}/restate/{how}/{run}"
        request = Request("GET", url, timeout=timeout or _READ, repeatable=True)
        try:
            answer = yield from ask(request)
        except TimedOut:
            return None
        if answer.status == _NOT_READY:
            return None
        if not answer.ok:
            raise self._without_result(run, answer)
        return answer.body

    def progress(self, run: str) -> Exchange[Progress | None]:
        """The progress of a run; None if FanOutProgress does not know it (yet)."""
        answer = yield from self._progress(run, "get")
        return Progress.of(answer.json()) if answer else None

    def failures(self, run: str) -> Exchange[list[FailedSubtask] | None]:
        """The first subtasks that failed; None if FanOutProgress does not know it."""
        answer = yield from self._progress(run, "failures")
        if answer is None:
            return None
        return [FailedSubtask.model_validate(each) for each in answer.json()]

    def _progress(self, run: str, what: str) -> Exchange[Answer | None]:
        url = f"{self.url}/FanOutProgress/{run}/{what}"
        request = Request("GET", url, timeout=_PROGRESS, repeatable=True)
        try:
            answer = yield from ask(request)
        except TimedOut as error:
            raise Unreachable(
                "no worker answers for FanOutProgress: ask `parallelizework doctor`"
            ) from error
        if answer.status == _NOT_FOUND:
            return None
        if not answer.ok:
            raise Refused(f"the progress of {run} is not known: {answer.message}")
        return answer

    def serves_progress(self, run: str) -> Exchange[bool]:
        """Whether a worker answers for FanOutProgress, whatever it knows of `run`."""
        url = f"{self.url}/FanOutProgress/{run}/get"
        answer = yield from ask(Request("GET", url, timeout=_PROGRESS))
        return "service 'FanOutProgress' not found" not in answer.message

    def health(self) -> Exchange[Answer]:
        """Whether it is there, as an answer without content."""
        return need(Request("GET", f"{self.url}/restate/health", timeout=5))

    def _without_result(self, run: str, answer: Answer) -> Exception:
        message = answer.message
        if "bad invocation id" in message or message in _NO_SUCH_RUN:
            return UnknownRun(f"{self.url} knows no run {run!r}")
        if answer.is_of_invocation:
            return RunFailed(run, answer.status, message, _reason(answer))
        return Refused(f"the result of {run} could not be had: {message}")


def _reason(answer: Answer) -> CompletionReason | None:
    if (answer.status, answer.message) == (_CONFLICT, "cancelled"):
        return CompletionReason.CANCELLED
    word = answer.error.get("metadata", {}).get(REASON)
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
