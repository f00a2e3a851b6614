"""`Tables`: what Restate's SQL says of runs; it needs no worker to say so."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from parallelizework.client.admin import Admin
from parallelizework.client.answers import Invocation
from parallelizework.client.exchange import Exchange
from parallelizework.errors import UnknownRun

_FROM = "from sys_invocation"
_COLUMNS = (
    "id, target_service_name, status, journal_size, created_at, modified_at, "
    "completion_result, completion_failure"
)
_STALLED = "id, target, target_service_name, target_handler_name, status, invoked_by_id"
_NO_WORKER = "RT0010"  # Restate's code for a worker that does not answer
_SEND = "Command: OneWayCall"  # a run sends nothing to anybody else
_MANY = 10_000  # rows of what does not go on; more of them say nothing new
_SMALL = 64 * 1024  # bytes of a task or subtask that is looked at
_QUICK = 5.0  # seconds

Row = dict[str, Any]


@dataclass(frozen=True)
class Input:
    """What an invocation was called with."""

    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, entry: str) -> "Input":
        """The first entry of a journal."""
        found = json.loads(entry)["Command"]["Input"]
        headers = {each["name"]: each["value"] for each in found["headers"]}
        return cls(bytes(found["payload"]), headers)


@dataclass(frozen=True)
class Tables:
    """The tables of a restate-server."""

    admin: Admin

    def invocation(self, run: str, *, patient: bool = True) -> Exchange[Invocation]:
        """What Restate knows of a run.

        Raises:
            UnknownRun: Nothing.
        """
        sql = f"select {_COLUMNS} {_FROM} where id = '{run}'"
        rows = yield from self.admin.query(sql, patient=patient, timeout=_QUICK)
        if not rows:
            raise UnknownRun(f"{self.admin.url} knows no run {run!r}")
        return Invocation.model_validate(rows[0])

    def recent(self, where: str, limit: int) -> Exchange[list[Invocation]]:
        """The latest runs of some services, the newest first."""
        rows = yield from self.admin.query(
            f"select {_COLUMNS} {_FROM} where target_handler_name = 'run' and {where} "
            f"order by created_at desc limit {limit}"
        )
        return [Invocation.model_validate(row) for row in rows]

    def records(self, runs: Collection[str]) -> Exchange[dict[str, str]]:
        """What FanOutProgress keeps of runs, as JSON, by their ids."""
        rows = yield from self._of(
            "select service_key, value_utf8 from state where "
            "service_name = 'FanOutProgress' and key = 'record' and service_key in",
            runs,
        )
        return {row["service_key"]: row["value_utf8"] for row in rows}

    def has_reported(self, run: str) -> Exchange[bool]:
        """Whether a run has sent FanOutProgress something, arrived or not.

        Where its journal is not kept, nobody knows: then it may have.
        """
        rows = yield from self.admin.query(
            "select count(1) as entries, "
            f"sum(case when entry_type = '{_SEND}' then 1 else 0 end) as sent "
            f"from sys_journal where id = '{run}'"
        )
        return not rows[0]["entries"] or bool(rows[0].get("sent"))

    def family(self, run: str) -> Exchange[list[Row]]:
        """A run and what it has called, unless ended: id, target, status."""
        return self.admin.query(
            "with recursive family as ("
            f"select id, target, status {_FROM} where id = '{run}' union all "
            "select called.id, called.target, called.status "
            "from sys_invocation called join family on called.invoked_by_id = family.id"
            ") select id, target, status from family where status <> 'completed'"
        )

    def stalled(self) -> Exchange[list[Row]]:
        """What is paused, or waits for a worker that does not answer."""
        return self.admin.query(
            f"select {_STALLED} {_FROM} where status = 'paused' "
            f"or (status = 'backing-off' and last_failure_error_code = '{_NO_WORKER}') "
            f"limit {_MANY}"
        )

    def calls(self, ids: Collection[str]) -> Exchange[list[Row]]:
        """These invocations: id, target, and what has called them, if not a client."""
        return self._of(f"select id, target, invoked_by_id {_FROM} where id in", ids)

    def pause_errors(self, ids: Collection[str]) -> Exchange[dict[str, str]]:
        """The errors that have paused these; none for what somebody has paused."""
        rows = yield from self._of(
            "select id, event_json from sys_journal_events "
            "where event_type = 'Paused' and id in",
            ids,
            "order by appended_at",
        )
        last = {row["id"]: json.loads(row["event_json"]) for row in rows}
        return {
            id_: event["last_failure"].get("error_message", "unknown")
            for id_, event in last.items()
            if event.get("last_failure")
        }

    def inputs(
        self, ids: Collection[str], *, patient: bool = True
    ) -> Exchange[dict[str, Input]]:
        """What these were called with, where it is small and still kept."""
        rows = yield from self._of(
            "select id, entry_json from sys_journal "
            f"where index = 0 and raw_length < {_SMALL} and id in",
            ids,
            patient=patient,
        )
        return {row["id"]: Input.of(row["entry_json"]) for row in rows}

    def active_at(self, deployment: str) -> Exchange[int]:
        """How many invocations have begun at a deployment, and have not ended."""
        rows = yield from self.admin.query(
            f"select count(1) as active {_FROM} where status <> 'completed' "
            f"and pinned_deployment_id = '{deployment}'"
        )
        return int(rows[0]["active"])

    def _of(
        self,
        sql: str,
        ids: Collection[str],
        rest: str = "",
        *,
        patient: bool = True,
    ) -> Exchange[list[Row]]:
        if not ids:
            return []
        query = f"{sql} ({texts(ids)}) {rest}"
        return (yield from self.admin.query(query, patient=patient, timeout=_QUICK))


def texts(values: Iterable[str]) -> str:
    """Values as SQL writes them, separated by commas."""
    return ", ".join("'{}'".format(value.replace("'", "''")) for value in values)
