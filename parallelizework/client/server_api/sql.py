"""`Sql`: queries of Restate's SQL about runs; they need no worker."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator

from parallelizework.client.models import FrozenModel, Invocation
from parallelizework.client.server_api.http import Http, Request
from parallelizework.client.server_messages import (
    BAD_ID_IN_SQL,
    NO_WORKER,
    REQUEST_TOO_LARGE,
    RUN_ENTRY,
    SEND_ENTRY,
)
from parallelizework.errors import Refused, UnknownRun
from parallelizework.messages import AGGREGATE_STEP, RUNS
from parallelizework.progress.labels import Labels
from parallelizework.progress.models import LABEL, NAME
from parallelizework.serde import restate_protocol as protocol

Row = TypeVar("Row", bound=BaseModel)

_FROM = "from sys_invocation"
_COLUMNS = (
    "id, target_service_name, status, journal_size, created_at, modified_at, "
    "completion_result, completion_failure"
)
_IS_UPDATE = f"entry_type = '{SEND_ENTRY}' and entry_lite_json like '%\"{NAME}\"%'"
_IS_RUN = f"target_handler_name in ({', '.join(map(repr, map(str, RUNS)))})"
_CALL = "id, target, target_service_name, target_handler_name, status, invoked_by_id"
_MAX_STALLED = 10_000  # rows
_MAX_INPUT = 64 * 1024  # bytes of a task or subtask that is read
_TIMEOUT = 5.0  # seconds, for queries by id


class Call(FrozenModel):
    """An invocation, and the id of its caller; None if a client called it."""

    id: str
    target: str = "unknown"
    target_service_name: str = ""
    target_handler_name: str = ""
    status: str = ""
    invoked_by_id: str | None = None
    is_too_large: bool = False  # for AWS Lambda


def _body(raw: str) -> bytes:
    """The body of a message that was sent, in the raw entry of a journal."""
    body = dict(protocol.fields(bytes.fromhex(raw))).get(protocol.PARAMETER)
    return body if isinstance(body, bytes) else b""


class _Text(FrozenModel):
    id: str
    content: str


class _Number(FrozenModel):
    number: int
    sent: int | None = None


class _Sent(FrozenModel):
    at: datetime
    body: Annotated[bytes, BeforeValidator(_body)]


@dataclass(frozen=True)
class Input:
    """The body and headers that an invocation was called with."""

    body: bytes
    headers: Mapping[str, str]

    @classmethod
    def of(cls, entry: str) -> "Input":
        """The input in the first entry of a journal."""
        found = json.loads(entry)["Command"]["Input"]
        headers = {each["name"]: each["value"] for each in found["headers"]}
        return cls(bytes(found["payload"]), headers)


@dataclass(frozen=True)
class Sql:
    """The SQL tables of a restate-server, at the URL of its admin API."""

    http: Http
    url: str

    async def invocation(self, run: str, *, repeatable: bool = True) -> Invocation:
        """A run as Restate knows it.

        Raises:
            UnknownRun: The server has no such run.
        """
        rows = await self.query(
            f"select {_COLUMNS} {_FROM} where id = '{run}'",
            Invocation,
            repeatable=repeatable,
            within=_TIMEOUT,
        )
        if not rows:
            raise UnknownRun(f"{self.url} has no run {run!r}: check the id")
        return rows[0]

    async def recent(self, where: str, limit: int) -> list[Invocation]:
        """The latest runs of some services, the newest first.

        Runs of the same millisecond are in the order of their ids.
        """
        return await self.query(
            f"select {_COLUMNS} {_FROM} where {_IS_RUN} and {where} "
            f"order by created_at desc, id desc limit {limit}",
            Invocation,
        )

    async def records(self, runs: Collection[str]) -> dict[str, str]:
        """The records of FanOutProgress about runs, as JSON, by the ids of the runs."""
        rows = await self._of(
            "select service_key as id, value_utf8 as content from state where "
            "service_name = 'FanOutProgress' and key = 'record' and service_key in",
            runs,
            _Text,
        )
        return {row.id: row.content for row in rows}

    async def has_reported(self, run: str) -> bool:
        """Whether a run has sent an update to FanOutProgress, arrived or not.

        True also if the journal of the run is not stored any more.
        """
        [entries] = await self.query(
            "select count(1) as number, "
            f"sum(case when {_IS_UPDATE} then 1 else 0 end) as sent "
            f"from sys_journal where id = '{run}'",
            _Number,
        )
        return not entries.number or bool(entries.sent)

    async def updates(self, run: str) -> list[tuple[datetime, bytes]]:
        """The updates that a run has sent to FanOutProgress, and when, in order.

        For `entry_json`, the server would write each entry as JSON: also a large task.
        """
        rows = await self.query(
            "select appended_at as at, raw as body from sys_journal "
            f"where id = '{run}' and {_IS_UPDATE} order by index",
            _Sent,
        )
        return [(row.at, row.body) for row in rows]

    async def successes(self, runs: Collection[str]) -> dict[str, int]:
        """How many subtasks `aggregate` had, by the ids of the runs, from journals.

        If a run sent no update, then these are all of its subtasks.
        """
        rows = await self._of(
            "select id, name as content from sys_journal where "
            f"entry_type = '{RUN_ENTRY}' and name like '{AGGREGATE_STEP}%' "
            "and id in",
            runs,
            _Text,
        )
        return {row.id: int(row.content.removeprefix(AGGREGATE_STEP)) for row in rows}

    async def family(self, run: str) -> list[Call]:
        """A run and all its calls that have not ended: id, target, status."""
        return await self.query(
            "with recursive family as ("
            f"select id, target, status {_FROM} where id = '{run}' union all "
            "select called.id, called.target, called.status "
            "from sys_invocation called join family on called.invoked_by_id = family.id"
            ") select id, target, status from family where status <> 'completed'",
            Call,
        )

    async def stalled(self) -> list[Call]:
        """The invocations that are paused, or for which no worker answers."""
        return await self.query(
            f"select {_CALL}, "
            f"coalesce(last_failure like '%{REQUEST_TOO_LARGE}%', false) "
            f"as is_too_large {_FROM} where status = 'paused' "
            f"or (status = 'backing-off' and last_failure_error_code = '{NO_WORKER}') "
            f"limit {_MAX_STALLED}",
            Call,
        )

    async def calls(self, ids: Collection[str]) -> list[Call]:
        """The invocations with these ids: id, target, and the id of the caller."""
        sql = f"select id, target, invoked_by_id {_FROM} where id in"
        return await self._of(sql, ids, Call)

    async def pause_errors(self, ids: Collection[str]) -> dict[str, str]:
        """The errors that paused these invocations, by id.

        An invocation that a user paused has no error.
        """
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
        """The inputs of these invocations, if they are small and still stored."""
        rows = await self._of(
            "select id, entry_json as content from sys_journal "
            f"where index = 0 and raw_length < {_MAX_INPUT} and id in",
            ids,
            _Text,
            repeatable=repeatable,
        )
        return {row.id: Input.of(row.content) for row in rows}

    async def active_at(self, deployment: str) -> int:
        """The number of invocations that began at a deployment and have not ended."""
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
        """The rows that a query returns, each as a `row`.

        Args:
            sql: The query.
            row: The model of a row.
            repeatable: Whether to send the query again if no server answers.
            within: The longest time until the answer, in seconds.
        """
        request = Request(
            "POST",
            f"{self.url}/query",
            body=json.dumps({"query": sql}).encode(),
            repeatable=repeatable,
            timeout=within,
            for_admin=True,
        )
        answer = await self.http.ask(request)
        if BAD_ID_IN_SQL in answer.message:
            raise UnknownRun(f"{self.url} has no run with that id: check the id")
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
        return await self.query(query, row, repeatable=repeatable, within=_TIMEOUT)


def texts(values: Iterable[str]) -> str:
    """The values as SQL literals, separated by commas."""
    return ", ".join("'{}'".format(value.replace("'", "''")) for value in values)


def have_labels(labels: Labels) -> str:
    """The condition that runs have labels, in SQL; empty if there are no labels."""
    return "".join(
        " and id in (select service_key from state where "
        f"service_name = '{NAME}' and key = {texts([LABEL + key])} "
        f"and value_utf8 = {texts([value])})"
        for key, value in labels.items()
    )
