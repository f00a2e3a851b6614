"""JSON for one declared type, by pydantic: bad input is a 400, never a retry."""

import copy
import json
from typing import Any, Generic, Self, TypeVar, cast

from pydantic import (
    ConfigDict,
    PydanticSchemaGenerationError,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import from_json, to_json
from restate import TerminalError
from restate.serde import Serde

from parallelizework.errors import DefinitionError
from parallelizework.serde.schema import has_any

T = TypeVar("T")

_MIB = 1024 * 1024
MAX_MESSAGE = 32 * _MIB - 64 * 1024  # Restate's limit, less what it wraps around
_WITHIN, _WITHIN_END = b"[" * 8, b"]" * 8  # levels of our own messages, and some more
_ROOM, _ROOM_END = b"[" * 12, b"]" * 12  # the same, and what `split` may add
_SHALLOW = 150  # levels, which pydantic reads
_HIDDEN = b'"**********"'
_NO_SECRET = (
    "pydantic hides a secret as '**********': pass the name of the secret, or give the "
    "field a serializer that writes the secret itself"
)
_NO_NUMBERS = (b"NaN", b"Infinity")
_NO_NAN = (
    "pydantic writes NaN and infinity as null in a field of any type: give the field a "
    "type, or the model model_config = ConfigDict(ser_json_inf_nan='constants')"
)
_SHOWN = 3  # a message names the first few mistakes, not thousands
_LONGEST = 1_000  # characters of them; the name of a field is the caller's own


class Json(Serde[T], Generic[T]):
    """Values of one declared type as JSON.

    Args:
        hint: Any type that pydantic can describe.
        part: What these values are, for messages: "the task of Thumbnails".
        remedy: What to do when one is larger than Restate's messages may be.
        status: The status of a value that does not fit: 400 where it comes from a
            caller, 500 where it comes from the user's own functions.

    Attributes:
        written: The JSON schema of what is written; empty if a serializer hides it.

    Raises:
        DefinitionError: pydantic cannot describe `hint`.
    """

    _may_hold_models = True  # of users, which write NaN as null

    def __init__(
        self,
        hint: object,
        part: str,
        *,
        remedy: str = "pass a reference to it instead, such as a path or a key",
        status: int = 500,
    ) -> None:
        self.hint = hint
        self.part = part
        self._remedy = remedy
        self._status = status
        self._most, self._beside = MAX_MESSAGE, ""
        self._adapter = cast("TypeAdapter[T]", _adapter(hint, part))
        self._schema = _schema(self._adapter, part)
        self.written = _written(self._adapter)
        written = json.dumps(self.written)
        floats = '"number"' in written or not self.written
        self._has_floats = floats and self._may_hold_models
        self._has_any = '"properties"' in written and has_any(self.written)
        self._has_secrets = '"password"' in written

    def beside(self, size: int, of: str) -> Self:
        """The same, for an invocation that holds `size` bytes `of` something already.

        A restate-server (1.7) has room for 32 MiB in each, and what finds none waits
        for ever: https://github.com/restatedev/restate/pull/4541
        """
        there = copy.copy(self)
        there._most, there._beside = MAX_MESSAGE - size, f" beside {of}"
        return there

    def serialize(self, obj: T | None) -> bytes:
        """`obj` as compact JSON; a `TerminalError` if it does not fit."""
        dumped = self.checked(self._dumped(obj, round_trip=True))
        if self._has_secrets and _HIDDEN in dumped:
            raise self._misfit(_NO_SECRET)
        if self._has_any and self._may_hold_models and b"null" in dumped:
            self._check_numbers(obj, dumped)
        self._check_readable(dumped)
        return dumped

    def _check_numbers(self, obj: T | None, dumped: bytes) -> None:
        """See that no NaN became null, as it does in a field of any type."""
        plain = self._adapter.dump_python(cast(T, obj), round_trip=True)
        whole = to_json(plain, inf_nan_mode="constants", serialize_unknown=True)
        if any(whole.count(name) > dumped.count(name) for name in _NO_NUMBERS):
            raise self._misfit(_NO_NAN)

    def _check_readable(self, dumped: bytes) -> None:
        """See that what is written can be read again, also within our messages.

        pydantic writes what it does not read: JSON nested 200 levels deep, integers of
        thousands of digits, None for a list, NaN in a model as null.
        """
        try:
            if _may_be_deep(dumped):
                from_json(_WITHIN + dumped + _WITHIN_END)
            self._adapter.validate_json(dumped)
        except ValidationError as error:
            raise self._misfit(_mistakes(error)) from error
        except Exception as error:
            raise self._misfit(f"it cannot be read again: {error}") from error

    def deserialize(self, buf: bytes) -> T:
        """The value that `buf` holds; a `TerminalError` if it does not fit."""
        try:
            return self._adapter.validate_json(buf)
        except ValidationError as error:
            raise self._misfit(_mistakes(error)) from error
        except Exception as error:  # of a user's validator; it would be retried
            raise self._misfit(repr(error)) from error

    def accept(self, buf: bytes) -> T:
        """The value that a caller sent, where there is room for what is made of it.

        Raises:
            TerminalError: It does not fit, or is nested so deeply that a part of it
                could not be sent on.
        """
        if _may_be_deep(buf):
            try:
                from_json(_ROOM + buf + _ROOM_END)
            except ValueError as error:
                raise self._misfit(f"it is nested too deeply: {error}") from error
        return self.deserialize(buf)

    def typed(self, plain: object) -> T:
        """The value that plain JSON stands for."""
        return self.deserialize(to_json(plain))

    def answer(self, value: T) -> bytes:
        """`value` as JSON spaced the way people write it: what a caller gets to see."""
        if value is None:  # which pydantic writes in the place of anything
            self.deserialize(b"null")
        compact = self.checked(self._dumped(value, round_trip=False))
        try:
            plain = from_json(compact)
        except ValueError as error:
            raise self._misfit(f"it cannot be read again: {error}") from error
        spaced = json.dumps(plain, ensure_ascii=False)
        return self.checked(spaced.encode())

    def _dumped(self, value: T | None, *, round_trip: bool) -> bytes:
        """`value` as JSON, by alias, as that is how it is read again.

        `dump_json` writes NaN in a field of a model as null, unless the model has a
        configuration that says otherwise. Hence the other way where there are floats.

        Args:
            round_trip: Without what is computed, which a model may refuse to read.
        """
        dump, value = self._adapter, cast(T, value)
        try:
            if not self._has_floats:
                return dump.dump_json(
                    value, warnings="error", by_alias=True, round_trip=round_trip
                )
            plain = dump.dump_python(
                value,
                mode="json",
                warnings="error",
                by_alias=True,
                round_trip=round_trip,
            )
            return to_json(plain, inf_nan_mode="constants")
        except (ValueError, RecursionError) as error:  # pydantic's own among them
            raise self._misfit(str(error)) from error
        except Exception as error:  # of a user's serializer
            raise self._misfit(repr(error)) from error

    def checked(self, message: bytes) -> bytes:
        """`message`, if Restate can carry it; else a `TerminalError`, not a retry."""
        if len(message) <= self._most:
            return message
        raise TerminalError(
            f"{self.part} is {len(message) / _MIB:.1f} MiB, more than the "
            f"{self._most / _MIB:.1f} MiB that one message of Restate can carry"
            f"{self._beside}: "
            f"{self._remedy}",
            413,
        )

    def schema(self) -> dict[str, Any]:
        """The JSON schema, as the ingress's OpenAPI page shows it."""
        return self._schema

    def _misfit(self, mistakes: str) -> TerminalError:
        expected = _shape(self._schema)
        return TerminalError(
            f"{self.part} is not valid: {_short(mistakes)} (expected {expected})",
            self._status,
        )


class Message(Json[T], Generic[T]):
    """One of our own messages: what users' functions gave for it was checked then."""

    _may_hold_models = False

    def _check_readable(self, dumped: bytes) -> None:
        pass


class JsonList(Json[list[Any]]):
    """A list of one declared type that is written as that type, but read as plain JSON.

    What a coordinator sends on is the same in every replay then; a model that holds a
    set would be written in another order by another process.
    """

    def __init__(self, item: Any, part: str, *, remedy: str) -> None:
        super().__init__(list[item], part, remedy=remedy)

    def deserialize(self, buf: bytes) -> list[Any]:
        """The items as dicts, lists and scalars."""
        return from_json(buf)


def _may_be_deep(dumped: bytes) -> bool:
    return dumped.count(b"[") + dumped.count(b"{") > _SHALLOW


def list_of(item: Any) -> Any:
    """`list[item]`, of a type that is known only at run time."""
    return list[item]


def _adapter(hint: Any, part: str) -> TypeAdapter[Any]:
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


def _schema(adapter: TypeAdapter[Any], part: str) -> dict[str, Any]:
    try:
        return adapter.json_schema()
    except PydanticUserError as error:
        raise DefinitionError(
            f"{part} has no JSON schema: {error.message.splitlines()[0]}"
        ) from error


def _written(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The JSON schema of what is written; empty if a serializer hides it."""
    try:
        return adapter.json_schema(mode="serialization")
    except PydanticUserError:
        return {}


def _mistakes(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(map(str, e['loc']))}: {e['msg']}" if e["loc"] else e["msg"]
        for e in found[:_SHOWN]
    ]
    more = len(found) - _SHOWN
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _shape(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words: `{"description": string}`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if forms := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_shape(form) for form in forms)
    if "properties" in schema:
        fields, needed = schema["properties"], schema.get("required", [])
        parts = [f'"{name}": {_shape(fields[name])}' for name in needed]
        return "{" + ", ".join(parts + ["..."] * (len(needed) < len(fields))) + "}"
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_shape(schema['items'])}"
    return str(schema.get("type", "JSON"))
