"""`Runs`: many runs at once. Runs that hang share one wait."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import httpx

from .conftest import Server
from .processes import LONG, eventually

_AT_ONCE = 48  # runs to wait for at once
_FIRST_WAIT = 3.0  # seconds to wait for a run before the next submission
_STILL = 20.0  # if no run ends in these seconds, the remaining runs hang
_NOT_READY = 470


@dataclass(frozen=True)
class Submission:
    """A run to submit.

    Attributes:
        cancel: Cancel the run as soon as this returns True.
    """

    service: str
    body: bytes
    cancel: Callable[[], bool] | None = None


@dataclass(frozen=True)
class End:
    """How a run ended.

    Attributes:
        run: The id of the run; empty if its task was refused.
        status: The HTTP status of the response; 0 if the run hangs.
        ignores_cancel: The run hangs, and does not end after a cancellation.
    """

    run: str
    status: int
    text: str
    ignores_cancel: bool = False


class Runs:
    """Runs on one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        limits = httpx.Limits(max_connections=_AT_ONCE)
        self._http = httpx.Client(timeout=LONG, limits=limits, trust_env=False)
        self._ended = time.monotonic()  # when the last run ended

    def ends(
        self, submissions: Iterable[Submission], at_once: int = _AT_ONCE
    ) -> list[End]:
        """Submit all runs; return their ends in the same order."""
        with self._http, ThreadPoolExecutor(at_once) as pool:
            begun = list(pool.map(self._begin, submissions))
            ends = self._wait({b: None for b in begun if isinstance(b, str)})
            hanging = [run for run, end in ends.items() if not end]
            for run in hanging:
                self._end_by(run, "cancel")
            late = self._wait(dict.fromkeys(hanging))
            for run, end in late.items():
                if not end:
                    self._end_by(run, "kill")
        hung = {
            run: End(run, 0, "the run hangs", ignores_cancel=not end)
            for run, end in late.items()
        }
        known = {run: end for run, end in ends.items() if end} | hung
        return [known[each] if isinstance(each, str) else each for each in begun]

    def _begin(self, submission: Submission) -> str | End:
        """Submit a run and wait briefly; return its end, or its id if it still runs."""
        url = f"{self._server.ingress}/restate/send/{submission.service}/run"
        kind = {"content-type": "application/json"}
        answer = self._http.post(url, content=submission.body, headers=kind)
        if answer.is_error:
            return End("", answer.status_code, answer.text)
        run = str(answer.json()["invocationId"])
        if submission.cancel:
            with suppress(AssertionError):  # cancel the run in any case
                eventually(submission.cancel, _STILL)
            self._end_by(run, "cancel")
        attach = partial(self._http.get, f"{self._server.ingress}/restate/attach/{run}")
        try:
            return self._end(run, attach(timeout=_FIRST_WAIT)) or run
        except httpx.TimeoutException:
            return run

    def _wait(self, runs: dict[str, End | None]) -> dict[str, End | None]:
        """Return the end of each run, or None for the runs that hang."""
        self._ended = time.monotonic()
        while not all(runs.values()) and time.monotonic() < self._ended + _STILL:
            for run in [run for run, end in runs.items() if not end]:
                url = f"{self._server.ingress}/restate/output/{run}"
                runs[run] = self._end(run, self._http.get(url))
            time.sleep(0.2)
        return runs

    def _end(self, run: str, answer: httpx.Response) -> End | None:
        from_server = answer.headers.get("x-restate-error-source") == "ingress"
        if answer.status_code == _NOT_READY or from_server:
            return None
        self._ended = time.monotonic()
        return End(run, answer.status_code, answer.text)

    def _end_by(self, run: str, action: str) -> None:
        """Cancel or kill a run that may have ended."""
        self._http.patch(f"{self._server.admin}/invocations/{run}/{action}")
