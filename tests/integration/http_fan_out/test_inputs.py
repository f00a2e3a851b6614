"""Odd inputs of HttpFanOut: each ends within seconds, with a clear status.

They come from who submits a task, from a file of rows, and from the hosts that answer.
"""

import json

import httpx
import pytest

from ..conftest import GIVEN, Server
from ..misbehaving import Misbehaving

pytestmark = pytest.mark.skipif(GIVEN, reason="its worker reaches other hosts")

SECONDS = 60  # a bound for a machine that is busy; what hangs, hangs for ever
ONCE = {"max_attempts": 1}


def post(server: Server, task: str) -> httpx.Response:
    """Submit a task as it stands; then the worker answers another one."""
    url = f"{server.ingress}/HttpFanOut/run"
    headers = {"content-type": "application/json"}
    answer = httpx.post(url, content=task, headers=headers, timeout=SECONDS)
    assert httpx.post(url, json={"requests": []}, timeout=SECONDS).status_code == 200
    return answer


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def requests(request: str) -> str:
    return f'{{"requests": [{request}]}}'


def url(host: str) -> str:
    return requests(json.dumps({"url": f"http://{host}/"}))


def header(name: str, value: str) -> str:
    return requests(json.dumps({"url": "http://127.0.0.1/", "headers": {name: value}}))


def content(value: str) -> str:
    return requests(
        f'{{"url": "http://127.0.0.1/", "method": "POST", "json": {value}}}'
    )


def rows(value: str) -> str:
    request = '{"url": "http://127.0.0.1/", "method": "POST", "json": "{a}"}'
    return f'{{"request": {request}, "rows": [{{"a": {value}}}]}}'


LONE = '"\\ud800"'
TASKS = {
    "a port beyond all": (url("127.0.0.1:99999"), "the port 99999"),
    "port zero": (url("127.0.0.1:0"), "the port 0"),
    "a host with an empty label": (url(".test"), "'.test' is not a valid host"),
    "two dots": (url("a..test"), "'a..test' is not a valid host"),
    "only a dot": (url("."), "host"),
    "a long label": (url("a" * 64 + ".test"), "is not a valid host"),
    "a long name": (url("a." * 127 + "test"), "is not a valid host"),
    "a host with a space": (url("a b"), "is not a valid host"),
    "an escaped dot": (url("a%2etest"), "is not a valid host"),
    "a lone surrogate in the host": (requests(f'{{"url": {LONE}}}'), ""),
    "an endless URL": (url("127.0.0.1/" + "a" * 70_000), "URL too long"),
    "a header's name with spaces": (header(" a ", "b"), "is not a valid header name"),
    "a header with spaces around": (header("A", " b "), "begins or ends with a space"),
    "a header with a tab before": (header("A", "\tb"), "begins or ends with a space"),
    "a header with a line break": (header("A", "b\r\nc"), "a line break"),
    "a lone surrogate in JSON": (content(LONE), ""),
    "a lone surrogate in a key": (content(f"{{{LONE}: 1}}"), ""),
    "a lone surrogate in a body": (
        requests(f'{{"url": "http://127.0.0.1/", "body": {LONE}}}'),
        "",
    ),
    "NaN in JSON": (content("NaN"), "a number that JSON does not allow"),
    "infinity in JSON": (content("[-1e400]"), "a number that JSON does not allow"),
    "a number without end": (content("9" * 5_000), ""),
    "NaN in a row": (rows("NaN"), "a number that JSON does not allow"),
    "infinity in a row": (rows("1e999"), "a number that JSON does not allow"),
    "a lone surrogate in a row": (rows(LONE), ""),
    **{
        f"JSON of {levels} levels": (content(nested(levels)), "")
        for levels in (162, 180, 194, 195, 196, 197, 198, 250, 100_000)
    },
    **{
        f"a row of {levels} levels": (rows(nested(levels)), "")
        for levels in (162, 190, 195, 197, 200, 100_000)
    },
}


@pytest.mark.once
@pytest.mark.parametrize("which", TASKS)
def test_an_http_task_that_is_invalid_is_a_400(server: Server, which: str) -> None:
    task, complaint = TASKS[which]

    answer = post(server, task)

    assert answer.status_code == 400
    assert complaint in answer.json()["message"]
    assert len(answer.text) < 5_000


def test_json_of_the_largest_allowed_depth_is_sent_and_returned(
    server: Server, target: Misbehaving
) -> None:
    """Through each coordinator, also in a failure."""
    deep = json.loads(nested(160))
    paths = ["/nested/160", "/status/404", "/echo"]
    request = {"method": "POST", "json": deep}
    task = {"requests": [{"url": target.url + path, **request} for path in paths]}

    answer = post(server, json.dumps(task)).raise_for_status().json()

    first, last = answer["responses"]
    assert (first["encoding"], first["body"]) == ("json", deep)
    assert json.loads(last["body"]["body"]) == deep
    assert [failure["code"] for failure in answer["failures"]] == [404]


def hexed(kind: str, body: str) -> str:
    return f"/body/odd?kind={kind}&hex={body.encode().hex()}"


BODIES = {
    **{
        f"JSON of {levels} levels": (f"/nested/{levels}", "text")
        for levels in (162, 195, 196, 197, 198, 199, 200, 201, 202, 254, 300, 50_000)
    },
    "an endless number": (hexed("application/json", "9" * 5_000), "text"),
    "a large number": (hexed("application/json", "9" * 4_000), "json"),
    "infinity": (hexed("application/json", "[1e400]"), "text"),
    "NaN": (hexed("application/json", "NaN"), "text"),
    "a lone surrogate": (hexed("application/json", LONE), "text"),
    "a zero": (hexed("text/plain", "a\0b"), "text"),
    "punycode": ("/foreign/punycode", "base64"),
    "unicode-escape": ("/foreign/unicode-escape", "base64"),
    "latin-1": ("/foreign/latin-1", "text"),
}


@pytest.mark.parametrize("batch", [1, 64])
def test_an_unusual_body_is_still_a_response(
    server: Server, target: Misbehaving, batch: int
) -> None:
    urls = [target.url + path for path, _ in BODIES.values()]
    task = {
        "requests": [{"url": url} for url in urls],
        "policy": {**ONCE, "max_items_per_batch": batch},
    }

    answer = post(server, json.dumps(task)).raise_for_status().json()

    assert answer["failures"] == []
    encodings = [response["encoding"] for response in answer["responses"]]
    assert dict(zip(BODIES, encodings, strict=True)) == {
        which: encoding for which, (_, encoding) in BODIES.items()
    }


ROWS = {
    "no JSON": ("{", 400, "it is not a JSON object"),
    "a list": ("[1]", 400, "it is not a JSON object"),
    "NaN": ('{"a": NaN}', 400, "it is not a JSON object"),
    "infinity": ('{"a": 1e400}', 400, "a number that JSON does not allow"),
    "a lone surrogate": (f'{{"a": {LONE}}}', 400, "it is not a JSON object"),
    "no UTF-8": ('{"a": "\udcff"}', 400, "it is not a JSON object"),
    "162 levels": (f'{{"a": {nested(161)}}}', 400, "deeper than 160 levels"),
    "300 levels": (f'{{"a": {nested(300)}}}', 400, "it is not a JSON object"),
    "an endless number": (f'{{"a": {"9" * 5_000}}}', 400, "it is not a JSON object"),
    "another name": ('{"b": 1}', 400, "the template needs 'a', but the row has b"),
    "many names": (
        json.dumps({f"b{n}": n for n in range(50_000)}),
        400,
        "the template needs 'a', but the row has b0, b1",
    ),
    "a long value": (json.dumps({"a": "a" * 1_000_000}), 400, "URL too long"),
    "a zero": ('{"a": "\\u0000"}', 200, ""),
}


def test_a_row_that_makes_no_request_fails_no_other_row(
    server: Server, target: Misbehaving, key: str
) -> None:
    file = server.folder / f"{key}.ndjson"
    lines = [line for line, *_ in ROWS.values()]
    file.write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    request = {"url": target.url + "/echo?{a}", "method": "POST", "json": "{a}"}
    task = {"request": request, "rows_file": file.name, "policy": ONCE}

    answer = post(server, json.dumps(task)).raise_for_status().json()

    results = file.with_name(answer["results_file"]).read_text().splitlines()
    for index, (line, (_, code, complaint)) in enumerate(
        zip(results, ROWS.values(), strict=True)
    ):
        found = json.loads(line)
        assert found["index"] == index
        assert found.get("code", 200) == code
        assert complaint in found.get("message", "")
        assert len(found.get("message", "")) < 1_000


@pytest.mark.once
@pytest.mark.parametrize("text", ["", "\n", "\n \n\t\n"])
def test_a_file_without_rows_has_results_without_lines(
    server: Server, key: str, text: str
) -> None:
    file = server.folder / f"{key}.ndjson"
    file.write_text(text)
    task = {"request": {"url": "http://127.0.0.1/"}, "rows_file": file.name}

    answers = [
        post(server, json.dumps(task | {"results": results})).raise_for_status().json()
        for results in ("file", "inline")
    ]

    assert answers == [
        {"results_file": f"{key}.results.ndjson", "succeeded": 0, "failed": 0},
        {"responses": [], "failures": []},
    ]


REDIRECTS = {
    "a port beyond all": "http://127.0.0.1:99999/",
    "a host with an empty label": "http://.test/",
    "another scheme": "ftp://127.0.0.1/",
    "no URL": "http://[::1/",
}


@pytest.mark.once
@pytest.mark.parametrize("which", REDIRECTS)
def test_a_redirect_to_an_invalid_url_is_not_retried(
    server: Server, target: Misbehaving, which: str
) -> None:
    request = {"url": f"{target.url}/to/302?url={REDIRECTS[which]}"}
    task = {"requests": [request], "follow_redirects": True}

    answer = post(server, json.dumps(task)).raise_for_status().json()

    [failure] = answer["failures"]
    assert (failure["code"], failure["attempts"]) == (502, 1)
    assert "redirects to a URL that is invalid or" in failure["message"]


HOSTS = {
    "a dot after an address": "127.0.0.1.",
    "a dot after a name": "localhost.",
    "an unknown name with a dot": "nowhere.invalid.",
}


@pytest.mark.once
@pytest.mark.parametrize("which", HOSTS)
def test_a_host_with_a_trailing_dot_has_an_outcome(
    server: Server, target: Misbehaving, which: str
) -> None:
    url = f"http://{HOSTS[which]}:{target.port}/echo"

    answer = post(server, json.dumps({"requests": [{"url": url}], "policy": ONCE}))

    outcomes = answer.raise_for_status().json()
    codes = [each["code"] for each in outcomes["failures"]]
    assert codes in ([], [403], [502])
    assert len(codes) + len(outcomes["responses"]) == 1
