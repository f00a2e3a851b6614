"""Files of schedules: what is wrong is an error that says what to change."""

from pathlib import Path

import pytest

from parallelizework.cli.schedules.schedules_file import SchedulesFile
from parallelizework.cli.task import UsageError

TABLE = '[schedules.a]\ncron = "@daily"\nfan_out = "Words"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a line such as owner"),
        ("owner = 3", "needs a line such as owner"),
        ('owner = "a"\nother = 1', "needs a line such as owner"),
        ("owner", "is not TOML"),
        ('owner = "a"\nschedules.b = 1', "schedules.b is not a table"),
        (f'owner = "a"\n{TABLE}', "schedules.a: task"),
        (f'owner = "a"\n{TABLE}task = 1\ncorn = 1', "schedules.a: corn"),
        (f'owner = "a"\n{TABLE}task = 1\noverlap = "x"', "schedules.a: overlap"),
        (f'owner = "a"\n{TABLE}task_file = "missing"', "cannot read"),
    ],
)
def test_a_wrong_file_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "schedules.toml"
    file.write_text(text)

    with pytest.raises(UsageError, match=message):
        SchedulesFile.read(file)


def test_a_file_has_schedules_with_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "schedules.toml"
    file.write_text(f'owner = "reports"\n{TABLE}task = {{ day = 1 }}\n')

    found = SchedulesFile.read(file)

    assert found.owner == "reports"
    assert found.specs["a"].owner == "reports"
    assert found.specs["a"].task == {"day": 1}
