"""`Admin`: the admin API of a restate-server."""

import json
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, JsonValue

from parallelizework.client.server_api.deployments import (
    Deployment,
    Description,
    Registered,
    Service,
    deployments,
    fan_outs,
)
from parallelizework.client.server_api.http import Answer, Http, Model, Request
from parallelizework.client.server_messages import BAD_ID_IN_SQL, CODES, REMEDIES
from parallelizework.errors import Refused, RegistrationError, UnknownRun

_UNKNOWN = (400, 404)  # no id at all, or one of no invocation
_DONE_ALREADY = 409
_CREATED = 201  # 200: that address was registered already
_ACCEPTED = 202  # 200: there was nothing to do, or nothing that can be done
_JSON = {"content-type": "application/json"}

Action = Literal["cancel", "pause", "resume"]


class _Services(BaseModel):
    services: list[Service]


class _Deployments(BaseModel):
    deployments: list[Description]


class _Registration(_Services):
    id: str


class _Version(BaseModel):
    version: str


class _Rows(BaseModel):
    rows: list[dict[str, JsonValue]]


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
        answer = await self.http.ask(Request("POST", url, headers=_JSON, body=body))
        if not answer.ok:
            raise RegistrationError(f"{worker} was not registered: {_refusal(answer)}")
        made = answer.read(_Registration)
        names = {service.name for service in made.services}
        others = [
            other
            for other in await self.deployments()
            if other.id != made.id and names.intersection(other.all_lost)
        ]
        return Registered(made.services, others, is_new=answer.status == _CREATED)

    async def fan_outs(self) -> list[str]:
        """The names of the fan-outs that are served, sorted."""
        return fan_outs(await self.services())

    async def services(self) -> list[Service]:
        """The services that are served."""
        return (await self._get("services", _Services)).services

    async def deployments(self) -> list[Deployment]:
        """The workers that are registered, and what each of them serves."""
        known = (await self._get("deployments", _Deployments)).deployments
        return deployments(known, await self.services())

    async def version(self) -> str:
        """The version of restate-server."""
        return (await self._get("version", _Version)).version

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

    async def query(
        self,
        sql: str,
        row: type[Model],
        *,
        repeatable: bool = True,
        within: float = 30.0,
    ) -> list[Model]:
        """The rows that Restate's SQL returns, each as a `row`.

        Args:
            repeatable: Ask again when nobody answers.
            within: How long the answer may take, in seconds.
        """
        request = Request(
            "POST",
            f"{self.url}/query",
            headers=_JSON,
            body=json.dumps({"query": sql}).encode(),
            repeatable=repeatable,
            timeout=within,
        )
        answer = await self.http.ask(request)
        if BAD_ID_IN_SQL in answer.message:
            raise UnknownRun(f"{self.url} knows no run of that id")
        if not answer.ok:
            raise Refused(f"{request.url}: {answer.message}")
        return [row.model_validate(each) for each in answer.read(_Rows).rows]

    async def _get(self, path: str, model: type[Model]) -> Model:
        request = Request("GET", f"{self.url}/{path}", repeatable=True)
        return (await self.http.need(request)).read(model)


def _refusal(answer: Answer) -> str:
    code = answer.error and answer.error.restate_code
    return REMEDIES.get(code or "") or CODES.sub("", answer.message)
