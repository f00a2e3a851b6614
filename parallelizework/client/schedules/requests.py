"""`Requests`: the requests to `FanOutSchedule`, and the errors of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import quote

from pydantic import JsonValue, ValidationError

from parallelizework.client.models import FrozenModel
from parallelizework.client.server_api.http import Answer, Request, TimedOut
from parallelizework.client.server_api.names import hint
from parallelizework.client.server_messages import SERVICE_NOT_FOUND
from parallelizework.errors import (
    Refused,
    UnfitData,
    UnknownFanOut,
    UnknownSchedule,
    Unreachable,
)
from parallelizework.schedules.models import (
    NAME,
    STATE,
    UNKNOWN_FAN_OUT,
    Missed,
    Overlap,
    Period,
    Schedule,
    Spec,
)

if TYPE_CHECKING:
    from parallelizework.client.server_api.server import Server

_BAD_REQUEST, _NOT_FOUND, _TOO_LARGE = 400, 404, 413
_TIMEOUT = 10.0  # seconds; a worker that is running answers within one
STARTING = 120.0  # seconds; the same for an answer after the start of many runs


class Options(TypedDict, total=False):
    """The options of a schedule; see `SchedulePlan`."""

    zone: str
    overlap: Overlap
    missed: Missed
    time_field: str | None
    owner: str | None


class _Text(FrozenModel):
    content: str


@dataclass(frozen=True)
class Requests:
    """The requests to `FanOutSchedule` at a restate-server."""

    server: Server

    async def send(self, name: str, handler: str, body: Spec) -> bytes:
        """Send a schedule to `set` or `check`; return the answer.

        Raises:
            UnknownFanOut: No worker serves the fan-out; the message has similar names.
            UnfitData: A value is invalid.
        """
        try:
            dumped = body.model_dump_json().encode()
            return await self.call(name, handler, dumped, repeatable=True)
        except UnknownFanOut:
            more = await hint(self.server, body.fan_out)
            message = f"{UNKNOWN_FAN_OUT} {body.fan_out!r}; {more}"
            raise UnknownFanOut(message) from None

    async def call(
        self,
        name: str,
        handler: str,
        body: bytes | None = None,
        *,
        repeatable: bool = False,
        within: float = _TIMEOUT,
    ) -> bytes:
        """Call a handler of a schedule; return the answer.

        Raises:
            UnknownSchedule: No schedule has that name.
            UnknownFanOut: No worker serves the fan-out of the schedule.
            UnfitData: The request is invalid.
            Refused: The handler refused the request, or no worker serves schedules.
            Unreachable: No server or no worker answers.
        """
        key = quote(name, safe="").replace(".", "%2E")  # ".." would remove a folder
        request = Request(
            "POST",
            f"{self.server.ingress.url}/restate/call/{NAME}/{key}/{handler}",
            body=body,
            timeout=within,
            repeatable=repeatable,
        )
        try:
            answer = await self.server.http.ask(request)
        except TimedOut as error:
            raise Unreachable(
                f"no worker answers for {NAME}: run `parallelizework doctor`. The "
                f"request may still arrive: look at `parallelizework schedule show "
                f"{name}`"
            ) from error
        if not answer.ok:
            raise _error(name, answer)
        return answer.body

    async def all(self) -> list[Schedule]:
        """All schedules, sorted by name. This needs no worker."""
        rows = await self.server.sql.query(
            "select value_utf8 as content from state where "
            f"service_name = '{NAME}' and key = '{STATE}' order by service_key",
            _Text,
        )
        return [Schedule.model_validate_json(row.content) for row in rows]


def spec(cron: str, fan_out: str, task: JsonValue, options: Options) -> Spec:
    """Return a schedule as `set` accepts it.

    Raises:
        UnfitData: A value is invalid.
    """
    try:
        return Spec.model_validate(
            {"cron": cron, "fan_out": fan_out, "task": task, **options}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UnfitData(f"{where} of the schedule: {first['msg']}") from error


def period(start: datetime, end: datetime) -> bytes:
    """Return the period of a backfill as JSON. A time without a zone is in UTC."""
    made = Period.model_validate({"from": _aware(start), "to": _aware(end)})
    return made.model_dump_json(by_alias=True).encode()


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _error(name: str, answer: Answer) -> Exception:
    message = answer.message
    if SERVICE_NOT_FOUND.format(NAME) in message:
        return Refused(
            f"no worker serves {NAME}: add it to the targets of `parallelizework "
            "serve` or `dev`, and register the worker again"
        )
    if answer.status == _NOT_FOUND:
        return UnknownSchedule(message)
    if message.startswith(UNKNOWN_FAN_OUT):
        return UnknownFanOut(message)
    if answer.status in (_BAD_REQUEST, _TOO_LARGE):
        return UnfitData(message)
    return Refused(f"{name}: {message}")
