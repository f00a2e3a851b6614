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

_UNKNOWN = (400, 404)  # an invalid id, or the id of no invocation
_ALREADY_ENDED = 409
_CREATED = 201  # 200: the URL was registered before
_ARN = "arn:"  # of a version of a function on AWS Lambda
_ACCEPTED = 202  # 200: the server did nothing

Action = Literal["cancel", "pause", "resume"]


@dataclass(frozen=True)
class Admin:
    """A restate-server's admin API at a URL such as `http://localhost:9070`.

    It requires no authentication. Therefore expose it on loopback only.
    """

    http: Http
    url: str

    async def register(self, worker: str, *, force: bool) -> Registered:
        """Register the worker at the URL, or with the ARN, `worker`.

        Returns:
            The names of the services that the worker serves.

        Raises:
            RegistrationError: The server refused to register the worker; or an ARN is
                not the ARN of a version.
            Unreachable: No server answers.
        """
        kind = "arn" if worker.startswith(_ARN) else "uri"
        if kind == "arn" and not worker.rpartition(":")[2].isdigit():
            raise RegistrationError(
                f"{worker} was not registered: it names no version of the function. "
                "Publish a version, and add its number: ARN:NUMBER"
            )
        body = json.dumps({kind: worker, "force": force}).encode()
        url = f"{self.url}/deployments"
        answer = await self.http.ask(Request("POST", url, body=body, for_admin=True))
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
        """The names of the fan-outs that workers serve, sorted."""
        return fan_outs(await self.services())

    async def services(self) -> list[Service]:
        """The services that workers serve."""
        return await self._get("services", list[Service])

    async def deployments(self) -> list[Deployment]:
        """The registered workers, and the services of each."""
        known = await self._get("deployments", list[Deployment])
        return with_services(known, await self.services())

    async def version(self) -> str:
        """The version of restate-server."""
        return await self._get("version", str)

    async def steer(self, run: str, action: Action) -> bool:
        """Cancel, pause or resume an invocation.

        Returns:
            Whether the server accepted the action. If not, the server does nothing.

        Raises:
            UnknownRun: The server has no such invocation.
            Refused: The invocation has ended, or the action is not possible now.
        """
        url = f"{self.url}/invocations/{run}/{action}"
        request = Request("PATCH", url, repeatable=True, for_admin=True)
        answer = await self.http.ask(request)
        if answer.status in _UNKNOWN:
            raise UnknownRun(f"{self.url} has no run {run!r}: check the id")
        if answer.status == _ALREADY_ENDED:
            raise Refused(answer.message)
        if not answer.ok:
            raise Refused(f"cannot {action} {run}: {answer.message}")
        return answer.status == _ACCEPTED

    async def _get(self, path: str, kind: type[T]) -> T:
        url = f"{self.url}/{path}"
        request = Request("GET", url, repeatable=True, for_admin=True)
        return (await self.http.need(request)).read(path, kind)


def _refusal(answer: Answer) -> str:
    code = answer.error and answer.error.restate_code
    return REMEDIES.get(code or "") or CODES.sub("", answer.message)
