"""`Server`: a restate-server in memory, for one run.

It delivers calls, answers and signals, stores a journal for each invocation, and makes
attempts until the invocation ends. Messages between the same two invocations keep their
order, as on a real server.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from restate import InvocationRetryPolicy
from restate.exceptions import SdkInternalException
from restate.handler import Handler
from restate.server_context import ServerInvocationContext
from restate.server_types import ReceiveChannel
from restate.vm import Failure
from restate.vm import Invocation as Input

from parallelizework.attempts.recorded_answer import collect
from parallelizework.errors import ParallelizeworkError
from parallelizework.served import RestateService
from parallelizework.testing.journal import CANCEL, Journal, Request, Value
from parallelizework.testing.machine import Machine

_logger = logging.getLogger(__name__)


_LATENCY = 0.02  # seconds: the longest random delay of a message
_NEVER = 3e8  # seconds, ten years: a call with a longer delay does not arrive
# The default retry policy of a restate-server: pauses in seconds, and attempts.
_PAUSE, _LONGEST_PAUSE, _FACTOR, _MAX_ATTEMPTS = 0.05, 10.0, 2.0, 70


class ReplayMismatch(ParallelizeworkError):
    """Handler code did something different when it was executed again.

    On a restate-server, such an invocation would never end. Handler code must do the
    same each time. Use the clock, random numbers and I/O only by `ctx`: `ctx.time()`,
    `ctx.random()`, `ctx.run_typed(...)`.
    """


class Server:
    """All invocations, and the messages between them.

    Args:
        services: The services that can be called.
        random: Decides how long each message takes; None for no time.
        replays: Whether to suspend at each wait, so that a replay follows each wait.
        on_call: Is called with each new invocation.

    Attributes:
        invocations: All invocations, in the order of their calls, by id.
        end: Completes when the run has ended, or when nothing can happen any more. Has
            an exception if a replay differs.
        is_closed: Whether the run is over: attempts that end now change nothing.
    """

    def __init__(
        self,
        services: Iterable[RestateService],
        *,
        random: Random | None,
        replays: bool,
        on_call: Callable[["Invocation"], None] = lambda _: None,
    ) -> None:
        self._on_call = on_call
        self.invocations: dict[str, Invocation] = {}
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.replays = replays
        self.is_closed = False
        self._services = {service.name: service for service in services}
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._arrivals: dict[tuple[str, str], float] = {}
        self._by_key: dict[tuple[str | None, ...], str] = {}
        self._states: dict[tuple[str, str], dict[str, bytes]] = {}
        self._queues: dict[tuple[str, str], deque[Invocation]] = {}

    def invoke(self, request: Request, by: str = "", delay: float = 0) -> "Invocation":
        """Create an invocation. It starts when its message arrives.

        Args:
            request: The call.
            by: The id of the caller.
            delay: Seconds until the message is sent.
        """
        target = (request.service, request.key, request.handler)
        same = (*target, request.idempotency_key)
        if request.idempotency_key and same in self._by_key:
            return self.invocations[self._by_key[same]]
        invocation = Invocation(self, len(self.invocations), request)
        self.invocations[invocation.id] = invocation
        self._by_key[same] = invocation.id
        if not delay:
            to = f"{request.service} {request.key}" if request.key else invocation.id
            self.deliver(by, to, lambda: self._enqueue(invocation))
        elif delay < _NEVER:
            self._loop.call_later(delay, self._enqueue, invocation)
        invocation.is_delayed = bool(delay)
        self._on_call(invocation)
        return invocation

    async def answer(self, request: Request) -> bytes:
        """Return the answer to a request, after all previous calls of its service."""
        for each in list(self.invocations.values()):
            if each.request.service == request.service and not each.is_delayed:
                await each.finished()
        asked = self.invoke(request)
        await asked.finished()
        return asked.answer

    def finish(self) -> None:
        """Complete `end`: the run has ended, or nothing can happen any more."""
        if not self.end.done():
            self.end.set_result(None)

    def deliver(self, sender: str, to: str, message: Callable[[], None]) -> None:
        """Deliver a message after all previous ones with the same sender and target."""
        if self._random is None:
            message()
            return
        arrival = self._loop.time() + self._random.random() ** 3 * _LATENCY
        before = self._arrivals.get((sender, to), 0.0)
        arrival = max(arrival, math.nextafter(before, math.inf))
        self._arrivals[sender, to] = arrival
        self._loop.call_at(arrival, message)

    def state(self, request: Request) -> dict[str, bytes]:
        """Return the state of a virtual object."""
        return self._states.setdefault((request.service, request.key or ""), {})

    def handler(self, request: Request) -> Handler[Any, Any] | None:
        """Return the called handler; None if no service has it."""
        service = self._services.get(request.service)
        return service.handlers.get(request.handler) if service else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - half typed

    def policy(self, request: Request) -> InvocationRetryPolicy:
        """Return the retry policy of an invocation."""
        handler, service = self.handler(request), self._services[request.service]
        own = handler.invocation_retry_policy if handler else None
        return own or service.invocation_retry_policy or InvocationRetryPolicy()

    def _enqueue(self, invocation: "Invocation") -> None:
        """Start an invocation; on a virtual object, after all exclusive ones before."""
        handler = self.handler(invocation.request)
        if handler and handler.kind == "exclusive":
            name = invocation.request.service, invocation.request.key or ""
            queue = self._queues.setdefault(name, deque())
            queue.append(invocation)
            if queue[0] is not invocation:
                return
            invocation.on_end(lambda: self._dequeue(queue))
        invocation.start()

    def _dequeue(self, queue: "deque[Invocation]") -> None:
        queue.popleft()
        if queue:
            queue[0].on_end(lambda: self._dequeue(queue))
            queue[0].start()


class Invocation:
    """One invocation, with all its attempts.

    Attributes:
        is_delayed: Whether the invocation was sent with a delay.
        began: The start, on the clock of the event loop; None before.
        ended: The end, on the clock of the event loop; None before.
        failures: How many attempts failed.
        paused: The error that paused the invocation; None if it is not paused.
        output: The result or the error; None before the end.
    """

    def __init__(self, server: Server, number: int, request: Request) -> None:
        self.id = f"inv_{number}"
        self.request = request
        self.journal = Journal()
        self.began: float | None = None
        self.ended: float | None = None
        self.failures = 0
        self.is_delayed = False
        self.paused: str | None = None
        self.output: bytes | Failure | None = None
        self.state = server.state(request)
        self._number = number
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._machine: Machine | None = None
        self._suspended_on: set[str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._at_end: list[Callable[[], None]] = []

    @property
    def answer(self) -> bytes:
        """The result; empty if the invocation failed or has not ended."""
        return self.output if isinstance(self.output, bytes) else b""

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call a function when the invocation has ended."""
        if self.ended is None:
            self._at_end.append(callback)
        else:
            callback()

    async def finished(self) -> None:
        """Wait until the invocation has ended."""
        ended = asyncio.Event()
        self.on_end(ended.set)
        await ended.wait()

    # Attempts.

    def start(self) -> None:
        """Make an attempt."""
        if self.began is None:
            self.began = self._loop.time()
        self.paused = self._suspended_on = None
        if handler := self._server.handler(self.request):
            self._task = self._loop.create_task(self._attempt(handler))
        else:
            name = f"{self.request.service}/{self.request.handler}"
            message = (
                f"run_inline does not serve {name}: pass its service in executors or "
                "services"
            )
            self._end(Failure(404, message))

    async def _attempt(self, handler: Handler[Any, Any]) -> None:
        collect()
        channel = _Channel(is_closed=self._server.replays)
        machine = self._machine = Machine(
            self.journal, self, suspends=self._server.replays, wake=channel.wake
        )
        context = ServerInvocationContext(
            machine, handler, self._input(), {}, _sent, channel
        )
        try:
            await context.enter()
        except Exception as error:
            assert machine.error, "the context has reported the error to its machine"
            _logger.debug("attempt failed: %s", self.id, exc_info=error)
        finally:
            context.on_attempt_finished()
        self._machine = None
        if not self._server.is_closed:
            self._continue(machine)

    def _input(self) -> Input:
        request = self.request
        return Input(
            invocation_id=self.id,
            random_seed=self._number,
            headers=list(request.headers),
            input_buffer=request.body,
            key=request.key or "",
            idempotency_key=request.idempotency_key,
        )

    def _continue(self, machine: Machine) -> None:
        """End, try again, start again or wait, depending on the end of an attempt.

        A suspended attempt may have missed a notification that it waits for: then the
        next attempt starts at once.
        """
        if machine.output is not None:
            self._end(machine.output)
        elif machine.suspended_on is None or machine.error:
            self._retry(*(machine.error or ("the attempt was aborted", 500, None)))
        elif machine.suspended_on & machine.missed:
            self.start()
        else:
            self._suspended_on = machine.suspended_on

    def _retry(self, message: str, code: int, pause: float | None) -> None:
        policy = self._server.policy(self.request)
        self.failures += 1
        if self.failures < (policy.max_attempts or _MAX_ATTEMPTS):
            after = self._pause(policy) if pause is None else pause
            self._loop.call_later(after, self.start)
        elif policy.on_max_attempts == "kill":
            self._end(Failure(code, message))
        else:
            self.paused = message

    def _pause(self, policy: InvocationRetryPolicy) -> float:
        first, longest = policy.initial_interval, policy.max_interval
        factor = policy.exponentiation_factor or _FACTOR
        return min(
            (first.total_seconds() if first else _PAUSE)
            * factor ** (self.failures - 1),
            longest.total_seconds() if longest else _LONGEST_PAUSE,
        )

    def _end(self, output: bytes | Failure) -> None:
        self.output, self.ended = output, self._loop.time()
        for callback in self._at_end:
            callback()

    # Notifications, and what a handler uses of the server: see `Outside`.

    def notify(self, name: str, value: Value) -> None:
        """Add a notification to the journal, and continue an attempt that waits."""
        if self.ended is not None:
            return
        self.journal.notifications.append((name, value))
        if self._machine:
            self._machine.notify(name, value)
        elif name in (self._suspended_on or ()) or (self.paused and name == CANCEL):
            self.start()

    def call(self, request: Request, answer: str) -> str:
        """Make a call, and return its invocation id."""
        called = self._server.invoke(request, self.id)
        called.on_end(
            lambda: self._server.deliver(
                called.id, self.id, lambda: self.notify(answer, called.output)
            )
        )
        return called.id

    def send(self, request: Request, delay: float) -> str:
        """Make a one-way call, and return its invocation id."""
        return self._server.invoke(request, self.id, delay).id

    def sleep(self, seconds: float, end: str) -> None:
        """Set a timer."""
        self._loop.call_later(seconds, self.notify, end, None)

    def signal(self, to: str, name: str, value: Value) -> None:
        """Send a signal to another invocation."""
        target = self._server.invocations[to]
        self._server.deliver(self.id, to, lambda: target.notify(name, value))

    def cancel(self, to: str = "") -> None:
        """Cancel another invocation, or this one."""
        target = self._server.invocations[to or self.id]
        self._server.deliver(self.id, target.id, lambda: target.notify(CANCEL, None))

    def mismatch(self, message: str) -> BaseException:
        """Fail the run, because a replay differs."""
        name = f"{self.request.service}/{self.request.handler}"
        if not self._server.end.done():
            self._server.end.set_exception(ReplayMismatch(f"{name}: {message}"))
        return SdkInternalException()


class _Channel(ReceiveChannel):
    """Lets an attempt wait until its machine wakes it."""

    def __init__(self, *, is_closed: bool) -> None:
        # Does not call the parent's `__init__`: it reads a connection.
        self._event = asyncio.Event()
        self._http_input_closed = asyncio.Event()
        if is_closed:
            self._http_input_closed.set()

    def wake(self) -> None:
        self._event.set()

    async def __call__(self) -> Any:
        await self._event.wait()
        self._event.clear()
        return {"type": "http.request", "body": b"", "more_body": True}

    async def enqueue_restate_event(self, what: Any) -> None:
        self._event.set()


async def _sent(_: Mapping[str, Any]) -> None:
    """Do nothing: the machine has no output to send."""
