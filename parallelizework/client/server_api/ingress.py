"""`Ingress`: the HTTP API of a restate-server that submits runs and reads results."""

import re
from dataclasses import dataclass
from math import isfinite
from urllib.parse import quote

from pydantic import TypeAdapter
from pydantic_core import from_json

from parallelizework.client.models import FailedSubtask, Progress
from parallelizework.client.server_api.http import (
    Answer,
    Http,
    Request,
    TimedOut,
    succeeded,
)
from parallelizework.client.server_messages import (
    ADMIN_VERSION,
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
from parallelizework.messages import REASON, HandlerName, Outcomes
from parallelizework.outcomes import CompletionReason
from parallelizework.progress.labels import Labels, checked, labels_headers
from parallelizework.redrive.models import Redrivable
from parallelizework.streaming.models import Part

_NOT_READY = 470
_NOT_FOUND = 404
_CONFLICT = 409
_READ = 30.0  # seconds
_HEALTH = 5.0  # seconds
_PROGRESS = 3.0  # seconds; a worker that is running answers at once
_LONGEST_DELAY = 10 * 365 * 86_400  # seconds
_KEY = "idempotency-key"
_HEADER = re.compile(r"[!-~]([ -~]*[!-~])?")  # values that a header can contain

_FAILURES = TypeAdapter(list[FailedSubtask])


@dataclass(frozen=True)
class Options:
    """The options of a submit.

    Attributes:
        idempotency_key: The key that all submits of the same run have.
        delay: Start the run after this time, in seconds.
        labels: The labels of the run.
    """

    idempotency_key: str | None = None
    delay: float | None = None
    labels: Labels | None = None

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query.

        Raises:
            UnfitData: The delay is invalid.
        """
        delay = self.delay
        return {} if delay is None else {"delay": f"{_milliseconds(delay)}ms"}

    @property
    def headers(self) -> dict[str, str]:
        """The headers.

        Raises:
            UnfitData: A header cannot contain that key, or a label is invalid.
        """
        key = self.idempotency_key
        return ({} if key is None else _key(key)) | labels_headers(valid(self.labels))


@dataclass(frozen=True)
class Submitted:
    """The id of a run, and whether this submit started the run."""

    run: str
    is_new: bool


@dataclass(frozen=True)
class Ingress:
    """A restate-server's ingress at a URL such as `http://localhost:8080`."""

    http: Http
    url: str

    async def submit(self, name: str, task: bytes, options: Options) -> Submitted:
        """Start a run of the fan-out `name`.

        Raises:
            UnknownFanOut: No worker serves that fan-out.
            UnfitData: An option is invalid.
            Unreachable: No server answers.
            Refused: The server did not accept the task, or it is an admin API.
        """
        return await self._send(
            name, HandlerName.RUN, task, options.headers, options.query
        )

    async def redrivable(self, run: str) -> Redrivable | None:
        """Whether a run can be redriven; None if nothing is kept of it (yet)."""
        answer = await self._object("FanOutRedrive", run, "get")
        return Redrivable.model_validate_json(answer.body) if answer else None

    async def redrive(self, name: str, body: bytes, key: str) -> Submitted:
        """Start a redrive of a run of the fan-out `name`.

        Raises:
            UnknownFanOut: No worker serves that fan-out.
            Refused: The server did not accept the request.
        """
        return await self._send(name, HandlerName.REDRIVE, body, _key(key), {})

    async def order(self, run: str, order: str, body: bytes | None) -> None:
        """Send an order to a held run: `redrive` or `settle`.

        Raises:
            Refused: The run is no longer held, or the order is invalid.
        """
        url = f"{self.url}/restate/call/FanOutRedrive/{run}/{order}"
        request = Request("POST", url, body=body)
        succeeded(request, await self.http.ask(request))

    async def kept(self, run: str, number: int) -> Outcomes:
        """A piece of the outcomes that are kept of a run for a redrive."""
        url = f"{self.url}/restate/call/FanOutRedrive/{run}/read"
        body = str(number).encode()
        request = Request("POST", url, body=body, timeout=_READ, repeatable=True)
        answer = succeeded(request, await self.http.ask(request))
        return Outcomes.model_validate_json(answer.body)

    async def outcomes(self, run: str, offset: int) -> Part | None:
        """Outcomes of a run from an offset on; None if the run sends none (yet)."""
        url = f"{self.url}/restate/call/FanOutOutcomes/{run}/read"
        body = str(offset).encode()
        request = Request("POST", url, body=body, timeout=_READ, repeatable=True)
        answer = await self.http.ask(request)
        if answer.status == _NOT_FOUND:
            return None
        return Part.model_validate_json(succeeded(request, answer).body)

    async def result(self, run: str, within: float) -> bytes | None:
        """The result of a run as JSON; None if the run does not end in time.

        Args:
            within: The longest time to wait, in seconds; 0 means: do not wait.

        Raises:
            UnknownRun: The server has no such run.
            RunFailed: The run ended without a result.
            Unreachable: No server answers.
        """
        url = f"{self.url}/restate/{'attach' if within else 'output'}/{run}"
        request = Request("GET", url, timeout=within or _READ, repeatable=True)
        try:
            answer = await self.http.ask(request)
        except TimedOut:
            return None
        if answer.status == _NOT_READY:
            return None
        await self._refuse_admin(answer)
        if not answer.ok:
            raise self._without_result(run, answer)
        return answer.body

    async def progress(self, run: str) -> Progress | None:
        """The progress of a run; None if FanOutProgress does not know the run (yet)."""
        answer = await self._object("FanOutProgress", run, "get")
        return Progress.of(from_json(answer.body)) if answer else None

    async def failures(self, run: str) -> list[FailedSubtask]:
        """The first subtasks that failed; none if FanOutProgress has no record."""
        answer = await self._object("FanOutProgress", run, "failures")
        return _FAILURES.validate_json(answer.body) if answer else []

    async def _send(
        self,
        name: str,
        handler: str,
        body: bytes,
        headers: dict[str, str],
        query: dict[str, str],
    ) -> Submitted:
        request = Request(
            "POST",
            f"{self.url}/restate/send/{quote(name, safe='')}/{handler}",
            query=query,
            headers=headers,
            body=body,
            repeatable=_KEY in headers,
        )
        answer = await self.http.ask(request)
        await self._refuse_admin(answer)
        if answer.status == _NOT_FOUND:
            raise UnknownFanOut(f"no worker serves a fan-out {name!r}")
        if not answer.ok:
            raise Refused(f"{name} was not submitted: {answer.message}")
        status = answer.read("status", str)
        return Submitted(
            answer.read("invocationId", str), status != "PreviouslyAccepted"
        )

    async def _object(self, name: str, run: str, handler: str) -> Answer | None:
        """The answer of a virtual object; None if it does not know the run."""
        url = f"{self.url}/{name}/{run}/{handler}"
        request = Request("GET", url, timeout=_PROGRESS, repeatable=True)
        try:
            answer = await self.http.ask(request)
        except TimedOut as error:
            raise Unreachable(
                f"no worker answers for {name}: run `parallelizework doctor`"
            ) from error
        if answer.status == _NOT_FOUND:
            return None
        if not answer.ok:
            raise Refused(f"{name} cannot be read for {run}: {answer.message}")
        return answer

    async def serves_progress(self, run: str) -> bool:
        """Whether a worker answers for FanOutProgress; it need not know `run`."""
        url = f"{self.url}/FanOutProgress/{run}/get"
        answer = await self.http.ask(Request("GET", url, timeout=_PROGRESS))
        return SERVICE_NOT_FOUND.format("FanOutProgress") not in answer.message

    async def check(self) -> None:
        """Check that the ingress is healthy.

        Raises:
            Unreachable: The ingress does not answer.
            Refused: The ingress is not healthy, or the URL is that of an admin API.
        """
        request = Request("GET", f"{self.url}/restate/health", timeout=_HEALTH)
        answer = await self.http.ask(request)
        await self._refuse_admin(answer)
        succeeded(request, answer)

    async def _refuse_admin(self, answer: Answer) -> None:
        """Check that an answer is not that of an admin API.

        An admin API answers an unknown path with an empty 404; so may a proxy. An
        ingress says why.
        """
        if answer.status != _NOT_FOUND or answer.body:
            return
        # Repeatable: a server may close a connection after it has refused a POST.
        url = f"{self.url}/version"
        request = Request("GET", url, timeout=_HEALTH, repeatable=True)
        try:
            version = await self.http.ask(request)
        except Unreachable:
            return
        if ADMIN_VERSION in version.body:
            raise Refused(
                f"{self.url} is the URL of an admin API, not of an ingress: set the "
                "URL of the ingress with --ingress, or with PARALLELIZEWORK_INGRESS_URL"
            )

    def _without_result(self, run: str, answer: Answer) -> Exception:
        message = answer.message
        if BAD_ID in message or message in UNKNOWN_ID:
            return UnknownRun(f"{self.url} has no run {run!r}: check the id")
        if answer.is_of_invocation:
            return RunFailed(run, answer.status, message, _reason(answer))
        return Refused(f"the result of {run} cannot be read: {message}")


def _reason(answer: Answer) -> CompletionReason | None:
    if (answer.status, answer.message) == (_CONFLICT, CANCELLED):
        return CompletionReason.CANCELLED
    metadata = (answer.error and answer.error.metadata) or {}
    reason = metadata.get(REASON)
    return CompletionReason(reason) if reason in list(CompletionReason) else None


def _key(idempotency_key: str) -> dict[str, str]:
    if not _HEADER.fullmatch(idempotency_key):
        raise UnfitData(
            f"the idempotency key {idempotency_key!r} is invalid: use one or more "
            "printable ASCII characters, and no space at the start or at the end"
        )
    return {_KEY: idempotency_key}


def valid(labels: Labels | None) -> dict[str, str]:
    """Return the labels.

    Raises:
        UnfitData: A label is invalid.
    """
    try:
        return checked(labels or {})
    except TypeError as error:
        raise UnfitData(f"labels are a dict of strings, not {labels!r:.80}") from error
    except ValueError as error:
        raise UnfitData(str(error)) from error


def _milliseconds(delay: float) -> int:
    if not (isfinite(delay) and 0 <= delay <= _LONGEST_DELAY):
        raise UnfitData(
            f"a run cannot be delayed by {delay} s: use 0 to {_LONGEST_DELAY} s"
        )
    return round(delay * 1000)
