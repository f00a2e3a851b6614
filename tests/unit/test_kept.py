"""The keys of events and answers are forgotten at their own time, and no earlier."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic_core import from_json

from parallelizework.waiting import answers, mailbox
from parallelizework.waiting.answers import (
    waiter_json,
    withdrawal_json,
    withdrawn_json,
)
from parallelizework.waiting.models import Delivery, Waiter, Withdrawal

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1).total_seconds()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Key:
    """One key of a virtual object: its context, with a clock that tests move."""

    def __init__(self, forget: Callable[[Any, bytes], Awaitable[Any]]) -> None:
        self.state: dict[str, bytes] = {}
        self.signals: list[str] = []
        self._forget = forget
        self._now = 0.0
        self._timers: list[tuple[float, bytes]] = []
        self._invocations = 0

    @property
    def ctx(self) -> Any:
        """The context of a new invocation."""
        self._invocations += 1
        return self

    async def wait_until(self, day: float) -> None:
        """Move the clock, and deliver the messages that are due meanwhile."""
        self._now = day * DAY
        due = sorted(timer for timer in self._timers if timer[0] <= self._now)
        self._timers = [timer for timer in self._timers if timer not in due]
        for _, body in due:
            await self._forget(self.ctx, body)

    def request(self) -> Any:
        return SimpleNamespace(id=f"inv_{self._invocations}")

    def key(self) -> str:
        return "Shop/1"

    async def get(self, name: str, serde: Any) -> Any:
        value = self.state.get(name)
        return None if value is None else serde.deserialize(value)

    def set(self, name: str, value: Any, serde: Any) -> None:
        self.state[name] = serde.serialize(value)

    def clear_all(self) -> None:
        self.state.clear()

    def generic_send(
        self, _name: str, _handler: str, body: bytes, send_delay: timedelta, **_: Any
    ) -> None:
        self._timers.append((self._now + send_delay.total_seconds(), body))

    def resolve_signal(self, to: str, *_: Any, **_more: Any) -> None:
        self.signals.append(to)


def waiter(invocation: str, days: float) -> bytes:
    return waiter_json.serialize(
        Waiter(invocation=invocation, service="Asking", kept_for=days * DAY)
    )


def withdrawal(invocation: str) -> bytes:
    return withdrawal_json.serialize(
        Withdrawal(invocation=invocation, status="timed_out")
    )


EVENT = mailbox.delivery_json.serialize(Delivery())


async def test_a_timer_from_before_a_key_was_forgotten_changes_nothing() -> None:
    key = Key(mailbox.forget)
    await mailbox.expect(key.ctx, waiter("inv_a", 11))
    await mailbox.deliver(key.ctx, EVENT)
    await key.wait_until(5)
    assert not key.state, "the event was delivered, so the key was forgotten"

    await mailbox.expect(key.ctx, waiter("inv_b", 30))
    await key.wait_until(12)

    assert from_json(await mailbox.get(key.ctx))["waiting"] == 1
    await mailbox.deliver(key.ctx, EVENT)
    assert key.signals == ["inv_a", "inv_b"]


@pytest.mark.parametrize("target", [mailbox, answers])
async def test_a_subtask_withdraws_from_a_key_that_was_forgotten(target: Any) -> None:
    key = Key(target.forget)
    await target.expect(key.ctx, waiter("inv_a", 1))
    await key.wait_until(2)

    withdrawn = await target.withdraw(key.ctx, withdrawal("inv_a"))

    assert withdrawn_json.deserialize(withdrawn)
    assert not key.state, "nothing would forget the key again"


async def test_a_subtask_does_not_withdraw_after_an_event() -> None:
    key = Key(mailbox.forget)
    await mailbox.expect(key.ctx, waiter("inv_a", 1))
    await mailbox.deliver(key.ctx, EVENT)

    withdrawn = await mailbox.withdraw(key.ctx, withdrawal("inv_a"))

    assert not withdrawn_json.deserialize(withdrawn)


async def test_a_timer_of_an_older_release_is_no_error() -> None:
    key = Key(mailbox.forget)
    await mailbox.expect(key.ctx, waiter("inv_a", 1))

    await mailbox.forget(key.ctx, b"1")

    assert key.state
