"""pydantic's adapter for a declared type, its JSON schema, and mistakes in words."""

from typing import Any

from pydantic import (
    ConfigDict,
    PydanticSchemaGenerationError,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)

from parallelizework.errors import DefinitionError

_SHOWN = 3  # a message names the first few mistakes, not thousands
_LONGEST = 1_000  # characters of them; the name of a field is the caller's own


def adapter_of(hint: Any, part: str) -> TypeAdapter[Any]:
    """The adapter that reads and writes a type.

    Raises:
        DefinitionError: pydantic cannot describe it.
    """
    try:
        return _with_infinity(hint)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise DefinitionError(
            f"{part}: pydantic cannot describe {hint!r}: "
            f"{error.message.splitlines()[0]}"
        ) from error


def _with_infinity(hint: Any) -> TypeAdapter[Any]:
    """An adapter that writes NaN so that it can be read again, which null cannot."""
    try:
        return TypeAdapter[Any](hint, config=ConfigDict(ser_json_inf_nan="constants"))
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter[Any](hint)  # a model has a configuration of its own


def schema_of(adapter: TypeAdapter[Any], part: str) -> dict[str, Any]:
    """The JSON schema of what is read.

    Raises:
        DefinitionError: There is none.
    """
    try:
        return adapter.json_schema()
    except PydanticUserError as error:
        raise DefinitionError(
            f"{part} has no JSON schema: {error.message.splitlines()[0]}"
        ) from error


def written_schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The JSON schema of what is written; empty if a serializer hides it."""
    try:
        return adapter.json_schema(mode="serialization")
    except PydanticUserError:
        return {}


def mistakes(error: ValidationError) -> str:
    """The first few mistakes, in one line."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(map(str, e['loc']))}: {e['msg']}" if e["loc"] else e["msg"]
        for e in found[:_SHOWN]
    ]
    more = len(found) - _SHOWN
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def short(text: str) -> str:
    """A message, cut where it is too long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def shape(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words: `{"description": string}`."""
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
