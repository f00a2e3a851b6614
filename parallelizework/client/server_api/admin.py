"""`Admin`: the admin API of a restate-server."""

import json
from dataclasses import dataclass
from typing import Literal

from parallelizework.client.server_api.deployments import (
    Deployment,
    Registered,
    Service,
    fan_outs,
    with_services,
)
from parallelizework.client.server_api.http import Answer, Http, Request, T
from parallelizework.client.server_messages import CODES, REMEDIES
from parallelizework.errors import Refused, RegistrationError, UnknownRun

_UNKNOWN = (400, 404)  # no id at all, or one of no invocation
_DONE_ALREADY = 409
_CREATED = 201  # 200: that address was registered already
_ACCEPTED = 202  # 200: there was nothing to do, or nothing that can be done

Action = Literal["cancel", "pause", "resume"]


@dataclass(frozen=True)
class Admin:
    """A restate-server's admin API at a URL such as `http://localhost:9070`.

    It asks for no authentication: keep it on loopback.
    """

    http: Http
    url: str

    async def register(self, worker: str, *, force: bool) -> Registered:
        """Register the worker at the URL `worker`; answer with its services' names.

        Raises:
            RegistrationError: The server refused.
            Unreachable: The server is not there.
        """
        body = json.dumps({"uri": worker, "force": force}).encode()
        url = f"{self.url}/deployments"
        answer = await self.http.ask(Request("POST", url, body=body))
        if not answer.ok:
            raise RegistrationError(f"{worker} was not registered: {_refusal(answer)}")
        services, id_ = answer.read("services", list[Service]), answer.read("id", str)
        names = {service.name for service in services}
        others = [
            other
            for other in await self.deployments()
            if other.id != id_ and names.intersection(other.all_lost)
        ]
        return Registered(services, others, is_new=answer.status == _CREATED)

    async def fan_outs(self) -> list[str]:
        """The names of the fan-outs that are served, sorted."""
        return fan_outs(await self.services())

    async def services(self) -> list[Service]:
        """The services that are served."""
        return await self._get("services", list[Service])

    async def deployments(self) -> list[Deployment]:
        """The workers that are registered, and what each of them serves."""
        known = await self._get("deployments", list[Deployment])
        return with_services(known, await self.services())

    async def version(self) -> str:
        """The version of restate-server."""
        return await self._get("version", str)

    async def steer(self, run: str, action: Action) -> bool:
        """Cancel, pause or resume an invocation; answer whether that will happen.

        Raises:
            UnknownRun: There is no such invocation.
            Refused: It has ended, or cannot do that now.
        """
        url = f"{self.url}/invocations/{run}/{action}"
        answer = await self.http.ask(Request("PATCH", url, repeatable=True))
        if answer.status in _UNKNOWN:
            raise UnknownRun(f"{self.url} knows no run {run!r}")
        if answer.status == _DONE_ALREADY:
            raise Refused(answer.message)
        if not answer.ok:
            raise Refused(f"{run} could not be asked to {action}: {answer.message}")
        return answer.status == _ACCEPTED

    async def _get(self, path: str, kind: type[T]) -> T:
        request = Request("GET", f"{self.url}/{path}", repeatable=True)
        return (await self.http.need(request)).read(path, kind)


def _refusal(answer: Answer) -> str:
    code = answer.error and answer.error.restate_code
    return REMEDIES.get(code or "") or CODES.sub("", answer.message)
