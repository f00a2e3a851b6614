"""`SchedulesFile`: the schedules in a file, and how they differ from the server's."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import JsonValue, ValidationError

from parallelizework.cli.task import UsageError, read_task
from parallelizework.client import Client
from parallelizework.client.schedules.requests import Options
from parallelizework.schedules.models import Schedule, SchedulePlan, Spec
from parallelizework.serde.adapter import mistakes

_KEYS = {"owner", "schedules"}


@dataclass(frozen=True)
class Change:
    """How one schedule differs.

    Attributes:
        action: What `apply` does with the schedule.
        name: The name of the schedule.
        details: The fields that change: `cron: '@daily' -> '@hourly'`.
    """

    action: Literal["create", "change", "delete", "unchanged"]
    name: str
    details: Sequence[str] = ()

    def __str__(self) -> str:
        return "\n".join(
            [f"{self.action:9}  {self.name}", *(f"{'':11}{d}" for d in self.details)]
        )


@dataclass(frozen=True)
class SchedulesFile:
    """The schedules in a file.

    Attributes:
        owner: Who owns these schedules. `apply` deletes only schedules of this owner.
        specs: The schedules by name.
    """

    owner: str
    specs: Mapping[str, Spec]

    @classmethod
    def read(cls, path: Path) -> Self:
        """The schedules in a TOML file.

        Raises:
            UsageError: The file cannot be read, or something in it is invalid.
        """
        try:
            found = tomllib.loads(path.read_text())
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:  # not UTF-8, or not TOML
            raise UsageError(f"{path} is not TOML: {error}") from error
        owner, tables = found.get("owner"), found.get("schedules", {})
        if not isinstance(owner, str) or not owner or found.keys() - _KEYS:
            raise UsageError(
                f'{path} needs a line such as owner = "reports" at its top, and then '
                "a table such as [schedules.nightly] for each schedule"
            )
        specs = {
            name: _spec(path, owner, name, table)
            for name, table in _table(path, "schedules", tables).items()
        }
        return cls(owner, specs)

    def changes(self, client: Client) -> list[Change]:
        """What `apply` would do, sorted by name. Nothing is changed.

        Raises:
            UsageError: A schedule belongs to another owner.
            UnknownFanOut: No worker serves the fan-out of a schedule.
            UnfitData: A schedule is invalid.
        """
        known = {each.name: each for each in client.schedules.list()}
        changes = [
            Change("delete", name)
            for name, schedule in known.items()
            if schedule.plan.owner == self.owner and name not in self.specs
        ]
        for name, spec in self.specs.items():
            if name not in known:
                changes.append(Change("create", name, _lines(spec)))
            else:
                self._check_owner(known[name])
                changes.append(_change(client.schedules.get(name), spec))
        for change in changes:
            if change.action in ("create", "change"):
                spec, options = self._arguments(change.name)
                client.schedules.check(change.name, *spec, **options)
        return sorted(changes, key=lambda change: change.name)

    def apply(self, client: Client, change: Change) -> None:
        """Carry out one change."""
        if change.action == "delete":
            client.schedules.delete(change.name)
        elif change.action != "unchanged":
            spec, options = self._arguments(change.name)
            client.schedules.set(change.name, *spec, **options)

    def _arguments(self, name: str) -> tuple[tuple[str, str, JsonValue], Options]:
        """The cron expression, the fan-out and the task of a schedule; its options."""
        spec = self.specs[name]
        options = Options(
            zone=spec.zone,
            overlap=spec.overlap,
            missed=spec.missed,
            time_field=spec.time_field,
            owner=self.owner,
        )
        return (spec.cron, spec.fan_out, spec.task), options

    def _check_owner(self, schedule: Schedule) -> None:
        owner = schedule.plan.owner
        if owner not in (None, self.owner):
            raise UsageError(
                f"the schedule {schedule.name} belongs to the owner {owner!r}, not to "
                f"{self.owner!r}: use another name, or delete the schedule first"
            )


def _spec(path: Path, owner: str, name: str, table: object) -> Spec:
    fields = _table(path, f"schedules.{name}", table)
    if fields.keys() >= {"task", "task_file"}:
        raise UsageError(f"{path}: schedules.{name}: use task or task_file, not both")
    if "task_file" in fields:
        file = path.parent / str(fields.pop("task_file"))
        fields["task"] = json.loads(read_task(f"@{file}", None))
    try:
        return Spec.model_validate({**fields, "owner": owner})
    except ValidationError as error:
        raise UsageError(f"{path}: schedules.{name}: {mistakes(error)}") from error


def _table(path: Path, name: str, found: object) -> dict[str, object]:
    if not isinstance(found, dict):
        raise UsageError(f"{path}: {name} is not a table")
    return {str(key): found[key] for key in found}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - TOML


def _change(before: Schedule, after: Spec) -> Change:
    plan = SchedulePlan(**after.model_dump(exclude={"task"}))
    old = {**before.plan.model_dump(), "task": before.task}
    new = {**plan.model_dump(), "task": after.task}
    details = [
        f"{key}: {_text(old[key])} -> {_text(new[key])}"
        for key in new
        if _text(old[key]) != _text(new[key])  # in Python, 1 == 1.0 == True
    ]
    return Change("change" if details else "unchanged", before.name, details)


def _lines(spec: Spec) -> list[str]:
    return [f"cron: {_text(spec.cron)}", f"fan_out: {_text(spec.fan_out)}"]


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
