"""The HTTP interface, from the services and their models."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from restate import VirtualObject

from parallelizework.fan_out import services
from parallelizework.outcomes import Failure
from parallelizework.policy import Policy
from parallelizework.progress.models import Progress
from parallelizework.ready_made import fan_out_worker
from parallelizework.ready_made.http.fan_out import http_fan_out
from parallelizework.ready_made.http.requests.request import Request
from parallelizework.ready_made.http.results.result_lines import Failed, Response
from parallelizework.ready_made.http.task import Requests, Rows, RowsFile
from parallelizework.schedules import schedules
from parallelizework.schedules.models import Schedule, Spec
from parallelizework.settings import HttpSettings, Settings

from .docstring import described, one_line

Schema = dict[str, Any]


def paths() -> Iterator[str]:
    """Lines: a table of the paths that the ingress accepts."""
    yield "| path | what it does |"
    yield "| --- | --- |"
    checklist = fan_out_worker.checklist(max_pause=Settings().max_pause)
    for service in services(checklist, http_fan_out(HttpSettings()), schedules):
        is_object = isinstance(service, VirtualObject)
        key = "/NAME" if service is schedules else "/RUN" if is_object else ""
        for name, handler in cast("Any", service).handlers.items():
            if not handler.ingress_private:
                about = one_line((handler.description or "").partition("\n\n")[0])
                yield f"| `/{service.name}{key}/{name}` | {about} |"
    yield ""


def progress() -> Iterator[str]:
    """Lines: the fields of the response of `get` of FanOutProgress."""
    return _fields(Progress)


def schedule() -> Iterator[str]:
    """Lines: the fields of a schedule that `set` accepts, and those of `get`."""
    yield "Body of `set`:\n"
    yield from _fields(Spec)
    yield "Response of `get`:\n"
    yield from _fields(Schedule)


def failure() -> Iterator[str]:
    """Lines: the fields of a failure."""
    return _fields(Failure[Any])


def policy() -> Iterator[str]:
    """Lines: the fields of a policy."""
    return _fields(Policy)


def fan_out_worker_task() -> Iterator[str]:
    """Lines: the fields of a task and a result of FanOutWorker."""
    yield "Task:\n"
    yield from _fields(fan_out_worker.Task)
    yield "Result:\n"
    yield from _fields(fan_out_worker.Result)


def http_task() -> Iterator[str]:
    """Lines: the fields of a task of HttpFanOut, in its three forms."""
    yield "A list of requests:\n"
    yield from _fields(Requests)
    yield "One request for each row, with these fields instead of `requests`:\n"
    yield from _fields(Rows, without=Requests)
    yield "One request for each row of a file, with these fields instead of `rows`:\n"
    yield from _fields(RowsFile, without=Rows)
    yield "A request:\n"
    yield from _fields(Request)


def http_result() -> Iterator[str]:
    """Lines: the fields of a response and of a failure of HttpFanOut."""
    yield "A response:\n"
    yield from _fields(Response)
    yield "A failure:\n"
    yield from _fields(Failed)


def _fields(
    model: type[BaseModel], without: type[BaseModel] | None = None
) -> Iterator[str]:
    """Lines: a list of the fields of a model, without the fields of another model."""
    meanings: dict[str, str] = {}
    for base in reversed(model.__mro__):
        meanings |= described(base)
    schema = TypeAdapter(model).json_schema()
    left_out = without.model_fields if without else {}
    for name, field in cast("Schema", schema["properties"]).items():
        if name in left_out:
            continue
        about = meanings.get(name) or one_line(field.get("description", ""))
        about = re.sub(r"\bNone\b", "null", about)
        default = f", default {_json(field['default'])}" if _has_default(field) else ""
        yield f"- `{name}` ({_type(field)}{default}){': ' if about else ''}{about}"
    yield ""


def _has_default(field: Schema) -> bool:
    default = field.get("default")
    return default not in (None, [], {}) and not isinstance(default, dict)


def _json(value: object) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _type(field: Schema) -> str:
    """Return a JSON type in words."""
    if options := field.get("anyOf") or field.get("oneOf"):
        words = [_type(option) for option in options]
        return " or ".join(dict.fromkeys(words))
    if values := field.get("enum"):
        return " or ".join(f"`{value}`" for value in values)
    if reference := field.get("$ref"):
        return _NAMED.get(reference.rpartition("/")[2].partition("_")[0], "object")
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return _FORMATS.get(field.get("format", "")) or field.get("type", "any JSON")


_FORMATS = {"duration": "duration", "date-time": "time"}
_NAMED = {
    "CompletionReason": "completion reason",
    "Policy": "policy",
    "SchedulePlan": "plan",
    "ScheduledRun": "run",
    "Due": "time",
    "Failure": "failure",
    "JsonValue": "any JSON",
    "Request": "request",
    "Template": "request",
}
