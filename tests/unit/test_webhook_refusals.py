"""What the sender of a webhook receives after an error of `verify` or `event`."""

import pytest
from restate import TerminalError

from parallelizework.definition.job import TookTooLong
from parallelizework.errors import DefinitionError, SettingsError
from parallelizework.events.webhooks.models import Decision
from parallelizework.events.webhooks.receiver import decision_json
from parallelizework.events.webhooks.refusals import of_event, of_verify

FAILED = "f failed: the log of the worker has the cause"
UNREADABLE = "f cannot read the request: "


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("the token is wrong"), 400, "refused: the token is wrong"),
        (ValueError("x" * 300), 400, f"refused: {'x' * 200}..."),
        (KeyError("token"), 400, "refused: the request is not valid"),
        (AssertionError("s3cr3t"), 400, "refused: the request is not valid"),
        (PermissionError("s3cr3t"), 400, "refused: the request is not valid"),
        (TerminalError("no such shop", 404), 404, "no such shop"),
        (SettingsError("set SHOP_SECRET"), 500, FAILED),
        (DefinitionError("a secret is not base64"), 500, FAILED),
        (TookTooLong("longer than 30 s"), 500, FAILED),
    ],
    ids=range(9),
)
def test_an_error_of_verify_refuses_the_request(
    error: Exception, status: int, message: str
) -> None:
    refusal = of_verify(error, "f")

    assert (refusal.status, refusal.message) == (status, message)
    assert refusal.cause is error


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("no JSON"), 400, f"{UNREADABLE}ValueError('no JSON')"),
        (KeyError("type"), 400, f"{UNREADABLE}KeyError('type')"),
        (IndexError(), 400, f"{UNREADABLE}IndexError()"),
        (TypeError("int"), 400, f"{UNREADABLE}TypeError('int')"),
        (AttributeError("get"), 400, f"{UNREADABLE}AttributeError('get')"),
        (TerminalError("no such shop", 404), 404, "no such shop"),
        (ConnectionError("s3cr3t"), 500, FAILED),
        (SettingsError("set SHOP_SECRET"), 500, FAILED),
        (DefinitionError("a secret is not base64"), 500, FAILED),
        (TookTooLong("longer than 30 s"), 500, FAILED),
        (RuntimeError("s3cr3t"), 500, FAILED),
    ],
    ids=range(11),
)
def test_an_error_of_event_is_a_400_only_if_the_request_is_its_likely_cause(
    error: Exception, status: int, message: str
) -> None:
    refusal = of_event(error, "f")

    assert (refusal.status, refusal.message) == (status, message)
    assert refusal.cause is error


@pytest.mark.parametrize(
    "decision",
    [
        Decision(),
        Decision(reply=b"\xff\x00"),
        Decision(reply=b""),
        Decision(delivery=("pay_1", b'{"data": "\xc3\xa9"}')),
        Decision(refusal=(400, "refused")),
    ],
    ids=range(5),
)
def test_the_journal_has_the_exact_decision(decision: Decision) -> None:
    assert decision_json.deserialize(decision_json.serialize(decision)) == decision
