"""`Example`: a task that a fan-out accepts, from the JSON schema of the task. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

_UNKNOWN = "TASK"
# With other keys, such as `minimum` or `pattern`, a value of the type may be refused.
_SIMPLE = {
    "$defs",
    "additionalProperties",
    "default",
    "description",
    "items",
    "properties",
    "required",
    "title",
    "type",
    "uniqueItems",
}
_VALUES: Mapping[str, JsonValue] = {
    "string": "text",
    "integer": 3,
    "number": 0.5,
    "boolean": True,
    "null": None,
}
_WORDS = {
    "object": "a JSON object",
    "array": "a JSON list",
    "string": "a JSON string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
}


@dataclass(frozen=True)
class Example:
    """A task for an example on the command line.

    Attributes:
        task: JSON, or `TASK` if no example is known.
        kind: The type of the task in words, if no example is known.
    """

    task: str
    kind: str | None = None


def example(schema: Mapping[str, Any]) -> Example:
    """A task that has the types of the schema; only for simple types."""
    try:
        value = _value(schema, schema.get("$defs", {}))
    except _NotSimpleError:
        return Example(_UNKNOWN, _in_words(schema))
    return Example(json.dumps(value, ensure_ascii=False))


class _NotSimpleError(Exception):
    """No example can be made from a schema."""


def _value(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> JsonValue:
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions:  # without this definition: it may contain itself
        others = {key: each for key, each in definitions.items() if key != name}
        return _value(definitions[name], others)
    if examples := schema.get("examples"):
        return examples[0]
    if schema.get("format") == "path":
        return "."
    if not schema.keys() <= _SIMPLE:
        raise _NotSimpleError
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {
                key: _value(properties[key], definitions)
                for key in schema.get("required", ())
            }
        case "array" if "items" in schema:
            return [_value(schema["items"], definitions)]
        case str(kind) if kind in _VALUES:
            return _VALUES[kind]
        case _:
            raise _NotSimpleError


def _in_words(schema: Mapping[str, Any]) -> str:
    words = _WORDS.get(str(schema.get("type")), "JSON")
    names = ", ".join(schema.get("properties", ()))
    return f"{words} with {names}" if names else words
