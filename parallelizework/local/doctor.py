"""`examine`: checks everything that a run needs, and names the remedy of each error."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from parallelizework.client.event_loop_thread import EventLoopThread
from parallelizework.client.server_api.deployments import Deployment
from parallelizework.client.server_api.server import Server
from parallelizework.client.subtasks.stalled_calls import StalledCalls, stalled_calls
from parallelizework.errors import ClientError, Unreachable
from parallelizework.messages import VIRTUAL_OBJECTS
from parallelizework.waiting.models import ANSWERS, MAILBOX

_REMEDY = re.compile(r": (?=start |set )")  # begins the remedy in an error's message
_OLDEST_SERVER = (1, 7)  # older servers have no signals
_OLDEST_SDK = (1, 3)
_STREAMS = "BidiStream"
_SAME_NETWORK = ("localhost", "127.0.0.1", "::1")
_NOWHERE = "inv_nowhere"  # the id of no run
_READY_MADE = ("FanOutWorker", "HttpFanOut")  # `serve` accepts these names


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        what: What was checked: `ingress`, `worker`, ...
        text: The result.
        remedy: What to do about an error; empty if there is none.
        is_idle: Whether it is a worker that receives no new calls.
    """

    what: str
    text: str
    remedy: str = ""
    is_idle: bool = False

    @property
    def ok(self) -> bool:
        """Whether the check found no error."""
        return not self.remedy


def examine(ingress: str | None = None, admin: str | None = None) -> list[Finding]:
    """Check a restate-server and its workers, from this machine.

    Args:
        ingress: The URL of the server's ingress; by default, from `Settings`.
        admin: The URL of the server's admin API; by default, from `Settings`.
    """
    server = Server.at(ingress, admin)
    with (
        closing(EventLoopThread(server.http.close)) as thread,
        httpx.Client(trust_env=False) as http,
    ):
        return list(Doctor(server, thread, http).findings())


class Doctor:
    """Checks one restate-server and its workers."""

    def __init__(
        self, server: Server, thread: EventLoopThread, http: httpx.Client
    ) -> None:
        self._server = server
        self._ask = thread.run
        self._http = http

    def findings(self) -> Iterator[Finding]:
        """The results of all checks; only two of them if the admin API is wrong."""
        yield self._ingress()
        admin = self._admin()
        yield admin
        if not admin.ok:
            return
        deployments = self._ask(self._server.admin.deployments())
        yield self._registered(deployments)
        for deployment in deployments:
            yield self._worker(deployment)
            yield Finding("serves", str(deployment), is_idle=deployment.is_idle)
            if not deployment.is_idle:
                yield _protocol(deployment)
        yield self._progress()
        stalled = self._ask(stalled_calls(self._server.sql))
        yield from _paused(stalled)
        yield from _too_large(stalled)

    def _ingress(self) -> Finding:
        url = self._server.ingress.url
        try:
            self._ask(self._server.ingress.check())
        except ClientError as error:
            return Finding("ingress", *_wrong(error))
        return Finding("ingress", f"{url} answers")

    def _admin(self) -> Finding:
        url = self._server.admin.url
        try:
            found = self._ask(self._server.admin.version())
        except ClientError as error:
            return Finding("admin", *_wrong(error))
        text = f"{url} answers, restate-server {found}"
        if _number(found) >= _OLDEST_SERVER:
            return Finding("admin", text)
        required = ".".join(map(str, _OLDEST_SERVER))
        return Finding("admin", text, f"update restate-server to {required} or later")

    def _registered(self, deployments: list[Deployment]) -> Finding:
        names = self._ask(self._server.admin.fan_outs())
        if names:
            return Finding("fan-outs", ", ".join(names))
        what = "fan-out" if deployments else "worker"
        remedy = "run parallelizework serve, then parallelizework register URL"
        return Finding("fan-outs", f"no {what} is registered", remedy)

    def _worker(self, deployment: Deployment) -> Finding:
        url = deployment.url
        if deployment.arn:
            text = f"{url} is a function on AWS Lambda (see calls)"
            return Finding("worker", text, is_idle=deployment.is_idle)
        try:
            answer = self._http.get(f"{url}/health", timeout=5)
        except httpx.HTTPError as error:
            return self._silent(deployment, error)
        if answer.is_success:
            return Finding("worker", f"{url} is healthy", is_idle=deployment.is_idle)
        remedy = f"this is not a worker, or an old worker. Run {_serve(deployment)}"
        return Finding("worker", f"{url} answers {answer.status_code}", remedy)

    def _silent(self, deployment: Deployment, error: Exception) -> Finding:
        """A worker that does not answer; on another machine, this may be no error."""
        url = deployment.url
        if urlsplit(url).hostname not in _SAME_NETWORK:
            text = f"{url} is not reachable from this machine (see calls)"
            return Finding("worker", text)
        text = f"{url} does not answer ({error})"
        remedy = f"run {_serve(deployment)}"
        if not deployment.is_idle:
            return Finding("worker", text, remedy)
        active = self._ask(self._server.sql.active_at(deployment.id))
        if active:
            text = f"{text}, and {active} calls wait for this worker"
            return Finding("worker", text, remedy)
        remove = f"restate deployments remove {deployment.id}"
        text = f"{text} and is no longer needed. To remove it: {remove}"
        return Finding("worker", text, is_idle=True)

    def _progress(self) -> Finding:
        """Check a call through the server to a worker and back."""
        remedy = "run parallelizework register URL with a worker of this version"
        try:
            served = self._ask(self._server.ingress.serves_progress(_NOWHERE))
        except Unreachable:
            remedy = "run parallelizework serve at the registered URL of the worker"
            text = "the worker does not answer the server"
            return Finding("calls", text, remedy)
        except ClientError as error:
            return Finding("calls", str(error), remedy)
        if served:
            return Finding("calls", "the server reaches a worker")
        return Finding("calls", "no worker serves FanOutProgress", remedy)


def _paused(stalled: StalledCalls) -> Iterator[Finding]:
    """The paused calls, one finding for each run."""
    for run, paused in stalled.exhausted().items():
        calls = "call" if len(paused) == 1 else "calls"
        text = f"{len(paused)} paused {calls} of {run}"
        if first := next((each for each in paused if each.error), None):
            text = f"{text}: {first.subject.target}: {first.error}"
        remedy = f"fix the cause, then run parallelizework resume {run}"
        yield Finding("paused", text, remedy)


def _too_large(stalled: StalledCalls) -> Iterator[Finding]:
    """The runs that AWS Lambda cannot execute, one finding for each run."""
    for run, each in stalled.too_large().items():
        text = (
            f"AWS Lambda refuses a request of {run} without end: the journal of "
            f"{each.call.target} is larger than 6 MB"
        )
        remedy = (
            f"run restate invocations kill {run}, then use references as subtasks and "
            "values, such as paths or keys; or add a function combine"
        )
        yield Finding("journal", text, remedy)


def _serve(deployment: Deployment) -> str:
    """The command that serves the services of a deployment again."""
    ours = {*VIRTUAL_OBJECTS, ANSWERS, MAILBOX}
    names = sorted({*deployment.serves, *deployment.all_lost} - ours)
    others = [name for name in names if name not in _READY_MADE]
    targets = [name for name in names if name in _READY_MADE]
    targets += ["MODULE:OBJECT"] if others else []
    bind = f"--bind {urlsplit(deployment.url).netloc}"
    command = f"parallelizework serve {' '.join(targets)} {bind}"
    return f"{command} with the target of {', '.join(others)}" if others else command


def _protocol(deployment: Deployment) -> Finding:
    """Check the protocol between server and worker, and the version of the SDK."""
    sdk, http = deployment.sdk_version or "unknown", deployment.http_version
    lowest, highest = deployment.min_protocol_version, deployment.max_protocol_version
    text = f"{sdk}, protocol {lowest} to {highest}, {http or 'AWS Lambda'}"
    if deployment.protocol_type != _STREAMS and not deployment.arn:
        remedy = (
            "serve it over HTTP/2: run parallelizework serve, then parallelizework "
            "register URL --force"
        )
        return Finding("protocol", f"{text}, without streams", remedy)
    name, _, number = sdk.rpartition("/")
    if name.endswith("python") and _number(number) < _OLDEST_SDK:
        oldest = ".".join(map(str, _OLDEST_SDK))
        remedy = f"pip install 'restate-sdk>={oldest}' for the worker"
        return Finding("protocol", text, remedy)
    return Finding("protocol", text)


def _wrong(error: ClientError) -> tuple[str, str]:
    text, *remedy = _REMEDY.split(str(error), maxsplit=1)
    return text, remedy[0] if remedy else "start a restate-server: parallelizework dev"


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
