"""The sync and the async client are documented in the same words."""

import inspect

import pytest

from parallelizework.client import (
    AsyncClient,
    AsyncRun,
    AsyncSchedules,
    Client,
    Run,
    Schedules,
)


@pytest.mark.parametrize(
    ("twin", "other"),
    [(Client, AsyncClient), (Run, AsyncRun), (Schedules, AsyncSchedules)],
)
def test_a_sync_method_and_its_async_twin_have_the_same_docstring(
    twin: type[object], other: type[object]
) -> None:
    assert _docstrings(twin) == _docstrings(other)


def _docstrings(of: type[object]) -> dict[str, str | None]:
    functions = inspect.getmembers(of, inspect.isfunction)
    return {
        name: function.__doc__
        for name, function in functions
        if not name.startswith("_")
    }
