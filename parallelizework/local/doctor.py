"""`examine`: is everything there that a run needs, and what to type if not."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from parallelizework.client.event_loop_thread import EventLoopThread
from parallelizework.client.server_api.deployments import Deployment
from parallelizework.client.server_api.server import Server
from parallelizework.client.stalled_calls import stalled_calls
from parallelizework.errors import ClientError, Unreachable
from parallelizework.progress.models import NAME as PROGRESS

_OLDEST_SERVER = (1, 7)  # what the tests run on; older ones do not know signals
_OLDEST_SDK = (1, 3)
_STREAMS = "BidiStream"
_SAME_NETWORK = ("localhost", "127.0.0.1", "::1")
_NOWHERE = "inv_nowhere"
_READY_MADE = ("FanOutWorker", "HttpFanOut")  # what `serve` knows by name


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: What it is: `ingress`, `worker`, ...
        said: What was found.
        remedy: What to type, where something is wrong.
        is_idle: It is right, but nothing goes to it.
    """

    what: str
    said: str
    remedy: str = ""
    is_idle: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.remedy


def examine(ingress: str | None = None, admin: str | None = None) -> list[Finding]:
    """Look at a restate-server and its workers, from here.

    Args:
        ingress, admin: The server's addresses; by default as `Settings` say.
    """
    server = Server.at(ingress, admin)
    with (
        closing(EventLoopThread(server.http.close)) as thread,
        httpx.Client(trust_env=False) as http,
    ):
        return list(Doctor(server, thread, http).findings())


class Doctor:
    """Looks at one restate-server, one thing after another."""

    def __init__(
        self, server: Server, thread: EventLoopThread, http: httpx.Client
    ) -> None:
        self._server = server
        self._ask = thread.run
        self._http = http

    def findings(self) -> Iterator[Finding]:
        """All there is to say; what needs the admin interface only if that is there."""
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
        yield from self._paused()

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
        said = f"{url} answers, restate-server {found}"
        if _number(found) >= _OLDEST_SERVER:
            return Finding("admin", said)
        wanted = ".".join(map(str, _OLDEST_SERVER))
        return Finding("admin", said, f"run {wanted} or later")

    def _registered(self, deployments: list[Deployment]) -> Finding:
        names = self._ask(self._server.admin.fan_outs())
        if names:
            return Finding("fan-outs", ", ".join(names))
        said = "none is registered" if deployments else "no worker is registered"
        remedy = "parallelizework serve, then parallelizework register URL"
        return Finding("fan-outs", said, remedy)

    def _worker(self, deployment: Deployment) -> Finding:
        url = deployment.url
        try:
            answer = self._http.get(f"{url}/health", timeout=5)
        except httpx.HTTPError as error:
            return self._silent(deployment, error)
        if answer.is_success:
            return Finding("worker", f"{url} is healthy", is_idle=deployment.is_idle)
        remedy = f"it is no worker, or an old one: {_serve(deployment)}"
        return Finding("worker", f"{url} answers {answer.status_code}", remedy)

    def _silent(self, deployment: Deployment, error: Exception) -> Finding:
        """A worker that does not answer; elsewhere, that may only seem so from here."""
        url = deployment.url
        if urlsplit(url).hostname not in _SAME_NETWORK:
            return Finding("worker", f"{url} cannot be seen from here (see calls)")
        said = f"{url} does not answer ({error})"
        if not deployment.is_idle:
            return Finding("worker", said, _serve(deployment))
        active = self._ask(self._server.sql.active_at(deployment.id))
        if active:
            said = f"{said}, and {active} calls that began there wait for it"
            return Finding("worker", said, _serve(deployment))
        said = f"{said}, nor is it needed: restate deployments remove {deployment.id}"
        return Finding("worker", said, is_idle=True)

    def _paused(self) -> Iterator[Finding]:
        """The calls that somebody has to resume, a finding a run."""
        stalled = self._ask(stalled_calls(self._server.sql))
        for top, paused in stalled.exhausted().items():
            said = f"{len(paused)} calls of {top} are paused"
            if errors := [each.error for each in paused if each.error]:
                said = f"{said}: {paused[0].subject.target}: {errors[0]}"
            remedy = f"fix the cause, then parallelizework resume {top}"
            yield Finding("paused", said, remedy)

    def _progress(self) -> Finding:
        """A call through the server to a worker and back."""
        remedy = "parallelizework register URL, of a worker of this version"
        try:
            served = self._ask(self._server.ingress.serves_progress(_NOWHERE))
        except Unreachable:
            remedy = "parallelizework serve, where the worker is registered"
            said = "the server gets no answer from the worker"
            return Finding("calls", said, remedy)
        except ClientError as error:
            return Finding("calls", str(error), remedy)
        if served:
            return Finding("calls", "reach a worker and come back")
        return Finding("calls", "FanOutProgress is not served", remedy)


def _serve(deployment: Deployment) -> str:
    """The command that serves what a deployment has served, as far as that is known."""
    names = sorted({*deployment.serves, *deployment.all_lost} - {PROGRESS})
    others = [name for name in names if name not in _READY_MADE]
    targets = [name for name in names if name in _READY_MADE]
    targets += ["MODULE:OBJECT"] if others else []
    bind = f"--bind {urlsplit(deployment.url).netloc}"
    command = f"parallelizework serve {' '.join(targets)} {bind}"
    return f"{command}, with the target of {', '.join(others)}" if others else command


def _protocol(deployment: Deployment) -> Finding:
    """How server and worker talk, and whether the worker's SDK is new enough."""
    sdk, http = deployment.sdk_version or "unknown", deployment.http_version
    lowest, highest = deployment.min_protocol_version, deployment.max_protocol_version
    said = f"{sdk}, protocol {lowest} to {highest}, {http}"
    if deployment.protocol_type != _STREAMS:
        remedy = "serve it over HTTP/2: parallelizework serve, then register --force"
        return Finding("protocol", f"{said}, without streams", remedy)
    name, _, number = sdk.rpartition("/")
    if name.endswith("python") and _number(number) < _OLDEST_SDK:
        oldest = ".".join(map(str, _OLDEST_SDK))
        remedy = f"pip install 'restate-sdk>={oldest}' for the worker"
        return Finding("protocol", said, remedy)
    return Finding("protocol", said)


def _wrong(error: ClientError) -> tuple[str, str]:
    said, _, remedy = str(error).partition(": start ")
    return said, f"start {remedy or 'a restate-server: parallelizework dev'}"


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
