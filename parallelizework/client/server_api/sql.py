"""`Sql`: what Restate's SQL says of runs; it needs no worker to say so."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from parallelizework.client.models import FrozenModel, Invocation
from parallelizework.client.server_api.http import Http, Request
from parallelizework.client.server_messages import (
    BAD_ID_IN_SQL,
    NO_WORKER,
    SEND_ENTRY,
)
from parallelizework.errors import Refused, UnknownRun

Row = TypeVar("Row", bound=BaseModel)

_FROM = "from sys_invocation"
_COLUMNS = (
    "id, target_service_name, status, journal_size, created_at, modified_at, "
    "completion_result, completion_failure"
)
_CALL = "id, target, target_service_name, target_handler_name, status, invoked_by_id"
_MANY = 10_000  # rows of what is held up; more of them say nothing new
_SMALL = 64 * 1024  # bytes of a task or subtask that is looked at
_QUICK = 5.0  # seconds


class Call(FrozenModel):
    """An invocation, and what has called it, if that was no client."""

    id: str
    target: str = "unknown"
    target_service_name: str = ""
    target_handler_name: str = ""
    status: str = ""
    invoked_by_id: str | None = None


class _Text(FrozenModel):
    id: str
    content: str


class _Number(FrozenModel):
    number: int
    sent: int | None = None


@dataclass(frozen=True)
class Input:
    """The body and headers that an invocation was called with."""

    body: bytes
    headers: Mapping[str, str]

    @classmethod
    def of(cls, entry: str) -> "Input":
        """The first entry of a journal."""
        found = json.loads(entry)["Command"]["Input"]
        headers = {each["name"]: each["value"] for each in found["headers"]}
        return cls(bytes(found["payload"]), headers)


@dataclass(frozen=True)
class Sql:
    """The SQL tables of a restate-server, at the URL of its admin API."""

    http: Http
    url: str

    async def invocation(self, run: str, *, repeatable: bool = True) -> Invocation:
        """What Restate knows of a run.

        Raises:
            UnknownRun: Nothing.
        """
        rows = await self.query(
            f"select {_COLUMNS} {_FROM} where id = '{run}'",
            Invocation,
            repeatable=repeatable,
            within=_QUICK,
        )
        if not rows:
            raise UnknownRun(f"{self.url} knows no run {run!r}")
        return rows[0]

    async def recent(self, where: str, limit: int) -> list[Invocation]:
        """The latest runs of some services, the newest first."""
        return await self.query(
            f"select {_COLUMNS} {_FROM} where target_handler_name = 'run' and {where} "
            f"order by created_at desc limit {limit}",
            Invocation,
        )

    async def records(self, runs: Collection[str]) -> dict[str, str]:
        """What FanOutProgress keeps of runs, as JSON, by their ids."""
        rows = await self._of(
            "select service_key as id, value_utf8 as content from state where "
            "service_name = 'FanOutProgress' and key = 'record' and service_key in",
            runs,
            _Text,
        )
        return {row.id: row.content for row in rows}

    async def has_reported(self, run: str) -> bool:
        """Whether a run has sent FanOutProgress something, arrived or not.

        Where its journal is not kept, nobody knows: then it may have.
        """
        [entries] = await self.query(
            "select count(1) as number, "
            f"sum(case when entry_type = '{SEND_ENTRY}' then 1 else 0 end) as sent "
            f"from sys_journal where id = '{run}'",
            _Number,
        )
        return not entries.number or bool(entries.sent)

    async def family(self, run: str) -> list[Call]:
        """A run and what it has called, unless ended: id, target, status."""
        return await self.query(
            "with recursive family as ("
            f"select id, target, status {_FROM} where id = '{run}' union all "
            "select called.id, called.target, called.status "
            "from sys_invocation called join family on called.invoked_by_id = family.id"
            ") select id, target, status from family where status <> 'completed'",
            Call,
        )

    async def stalled(self) -> list[Call]:
        """What is paused, or waits for a worker that does not answer."""
        return await self.query(
            f"select {_CALL} {_FROM} where status = 'paused' "
            f"or (status = 'backing-off' and last_failure_error_code = '{NO_WORKER}') "
            f"limit {_MANY}",
            Call,
        )

    async def calls(self, ids: Collection[str]) -> list[Call]:
        """These invocations: id, target, and what has called them."""
        sql = f"select id, target, invoked_by_id {_FROM} where id in"
        return await self._of(sql, ids, Call)

    async def pause_errors(self, ids: Collection[str]) -> dict[str, str]:
        """The errors that have paused these; none for what somebody has paused."""
        rows = await self._of(
            "select id, event_json as content from sys_journal_events "
            "where event_type = 'Paused' and id in",
            ids,
            _Text,
            "order by appended_at",
        )
        last = {row.id: json.loads(row.content) for row in rows}
        return {
            id_: event["last_failure"].get("error_message", "unknown")
            for id_, event in last.items()
            if event.get("last_failure")
        }

    async def inputs(
        self, ids: Collection[str], *, repeatable: bool = True
    ) -> dict[str, Input]:
        """What these were called with, where it is small and still kept."""
        rows = await self._of(
            "select id, entry_json as content from sys_journal "
            f"where index = 0 and raw_length < {_SMALL} and id in",
            ids,
            _Text,
            repeatable=repeatable,
        )
        return {row.id: Input.of(row.content) for row in rows}

    async def active_at(self, deployment: str) -> int:
        """How many invocations have begun at a deployment, and have not ended."""
        [active] = await self.query(
            f"select count(1) as number {_FROM} where status <> 'completed' "
            f"and pinned_deployment_id = '{deployment}'",
            _Number,
        )
        return active.number

    async def query(
        self,
        sql: str,
        row: type[Row],
        *,
        repeatable: bool = True,
        within: float = 30.0,
    ) -> list[Row]:
        """The rows that Restate's SQL returns, each as a `row`.

        Args:
            repeatable: Ask again when nobody answers.
            within: How long the answer may take, in seconds.
        """
        request = Request(
            "POST",
            f"{self.url}/query",
            body=json.dumps({"query": sql}).encode(),
            repeatable=repeatable,
            timeout=within,
        )
        answer = await self.http.ask(request)
        if BAD_ID_IN_SQL in answer.message:
            raise UnknownRun(f"{self.url} knows no run of that id")
        if not answer.ok:
            raise Refused(f"{request.url}: {answer.message}")
        return [row.model_validate(each) for each in answer.read("rows", list[object])]

    async def _of(
        self,
        sql: str,
        ids: Collection[str],
        row: type[Row],
        rest: str = "",
        *,
        repeatable: bool = True,
    ) -> list[Row]:
        if not ids:
            return []
        query = f"{sql} ({texts(ids)}) {rest}"
        return await self.query(query, row, repeatable=repeatable, within=_QUICK)


def texts(values: Iterable[str]) -> str:
    """Values as SQL writes them, separated by commas."""
    return ", ".join("'{}'".format(value.replace("'", "''")) for value in values)
