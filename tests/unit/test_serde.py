"""JSON for one declared type."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator
from restate import TerminalError
from typing_extensions import TypedDict

from parallelizework.serde.validated_json import MAX_MESSAGE, Json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@dataclass(frozen=True)
class Point:
    x: int
    y: int | None = None


class Named(TypedDict):
    name: str


class Row(BaseModel):
    id: int
    tags: list[str] = []


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


@given(JSON)
def test_any_json_is_unchanged_after_a_round_trip(value: Any) -> None:
    serde = Json[Any](Any, "a value")

    assert serde.deserialize(serde.serialize(value)) == value


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Point, Point(1)),
        (Named, {"name": "a"}),
        (list[Row | Point], [Row(id=1), Point(1, 2)]),
        (dict[str, Row], {"a": Row(id=1, tags=["x"])}),
        (int | None, None),
    ],
)
def test_any_pydantic_type_is_unchanged_after_a_round_trip(
    hint: object, value: object
) -> None:
    serde = Json[object](hint, "a value")

    assert serde.deserialize(serde.serialize(value)) == value


def test_the_json_of_a_response_has_spaces_and_unescaped_letters() -> None:
    assert Json[Named](Named, "a").answer({"name": "é"}) == '{"name": "é"}'.encode()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (b"{}", "id: Field required"),
        (b'{"id": "x", "tags": [1]}', "id: Input should be a valid integer"),
        (b'{"id": "x", "tags": [1]}', "tags.0: Input should be a valid string"),
        (b'{"id": 1, "tags": [1, 2, 3, 4, 5]}', "and 2 more"),
        (b'\xff{"id": 1}', "Invalid JSON"),
    ],
)
def test_invalid_input_is_a_terminal_error_that_names_the_field(
    body: bytes, complaint: str
) -> None:
    serde = Json[Row](Row, "the task of Test", status=400)

    with pytest.raises(TerminalError) as refused:
        serde.deserialize(body)

    assert refused.value.status_code == 400
    assert refused.value.message.startswith("the task of Test is not valid: ")
    assert complaint in refused.value.message
    assert '(expected {"id": integer, ...})' in refused.value.message


def test_the_error_for_a_union_lists_its_forms() -> None:
    forms = Annotated[Cat | Dog, Field(discriminator="kind")]
    serde = Json[Any](forms, "the task of Test", status=400)

    with pytest.raises(TerminalError, match=r"\(expected Cat or Dog\)"):
        serde.deserialize(b'{"kind": "cow"}')


def test_a_value_that_is_not_of_its_type_is_a_terminal_error() -> None:
    serde = Json[int](int, "a value of Test")

    with pytest.raises(TerminalError, match="a value of Test is not valid") as refused:
        serde.serialize("three")  # type: ignore[arg-type]

    assert refused.value.status_code == 500


class Picky(BaseModel):
    zone: str

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        return {"UTC": "utc"}[zone]


def test_a_validator_that_raises_anything_is_bad_input() -> None:
    serde = Json[Picky](Picky, "the task of Test", status=400)

    with pytest.raises(TerminalError, match="KeyError") as refused:
        serde.deserialize(b'{"zone": "Mars"}')

    assert refused.value.status_code == 400


def test_a_value_may_use_the_message_size_that_its_subtask_leaves() -> None:
    serde = Json[str](str, "a value of Test")

    held = MAX_MESSAGE - 1_000
    serde.serialize("a" * 900, held, "its subtask")
    with pytest.raises(
        TerminalError, match="can carry in addition to its subtask"
    ) as refused:
        serde.serialize("a" * 1_000, held, "its subtask")

    assert refused.value.status_code == 413


def test_a_validation_error_is_short_for_any_field_name() -> None:
    class Strict(BaseModel, extra="forbid"):
        pass

    with pytest.raises(TerminalError) as refused:
        Json[Strict](Strict, "a task").deserialize(b'{"%s": 1}' % (b"x" * 10**6))

    assert len(refused.value.message) < 2_000
