"""A value in a message is read as it was written, or refused."""

import math
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Json,
    PlainSerializer,
    SecretStr,
    computed_field,
    field_serializer,
)
from restate import TerminalError

from parallelizework.serde import validated_json as serde


class Point(BaseModel):
    x: float
    y: float | None = None


class Path(BaseModel):
    model_config = ConfigDict(extra="forbid")

    points: list[Point] = []
    by_name: dict[str, Point] = {}
    meta: Json[list[int]] | None = None

    @computed_field
    @property
    def length(self) -> int:
        return len(self.points)


def _there_and_back(hint: object, value: Any) -> Any:
    json = serde.Json[Any](hint, "a value")
    return json.deserialize(json.serialize(value))


@given(st.floats(), st.none() | st.floats())
def test_a_float_in_a_model_is_read_as_it_was_written(
    x: float, y: float | None
) -> None:
    point = Point(x=x, y=y)

    back = _there_and_back(Path, Path(points=[point], by_name={"a": point}))

    assert repr(back.points[0]) == repr(back.by_name["a"]) == repr(point)


def test_a_computed_field_is_in_an_answer_but_not_in_a_message() -> None:
    path = Path.model_validate({"points": [{"x": math.inf}], "meta": "[1, 2]"})

    answer = serde.Json[Path](Path, "a result").answer(path).decode()

    assert '"length": 1' in answer
    assert '"meta": [1, 2]' in answer
    assert _there_and_back(Path, path) == path


class Login(BaseModel):
    password: SecretStr


class Shown(BaseModel):
    first: SecretStr
    second: Annotated[SecretStr, PlainSerializer(SecretStr.get_secret_value)]

    @field_serializer("first", when_used="json")
    def _first(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


def test_a_hidden_secret_in_a_message_is_an_error() -> None:
    json = serde.Json[list[Login]](list[Login], "a list")

    with pytest.raises(TerminalError, match="pydantic hides a secret as"):
        json.serialize([Login(password=SecretStr("a"))])
    assert b"****" in json.answer([Login(password=SecretStr("a"))])


def test_a_secret_with_a_serializer_is_in_the_message() -> None:
    shown = Shown(first=SecretStr("a"), second=SecretStr("b"))

    assert _there_and_back(Shown, shown) == shown


def test_a_value_that_pydantic_cannot_serialize_is_an_error() -> None:
    class Deep(BaseModel):
        x: float
        more: Any

    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]

    for more in (deep, object(), b"\xff", "\ud800"):
        with pytest.raises(TerminalError, match="a value is not valid"):
            serde.Json[Deep](Deep, "a value").serialize(Deep(x=1, more=more))
