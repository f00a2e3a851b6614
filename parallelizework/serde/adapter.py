"""pydantic's adapter for a declared type, its JSON schema, and texts about mistakes."""

import re
from typing import Any

from pydantic import (
    ConfigDict,
    PydanticSchemaGenerationError,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)

from parallelizework.errors import DefinitionError
from parallelizework.serde.type_names import type_name, with_article

_MAX_MISTAKES = 3  # that a message names; a large input may have thousands
_MAX_CHARACTERS = 1_000  # of a text about mistakes; a caller's field name may be long
_UNEXPECTED = re.compile(  # pydantic's text about a value that it cannot write
    r"Expected `(.+?)` - serialized value may not be as expected "
    r"\[(?:field_name='(.+?)', )?input_value=.*, input_type=(\w+)\]"
)


def adapter_of(hint: Any, part: str) -> TypeAdapter[Any]:
    """Return the adapter that reads and writes a type.

    Args:
        hint: The type.
        part: What the values are, for messages: "the task of Thumbnails".

    Raises:
        DefinitionError: pydantic cannot describe the type.
    """
    try:
        return _with_infinity(hint)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise DefinitionError(
            f"{part}: pydantic cannot describe {type_name(hint)}: "
            f"{error.message.splitlines()[0]}"
        ) from error


def _with_infinity(hint: Any) -> TypeAdapter[Any]:
    """An adapter that writes NaN as `NaN`. By default it would write null instead."""
    try:
        return TypeAdapter[Any](hint, config=ConfigDict(ser_json_inf_nan="constants"))
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter[Any](hint)  # a model has its own configuration


def schema_of(adapter: TypeAdapter[Any], part: str) -> dict[str, Any]:
    """Return the JSON schema of the values that an adapter reads.

    Raises:
        DefinitionError: pydantic has no JSON schema for the type.
    """
    try:
        return adapter.json_schema()
    except PydanticUserError as error:
        raise DefinitionError(
            f"{part} has no JSON schema: {error.message.splitlines()[0]}"
        ) from error


def written_schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """Return the JSON schema of the values that an adapter writes.

    Empty if the type has a serializer whose JSON schema is unknown.
    """
    try:
        return adapter.json_schema(mode="serialization")
    except PydanticUserError:
        return {}


def mistakes(error: ValidationError) -> str:
    """Return a text about the first few mistakes of an input, in one line."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(map(str, e['loc']))}: {e['msg']}" if e["loc"] else e["msg"]
        for e in found[:_MAX_MISTAKES]
    ]
    more = len(found) - _MAX_MISTAKES
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def unexpected(error: Exception) -> str:
    """Return a text about the first few values that pydantic cannot write."""
    lines = [
        f"{field and f'{field}: '}expected {with_article(expected)}, "
        f"not {with_article(kind.replace('NoneType', 'None'))}"
        for expected, field, kind in _UNEXPECTED.findall(str(error))
    ]
    return "; ".join(list(dict.fromkeys(lines))[:_MAX_MISTAKES]) or str(error)


def short(text: str) -> str:
    """Return a text, shortened if it is too long for a message."""
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}..."


def shape(schema: dict[str, Any]) -> str:
    """Return a JSON schema as a short text: `{"description": string}`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if forms := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(shape(form) for form in forms)
    if "properties" in schema:
        fields, needed = schema["properties"], schema.get("required", [])
        parts = [f'"{name}": {shape(fields[name])}' for name in needed]
        return "{" + ", ".join(parts + ["..."] * (len(needed) < len(fields))) + "}"
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {shape(schema['items'])}"
    return str(schema.get("type", "JSON"))
