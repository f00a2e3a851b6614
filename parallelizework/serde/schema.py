"""JSON schemas of types that JSON cannot carry unchanged: bytes, and any type. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

_VALUES = {"const", "default", "enum", "examples"}  # keys with values, not schemas
_NAMED = {"$defs", "properties"}  # keys with one schema for each name


def bytes_in(schema: Mapping[str, Any]) -> str | None:
    """Return a text about the first field of type `bytes`; None if there is none.

    Args:
        schema: The JSON schema of the values that are written.
    """
    for path, format_ in _formats(schema, ""):
        if format_ == "binary":  # pydantic's word for bytes that it writes as UTF-8
            return (
                f"{repr(path) if path else 'it'} is bytes, but JSON cannot carry bytes "
                "that are not UTF-8: use pydantic.Base64Bytes; or, in a model, "
                "model_config = ConfigDict(ser_json_bytes='base64', "
                "val_json_bytes='base64')"
            )
    return None


def _formats(schema: object, path: str) -> Iterator[tuple[str, str]]:
    """Each `format` in a JSON schema, with the path of its field: `Photo.data`."""
    if isinstance(schema, dict):
        parts = cast("dict[str, object]", schema)
        if isinstance(parts.get("format"), str):
            yield path, str(parts["format"])
        for name, part in _parts(parts):
            yield from _formats(part, ".".join(filter(None, (path, name))))
    elif isinstance(schema, list):
        for part in cast("list[object]", schema):
            yield from _formats(part, path)


def _parts(schema: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The schemas inside a schema, each with its name, or with an empty name."""
    for key, part in schema.items():
        if key in _NAMED and isinstance(part, dict):
            yield from cast("dict[str, object]", part).items()
        elif key not in _VALUES:
            yield "", part


def has_any(schema: object) -> bool:
    """Return whether a type is `Any`, or contains a part that is `Any`."""
    if not isinstance(schema, dict):
        return schema is True
    known = cast("dict[str, Any]", schema)
    if not known.keys() & _KINDS:
        return True
    parts = [known.get(name, False) for name in ("items", "additionalProperties")]
    for name in ("properties", "$defs"):
        parts += known.get(name, {}).values()
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        parts += known.get(name, [])
    return any(map(has_any, parts))


_KINDS = {"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"}
