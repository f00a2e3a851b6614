"""The commands of `schedule`: set, list, pause, resume, trigger and others."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from parallelizework.cli.app import HERE, SCHEDULE, Flag, Json, Where, cli
from parallelizework.cli.printing import formats
from parallelizework.cli.printing.output import note
from parallelizework.cli.schedules.schedules_file import SchedulesFile
from parallelizework.cli.task import UsageError, read_task
from parallelizework.client.codec import plain
from parallelizework.schedules.models import Missed, Overlap, Schedule

Name = Annotated[str, Parameter(help="The name of the schedule.")]

schedule = App(
    name="schedule",
    help="Start runs at the times of a schedule.",
    help_on_error=False,
    group=SCHEDULE,
)
cli.command(schedule)
_RUNS = 3  # in the table of `list`


@schedule.command(name="set")
def set_(  # noqa: PLR0913 - each is one switch of the command
    name: Name,
    cron: Annotated[str, Parameter(allow_leading_hyphen=True)],
    fan_out: str,
    task: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    zone: str = "UTC",
    overlap: Overlap = "skip",
    missed: Missed = "one",
    time_field: str | None = None,
    where: Where = HERE,
) -> None:
    """Create or change a schedule. The same command again changes nothing.

    Parameters
    ----------
    cron
        Five fields, such as '0 3 * * *'; or a shorthand such as @daily; or an interval
        such as 'every 30s'.
    fan_out
        The name of the fan-out.
    task
        The task of each run: JSON, @FILE, or - for stdin.
    zone
        The time zone of the cron expression, such as Europe/Berlin.
    overlap
        What happens at a time while an earlier run has not ended. skip: no run. queue:
        the run starts afterwards. replace: the earlier run is cancelled. allow: the run
        starts.
    missed
        What happens to the times of an outage. one: the latest one runs. all: all run,
        the latest 100 at most. skip: none runs that is more than a minute late.
    time_field
        The field of the task that receives the time of the run.
    """
    with where.client() as client:
        saved = client.schedules.set(
            name,
            cron,
            plain(fan_out),
            json.loads(read_task(task, None)),
            zone=zone,
            overlap=overlap,
            missed=missed,
            time_field=time_field,
        )
    next_ = f"the next time is {_time(saved.next)}" if saved.next else "it is paused"
    note(f"{name} is {saved.status}; {next_}")


@schedule.command(name="list")
def list_(*, as_json: Json = False, where: Where = HERE) -> None:
    """List the schedules, with their next times and their last runs.

    Parameters
    ----------
    as_json
        Print a JSON list.
    """
    with where.client() as client:
        found = client.schedules.list()
    if as_json:
        shown = [each.model_dump(mode="json", exclude={"task"}) for each in found]
        print(json.dumps(shown))
        return
    header = ("SCHEDULE", "FAN-OUT", "CRON", "ZONE", "NEXT", "LAST RUNS")
    print(formats.table([header, *map(_row, found)]))


@schedule.command
def show(name: Name, /, *, where: Where = HERE) -> None:
    """Print a schedule as JSON: its task, its next time and its last 20 runs."""
    with where.client() as client:
        found = client.schedules.get(name)
    print(found.model_dump_json(indent=2))


@schedule.command
def pause(name: Name, /, *, where: Where = HERE) -> None:
    """Pause a schedule: its times start no runs until `resume`."""
    with where.client() as client:
        client.schedules.pause(name)
    note(f"{name} is paused; `parallelizework schedule resume {name}` resumes it")


@schedule.command
def resume(name: Name, /, *, where: Where = HERE) -> None:
    """Resume a schedule. The times of the pause do not run."""
    with where.client() as client:
        client.schedules.resume(name)
    note(f"{name} continues")


@schedule.command
def trigger(name: Name, /, *, where: Where = HERE) -> None:
    """Start a run of a schedule now; print the id of the run."""
    with where.client() as client:
        run = client.schedules.trigger(name)
    if run:
        print(run)
    else:
        note(f"{name} has a run that has not ended: the new run starts afterwards")


@schedule.command
def delete(name: Name, /, *, where: Where = HERE) -> None:
    """Delete a schedule. Its runs continue."""
    with where.client() as client:
        client.schedules.delete(name)
    note(f"{name} is deleted")


@schedule.command
def backfill(
    name: Name,
    /,
    *,
    start: Annotated[str, Parameter(name="--from")],
    end: Annotated[str, Parameter(name="--to")],
    where: Where = HERE,
) -> None:
    """Start runs for all times of a period in the past, one after the other.

    Parameters
    ----------
    start
        The start of the period, such as 2026-11-01 or 2026-11-01T03:00+01:00. A time
        without a zone is in UTC.
    end
        The end of the period. A time at the end does not run.
    """
    period = _moment("--from", start), _moment("--to", end)
    with where.client() as client:
        times = client.schedules.backfill(name, *period)
    note(f"{times} runs of {name} start")


@schedule.command
def apply(file: Path, /, *, dry_run: Flag = False, where: Where = HERE) -> None:
    """Create, change and delete schedules, so that they equal those in a file.

    Only schedules that an earlier `apply` has set for the same owner are deleted.

    Parameters
    ----------
    file
        A TOML file with an owner, and a table [schedules.NAME] for each schedule.
    dry_run
        Print the changes, and change nothing.
    """
    wanted = SchedulesFile.read(file)
    with where.client() as client:
        for change in wanted.changes(client):
            if not dry_run:
                wanted.apply(client, change)
            print(change, flush=True)


def _row(found: Schedule) -> tuple[str, ...]:
    plan = found.plan
    next_ = "paused" if found.is_paused else _time(found.next)
    runs = [*reversed(found.running), *found.runs][:_RUNS]
    last = ", ".join(f"{run.state} {run.run or run.error}" for run in runs)
    return found.name, plan.fan_out, plan.cron, plan.zone, next_, last


def _time(moment: datetime | None) -> str:
    if moment is None:
        return "never"
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _moment(option: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is not a time: use a form such as 2026-11-01 or "
            "2026-11-01T03:00+01:00"
        ) from error
