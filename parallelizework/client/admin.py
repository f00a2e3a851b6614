"""`Admin`: where a restate-server takes orders, and how each of them reads."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from parallelizework.client.deployments import Deployment, Registered, deployments
from parallelizework.client.exchange import Exchange, Request, ask, need
from parallelizework.errors import Refused, RegistrationError, UnknownRun

_FAN_OUT = {"run", "runSegment"}  # the handlers by which to know one
_UNKNOWN = (400, 404)  # no id at all, or one of no invocation
_DONE_ALREADY = 409
_CREATED = 201  # 200: that address was registered already
_ACCEPTED = 202  # 200: there was nothing to do, or nothing that can be done
_JSON = {"content-type": "application/json"}

_CODE = re.compile(r"^(\[META\d+\] )+")
_REMEDIES = {  # for what Restate says in terms of a command line that is not ours
    "META0014": "it does not speak HTTP/2, so it is no worker, or a proxy before it "
    "does not pass HTTP/2 on; `parallelizework serve` does",
}

Order = Literal["cancel", "pause", "resume"]


@dataclass(frozen=True)
class Admin:
    """A restate-server's admin interface at a URL such as `http://localhost:9070`.

    It asks for no authentication: keep it on loopback.
    """

    url: str

    def register(self, worker: str, *, force: bool) -> Exchange[Registered]:
        """Register the worker at the URL `worker`; answer with its services' names.

        Raises:
            RegistrationError: The server refused.
            Unreachable: The server is not there.
        """
        body = json.dumps({"uri": worker, "force": force}).encode()
        url = f"{self.url}/deployments"
        answer = yield from ask(Request("POST", url, headers=_JSON, body=body))
        if not answer.ok:
            why = _CODE.sub("", answer.message)
            remedy = _REMEDIES.get(str(answer.error.get("restate_code")), "")
            raise RegistrationError(f"{worker} was not registered: {remedy or why}")
        registered = answer.json()
        names = [service["name"] for service in registered["services"]]
        others = [
            other
            for other in (yield from self.deployments())
            if other.id != registered["id"] and set(other.all_lost) & set(names)
        ]
        return Registered(names, others, is_new=answer.status == _CREATED)

    def fan_outs(self) -> Exchange[list[str]]:
        """The names of the fan-outs that are served, sorted."""
        return fan_outs((yield from self.services()))

    def services(self) -> Exchange[list[dict[str, Any]]]:
        """The services that are served, as Restate describes them."""
        answer = yield from need(self._get("services"))
        return answer.json()["services"]

    def deployments(self) -> Exchange[list[Deployment]]:
        """The workers that are registered, and what each of them serves."""
        answer = yield from need(self._get("deployments"))
        known = answer.json()["deployments"]
        return deployments(known, (yield from self.services()))

    def version(self) -> Exchange[str]:
        """The version of restate-server."""
        answer = yield from need(self._get("version"))
        return str(answer.json()["version"])

    def order(self, run: str, order: Order) -> Exchange[bool]:
        """Cancel, pause or resume an invocation; answer whether that will happen.

        Raises:
            UnknownRun: There is no such invocation.
            Refused: It has ended, or cannot do that now.
        """
        url = f"{self.url}/invocations/{run}/{order}"
        answer = yield from ask(Request("PATCH", url, repeatable=True))
        if answer.status in _UNKNOWN:
            raise UnknownRun(f"{self.url} knows no run {run!r}")
        if answer.status == _DONE_ALREADY:
            raise Refused(answer.message)
        if not answer.ok:
            raise Refused(f"{run} could not be asked to {order}: {answer.message}")
        return answer.status == _ACCEPTED

    def query(
        self, sql: str, *, patient: bool = True, timeout: float = 30.0
    ) -> Exchange[list[dict[str, Any]]]:
        """The rows that Restate's SQL gives.

        Args:
            patient: Ask again when nobody answers.
        """
        body = json.dumps({"query": sql}).encode()
        url = f"{self.url}/query"
        answer = yield from ask(
            Request(
                "POST",
                url,
                headers=_JSON,
                body=body,
                repeatable=patient,
                timeout=timeout,
            )
        )
        if "non valid invocation id" in answer.message:
            raise UnknownRun(f"{self.url} knows no run of that id")
        if not answer.ok:
            raise Refused(f"{url}: {answer.message}")
        return answer.json()["rows"]

    def _get(self, path: str) -> Request:
        return Request("GET", f"{self.url}/{path}", repeatable=True)


def fan_outs(services: list[dict[str, Any]]) -> list[str]:
    """The names of those services that are fan-outs, sorted.

    An executor has `runSubtask` and no `run`, and a fan-out that has one the other way.
    """
    return sorted(
        service["name"]
        for service in services
        if {handler["name"] for handler in service["handlers"]} >= _FAN_OUT
    )
