"""`Machine`: the state machine of one attempt, with a journal in memory.

It replaces only the compiled core of restate-sdk (1.3). The SDK's own context, futures
and waits are executed unchanged. The machine does what the core does:

- Notifications become visible one at a time, in the order of the journal, until the
  handler's wait is over. So a replay sees the same order as the first execution.
- A `ctx.run` is executed when something waits for it.
- A cancellation becomes visible at a wait, once. Before, all calls of the invocation
  are cancelled too.
- In a replay, each command must equal the command in the journal.
"""

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from restate import vm as core

from parallelizework.testing.journal import CANCEL, Journal, Outside, Request, Value

_MAX_SHOWN = 200  # characters of a command in a message
_All = core.AllCompletedUnresolvedFuture


class _CallHandle(NamedTuple):
    invocation_id_handle: int
    result_handle: int


class Machine(core.VMWrapper):
    """One attempt.

    Args:
        journal: The journal of the invocation.
        outside: The server, on behalf of the invocation.
        suspends: Whether to suspend at each wait, unless a step is executing.
        wake: Called after a notification, to continue a waiting handler.

    Attributes:
        output: The result or the error of the invocation, if it ended.
        error: The error of the attempt, if it failed: message, code, pause in seconds.
        suspended_on: The names of the notifications that the attempt waits for, if it
            was suspended.
        missed: The names of notifications that came too late for this attempt.
    """

    def __init__(  # does not call the parent's, which would create the compiled core
        self,
        journal: Journal,
        outside: Outside,
        *,
        suspends: bool,
        wake: Callable[[], None],
    ) -> None:
        self.output: bytes | core.Failure | None = None
        self.error: tuple[str, int, float | None] | None = None
        self.suspended_on: set[str] | None = None
        self.missed: set[str] = set()
        self._journal = journal
        self._outside = outside
        self._suspends = suspends
        self._is_closed = False  # no notification reaches this attempt any more
        self._wake = wake
        self._replayed = len(journal.commands)
        self._done = {name for name, _ in journal.notifications}
        self._next = 0
        self._names: list[str] = []  # of the notifications, by handle
        self._inbox = deque(journal.notifications)
        self._ready: dict[str, Value] = {}
        self._runs: dict[int, bool] = {}  # steps without a result: whether it executes
        self._called: list[str] = []  # names of the notifications with ids of calls

    def notify(self, name: str, value: Value) -> None:
        """Accept a notification that was just added to the journal."""
        if self._is_closed or self.suspended_on is not None:
            self.missed.add(name)
            return
        self._inbox.append((name, value))
        self._wake()

    @property
    def vm(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride] - there is no core
        """The compiled core, which other methods of the SDK use: there is none."""
        raise NotImplementedError(
            "run_inline does not support promises, awakeables and attach: test such a "
            "fan-out with the pytest fixture serve"
        )

    # Waits.

    def do_progress(self, unresolved_future: core.UnresolvedFuture) -> Any:
        """Return whether a wait is over, or what the SDK must do meanwhile."""
        if self.error:
            return core.SUSPENDED
        handles = _handles(unresolved_future)
        names = {self._names[handle] for handle in handles}
        if self._find(names, isinstance(unresolved_future, _All)):
            return self._end_of_wait()
        runs = [handle for handle in handles if handle in self._runs]
        for handle in runs:
            if not self._runs[handle]:
                self._runs[handle] = True
                return core.DoProgressExecuteRun(handle)
        if (self._is_closed or self._suspends) and not runs:
            self.suspended_on = {CANCEL, *(names - self._ready.keys())}
            return core.SUSPENDED
        return core.DO_PROGRESS_WAIT_EXTERNAL_PROGRESS

    def _find(self, names: set[str], needs_all: bool) -> bool:
        """Make notifications visible, one at a time, until the wait is over.

        Args:
            names: The notifications that the handler waits for.
            needs_all: Whether the handler waits for all of them, or for any of them.
        """
        ready = self._ready
        while not (names <= ready.keys() if needs_all else not names.isdisjoint(ready)):
            if not self._inbox:
                return False
            name, value = self._inbox.popleft()
            ready[name] = value
            if name == CANCEL:
                break
        return True

    def _end_of_wait(self) -> object:
        if CANCEL not in self._ready:
            return core.DO_PROGRESS_ANY_COMPLETED
        del self._ready[CANCEL]
        known = dict(self._journal.notifications)
        for name in self._called:
            self.sys_cancel(str(known[name]))
        self._called = []
        return core.DO_PROGRESS_CANCEL_SIGNAL_RECEIVED

    def is_completed(self, handle: int) -> bool:
        """Return whether a notification is visible, and was not taken."""
        return self._names[handle] in self._ready

    def take_notification(self, handle: int) -> Any:
        """Take the value of a visible notification."""
        return self._ready.pop(self._names[handle], core.NOT_READY)

    def is_replaying(self) -> bool:
        """Return whether the journal has commands that this attempt has not made."""
        return self._next < self._replayed

    def notify_input_closed(self) -> None:
        """Suspend at the next wait."""
        self._is_closed = True

    def take_output(self) -> bytes:
        """Return nothing: each command reaches the server at once."""
        return b""

    # Commands of a handler.

    def _command(self, kind: str, *arguments: object) -> tuple[str, bool]:
        """Add a command, or compare it with the journal in a replay.

        Returns:
            The name of the command, and whether it is new.
        """
        index, command = self._next, (kind, *arguments)
        journal = self._journal.commands
        self._next += 1
        if index == len(journal):
            journal.append(command)
            return str(index), True
        self._check(index, command)
        return str(index), False

    def _check(self, index: int, command: tuple[object, ...]) -> None:
        recorded = self._journal.commands[index]
        if command != recorded:
            raise self._outside.mismatch(
                f"command {index} of a replay is {_shown(command)}, but the journal "
                f"has {_shown(recorded)}"
            )

    def _end(self) -> None:
        if self._next < len(self._journal.commands):
            self._check(self._next, ("the end",))

    def _handle(self, name: str) -> int:
        self._names.append(name)
        return len(self._names) - 1

    def _answered(self, name: str, value: Value) -> None:
        """Add the server's answer to a command of this attempt to the journal.

        With `suspends`, the answer only reaches the next attempt. So all notifications
        after it must go there too: none may overtake it.
        """
        self._journal.notifications.append((name, value))
        if self._suspends:
            self._is_closed = True
        self.notify(name, value)

    def _known(self, name: str, value: Value) -> None:
        """Add an answer that is known with its command: this attempt can use it."""
        self._journal.notifications.append((name, value))
        self._inbox.append((name, value))

    def sys_call(  # noqa: PLR0913, PLR0917 - the core's signature
        self,
        service: str,
        handler: str,
        parameter: bytes,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> _CallHandle:
        """Call a handler."""
        headed = tuple(headers or ())
        request = Request(service, handler, parameter, key, headed, idempotency_key)
        name, is_new = self._command("call", request)
        self._called.append(f"{name}.id")
        if is_new:
            self._answered(f"{name}.id", self._outside.call(request, name))
        return _CallHandle(self._handle(f"{name}.id"), self._handle(name))

    def sys_send(  # noqa: PLR0913, PLR0917 - the core's signature
        self,
        service: str,
        handler: str,
        parameter: bytes,
        key: str | None = None,
        delay: int | None = None,
        idempotency_key: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        scope: str | None = None,
        limit_key: str | None = None,
    ) -> int:
        """Make a one-way call, after a delay in milliseconds."""
        headed = tuple(headers or ())
        request = Request(service, handler, parameter, key, headed, idempotency_key)
        name, is_new = self._command("send", request)
        if is_new:
            self._answered(name, self._outside.send(request, (delay or 0) / 1_000))
        return self._handle(name)

    def sys_sleep(self, millis: int, name: str | None = None) -> int:
        """Set a timer."""
        end, is_new = self._command("sleep")
        if is_new:
            self._outside.sleep(millis / 1_000, end)
        return self._handle(end)

    def sys_signal(self, signal_name: str) -> int:
        """Wait for a signal. This is not a command."""
        return self._handle(f"signal {signal_name}")

    def sys_resolve_signal(
        self, invocation_id: str, signal_name: str, value: bytes
    ) -> None:
        """Send a signal to another invocation."""
        self._signal(invocation_id, signal_name, bytes(value))

    def sys_reject_signal(
        self, invocation_id: str, signal_name: str, failure: core.Failure
    ) -> None:
        """Send a failure as a signal to another invocation."""
        self._signal(invocation_id, signal_name, failure)

    def _signal(self, to: str, name: str, value: Value) -> None:
        _, is_new = self._command("signal", to, name, value)
        if is_new:
            self._outside.signal(to, f"signal {name}", value)

    def sys_cancel(self, invocation_id: str) -> None:
        """Cancel another invocation."""
        _, is_new = self._command("cancel", invocation_id)
        if is_new:
            self._outside.cancel(invocation_id)

    def sys_get_state(self, name: str, entry_name: str | None = None) -> int:
        """Read the state of the virtual object."""
        found, is_new = self._command("get", name)
        if is_new:
            self._known(found, self._outside.state.get(name))
        return self._handle(found)

    def sys_set_state(
        self, name: str, value: bytes, entry_name: str | None = None
    ) -> None:
        """Write the state of the virtual object."""
        _, is_new = self._command("set", name, value)
        if is_new:
            self._outside.state[name] = value

    def sys_clear_state(self, name: str, entry_name: str | None = None) -> None:
        """Delete a value of the virtual object."""
        _, is_new = self._command("clear", name)
        if is_new:
            self._outside.state.pop(name, None)

    def sys_clear_all_state(self, entry_name: str | None = None) -> None:
        """Delete the state of the virtual object."""
        _, is_new = self._command("clear all")
        if is_new:
            self._outside.state.clear()

    # Steps.

    def sys_run(self, name: str) -> core.Run:
        """Add a step. It is executed when something waits for it."""
        step, _ = self._command("run", name)
        handle, is_known = self._handle(step), step in self._done
        if not is_known:
            self._runs[handle] = False
        return core.Run(replayed=is_known, handle=handle)

    def propose_run_completion_success(self, handle: int, output: bytes) -> None:
        """End a step with a value."""
        self._proposed(handle, bytes(output))

    def propose_run_completion_failure(self, handle: int, output: core.Failure) -> None:
        """End a step with a final error."""
        self._proposed(handle, output)

    def propose_run_completion_transient(
        self,
        handle: int,
        failure: core.Failure,
        attempt_duration_ms: int,
        config: core.RunRetryConfig,
    ) -> None:
        """End this attempt, because the step must be tried again."""
        self._again(handle, failure, None, config.max_attempts)

    def propose_run_completion_transient_with_delay_override(  # noqa: PLR0913, PLR0917
        self,
        handle: int,
        failure: core.Failure,
        attempt_duration_ms: int,
        delay_override: timedelta | None,
        max_retry_attempts_override: int | None,
        max_retry_duration_override: timedelta | None,
    ) -> None:
        """End this attempt, because the step must be tried again after a pause."""
        pause = delay_override.total_seconds() if delay_override else None
        self._again(handle, failure, pause, max_retry_attempts_override)

    def _proposed(self, handle: int, value: Value) -> None:
        name = self._names[handle]
        del self._runs[handle]
        self._answered(name, value)

    def _again(
        self,
        handle: int,
        failure: core.Failure,
        pause: float | None,
        max_attempts: int | None,
    ) -> None:
        name, retries = self._names[handle], self._journal.retries
        retries[name] = retries.get(name, 0) + 1
        if max_attempts and retries[name] >= max_attempts:
            self._proposed(handle, failure)
        else:
            self.error = failure.message, failure.code, pause

    # The end.

    def sys_write_output_success(self, output: bytes) -> None:
        """End the invocation with a value."""
        self._end()
        self.output = output

    def sys_write_output_failure(self, output: core.Failure) -> None:
        """End the invocation with an error."""
        self._end()
        self.output = output

    def sys_end(self) -> None:
        """Do nothing: the output has been written."""

    def notify_error(
        self, error: str, stacktrace: str, delay_override: timedelta | None = None
    ) -> None:
        """End this attempt, because the invocation must be tried again."""
        pause = delay_override.total_seconds() if delay_override is not None else None
        self.error = error, 500, pause


def _handles(future: core.UnresolvedFuture) -> list[int]:
    """The handles of a future. The SDK does not nest combined futures."""
    if isinstance(future, core.SingleUnresolvedFuture):
        return [future.handle]
    return [child.handle for child in future.children]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType, reportUnknownMemberType]


def _shown(command: tuple[object, ...]) -> str:
    shown = " ".join(map(str, command))
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."
