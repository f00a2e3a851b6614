"""`waiting` and `answer`: the subtasks that wait for an answer from outside."""

import json
from typing import Annotated

from cyclopts import Parameter
from pydantic_core import from_json

from parallelizework.cli.app import FOLLOW, HERE, Json, Where, cli
from parallelizework.cli.printing import formats
from parallelizework.cli.printing.output import note
from parallelizework.cli.runs import RunId
from parallelizework.cli.task import UsageError, read_task
from parallelizework.client.codec import raw
from parallelizework.client.subtasks.waiting import MAX_WAITING, WaitingSubtask

_ANY = raw("")


@cli.command(group=FOLLOW)
def waiting(
    run: RunId,
    /,
    *,
    limit: int = MAX_WAITING,
    as_json: Json = False,
    where: Where = HERE,
) -> None:
    """List the subtasks of a run that wait for an answer from outside.

    Parameters
    ----------
    limit
        List at most this many subtasks: those that wait for the longest time.
    as_json
        Print a JSON list.
    """
    with where.client() as client:
        found = client.attach(_ANY, run).waiting(limit=limit)
    if as_json:
        print(json.dumps([each.model_dump(mode="json") for each in found]))
    elif found:
        header = ("INDEX", "NAME", "WAITS FOR", "SINCE", "UNTIL")
        print(formats.table([header, *map(_row, found)]))
    else:
        note(f"no subtask of {run} waits for an answer")
    if found.more:
        note(f"{found.more:,} more are not listed")


@cli.command(group=FOLLOW)
def answer(
    key: Annotated[str, Parameter(help="The key of the subtask.")],
    value: Annotated[
        str | None,
        Parameter(
            help="The value as JSON; @FILE or - (stdin).", allow_leading_hyphen=True
        ),
    ] = None,
    /,
    *,
    fail: str | None = None,
    code: int = 500,
    where: Where = HERE,
) -> None:
    """Answer a subtask that waits: it succeeds with a value, or it fails.

    Parameters
    ----------
    fail
        Let the subtask fail with this message, instead of a value.
    code
        The code of the failure: an HTTP status, 400 to 599.
    """
    if (value is None) == (fail is None):
        raise UsageError("pass either a value as JSON, or --fail MESSAGE")
    with where.client() as client:
        if fail is not None:
            answered = client.answer_failure(key, fail, code=code)
        else:
            answered = client.answer(key, from_json(read_task(value, None, "value")))
    if not answered.is_first:
        note(f"{key} has this answer already")
    elif answered.is_waiting:
        note(f"{key} is answered")
    else:
        note(f"{key} does not wait yet: it receives the answer as soon as it waits")


def _row(subtask: WaitingSubtask) -> tuple[str, ...]:
    index = str(subtask.index)
    if subtask.shard is not None:
        index = f"{subtask.shard}/{index}"
    times = [f"{time:%Y-%m-%d %H:%M:%S}" for time in (subtask.since, subtask.until)]
    return index, subtask.name or "", subtask.key, *times
