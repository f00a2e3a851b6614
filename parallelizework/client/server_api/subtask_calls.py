"""`SubtaskCall`: a call of subtasks that has not ended, as Restate's SQL knows it."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

from parallelizework.attempts.retry_schedule import FailedAttempt
from parallelizework.client.models import FrozenModel
from parallelizework.client.server_api.sql import Sql, texts
from parallelizework.client.server_messages import RUN_ANSWER_ENTRY, RUN_ENTRY
from parallelizework.headers import SUBTASK_HEADER, SubtaskId
from parallelizework.messages import COORDINATORS, HandlerName
from parallelizework.waiting.models import WAIT_HEADER, Wait

_SUBTASKS = (HandlerName.RUN_SUBTASK, HandlerName.RUN_BATCH, HandlerName.AWAIT_ANSWER)
_MAX_CALLS = 10_000  # rows of less than a kilobyte, usually
_IDS = 500  # ids in one query
_LINE = 4_096  # characters of an error
# The headers of a call come first in its input, before a subtask of any size. Labels of
# a run may be long, and are a part of them.
_HEADERS = 16_384  # characters
_VALUE = r'","value":("(?:[^"\\]|\\.)*")'
_HEADER = re.compile(f'"{SUBTASK_HEADER}{_VALUE}')
_WAIT_HEADER = re.compile(f'"{WAIT_HEADER}{_VALUE}')


def _decimals(text: bytes) -> str:
    """A text as SQL shows bytes: `1,2,3`."""
    return ",".join(map(str, text))


# The JSON of `FailedAttempt`: its start; and its end, unless it was postponed.
_START, _END = _decimals(b'{"fault":'), _decimals(b'"within":null}')
_FAILED = f"entry_json like '%[{_START},%'"
_COUNTED = f"entry_json like '%,{_END}]%'"


class SubtaskCall(FrozenModel):
    """A call of `runSubtask`, `runBatch` or `awaitAnswer` that has not ended.

    Attributes:
        id: The invocation id.
        handler: The name of the handler.
        status: The status, as Restate names it.
        journal_size: The number of entries in the journal.
        retry_count: Which attempt Restate makes, since the call was last suspended.
        error: The first line of the error of Restate's last attempt.
        error_code: The code of that error.
        created_at: When the call was made.
        now: When this was read, by the clock of the server.
        total: The number of all such calls of the run.
    """

    id: str
    handler: str
    status: str
    journal_size: int = 0
    retry_count: int | None = None
    error: str | None = None
    error_code: str | None = None
    created_at: datetime
    now: datetime
    total: int

    @property
    def is_batch(self) -> bool:
        """Whether the call executes several subtasks."""
        return self.handler == HandlerName.RUN_BATCH

    @property
    def is_waiting(self) -> bool:
        """Whether the call waits for the answer of a subtask."""
        return self.handler == HandlerName.AWAIT_ANSWER

    @property
    def duration(self) -> float:
        """The time since the call was made, in seconds."""
        now = self.now.replace(tzinfo=UTC)
        return max(0.0, round((now - self.created_at).total_seconds(), 3))


class AttemptsSoFar(FrozenModel):
    """The attempts at one subtask that the journal of its call contains.

    Attributes:
        id: The invocation id of the call.
        begun: How many attempts have begun.
        failed: How many of them have failed.
        postponed: How many of these were postponed.
        last: The journal entry of the last one that failed, as JSON.
    """

    id: str
    begun: int = 0
    failed: int = 0
    postponed: int = 0
    last: str | None = None

    @property
    def error(self) -> str | None:
        """The message of the last attempt that failed; None if it cannot be read."""
        if not self.last:
            return None
        try:
            entry = json.loads(self.last)["Notification"]["Completion"]["Run"]
            value = bytes(entry["result"]["Success"])
            return FailedAttempt.model_validate_json(value).fault.message
        except (KeyError, TypeError, ValueError):
            return None


async def subtask_calls(
    sql: Sql, run: str, handlers: Collection[HandlerName] = _SUBTASKS
) -> list[SubtaskCall]:
    """The calls of the subtasks of a run that have not ended, up to 10,000.

    A subtask of handler code may call another fan-out. These calls are not among them.
    """
    coordinators = texts(COORDINATORS)
    called = texts(handlers)
    return await sql.query(
        "with recursive family as ("
        "select id, target_handler_name as handler from sys_invocation "
        f"where id = '{run}' union all "
        "select called.id, called.target_handler_name as handler "
        "from sys_invocation called join family on called.invoked_by_id = family.id "
        f"where family.handler in ({coordinators})) "
        "select call.id, family.handler, call.status, call.journal_size, "
        "call.retry_count, call.last_failure_error_code as error_code, "
        f"left(split_part(call.last_failure, chr(10), 1), {_LINE}) as error, "
        "call.created_at, now() as now, count(1) over () as total "
        "from sys_invocation call join family on call.id = family.id "
        f"where call.status <> 'completed' and family.handler in ({called}) "
        f"limit {_MAX_CALLS}",
        SubtaskCall,
    )


async def attempts_so_far(
    sql: Sql, calls: Iterable[SubtaskCall]
) -> dict[str, AttemptsSoFar]:
    """The attempts in the journals of calls of plain functions, by the calls' ids.

    A call without an entry but its input is left out: its first attempt executes.
    """
    ids = [call.id for call in calls if call.journal_size > 1 and not call.is_batch]
    found: dict[str, AttemptsSoFar] = {}
    for some in _chunks(ids):
        rows = await sql.query(
            "select id, "
            f"sum(case when entry_type = '{RUN_ENTRY}' then 1 else 0 end) as begun, "
            f"sum(case when {_FAILED} then 1 else 0 end) as failed, "
            f"sum(case when {_FAILED} and not ({_COUNTED}) then 1 else 0 end) "
            "as postponed, "
            f"last_value(entry_json order by index) filter (where {_FAILED}) as last "
            "from sys_journal "
            f"where entry_type in ('{RUN_ENTRY}', '{RUN_ANSWER_ENTRY}') "
            f"and id in ({texts(some)}) group by id",
            AttemptsSoFar,
        )
        found |= {row.id: row for row in rows}
    return found


class _Start(FrozenModel):
    id: str
    content: str


async def subtask_ids(sql: Sql, calls: Collection[str]) -> Mapping[str, SubtaskId]:
    """Which subtasks calls of `runSubtask` execute, by the calls' ids."""
    headers = await _headers(sql, calls, _HEADER)
    read = {call: SubtaskId.read(header) for call, header in headers.items()}
    return {call: subtask for call, subtask in read.items() if subtask}


async def waits(sql: Sql, calls: Collection[str]) -> Mapping[str, Wait]:
    """How subtasks wait, by the ids of the calls of `awaitAnswer`."""
    headers = await _headers(sql, calls, _WAIT_HEADER)
    return {call: Wait.model_validate_json(text) for call, text in headers.items()}


async def _headers(
    sql: Sql, calls: Collection[str], pattern: re.Pattern[str]
) -> dict[str, str]:
    """The values of one header, by the calls' ids."""
    found: dict[str, str] = {}
    for some in _chunks(calls):
        rows = await sql.query(
            f"select id, left(entry_json, {_HEADERS}) as content from sys_journal "
            f"where index = 0 and id in ({texts(some)})",
            _Start,
        )
        for row in rows:
            if header := pattern.search(row.content):
                found[row.id] = json.loads(header[1])
    return found


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    left = iter(ids)
    while some := list(islice(left, _IDS)):
        yield some
