"""The task that `dev` prints in its example."""

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, HttpUrl, TypeAdapter

from parallelizework import Policy
from parallelizework.cli.example import Example, example


class Photo(BaseModel):
    """A photo."""

    name: str


class Album(BaseModel):
    """A task with optional fields."""

    folder: Path
    photos: list[Photo]
    width: int
    ratio: float
    is_public: bool
    tags: set[str]
    title: str = "Album"
    policy: Policy = Policy()


class Tree(BaseModel):
    """A type that contains itself."""

    children: "list[Tree]"


class Page(BaseModel):
    """A task with a type that is not simple."""

    url: HttpUrl
    depth: int


class Named(BaseModel):
    """A task whose author shows an example."""

    code: str = Field(pattern="[A-Z]{3}", examples=["ABC"])


@pytest.mark.parametrize(
    "kind",
    [int, str, bool, float, list[str], list[list[int]], Photo, Album, Named],
    ids=repr,
)
def test_an_example_of_simple_types_is_accepted(kind: Any) -> None:
    adapter = TypeAdapter[Any](kind)

    made = example(adapter.json_schema())

    adapter.validate_json(made.task)
    assert made.kind is None


def test_an_example_contains_only_the_required_fields() -> None:
    made = example(TypeAdapter(Album).json_schema())

    assert json.loads(made.task) == {
        "folder": ".",
        "photos": [{"name": "text"}],
        "width": 3,
        "ratio": 0.5,
        "is_public": True,
        "tags": ["text"],
    }


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Page, "a JSON object with url, depth"),
        (Annotated[int, Field(ge=10)], "an integer"),
        (Annotated[str, Field(pattern="[a-z]+")], "a JSON string"),
        (list[HttpUrl], "a JSON list"),
        (dict[str, int] | int, "JSON"),
        (Tree, "JSON"),
    ],
    ids=["url", "minimum", "pattern", "list", "union", "recursive"],
)
def test_other_types_are_said_in_words(kind: Any, words: str) -> None:
    assert example(TypeAdapter[Any](kind).json_schema()) == Example("TASK", words)


def test_a_type_without_a_schema_is_any_json() -> None:
    assert example({}) == Example("TASK", "JSON")
