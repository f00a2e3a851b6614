"""JSON for one declared type."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model, field_validator
from restate import TerminalError
from typing_extensions import TypedDict

from parallelizework.outcomes import Failure
from parallelizework.serde.message_limit import message_limit
from parallelizework.serde.type_names import mismatch, type_name
from parallelizework.serde.validated_json import Json

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


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (int, "three", "is a str, but its type is int: return an int, or correct the "),
        (int, None, "is None, but its type is int: return an int, or correct the"),
        (Row, {"id": 1}, "is a dict, but its type is Row: return a Row, or correct"),
        (list[Row], Row(id=1), "is a Row, but its type is list[Row]: return a list[Ro"),
        (Cat | Dog, 1.5, "is a float, but its type is Cat | Dog: return a Cat | Dog, "),
        (
            Annotated[int, Field(gt=0)],
            "a",
            "is a str, but its type is int: return an int",
        ),
        (list[int], ["a"], "is not valid: expected an int, not a str (expected list o"),
        (list[Row], [{"id": 1}], "is not valid: expected a Row, not a dict (expected"),
        (Literal["a.b"], "c", "is not valid: "),
    ],
)
def test_an_error_about_a_value_names_its_type_and_the_declared_type(
    hint: object, value: object, message: str
) -> None:
    serde = Json[object](hint, "a value of Test")

    with pytest.raises(TerminalError) as refused:
        serde.serialize(value)

    assert refused.value.message.startswith(f"a value of Test {message}")
    assert refused.value.status_code == 500


def test_an_error_about_a_wrong_part_names_the_field() -> None:
    row = Row(id=1)
    row.id = cast(Any, "x")

    with pytest.raises(TerminalError) as refused:
        Json[Row](Row, "the task of Test", status=400).serialize(row)

    assert refused.value.message == (
        'the task of Test is not valid: id: expected an int, not a str (expected {"id":'
        " integer, ...})"
    )


def test_a_caller_who_passes_another_type_reads_which_type_to_pass() -> None:
    serde = Json[Row](Row, "the task of Test", status=400)

    with pytest.raises(TerminalError) as refused:
        serde.serialize(cast(Any, {"id": 1}))

    assert refused.value.message == (
        "the task of Test is a dict, but its type is Row: pass a Row"
    )
    assert refused.value.status_code == 400


def test_a_result_that_is_missing_is_an_error_that_names_its_type() -> None:
    with pytest.raises(TerminalError, match="is None, but its type is int: return an"):
        Json[int](int, "the result of Test").answer(cast(Any, None))


def test_types_of_the_same_name_are_shown_with_their_modules() -> None:
    other = create_model("Row", __module__="another")

    assert mismatch(other(), Row) == (
        f"is a <class 'another.Row'>, but its type is <class '{Row.__module__}.Row'>"
    )


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        (Row, "Row"),
        (dict[str, Row], "dict[str, Row]"),
        (Failure[Row], "Failure[Row]"),
        (Row | None, "Row | None"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a.b"], "Literal['a.b']"),
        (Any, "Any"),
        (None, "None"),
    ],
)
def test_a_message_names_a_type_as_users_write_it(hint: object, name: str) -> None:
    assert type_name(hint) == name


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

    held = message_limit.size - 1_000
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
