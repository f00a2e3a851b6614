"""JSON for one declared type, by pydantic: bad input becomes a 400, never a retry."""

import json
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json
from restate import TerminalError
from restate.serde import Serde

from parallelizework.serde.adapter import (
    adapter_of,
    mistakes,
    schema_of,
    shape,
    short,
    unexpected,
    written_schema,
)
from parallelizework.serde.message_limit import message_limit
from parallelizework.serde.schema import has_any
from parallelizework.serde.type_names import mismatch, type_name, with_article

T = TypeVar("T")

_MIB = 1024 * 1024
# pydantic reads JSON of at most 200 levels. The nesting of a value is checked with
# brackets around it: for the levels of our own messages; and, for a value of a caller,
# also for the levels that `split` may add. JSON with few brackets needs no check.
_MESSAGE_LEVELS, _MESSAGE_LEVELS_END = b"[" * 8, b"]" * 8
_CALLER_LEVELS, _CALLER_LEVELS_END = b"[" * 12, b"]" * 12
_FEW_BRACKETS = 150
_OF_CALLER = 400  # the status of an error about a value that a caller passed
_HIDDEN = b'"**********"'
_SECRET_REMEDY = (
    "pydantic hides a secret as '**********': pass the name of the secret, or give the "
    "field a serializer that writes the secret itself"
)
_NOT_FINITE = (b"NaN", b"Infinity")
_NAN_REMEDY = (
    "pydantic writes NaN and infinity as null in a field of any type: give the field a "
    "type, or the model model_config = ConfigDict(ser_json_inf_nan='constants')"
)


class Json(Serde[T], Generic[T]):
    """Values of one declared type as JSON.

    Args:
        hint: Any type that pydantic can describe.
        part: What these values are, for messages: "the task of Thumbnails".
        remedy: What to do with a value that is too large for one message of Restate.
        status: The status of the error about a value that does not fit: 400 for a value
            of a caller, 500 for a value of the user's own functions.

    Attributes:
        written: The JSON schema of the values that are written. Empty if the type has a
            serializer whose JSON schema is unknown.

    Raises:
        DefinitionError: pydantic cannot describe `hint`.
    """

    # Whether values may contain models of users. Such a model may write NaN as null, or
    # JSON that it cannot read.
    _may_hold_models = True

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
        self._adapter = cast("TypeAdapter[T]", adapter_of(hint, part))
        self._schema = schema_of(self._adapter, part)
        self.written = written_schema(self._adapter)
        written = json.dumps(self.written)
        floats = '"number"' in written or not self.written
        self._has_floats = floats and self._may_hold_models
        self._has_any = '"properties"' in written and has_any(self.written)
        self._has_secrets = '"password"' in written

    def serialize(self, obj: T | None, held: int = 0, held_name: str = "") -> bytes:
        """Return a value as compact JSON.

        Args:
            obj: The value.
            held: The size of another value that the invocation holds, in bytes.
            held_name: What the other value is, for messages.

        Raises:
            TerminalError: The value does not fit its type, or is too large.
        """
        dumped = self.checked(self._dumped(obj, round_trip=True), held, held_name)
        if self._has_secrets and _HIDDEN in dumped:
            raise self._invalid(_SECRET_REMEDY)
        if self._has_any and self._may_hold_models and b"null" in dumped:
            self._check_numbers(obj, dumped)
        if self._may_hold_models:
            self._check_readable(obj, dumped)
        return dumped

    def _check_numbers(self, obj: T | None, dumped: bytes) -> None:
        """Check that no NaN became null, which happens in a field of any type."""
        plain = self._adapter.dump_python(cast(T, obj), round_trip=True)
        whole = to_json(plain, inf_nan_mode="constants", serialize_unknown=True)
        if any(whole.count(name) > dumped.count(name) for name in _NOT_FINITE):
            raise self._invalid(_NAN_REMEDY)

    def _check_readable(self, value: object, dumped: bytes) -> None:
        """Check that JSON can be read again, also inside our messages.

        pydantic writes some JSON that it cannot read: JSON with 200 levels, integers of
        thousands of digits, None for a list, and null for NaN in a model.
        """
        try:
            if _has_many_brackets(dumped):
                from_json(_MESSAGE_LEVELS + dumped + _MESSAGE_LEVELS_END)
            self._adapter.validate_json(dumped)
        except ValidationError as error:
            raise self._unfit(value, mistakes(error)) from error
        except Exception as error:
            raise self._invalid(f"it cannot be read again: {error}") from error

    def deserialize(self, buf: bytes) -> T:
        """Return the value that JSON stands for.

        Raises:
            TerminalError: The JSON does not fit the type.
        """
        try:
            return self._adapter.validate_json(buf)
        except ValidationError as error:
            raise self._invalid(mistakes(error)) from error
        except Exception as error:  # of a user's validator; Restate would retry it
            raise self._invalid(repr(error)) from error

    def accept(self, buf: bytes) -> T:
        """Return the value that a caller sent as JSON.

        Raises:
            TerminalError: The JSON does not fit the type; or it is nested so deeply
                that a part of it could not be sent to another handler.
        """
        if _has_many_brackets(buf):
            try:
                from_json(_CALLER_LEVELS + buf + _CALLER_LEVELS_END)
            except ValueError as error:
                raise self._invalid(f"it is nested too deeply: {error}") from error
        return self.deserialize(buf)

    def typed(self, plain: object) -> T:
        """Return the value that plain JSON (dicts, lists, scalars) stands for."""
        return self.deserialize(to_json(plain))

    def answer(self, value: T) -> bytes:
        """Return a value as JSON for people: with a space after each comma and colon.

        Raises:
            TerminalError: The value does not fit its type, or is too large.
        """
        if value is None:  # pydantic would write None for any type
            self._check_readable(value, b"null")
        compact = self.checked(self._dumped(value, round_trip=False))
        try:
            plain = from_json(compact)
        except ValueError as error:
            raise self._invalid(f"it cannot be read again: {error}") from error
        spaced = json.dumps(plain, ensure_ascii=False)
        return self.checked(spaced.encode())

    def _dumped(self, value: T | None, *, round_trip: bool) -> bytes:
        """Return a value as JSON. Fields have their aliases: so they are read too.

        `dump_json` writes NaN in a field of a model as null, unless the configuration
        of the model differs. So types with floats are dumped in two steps instead.

        Args:
            value: The value.
            round_trip: Omit computed fields, which a model may refuse to read.
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
        except (ValueError, RecursionError) as error:  # pydantic raises ValueErrors too
            raise self._unfit(value, unexpected(error)) from error
        except Exception as error:  # of a user's serializer
            raise self._invalid(repr(error)) from error

    def checked(self, message: bytes, held: int = 0, held_name: str = "") -> bytes:
        """Return a message unchanged if Restate can carry it.

        A restate-server (1.7) has 32 MiB of memory for one invocation. A message that
        does not fit waits without end, without an error:
        https://github.com/restatedev/restate/pull/4541

        Args:
            message: The message.
            held: The size of another value that the invocation holds, in bytes.
            held_name: What the other value is, for the error's message.

        Raises:
            TerminalError: 413; the message is too large.
        """
        limit = max(0, message_limit.size - held)
        if len(message) <= limit:
            return message
        raise TerminalError(
            f"{self.part} is {len(message) / _MIB:.1f} MiB, more than the "
            f"{limit / _MIB:.1f} MiB that {message_limit.carrier} can carry"
            f"{held_name and f' in addition to {held_name}'}: {self._remedy}",
            413,
        )

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema that the ingress's OpenAPI page shows."""
        return self._schema

    def _unfit(self, value: object, problem: str) -> TerminalError:
        """The error about a value that is not of its type, or has another problem."""
        how = mismatch(value, self.hint)
        if how is None:
            return self._invalid(problem)
        expected = with_article(type_name(self.hint))
        remedy = f"pass {expected}"
        if self._status != _OF_CALLER:
            remedy = f"return {expected}, or correct the type hint"
        return TerminalError(f"{self.part} {how}: {remedy}", self._status)

    def _invalid(self, problem: str) -> TerminalError:
        expected = shape(self._schema)
        return TerminalError(
            f"{self.part} is not valid: {short(problem)} (expected {expected})",
            self._status,
        )


def _has_many_brackets(dumped: bytes) -> bool:
    return dumped.count(b"[") + dumped.count(b"{") > _FEW_BRACKETS
