"""The cost of importing parallelizework, and its public names."""

import subprocess
import sys

import pytest

import parallelizework


def test_a_client_is_imported_without_restate() -> None:
    code = "import sys, parallelizework.client; print('restate' in sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert process.stdout == "False\n"


@pytest.mark.parametrize("name", parallelizework.__all__)
def test_each_public_name_can_be_imported(name: str) -> None:
    assert getattr(parallelizework, name).__name__ == name
    assert name in dir(parallelizework)


def test_an_unknown_public_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fan_outs'"):
        getattr(parallelizework, "fan_outs")  # noqa: B009 - pyright knows better
