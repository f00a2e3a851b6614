"""JSON for one declared type, by pydantic: bad input is a 400, never a retry."""

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
    written_schema,
)
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

    _may_hold_models = True  # of users, which write NaN as null, or what nobody reads

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

    def serialize(self, obj: T | None, held: int = 0, of: str = "") -> bytes:
        """`obj` as compact JSON.

        Args:
            held: The bytes of something else that the invocation holds already.
            of: What that is.

        Raises:
            TerminalError: `obj` does not fit its type, or is too large.
        """
        dumped = self.checked(self._dumped(obj, round_trip=True), held, of)
        if self._has_secrets and _HIDDEN in dumped:
            raise self._misfit(_NO_SECRET)
        if self._has_any and self._may_hold_models and b"null" in dumped:
            self._check_numbers(obj, dumped)
        if self._may_hold_models:
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
            raise self._misfit(mistakes(error)) from error
        except Exception as error:
            raise self._misfit(f"it cannot be read again: {error}") from error

    def deserialize(self, buf: bytes) -> T:
        """The value that `buf` holds; a `TerminalError` if it does not fit."""
        try:
            return self._adapter.validate_json(buf)
        except ValidationError as error:
            raise self._misfit(mistakes(error)) from error
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
        if value is None:  # which pydantic writes for any type
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

    def checked(self, message: bytes, held: int = 0, of: str = "") -> bytes:
        """`message`, if Restate can carry it; else a `TerminalError`, not a retry.

        A restate-server (1.7) has room for 32 MiB in an invocation. A message for which
        there is no room waits for ever: https://github.com/restatedev/restate/pull/4541

        Args:
            held: The bytes of something else that the invocation holds already.
            of: What that is.
        """
        most = MAX_MESSAGE - held
        if len(message) <= most:
            return message
        raise TerminalError(
            f"{self.part} is {len(message) / _MIB:.1f} MiB, more than the "
            f"{most / _MIB:.1f} MiB that one message of Restate can carry"
            f"{of and f' beside {of}'}: {self._remedy}",
            413,
        )

    def schema(self) -> dict[str, Any]:
        """The JSON schema, as the ingress's OpenAPI page shows it."""
        return self._schema

    def _misfit(self, found: str) -> TerminalError:
        expected = shape(self._schema)
        return TerminalError(
            f"{self.part} is not valid: {short(found)} (expected {expected})",
            self._status,
        )


def _may_be_deep(dumped: bytes) -> bool:
    return dumped.count(b"[") + dumped.count(b"{") > _SHALLOW
