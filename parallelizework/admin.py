"""`Admin`: where a restate-server takes orders, and how each of them reads."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from parallelizework.answers import Invocation
from parallelizework.errors import Refused, RegistrationError, UnknownRun
from parallelizework.exchange import Exchange, Request, ask, need

_COLUMNS = (
    "id, target_service_name, status, created_at, modified_at, "
    "completion_result, completion_failure"
)
_FROM = "from sys_invocation"
_FAN_OUT = {"run", "runSubtask"}  # the handlers by which to know one
_UNKNOWN = (400, 404)  # no id at all, or one of no invocation
_DONE_ALREADY = 409
_JSON = {"content-type": "application/json"}

Order = Literal["cancel", "pause", "resume"]


@dataclass(frozen=True)
class Admin:
    """A restate-server's admin interface at a URL such as `http://localhost:9070`.

    It asks for no authentication: keep it on loopback.
    """

    url: str

    def register(self, worker: str, *, force: bool) -> Exchange[list[str]]:
        """Register the worker at the URL `worker`; answer with its services' names.

        Raises:
            RegistrationError: The server refused.
            Unreachable: The server is not there.
        """
        body = json.dumps({"uri": worker, "force": force}).encode()
        url = f"{self.url}/deployments"
        answer = yield from ask(Request("POST", url, headers=_JSON, body=body))
        if not answer.ok:
            raise RegistrationError(f"{worker} was not registered: {answer.message}")
        return [service["name"] for service in answer.json()["services"]]

    def fan_outs(self) -> Exchange[list[str]]:
        """The names of the fan-outs that are served, sorted."""
        answer = yield from need(self._get("services"))
        return sorted(
            service["name"]
            for service in answer.json()["services"]
            if {handler["name"] for handler in service["handlers"]} >= _FAN_OUT
        )

    def deployments(self) -> Exchange[list[dict[str, Any]]]:
        """The workers that are registered, as Restate describes them."""
        answer = yield from need(self._get("deployments"))
        return answer.json()["deployments"]

    def version(self) -> Exchange[str]:
        """The version of restate-server."""
        answer = yield from need(self._get("version"))
        return str(answer.json()["version"])

    def order(self, run: str, order: Order) -> Exchange[None]:
        """Cancel, pause or resume an invocation.

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

    def invocation(self, run: str) -> Exchange[Invocation]:
        """What Restate knows of a run.

        Raises:
            UnknownRun: Nothing.
        """
        where = f"id = '{run}'"
        rows = yield from self.query(f"select {_COLUMNS} {_FROM} where {where}")
        if not rows:
            raise UnknownRun(f"{self.url} knows no run {run!r}")
        return Invocation.model_validate(rows[0])

    def recent(self, fan_outs: Sequence[str], limit: int) -> Exchange[list[Invocation]]:
        """The latest runs of these fan-outs, the newest first."""
        if not fan_outs:
            return []
        names = ", ".join(f"'{name}'" for name in fan_outs)
        rows = yield from self.query(
            f"select {_COLUMNS} {_FROM} where target_handler_name = 'run' "
            f"and target_service_name in ({names}) "
            f"order by created_at desc limit {limit}"
        )
        return [Invocation.model_validate(row) for row in rows]

    def family(self, run: str) -> Exchange[list[dict[str, str]]]:
        """A run and what it has called, unless ended: id, target, status."""
        return self.query(
            "with recursive family as ("
            f"select id, target, status {_FROM} where id = '{run}' union all "
            "select called.id, called.target, called.status "
            "from sys_invocation called join family on called.invoked_by_id = family.id"
            ") select id, target, status from family where status <> 'completed'"
        )

    def query(self, sql: str) -> Exchange[list[dict[str, Any]]]:
        """The rows that Restate's SQL gives."""
        body = json.dumps({"query": sql}).encode()
        url = f"{self.url}/query"
        request = Request("POST", url, headers=_JSON, body=body, repeatable=True)
        answer = yield from ask(request)
        if "non valid invocation id" in answer.message:
            raise UnknownRun(f"{self.url} knows no run of that id")
        if not answer.ok:
            raise Refused(f"{url}: {answer.message}")
        return answer.json()["rows"]

    def _get(self, path: str) -> Request:
        return Request("GET", f"{self.url}/{path}", repeatable=True)
