"""The commands for existing runs: watch, result, cancel, pause, list and others."""

import json
from typing import Annotated

from cyclopts import Parameter
from pydantic import JsonValue

from parallelizework.cli.app import FOLLOW, HERE, Duration, Json, Label, Where, cli
from parallelizework.cli.follow import follow
from parallelizework.cli.printing import formats
from parallelizework.cli.printing.output import note, print_result
from parallelizework.cli.task import read_labels
from parallelizework.client.codec import raw
from parallelizework.client.models import FailedSubtask, Listed, Paused
from parallelizework.client.subtasks.listed import (
    MAX_SUBTASKS,
    ListedSubtask,
    SubtaskStatus,
)

RunId = Annotated[str, Parameter(help="The run's id.")]

_ANY = raw("")


@cli.command(group=FOLLOW)
def watch(run: RunId, /, *, where: Where = HERE) -> None:
    """Show the progress of a run until it ends; fail if the run fails."""
    with where.client() as client:
        follow(client.attach(_ANY, run))


@cli.command(group=FOLLOW)
def result(
    run: RunId,
    /,
    *,
    timeout: Duration | None = None,
    as_json: Json = False,
    where: Where = HERE,
) -> None:
    """Wait for the result of a run and print it.

    Parameters
    ----------
    timeout
        Wait this long at most, such as 30s; 0s means: do not wait.
    as_json
        Print a JSON object with run, state, and result or error.
    """
    seconds = None if timeout is None else timeout.total_seconds()
    with where.client() as client:
        found = client.attach(_ANY, run).result(seconds)
    print_result(run, found, as_json=as_json)


@cli.command(group=FOLLOW)
def cancel(run: RunId, /, *, where: Where = HERE) -> None:
    """Cancel a run and all its calls."""
    with where.client() as client:
        client.attach(_ANY, run).cancel()
    note(f"{run} is being cancelled")


@cli.command(group=FOLLOW)
def pause(run: RunId, /, *, where: Where = HERE) -> None:
    """Pause a run: no more subtasks start. Executing subtasks continue to their end."""
    with where.client() as client:
        client.attach(_ANY, run).pause()
    note(f"{run} is paused; `parallelizework resume {run}` resumes it")


@cli.command(group=FOLLOW)
def resume(run: RunId, /, *, where: Where = HERE) -> None:
    """Resume a paused run and all its paused calls."""
    with where.client() as client:
        client.attach(_ANY, run).resume()
    note(f"{run} continues")


@cli.command(group=FOLLOW)
def failures(run: RunId, /, *, as_json: Json = False, where: Where = HERE) -> None:
    """List the subtasks that failed and the calls that are paused, with their errors.

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
        header = ("INDEX", "NAME", "STATUS", "ERROR", "SUBTASK")
        rows = [header, *map(_row, found), *map(_paused_row, paused)]
        has_names = any(each.name for each in [*found, *paused])
        print(formats.table(rows if has_names else _without_names(rows)))
    elif not found.more:
        note(f"no subtask of {run} has failed or is paused")
    if found.more:
        note(f"{found.more:,} more have failed; only their number is stored")
    if paused:
        note(f"fix the cause of each pause, then run `parallelizework resume {run}`")


@cli.command(group=FOLLOW)
def subtasks(
    run: RunId,
    /,
    *,
    status: SubtaskStatus | None = None,
    limit: int = MAX_SUBTASKS,
    as_json: Json = False,
    where: Where = HERE,
) -> None:
    """List the subtasks of a run that have not ended, and those that failed.

    Parameters
    ----------
    status
        List only the subtasks with this status.
    limit
        List at most this many subtasks; those with an error first.
    as_json
        Print a JSON list.
    """
    with where.client() as client:
        found = client.attach(_ANY, run).subtasks(status, limit=limit)
    if as_json:
        print(json.dumps([each.model_dump(mode="json") for each in found]))
    elif found:
        header = ("INDEX", "NAME", "STATUS", "ATTEMPTS", "DURATION", "ERROR")
        print(formats.table([header, *map(_subtask_row, found)]))
    else:
        about = f" with the status {status}" if status else ""
        note(f"no subtask of {run}{about} is listed")
    if found.more:
        note(f"{found.more:,} more are not listed")
    if not as_json:
        note(formats.progress_line(found.progress))


@cli.command(name="list", group=FOLLOW)
def list_runs(
    *,
    limit: int = 20,
    labels: Label = None,
    as_json: Json = False,
    where: Where = HERE,
) -> None:
    """List the latest runs of all fan-outs: id, fan-out, state, progress, age.

    Parameters
    ----------
    limit
        Print at most this many runs.
    labels
        Print only runs with this label, such as tenant=a. You can repeat the option:
        then runs have all of these labels.
    as_json
        Print a JSON list.
    """
    with where.client() as client:
        found = client.recent(limit, labels=read_labels(labels or ()))
    if as_json:
        print(json.dumps([listed.model_dump(mode="json") for listed in found]))
        return
    header = ("RUN", "FAN-OUT", "STATE", "PROGRESS", "AGE", "LABELS")
    rows = [header, *map(_listed, found)]
    if not any(run.labels for run in found):
        rows = [row[:-1] for row in rows]
    print(formats.table(rows))
    for redrive in (run for run in found if run.progress.redrive_of):
        note(f"{redrive.run} is a redrive of {redrive.progress.redrive_of}")
    for held in (run for run in found if run.state == "held"):
        note(f"{held.run} waits for `parallelizework redrive` or `settle`")
    if unanswered := {name for run in found for name in run.progress.unanswered}:
        note(formats.unanswered(sorted(unanswered)))
    if paused := [run.run for run in found if run.progress.paused]:
        note("some calls are paused. To list them with their errors, run:")
        note("\n".join(f"  parallelizework failures {run}" for run in paused))


def _listed(run: Listed) -> tuple[str, ...]:
    counted = formats.counted(run.progress)
    labels = " ".join(f"{key}={value}" for key, value in sorted(run.labels.items()))
    return run.run, run.fan_out, run.state, counted, formats.age(run.age), labels


def _subtask_row(subtask: ListedSubtask) -> tuple[str, ...]:
    index = _index(subtask.index, subtask.shard)
    attempts = "" if subtask.attempts is None else str(subtask.attempts)
    duration = "" if subtask.duration is None else formats.clock(subtask.duration)
    error = " ".join((subtask.error or "").split())
    name = subtask.name or ""
    return index, name, subtask.status, attempts, duration, error


def _row(failure: FailedSubtask) -> tuple[str, ...]:
    index = _index(failure.index, failure.shard)
    subtask, name = json.dumps(failure.subtask), failure.name or ""
    return index, name, failure.status, failure.message, subtask


def _paused_row(paused: Paused) -> tuple[str, ...]:
    index = _index(paused.index, paused.shard)
    subtask = "" if paused.subtask is None else json.dumps(paused.subtask)
    error = paused.error or "paused by a user"
    return index, paused.name or "", "paused", error, subtask or paused.target


def _without_names(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [(index, *others) for index, _, *others in rows]


def _index(index: int | None, shard: int | None) -> str:
    position = "" if index is None else str(index)
    return position if shard is None else f"{shard}/{position}"


def _failed_json(failure: FailedSubtask) -> JsonValue:
    return failure.model_dump(mode="json")


def _paused_json(paused: Paused) -> JsonValue:
    """A paused call in the form of a failure, with the id and target of the call."""
    return {
        "index": paused.index,
        "shard": paused.shard,
        "name": paused.name,
        "status": "paused",
        "message": paused.error,
        "subtask": paused.subtask,
        "invocation": paused.invocation,
        "target": paused.target,
    }
