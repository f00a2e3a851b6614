"""Labels: which are valid, how a header carries them, and how logs show them."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallelizework.completion import Rule
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.execution.batch import Batch
from parallelizework.messages import Slice
from parallelizework.outcomes import Counts
from parallelizework.policy import Policy
from parallelizework.progress.labels import (
    LABELS_HEADER,
    checked,
    labels_headers,
    labels_in,
    with_labels,
)
from parallelizework.progress.models import Progress, Record, Update
from parallelizework.progress.reporter import update_json

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


VALID = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9_.-]{4}[A-Za-z0-9_.-]{0,59}", fullmatch=True).filter(
        lambda key: key not in ("shard", "index", "name", "attempt")
    ),
    st.text(min_size=1, max_size=256).filter(str.isprintable),
    max_size=16,
)


@given(VALID)
def test_a_header_carries_all_valid_labels(labels: dict[str, str]) -> None:
    headers = labels_headers(checked(labels))

    assert labels_in(headers) == labels
    assert all(value.isascii() and value.isprintable() for value in headers.values())


@given(VALID)
def test_the_log_shows_labels_in_one_line_of_ascii(labels: dict[str, str]) -> None:
    shown = with_labels("inv_1", labels)

    assert shown.isascii()
    assert shown.isprintable()
    assert shown.split(" ")[0] == "inv_1"


def test_the_log_shows_labels_in_the_order_of_their_keys_and_quotes_odd_values() -> (
    None
):
    labels = {"tenant": "a", "city": "Zürich", "path": "a/b.c", "note": 'a "b"'}

    assert with_labels("inv_1", labels) == (
        r'inv_1 city="Z\u00fcrich" note="a \"b\"" path=a/b.c tenant=a'
    )


@pytest.mark.parametrize(
    "header", ["", "a", "[]", '"a"', "null", '{"a": null}', '{"a": 1}', '{"a": {}}']
)
def test_a_header_that_is_no_object_of_strings_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="is not a JSON object of strings: use an"):
        labels_in({LABELS_HEADER: header})


@pytest.mark.parametrize("header", ['{"a": "\\ud800"}', '{"a": "\\u0000"}'])
def test_a_value_with_unprintable_characters_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match=r"JSON object of strings|printable"):
        labels_in({LABELS_HEADER: header})


def test_a_run_without_labels_adds_nothing_to_any_message() -> None:
    update = Update(fan_out="Test", total=1, counts=Counts())

    assert labels_headers({}) == {}
    assert labels_headers(None) == {}
    assert labels_in({}) == {}
    assert with_labels("inv_1", {}) == "inv_1"
    assert b"labels" not in update_json.serialize(update)


def test_progress_has_the_labels_of_the_updates() -> None:
    update = Update(fan_out="Test", total=1, counts=Counts(), labels={"tenant": "a"})
    received = update_json.deserialize(update_json.serialize(update))

    assert Progress.of("inv_1", Record.of(received, 0.0)).labels == {"tenant": "a"}


async def test_the_log_of_a_failed_attempt_in_a_batch_has_the_labels(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def execute(number: int) -> int:
        raise ValueError(number)

    policy = Policy(max_attempts=1)
    definition = ExecuteDefinition(
        "Test", Function("execute", execute, Threads(1)), policy, Any
    )
    name = with_labels("inv_1", {"tenant": "a"})
    slice_ = Slice[Any](run=name, first=3, slots=1, items=[7], rule=Rule())

    with caplog.at_level(logging.WARNING):
        await Batch(definition, policy, slice_, "inv_2").execute()

    [record] = caplog.records
    assert "run=inv_1 tenant=a index=3 attempt=1" in record.getMessage()
