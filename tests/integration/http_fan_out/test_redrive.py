"""A redrive of HttpFanOut sends only the requests that have failed."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..conftest import GIVEN, HTTP, Server
from ..misbehaving import Misbehaving

pytestmark = pytest.mark.skipif(GIVEN, reason="its worker sees other files")

BAD = [17, 99, 250]
COUNT = 300
ONCE = {"max_attempts": 1}


def path(number: int, key: str) -> str:
    """A path that answers 503 once for a bad number."""
    return f"/rough/{int(number in BAD)}/503/{key}/{number}"


def redriven(server: Server, run: httpx.Response) -> httpx.Response:
    request = {"run": run.headers["x-restate-id"]}
    answer = HTTP.post(f"{server.ingress}/HttpFanOut/redrive", json=request)
    return answer.raise_for_status()


def indexes(outcomes: list[dict[str, Any]]) -> list[int]:
    return [each["index"] for each in outcomes]


def sent(target: Misbehaving, key: str) -> list[int]:
    """How often each request was sent."""
    counts = target.counts()
    return [counts[path(number, key)] for number in range(COUNT)]


def test_three_of_300_requests_are_sent_again(
    server: Server, target: Misbehaving, key: str
) -> None:
    urls = [{"url": target.url + path(number, key)} for number in range(COUNT)]
    run = server.run("HttpFanOut", {"requests": urls, "policy": ONCE})
    assert indexes(run.json()["failures"]) == BAD

    answer = redriven(server, run)

    assert answer.json()["failures"] == []
    assert indexes(answer.json()["responses"]) == list(range(COUNT))
    assert sent(target, key) == [1 + (number in BAD) for number in range(COUNT)]


def test_the_lines_of_a_results_file_are_replaced(
    server: Server, target: Misbehaving, key: str
) -> None:
    rows = server.folder / f"{key}.ndjson"
    lines = [json.dumps({"bad": int(n in BAD), "n": n}) for n in range(COUNT)]
    rows.write_text("\n".join(lines))
    request = {"url": f"{target.url}/rough/{{bad}}/503/{key}/{{n}}"}
    task = {"request": request, "rows_file": rows.name, "policy": ONCE}
    run = server.run("HttpFanOut", task)
    file = Path(server.folder, run.json()["results_file"])
    assert (run.json()["succeeded"], run.json()["failed"]) == (COUNT - 3, 3)

    answer = redriven(server, run)

    assert (answer.json()["succeeded"], answer.json()["failed"]) == (COUNT, 0)
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["index"] for line in found] == list(range(COUNT))
    assert {line["status"] for line in found} == {200}
    assert sent(target, key) == [1 + (number in BAD) for number in range(COUNT)]
    assert {each.name for each in server.folder.iterdir() if key in each.name} == {
        rows.name,
        file.name,
    }
