"""`parallelizework schedule`: the commands, and files of schedules."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.processes import output_of

from .conftest import Schedules

FILE = """
owner = "{owner}"

[schedules.{key}-kept]
cron = "@daily"
fan_out = "Scheduled"
task = {{ key = "{key}" }}

[schedules.{key}-second]
cron = "@hourly"
fan_out = "Scheduled"
task_file = "task.json"
zone = "Europe/Berlin"
"""
CHANGED = """
owner = "{owner}"

[schedules.{key}-kept]
cron = "0 5 * * *"
fan_out = "Scheduled"
task = {{ key = "{key}" }}
overlap = "queue"
"""


@pytest.fixture
def where(schedules: Schedules) -> Mapping[str, str]:
    return {
        "PARALLELIZEWORK_INGRESS_URL": schedules.system.ingress,
        "PARALLELIZEWORK_ADMIN_URL": schedules.system.admin,
    }


def test_apply_makes_the_schedules_equal_to_the_file(
    schedules: Schedules, where: Mapping[str, str], key: str, tmp_path: Path
) -> None:
    file, known = tmp_path / "schedules.toml", schedules.client.schedules
    (tmp_path / "task.json").write_text(json.dumps({"key": key, "waits": False}))
    known.set(f"{key}-other", "@yearly", "Scheduled", {"key": key})

    def apply(text: str, *options: str) -> list[str]:
        file.write_text(text.format(key=key, owner=key))
        output = output_of("schedule", "apply", str(file), *options, where=where)
        return [line.replace(f"{key}-", "") for line in output.splitlines()]

    created = apply(FILE)
    unchanged = apply(FILE)
    planned = apply(CHANGED, "--dry-run")
    before = known.get(f"{key}-kept").plan.cron
    changed = apply(CHANGED)
    names = {each.name for each in known.list() if each.name.startswith(key)}

    assert [line for line in created if line[0] != " "] == [
        "create     kept",
        "create     second",
    ]
    assert unchanged == ["unchanged  kept", "unchanged  second"]
    assert planned == changed
    assert changed == [
        "change     kept",
        '           cron: "@daily" -> "0 5 * * *"',
        '           overlap: "skip" -> "queue"',
        "delete     second",
    ]
    assert before == "@daily"
    assert names == {f"{key}-kept", f"{key}-other"}
    for name in names:
        known.delete(name)


def test_apply_finds_a_task_that_differs_only_in_the_type_of_a_number(
    schedules: Schedules, where: Mapping[str, str], key: str, tmp_path: Path
) -> None:
    file, known = tmp_path / "schedules.toml", schedules.client.schedules
    text = f'owner = "{key}"\n[schedules.{key}]\ncron = "@daily"\n'
    outputs: list[str] = []

    for value in ("1.0", "1", "true", "true"):
        file.write_text(f'{text}fan_out = "Scheduled"\ntask = {{ a = {value} }}\n')
        outputs.append(output_of("schedule", "apply", str(file), where=where))

    assert [output.split()[0] for output in outputs] == [
        "create",
        "change",
        "change",
        "unchanged",
    ]
    known.delete(key)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schedules = 3", "schedules is not a table"),
        ("schedules.a = 3", "schedules.a is not a table"),
        ("schedules.a = { task = 1, task_file = 'x' }", "use task or task_file"),
    ],
)
def test_a_wrong_file_is_an_error_that_says_what_to_change(
    where: Mapping[str, str], tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "schedules.toml"
    file.write_text(f'owner = "a"\n{text}\n')

    output = output_of("schedule", "apply", str(file), where=where, code=2)

    assert message in " ".join(output.split())


WRONG = [
    ('cron = "61 * * * *"\nfan_out = "Scheduled"', 2, "61 * * * *"),
    ('cron = "@daily"\nfan_out = "Unknown"', 1, "no worker serves a fan-out 'Unknown'"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_apply_changes_nothing_if_one_schedule_is_invalid(
    schedules: Schedules,
    where: Mapping[str, str],
    key: str,
    tmp_path: Path,
    wrong: tuple[str, int, str],
) -> None:
    (lines, code, error), file = wrong, tmp_path / "schedules.toml"
    (tmp_path / "task.json").write_text("{}")
    table = f"[schedules.{key}-wrong]\n{lines}\ntask = 1\n"
    file.write_text(FILE.format(key=key, owner=key) + table)

    for options in ((), ("--dry-run",)):
        arguments = "schedule", "apply", str(file), *options
        assert error in output_of(*arguments, where=where, code=code)

    names = [each.name for each in schedules.client.schedules.list()]
    assert not [name for name in names if name.startswith(key)]


def test_apply_does_not_change_the_schedules_of_another_owner(
    schedules: Schedules, where: Mapping[str, str], key: str, tmp_path: Path
) -> None:
    file, known = tmp_path / "schedules.toml", schedules.client.schedules
    known.set(f"{key}-kept", "@yearly", "Scheduled", {"key": key}, owner="other")
    file.write_text(CHANGED.format(key=key, owner="mine"))

    output = output_of("schedule", "apply", str(file), where=where, code=2)

    assert "belongs to the owner 'other', not to 'mine'" in output
    assert known.get(f"{key}-kept").plan.cron == "@yearly"
    known.delete(f"{key}-kept")


def test_list_and_show_print_json(
    schedules: Schedules, where: Mapping[str, str], key: str
) -> None:
    task = json.dumps({"key": key})
    output_of("schedule", "set", key, "every 2d", "Scheduled", task, where=where)

    listed = json.loads(output_of("schedule", "list", "--json", where=where))
    shown = json.loads(output_of("schedule", "show", key, where=where))

    [found] = [each for each in listed if each["name"] == key]
    assert found["plan"] == shown["plan"]
    assert shown["task"] == {"key": key}
    assert found["next"] == shown["next"]
    schedules.client.schedules.delete(key)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "a", "@never", "Scheduled", "{}"], "use five fields"),
        (["set", "a", "@daily", "Scheduled", "{"], "the task is not JSON"),
        (["set", "a", "@daily", "Scheduled", "{}", "--overlap", "x"], "skip"),
        (["backfill", "a", "--from", "x", "--to", "y"], "--from 'x' is not a time"),
        (["apply", "nothing.toml"], "cannot read nothing.toml"),
    ],
)
def test_a_wrong_command_exits_with_2_and_says_what_to_change(
    where: Mapping[str, str], arguments: list[str], message: str
) -> None:
    output = output_of("schedule", *arguments, where=where, code=2)

    assert message in " ".join(output.split())


def test_an_unknown_fan_out_is_an_error_with_similar_names(
    where: Mapping[str, str],
) -> None:
    command = ["schedule", "set", "a", "@daily", "Scheduld", "{}"]

    assert "did you mean Scheduled?" in output_of(*command, where=where, code=1)


def test_an_unknown_schedule_is_an_error(where: Mapping[str, str]) -> None:
    output = output_of("schedule", "pause", "nothing", where=where, code=1)

    assert "there is no schedule 'nothing'" in output
