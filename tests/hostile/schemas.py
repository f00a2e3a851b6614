"""JSON that a schema allows, and JSON of an attacker.

Pydantic generates the schemas. Only the keywords that pydantic uses are supported.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

Schema = Mapping[str, Any]
Values = SearchStrategy[Any]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)
_FORMATS: dict[str, Values] = {
    "date-time": st.datetimes().map(lambda time: time.isoformat()),
    "duration": st.sampled_from(["PT1S", "P1DT2H", "PT0.001S"]) | st.floats(0.001, 9),
    "uuid": st.uuids().map(str),
}
# Text that may break a parser. Most of it is not valid JSON.
HARD_TO_PARSE = [
    "NaN", "-Infinity", "1e999", "-0", "1e-400", "9" * 4_000, "9" * 5_000, "1" * 400,
    "0.1e+308", "00", "+1", "1.", '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\0"',
    '"' + "a" * 10_000 + '"', "[" * 190 + "]" * 190, "[" * 300 + "]" * 300,
    "[" * 100_000, '{"a":' * 150 + "1" + "}" * 150, "{}", "[]", "null", '""', "'a'",
    '{"__proto__": 1}', '{"a": 1, "a": 2}', "\ufeff1", '"' + "," * 100_000 + '"',
]  # fmt: skip


def allowed(schema: Schema, page: Schema) -> Values:
    """Return values that a schema allows. `page` contains the referenced schemas."""
    if "$ref" in schema:
        return st.deferred(lambda: allowed(_found(schema["$ref"], page), page))
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return st.one_of([allowed(option, page) for option in schema[either]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    return _typed(schema, page)


def _typed(schema: Schema, page: Schema) -> Values:
    simple = {
        "boolean": st.booleans(),
        "null": st.none(),
        "integer": st.integers(*_bounds(schema, math.ceil, math.floor)),
        "number": st.floats(
            *_bounds(schema, float, float), allow_nan=False, allow_infinity=False
        ),
    }
    match schema.get("type"):
        case "object":
            return _objects(schema, page)
        case "array":
            return _arrays(schema, page)
        case "string":
            return _strings(schema)
        case kind:
            return simple.get(str(kind), ANYTHING)


def _objects(schema: Schema, page: Schema) -> Values:
    fields = {
        name: allowed(field, page)
        for name, field in schema.get("properties", {}).items()
    }
    if not fields:
        more: Any = schema.get("additionalProperties", True)
        values = ANYTHING if isinstance(more, bool) else allowed(more, page)
        return st.dictionaries(st.text(), values, max_size=3)
    required = {name: fields.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(required, optional=fields)


def _arrays(schema: Schema, page: Schema) -> Values:
    if "prefixItems" in schema:
        items = [allowed(item, page) for item in schema["prefixItems"]]
        return st.tuples(*items).map(list)
    most = min(schema.get("maxItems", 3), 3)
    return st.lists(allowed(schema.get("items", {}), page), max_size=most)


def _strings(schema: Schema) -> Values:
    if "pattern" in schema:
        return st.from_regex(str(schema["pattern"]))
    if "format" in schema:
        return _FORMATS[str(schema["format"])]
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    return st.text(min_size=least, max_size=most)


def _bounds(schema: Schema, up: Any, down: Any) -> tuple[Any, Any]:
    least, most = schema.get("minimum"), schema.get("maximum")
    return (
        None if least is None else up(least),
        None if most is None else down(most),
    )


def _found(reference: str, page: Schema) -> Schema:
    found: Any = page
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


@st.composite
def corrupted(draw: DrawFn, values: Values) -> bytes:
    """Return JSON of these values with one change, which may make the JSON invalid."""
    body = json.dumps(draw(values)).encode()
    change = draw(st.sampled_from([_replaced, _cut, _doubled, _overwritten]))
    return change(draw, body)


def _replaced(draw: DrawFn, body: bytes) -> bytes:
    """Replace a value with text that may break a parser."""
    text = body.decode()
    starts = [position + 1 for position, letter in enumerate(text) if letter in ":[,"]
    start = draw(st.sampled_from(starts or [0]))
    end = next((n for n in range(start, len(text)) if text[n] in ",]}"), len(text))
    text_or_value = draw(st.sampled_from(HARD_TO_PARSE) | ANYTHING.map(json.dumps))
    return f"{text[:start]}{text_or_value}{text[end:]}".encode(errors="surrogatepass")


def _cut(draw: DrawFn, body: bytes) -> bytes:
    return body[: draw(st.integers(0, len(body)))]


def _doubled(draw: DrawFn, body: bytes) -> bytes:
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
    return body[:end] + body[start:]


def _overwritten(draw: DrawFn, body: bytes) -> bytes:
    position = draw(st.integers(0, len(body)))
    return body[:position] + draw(st.binary(max_size=4)) + body[position + 1 :]
