"""What is asked again, and what is not, when nobody answers."""

import pytest

from parallelizework.errors import Refused, Unreachable
from parallelizework.exchange import Answer, Request, TimedOut, ask, need

URL = "http://127.0.0.1:1/"


def test_what_may_be_sent_twice_is_asked_again_after_a_pause() -> None:
    exchange = ask(Request("GET", URL, repeatable=True))

    assert isinstance(next(exchange), Request)
    assert exchange.throw(Unreachable()) == 0.1
    assert isinstance(exchange.send(Answer()), Request)
    with pytest.raises(StopIteration) as end:
        exchange.send(Answer(200, b"{}"))

    assert end.value.value == Answer(200, b"{}")


def test_what_may_not_is_asked_once() -> None:
    exchange = ask(Request("POST", URL))
    next(exchange)

    with pytest.raises(Unreachable):
        exchange.throw(Unreachable())


def test_it_gives_up_in_the_end() -> None:
    exchange = ask(Request("GET", URL, repeatable=True))
    next(exchange)

    for pause in (0.1, 0.3, 1.0):
        assert exchange.throw(Unreachable()) == pause
        exchange.send(Answer())
    with pytest.raises(Unreachable):
        exchange.throw(Unreachable())


def test_what_was_taken_but_not_answered_is_not_asked_again() -> None:
    exchange = ask(Request("GET", URL, repeatable=True))
    next(exchange)

    with pytest.raises(TimedOut):
        exchange.throw(TimedOut())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message": "no such thing"}', "no such thing"),
        (b"oops", "oops"),
        (b"", "500"),
    ],
)
def test_an_error_is_told_in_the_servers_own_words(body: bytes, message: str) -> None:
    exchange = need(Request("GET", URL))
    next(exchange)

    with pytest.raises(Refused, match=message):
        exchange.send(Answer(500, body))
