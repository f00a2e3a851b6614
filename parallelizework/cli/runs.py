"""The commands for a run that is there: watch, result, cancel, list and so on."""

import json
from datetime import timedelta

from parallelizework.answers import FailedSubtask, Listed
from parallelizework.cli import words
from parallelizework.cli.app import FOLLOW, HERE, Json, Where, cli, note
from parallelizework.cli.follow import follow
from parallelizework.cli.running import print_result
from parallelizework.codec import raw

_ANY = raw("")


@cli.command(group=FOLLOW)
def watch(run: str, /, *, where: Where = HERE) -> None:
    """Show how far a run is until it ends; fail if it does.

    Parameters
    ----------
    run
        The run's id.
    """
    with where.client() as client:
        follow(client.attach(_ANY, run))


@cli.command(group=FOLLOW)
def result(
    run: str,
    /,
    *,
    timeout: timedelta | None = None,
    as_json: Json = False,
    where: Where = HERE,
) -> None:
    """Print the result of a run, once it is there.

    Parameters
    ----------
    run
        The run's id.
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
def cancel(run: str, /, *, where: Where = HERE) -> None:
    """Cancel a run, and all that it has called.

    Parameters
    ----------
    run
        The run's id.
    """
    with where.client() as client:
        client.attach(_ANY, run).cancel()
    note(f"{run} is being cancelled")


@cli.command(group=FOLLOW)
def pause(run: str, /, *, where: Where = HERE) -> None:
    """Start no more subtasks of a run; those that are executing go on to their end.

    Parameters
    ----------
    run
        The run's id.
    """
    with where.client() as client:
        client.attach(_ANY, run).pause()
    note(f"{run} is paused; `parallelizework resume {run}` lets it go on")


@cli.command(group=FOLLOW)
def resume(run: str, /, *, where: Where = HERE) -> None:
    """Go on with a paused run, and with its subtasks that are paused.

    Parameters
    ----------
    run
        The run's id.
    """
    with where.client() as client:
        client.attach(_ANY, run).resume()
    note(f"{run} goes on")


@cli.command(group=FOLLOW)
def failures(run: str, /, *, as_json: Json = False, where: Where = HERE) -> None:
    """List what failed: index, status, error, subtask.

    Parameters
    ----------
    run
        The run's id.
    as_json
        Print a JSON list.
    """
    with where.client() as client:
        found = client.attach(_ANY, run).failures()
    if as_json:
        print(json.dumps([failure.model_dump(mode="json") for failure in found]))
    elif found:
        print(words.table([("INDEX", "STATUS", "ERROR", "SUBTASK"), *map(_row, found)]))
    else:
        note(f"nothing of {run} has failed")


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
    print(words.table([header, *map(_listed, found)]))


def _listed(run: Listed) -> tuple[str, ...]:
    counted = words.counted(run.progress)
    return run.run, run.fan_out, run.state, counted, words.age(run.age)


def _row(failure: FailedSubtask) -> tuple[str, ...]:
    shard = "" if failure.shard is None else f"{failure.shard}/"
    index = f"{shard}{failure.index}"
    return index, failure.status, failure.message, json.dumps(failure.subtask)
