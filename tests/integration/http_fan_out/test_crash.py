"""HttpFanOut and a crash: each request has one outcome, its repeats have one key."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from ..conftest import Server
from ..misbehaving import misbehaving
from ..processes import eventually, running
from ..test_serve import served

COUNT = 60


@pytest.mark.parametrize("batch", [1, 8])
def test_after_a_kill_each_row_has_one_outcome_and_one_idempotency_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    rows = [f'{{"n": {n}}}\n' for n in range(COUNT)]
    (folder / "orders.ndjson").write_text("".join(rows))
    monkeypatch.setenv("PARALLELIZEWORK_HTTP_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("PARALLELIZEWORK_HTTP_FOLDER", str(folder))
    with (
        misbehaving() as target,
        served(tmp_path / "server", "HttpFanOut") as (worker, ingress),
    ):
        server, path = Server(ingress, ""), f"/holding/{COUNT // 2}/{{n}}"
        task = {
            "request": {"method": "POST", "url": target.url + path},
            "rows_file": "orders.ndjson",
            "policy": {"max_concurrency": 8, "max_items_per_batch": batch},
        }
        run = server.send("HttpFanOut", task)["invocationId"]
        eventually(lambda: len(target.ledger) > COUNT // 2)

        worker.process.kill()
        worker.process.wait()
        target.let_go = True
        with running(*worker.arguments):
            answer = server.attach(run).raise_for_status().json()

    results = (folder / "orders.results.ndjson").read_text().splitlines()
    keys: dict[str, set[str]] = defaultdict(set)
    for request in target.ledger:
        keys[request.target].add(request.headers["idempotency-key"])
    assert (answer["succeeded"], answer["failed"]) == (COUNT, 0)
    assert [json.loads(line)["index"] for line in results] == list(range(COUNT))
    assert len(keys) == COUNT
    assert len(target.ledger) > COUNT  # something was under way when it was killed
    assert {len(each) for each in keys.values()} == {1}
    assert len({key for each in keys.values() for key in each}) == COUNT
