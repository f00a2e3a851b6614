"""`Ingress`: where a restate-server takes requests, and how each of them reads."""

from dataclasses import dataclass
from urllib.parse import quote

from parallelizework.answers import FailedSubtask, Progress
from parallelizework.errors import (
    Refused,
    RunFailed,
    UnknownFanOut,
    UnknownRun,
    Unreachable,
)
from parallelizework.exchange import Answer, Exchange, Request, TimedOut, ask, need

_NOT_READY = 470
_NOT_FOUND = 404
_JSON = {"content-type": "application/json"}
_READ = 30.0  # seconds
_PROGRESS = 5.0  # seconds; a worker answers at once, or there is none
# A run that failed with 404 has a message of its own, which names a subtask or a part.
_NO_SUCH_RUN = ("not found", "invocation not found")


@dataclass(frozen=True)
class Ingress:
    """A restate-server's ingress at a URL such as `http://localhost:8080`."""

    url: str

    def submit(
        self, name: str, task: bytes, idempotency_key: str | None, delay: float | None
    ) -> Exchange[str]:
        """Start a run of the fan-out `name`, in `delay` seconds; answer with its id.

        Raises:
            UnknownFanOut: Nothing of that name is served.
            Unreachable, Refused: The server is away, or did not take it.
        """
        key = {"idempotency-key": idempotency_key} if idempotency_key else {}
        query = {} if delay is None else {"delay": f"{round(delay * 1000)}ms"}
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
        return str(answer.json()["invocationId"])

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
        return Progress.model_validate_json(answer.body) if answer else None

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
        return RunFailed(run, answer.status, message)
