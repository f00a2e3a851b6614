"""`task_schemas`: the services of a worker in their order, and their tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from pydantic import BaseModel, Field, ValidationError

from parallelizework.messages import HandlerName

_MANIFEST = "application/vnd.restate.endpointmanifest.v4+json"


class _Input(BaseModel):
    json_schema: Mapping[str, Any] | bool | None = Field(
        default=None, alias="jsonSchema"
    )


class _Handler(BaseModel):
    name: str
    input: _Input | None = None


class _Service(BaseModel):
    name: str
    handlers: Sequence[_Handler]

    @property
    def task_schema(self) -> Mapping[str, Any]:
        for handler in self.handlers:
            schema = handler.input and handler.input.json_schema
            if handler.name == HandlerName.RUN and isinstance(schema, Mapping):
                return schema
        return {}  # any JSON, or not a fan-out


class _Manifest(BaseModel):
    services: Sequence[_Service]


def task_schemas(worker: str) -> Mapping[str, Mapping[str, Any]]:
    """The JSON schema of the task of each service, in the order of the worker.

    Empty if the worker does not answer this request: with identity keys, the worker
    answers only a restate-server.
    """
    try:
        answer = httpx.get(
            f"{worker}/discover", headers={"accept": _MANIFEST}, trust_env=False
        )
        manifest = _Manifest.model_validate_json(answer.content)
    except (httpx.HTTPError, ValidationError):
        return {}
    return {service.name: service.task_schema for service in manifest.services}
