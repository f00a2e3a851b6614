"""HttpFanOut: requests in bulk, with responses and failures as promised."""

import json
from typing import Any

import httpx
import pytest

from ..conftest import GIVEN, Server
from ..misbehaving import Misbehaving
from ..processes import LONG

pytestmark = pytest.mark.skipif(GIVEN, reason="its worker reaches other hosts")

SOON = {"initial_retry_interval": 0.01}


def run(server: Server, task: dict[str, Any]) -> dict[str, Any]:
    return server.run("HttpFanOut", task).raise_for_status().json()


def refusal(server: Server, task: dict[str, Any]) -> tuple[int, str]:
    answer = server.run("HttpFanOut", task)
    return answer.status_code, answer.json()["message"]


@pytest.mark.parametrize("batch", [1, 64])
def test_responses_and_failures_are_in_the_order_of_the_requests(
    server: Server, target: Misbehaving, key: str, batch: int
) -> None:
    paths = [
        f"/body/{key}?kind=application/json&hex={b'[1]'.hex()}",
        f"/status/404?{key}",
        f"/rough/2/503/{key}",
        f"/body/{key}?kind=image/png&hex=ff00",
        f"/hang?{key}",
    ]
    requests: list[dict[str, Any]] = [{"url": target.url + path} for path in paths]
    requests[-1]["timeout"] = 0.3
    policy = {**SOON, "max_attempts": 3, "max_items_per_batch": batch}

    answer = run(server, {"requests": requests, "policy": policy})

    for response in answer["responses"]:
        assert response.pop("elapsed_ms") >= 0
    assert answer["responses"] == [
        {
            "index": 0,
            "status": 200,
            "headers": {"content-type": "application/json"},
            "body": [1],
            "encoding": "json",
            "attempts": 1,
        },
        {
            "index": 2,
            "status": 200,
            "headers": {"content-type": "text/plain"},
            "body": "3",
            "encoding": "text",
            "attempts": 3,
        },
        {
            "index": 3,
            "status": 200,
            "headers": {"content-type": "image/png"},
            "body": "/wA=",
            "encoding": "base64",
            "attempts": 1,
        },
    ]
    missing, hanging = answer["failures"]
    assert missing["message"].startswith(
        f"GET {target.url}/status/404 answered 404 Not Found: "
    )
    assert (missing["index"], missing["code"], missing["attempts"]) == (1, 404, 1)
    assert hanging == {
        "index": 4,
        "url": f"{target.url}/hang?{key}",
        "code": 504,
        "message": f"GET {target.url}/hang took longer than 0.3 s",
        "attempts": 3,
    }
    counts = target.counts()
    assert [counts[path] for path in paths] == [1, 1, 3, 1, 3]


def test_a_task_without_requests_has_an_empty_answer(server: Server) -> None:
    assert run(server, {"requests": []}) == {"responses": [], "failures": []}


def test_a_template_is_filled_with_each_row(
    server: Server, target: Misbehaving
) -> None:
    template = {
        "method": "POST",
        "url": target.url + "/echo/{name}",
        "headers": {"X-Name": "{name}", "Authorization": {"secret": "TOKEN"}},
        "json": {"id": "{id}", "text": "{id}: {name}", "kept": "{{id}}"},
    }
    rows = [{"id": 1, "name": "a/b é"}, {"id": [2], "name": "c"}]

    answer = run(server, {"request": template, "rows": rows})

    first, second = (response["body"] for response in answer["responses"])
    assert first["target"] == "/echo/a%2Fb%20%C3%A9"
    assert first["headers"]["authorization"] == "***"
    assert second["headers"]["x-name"] == "c"
    bodies = [json.loads(body["body"]) for body in (first, second)]
    assert bodies == [
        {"id": 1, "text": "1: a/b é", "kept": "{id}"},
        {"id": [2], "text": "[2]: c", "kept": "{id}"},
    ]


@pytest.mark.parametrize(
    ("include", "shown"),
    [
        (True, [{"id": 1, "status": 200, "n": None}, {"id": 2, "status": 404}]),
        (["id", "n"], [{"id": 1, "n": None}, {"id": 2}]),
    ],
)
def test_a_result_includes_its_row_or_some_fields_of_it(
    server: Server, target: Misbehaving, include: Any, shown: list[Any]
) -> None:
    task = {
        "request": {"url": target.url + "/status/{status}"},
        "rows": [{"id": 1, "status": 200, "n": None}, {"id": 2, "status": 404}],
        "include_row": include,
    }

    answer = run(server, task)

    [response], [failure] = answer["responses"], answer["failures"]
    assert [response["row"], failure["row"]] == shown


def test_a_result_includes_its_row_only_on_request(
    server: Server, target: Misbehaving
) -> None:
    request = {"url": target.url + "/status/{status}"}
    rows = [{"status": 200}, {"status": 404}]

    answer = run(server, {"request": request, "rows": rows})
    code, message = refusal(server, {"requests": [], "include_row": True})

    [response], [failure] = answer["responses"], answer["failures"]
    assert "row" not in response | failure
    assert code == 400
    assert "include_row: Extra inputs are not permitted" in message


def test_all_attempts_at_a_request_have_one_idempotency_key_of_their_own(
    server: Server, target: Misbehaving, key: str
) -> None:
    paths = [f"/rough/2/500/{key}-{number}" for number in range(3)]
    requests = [{"url": target.url + path, "method": "POST"} for path in paths]

    run(server, {"requests": requests, "policy": SOON})

    keys = [
        {request.headers["idempotency-key"] for request in target.requests_for(path)}
        for path in paths
    ]
    assert [len(each) for each in keys] == [1, 1, 1]
    assert len({key for each in keys for key in each}) == 3
    assert [target.counts()[path] for path in paths] == [3, 3, 3]


@pytest.mark.parametrize("after", ["1", "date-2"])
def test_a_postponed_request_is_sent_after_the_pause(
    server: Server, target: Misbehaving, key: str, after: str
) -> None:
    path = f"/busy/{key}?after={after}"

    answer = run(server, {"requests": [{"url": target.url + path}], "policy": SOON})

    [response] = answer["responses"]
    first, second = target.requests_for(path)
    assert response["attempts"] == 1  # it was postponed
    assert second.at - first.at >= 0.9


def test_a_run_fails_when_its_policy_tolerates_no_failure(
    server: Server, target: Misbehaving
) -> None:
    requests = [{"url": f"{target.url}/status/418"}]

    code, message = refusal(
        server, {"requests": requests, "policy": {"tolerated_failure_count": 0}}
    )

    assert code == 418
    assert "answered 418" in message


@pytest.mark.once
@pytest.mark.parametrize(
    ("task", "complaint"),
    [
        ({}, "set requests, or request and rows, or request and rows_file"),
        ({"requests": [], "retries": 3}, "retries: Extra inputs are not permitted"),
        (
            {"requests": [{"url": "ftp://a/"}]},
            "requests.0.url: Value error, must begin",
        ),
        ({"requests": [{"url": "http://"}]}, "requests.0.url: Value error, has no"),
        ({"requests": [{"url": "http://a/", "method": "BREW"}]}, "requests.0.method: "),
        (
            {"requests": [{"url": "http://me:s3cr3t@a/"}]},
            "requests.0.url: Value error, has a user or a password",
        ),
        (
            {"requests": [{"url": "http://a/", "headers": {"Host": "b"}}]},
            "requests.0.headers: Value error, the header Host cannot be set",
        ),
        (
            {"requests": [{"url": "http://a/", "headers": {"X": "b\r\nHost: c"}}]},
            "requests.0.headers: Value error, the header X contains a line",
        ),
        (
            {"requests": [{"url": "http://a/", "json": 1, "body": "1"}]},
            "requests.0: Value error, set json or body, not both",
        ),
        (
            {"request": {"url": "http://a/{id}"}, "rows": [{"id": 1}, {"name": "b"}]},
            "row 1: the template needs 'id', but the row has name",
        ),
        (
            {"request": {"url": "http://a/{id}"}, "rows": [{"id": ".."}]},
            "row 0: url: the value '..' would change the path",
        ),
        (
            {"request": {"url": "{url}"}, "rows": [{"url": "nowhere"}]},
            "row 0: url: Value error, must begin with http:// or https://",
        ),
        (
            {"request": {"url": "http://a/"}, "rows_file": "../etc/passwd"},
            "there is no file '../etc/passwd' in the folder of this worker",
        ),
    ],
)
def test_a_mistake_in_a_task_is_a_400_that_names_the_field(
    server: Server, task: dict[str, Any], complaint: str
) -> None:
    code, message = refusal(server, task)

    assert code == 400
    assert complaint in message
    assert "s3cr3t" not in message


@pytest.mark.once
def test_the_task_is_in_the_openapi_schema(server: Server) -> None:
    openapi = httpx.get(
        f"{server.admin}/services/HttpFanOut/openapi", timeout=LONG
    ).json()

    task = openapi["components"]["schemas"]["runRequest"]
    names = [form["$ref"].rsplit("/", 1)[-1] for form in task["oneOf"]]
    assert names == ["Requests", "Rows", "RowsFile"]
    fields = task["$defs"]["Request"]["properties"]
    assert (
        fields["timeout"]["description"]
        == "the longest time of one attempt, in seconds; 30 by default"
    )
