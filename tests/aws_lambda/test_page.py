"""The page of the documentation: its function on the stand-in for AWS Lambda."""

import re
from pathlib import Path

import httpx
import pytest

from parallelizework.client import Client
from tests.docs.page import ROOT, File, Page
from tests.integration.processes import LONG, output_of

from .server import server_on_lambda
from .stand_in import ARN

PAGE = "how-to/deploy-on-lambda"


def test_the_function_and_the_settings_of_the_page_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / f"{PAGE}.md").read_text()
    [file] = [each for each in Page(PAGE, text).steps() if isinstance(each, File)]
    tmp_path.joinpath(file.name).write_text(file.text)
    limit = re.search(r"^\$ (RESTATE_\w+)=(\S+) restate-server$", text, re.MULTILINE)
    assert limit
    monkeypatch.setenv(*limit.groups())
    variables = {"PYTHONPATH": str(tmp_path)}

    with server_on_lambda(variables, tmp_path, handler="greetings.handler") as (
        server,
        _,
    ):
        where = {
            "PARALLELIZEWORK_ADMIN_URL": server.admin,
            "PARALLELIZEWORK_INGRESS_URL": server.ingress,
        }
        names = output_of("register", ARN, where=where)
        doctor = output_of("doctor", where=where)
        url = f"{server.ingress}/restate/call/Greetings/run"
        answer = httpx.post(url, json=["Ada", "Bob"], timeout=LONG)
        too_large = httpx.post(url, json=["x" * 2**21], timeout=LONG)
        with Client(server.ingress, server.admin) as client:
            services = client.register(ARN)

    assert f"{ARN} is a function on AWS Lambda" in doctor
    assert too_large.status_code == 413
    assert answer.json() == "Hello Ada, Hello Bob"
    assert set(services) <= set(names.split())
    assert "\n".join(services) in text
