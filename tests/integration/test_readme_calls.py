"""The README's handler that calls a fan-out does what it says."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from parallelizework.client import healthy
from parallelizework.local.ports import Ports

from . import test_readme
from .processes import LONG, eventually

pytestmark = pytest.mark.once

folder, local = test_readme.folder, test_readme.local


def test_a_handler_calls_a_fan_out_as_shown(
    local: tuple[str, str], folder: Path
) -> None:
    code = re.search(r"```python\n# essays.py\n(.*?)```", test_readme.README, re.DOTALL)
    assert code
    (folder / "essays.py").write_text(code[1])
    bind = f"127.0.0.1:{Ports(0, 0, 0).chosen().worker}"
    serve = [sys.executable, "-m", "hypercorn", "--bind", bind, "essays:app"]
    ingress, admin = local
    with subprocess.Popen(serve, cwd=folder) as process:
        try:
            eventually(lambda: healthy(f"http://{bind}/health"))
            deployment = {"uri": f"http://{bind}"}
            httpx.post(f"{admin}/deployments", json=deployment, timeout=LONG)
            grade = f"{ingress}/Essays/grade"
            grades = [
                httpx.post(grade, json=essay, timeout=LONG).json()
                for essay in ("three small words", "word " * 501)
            ]
        finally:
            process.terminate()

    assert grades == ["good", "too long"]
