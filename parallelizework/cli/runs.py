"""The commands for a run that is there: watch, result, cancel, list and so on."""

import json
from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue

from parallelizework.cli import formats
from parallelizework.cli.app import FOLLOW, HERE, Json, Where, cli
from parallelizework.cli.follow import follow
from parallelizework.cli.output import note, print_result
from parallelizework.client.codec import raw
from parallelizework.client.models import FailedSubtask, Listed, Paused

RunId = Annotated[str, Parameter(help="The run's id.")]

_ANY = raw("")


@cli.command(group=FOLLOW)
def watch(run: RunId, /, *, where: Where = HERE) -> None:
    """Show how far a run is until it ends; fail if it does."""
    with where.client() as client:
        follow(client.attach(_ANY, run))


@cli.command(group=FOLLOW)
def result(
    run: RunId,
    /,
    *,
    timeout: timedelta | None = None,
    as_json: Json = False,
    where: Where = HERE,
) -> None:
    """Print the result of a run, once it is there.

    Parameters
    ----------
    timeout
        Wait for so long at most, such as 30s; 0s for a look that does not wait.
    as_json
        Print an object with run, state and result.
    """
    seconds = None if timeout is None else timeout.total_seconds()
    with where.client() as client:
        found = client.attach(_ANY, run).result(seconds)
    print_result(run, found, as_json=as_json)


@cli.command(group=FOLLOW)
def cancel(run: RunId, /, *, where: Where = HERE) -> None:
    """Cancel a run, and all that it has called."""
    with where.client() as client:
        client.attach(_ANY, run).cancel()
    note(f"{run} is being cancelled")


@cli.command(group=FOLLOW)
def pause(run: RunId, /, *, where: Where = HERE) -> None:
    """Start no more subtasks of a run; those that are executing go on to their end."""
    with where.client() as client:
        client.attach(_ANY, run).pause()
    note(f"{run} is paused; `parallelizework resume {run}` lets it go on")


@cli.command(group=FOLLOW)
def resume(run: RunId, /, *, where: Where = HERE) -> None:
    """Go on with a paused run, and with its subtasks that are paused."""
    with where.client() as client:
        client.attach(_ANY, run).resume()
    note(f"{run} continues")


@cli.command(group=FOLLOW)
def failures(run: RunId, /, *, as_json: Json = False, where: Where = HERE) -> None:
    """List what failed or is paused: index, status, error, subtask.

    Parameters
    ----------
    as_json
        Print a JSON list.
    """
    with where.client() as client:
        attached = client.attach(_ANY, run)
        found, paused = attached.failures(), attached.paused()
    if as_json:
        print(json.dumps([*map(_failed_json, found), *map(_paused_json, paused)]))
    elif found or paused:
        header = ("INDEX", "STATUS", "ERROR", "SUBTASK")
        print(formats.table([header, *map(_row, found), *map(_paused_row, paused)]))
    elif not found.more:
        note(f"nothing of {run} has failed")
    if found.more:
        note(f"{found.more:,} more have failed, which FanOutProgress has no room for")
    if paused:
        note(f"fix what has paused calls, then `parallelizework resume {run}`")


@cli.command(name="list", group=FOLLOW)
def list_runs(*, limit: int = 20, as_json: Json = False, where: Where = HERE) -> None:
    """List the latest runs: id, fan-out, state, progress, age.

    Parameters
    ----------
    limit
        How many.
    as_json
        Print a JSON list.
    """
    with where.client() as client:
        found = client.recent(limit)
    if as_json:
        print(json.dumps([listed.model_dump(mode="json") for listed in found]))
        return
    header = ("RUN", "FAN-OUT", "STATE", "PROGRESS", "AGE")
    print(formats.table([header, *map(_listed, found)]))
    if away := {name for run in found for name in run.progress.unanswered}:
        note(formats.unanswered(sorted(away)))
    if paused := [run.run for run in found if run.progress.paused]:
        note("`parallelizework failures RUN` shows what is paused of a run, and why:")
        note("\n".join(f"  parallelizework failures {run}" for run in paused))


def _listed(run: Listed) -> tuple[str, ...]:
    counted = formats.counted(run.progress)
    return run.run, run.fan_out, run.state, counted, formats.age(run.age)


def _row(failure: FailedSubtask) -> tuple[str, ...]:
    index = _index(failure.index, failure.shard)
    return index, failure.status, failure.message, json.dumps(failure.subtask)


def _paused_row(paused: Paused) -> tuple[str, ...]:
    index = _index(paused.index, paused.shard)
    subtask = "" if paused.subtask is None else json.dumps(paused.subtask)
    error = paused.error or "paused by somebody"
    return index, "paused", error, subtask or paused.target


def _index(index: int | None, shard: int | None) -> str:
    position = "" if index is None else str(index)
    return position if shard is None else f"{shard}/{position}"


def _failed_json(failure: FailedSubtask) -> JsonValue:
    return failure.model_dump(mode="json")


def _paused_json(paused: Paused) -> JsonValue:
    """As a failure, which it is not yet; with what `restate` needs to look at it."""
    return {
        "index": paused.index,
        "shard": paused.shard,
        "status": "paused",
        "message": paused.error,
        "subtask": paused.subtask,
        "invocation": paused.invocation,
        "target": paused.target,
    }
