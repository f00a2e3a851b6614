"""`FanOut`: plain functions and a policy, served as one Restate service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from restate import Context, Service

from parallelizework.definition.definition import define
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.definition.signatures import (
    AggregateFunction,
    CombineFunction,
    ExecuteFunction,
    ReceiveFunction,
    RemindFunction,
    SplitFunction,
)
from parallelizework.errors import DefinitionError
from parallelizework.messages import NOTIFY, HandlerName
from parallelizework.outcomes import Done
from parallelizework.policy import Policy
from parallelizework.progress.labels import Labels, labels_headers
from parallelizework.progress.virtual_object import RETENTION, progress_object
from parallelizework.redrive.virtual_object import redrive_object
from parallelizework.restate_service import service
from parallelizework.served import RestateService, Servable, Served
from parallelizework.streaming.virtual_object import outcomes_object
from parallelizework.waiting.objects import waiting_objects

if TYPE_CHECKING:
    from parallelizework.notifications.receivers import Receiver

Task = TypeVar("Task")
Shard = TypeVar("Shard")
Subtask = TypeVar("Subtask")
Value = TypeVar("Value")
Result = TypeVar("Result")


class FanOut(Servable, Generic[Task, Subtask, Value, Result]):
    """A durable fan-out/fan-in: a Restate service that splits, executes and aggregates.

    The handler `run` accepts a task. `run` splits the task in one durable step and
    calls the handler `runSubtask` for each subtask. The answer of `run` is the result
    of `aggregate`, which receives the values in the order of the split.

    Each function may be sync or async. A sync function runs in a thread. All parameters
    and return values need type hints that pydantic can describe.

    Args:
        name: The name of the service: letters, digits, `_`, `.` and `-`.
        split: `(Task) -> Iterable[Subtask]`. If `split` returns an empty list,
            `aggregate` receives an empty list. For a subtask whose value is known,
            `split` may return `Done(value)`: the subtask is not executed. A request
            overrides `policy` if the task model has a field `policy: Policy`.
        execute: `(Subtask) -> Value`, in one durable call. A second parameter may
            accept the `Attempt`. Or handler code, `(restate.Context, Subtask) ->
            Value`: `async def` that may sleep, call and wait durably. A function that
            is no handler code may also return a `Waiting`: the value comes later.
        executor: The name of an `Executor` that other workers serve. Set either
            `execute` or `executor`.
        remind: `(Subtask, Reminder) -> None`, a durable step. It is called again and
            again for a subtask that waits, if its `Waiting` has `remind_every`. If
            `remind` fails, the subtask still waits. Default: nobody is reminded.
        receive: `(Subtask, Event) -> Value`, a durable step: makes the value of a
            subtask that waits for an event of a webhook. If `receive` raises
            `restate.TerminalError`, the subtask fails. Default: the data of the event
            is the value.
        aggregate: `(list[Value]) -> Result`, one durable step. More parameters may
            accept the failures (`list[Failure[Subtask]]`), the `CompletionReason` and
            the task. The type hint of a parameter decides which of them it receives.
        expand: `(Shard) -> Iterable[Subtask]`, for input that is too large for one
            list. `split` then returns shards. `expand` turns each shard into subtasks,
            on the worker that coordinates the shard.
        combine: `(list[Value]) -> Value`, associative, for values that are too many for
            one list. `combine` makes one value from several, in each part of the run.
            `aggregate` then receives a list of one value, or an empty list.
        name_of: `(Subtask) -> str`, sync: a short name of a subtask for people. Log
            lines, failures and the list of subtasks show the first 80 characters. The
            function must be fast, and the name must depend on the subtask alone. Each
            replay of a coordinator calls the function again: if the name then differs,
            the run does not continue. If the function raises an error, the subtask has
            no name. Default: no names.
        policy: The limits and the completion rule of a run. Default: `Policy()`.
        notify: Who is notified when a run has ended: a `WebhookUrl` or an `Email` of
            `parallelizework.notifications`, or several. The worker then also serves
            `FanOutNotify`, with the settings of its environment. Default: nobody.
        max_threads: How many sync `execute`s may run at the same time in one worker
            process. The other functions of the fan-out share the same number of other
            threads. Default: 256, enough for four runs with the default policy. A
            waiting thread needs about 50 kB. A function that timed out or was cancelled
            does not count, up to four times this number.

    Attributes:
        name: The name of the service.

    Raises:
        DefinitionError: Restate does not accept the name; or a function is missing, not
            callable, lacks a type hint, or does not fit another function. The message
            names the function and the parameter.

    Examples:
        ```python
        lengths = FanOut("Lengths", split=split, execute=execute, aggregate=aggregate)
        app = parallelizework.app(lengths)
        ```
    """

    @overload
    def __init__(
        self,
        name: str,
        *,
        split: SplitFunction[Task, Subtask | Done[Value]],
        execute: ExecuteFunction[Subtask, Value] | None = None,
        executor: str | None = None,
        remind: RemindFunction[Subtask] | None = None,
        receive: ReceiveFunction[Subtask, Value] | None = None,
        aggregate: AggregateFunction[Value, Result, Subtask, Task],
        combine: CombineFunction[Value, Value] | None = None,
        name_of: Callable[[Subtask], str] | None = None,
        policy: Policy | None = None,
        notify: Receiver | Sequence[Receiver] = (),
        max_threads: int = 256,
    ) -> None: ...

    @overload
    def __init__(
        self,
        name: str,
        *,
        split: SplitFunction[Task, Shard],
        expand: SplitFunction[Shard, Subtask | Done[Value]],
        execute: ExecuteFunction[Subtask, Value] | None = None,
        executor: str | None = None,
        remind: RemindFunction[Subtask] | None = None,
        receive: ReceiveFunction[Subtask, Value] | None = None,
        aggregate: AggregateFunction[Value, Result, Subtask, Task],
        combine: CombineFunction[Value, Value] | None = None,
        name_of: Callable[[Subtask], str] | None = None,
        policy: Policy | None = None,
        notify: Receiver | Sequence[Receiver] = (),
        max_threads: int = 256,
    ) -> None: ...

    def __init__(  # noqa: PLR0913 - the public API is these names
        self,
        name: str,
        *,
        split: Callable[..., Any],
        execute: Callable[..., Any] | None = None,
        executor: str | None = None,
        aggregate: Callable[..., Any],
        expand: Callable[..., Any] | None = None,
        combine: Callable[..., Any] | None = None,
        name_of: Callable[..., str] | None = None,
        remind: Callable[..., Any] | None = None,
        receive: Callable[..., Any] | None = None,
        policy: Policy | None = None,
        notify: Receiver | Sequence[Receiver] = (),
        max_threads: int = 256,
    ) -> None:
        if bool(execute) == bool(executor):
            raise DefinitionError(
                f"{name} needs either execute or executor: pass exactly one of the two"
            )
        functions = {
            "split": split,
            "expand": expand,
            "execute": execute,
            "combine": combine,
            "aggregate": aggregate,
            "name_of": name_of,
            "remind": remind,
            "receive": receive,
        }
        policy = policy or Policy()
        definition = define(name, functions, policy, max_threads, executor)
        self.definition = (
            replace(definition, notify=_urls(notify)) if notify else definition
        )
        self.name = definition.name

    def __repr__(self) -> str:
        return f"FanOut({self.name!r})"

    async def call(
        self,
        ctx: Context,
        task: Task,
        *,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
    ) -> Result:
        """Run a task from a handler of your own.

        The call is durable: if the handler is executed again, it receives the result of
        the same run. Handler code must send the same bytes in each execution. So the
        task must not contain a `set`, which has no fixed order.

        Args:
            ctx: The context of the handler.
            task: The task of the run.
            idempotency_key: All calls with the same key have the result of the first
                one, also if the task is another one. Default: no key.
            labels: Keys and values by which `list` and `Client.recent` find the run.
                Default: no labels.

        Returns:
            The result of the run.

        Raises:
            restate.TerminalError: The run failed; or the task or the result does not
                fit its type.

        Examples:
            ```python
            counted = await lengths.call(ctx, essay, idempotency_key="monday")
            ```
        """
        definition = self.definition
        body = definition.task_json.serialize(task)
        answer = await ctx.generic_call(
            definition.name,
            HandlerName.RUN,
            body,
            idempotency_key=idempotency_key,
            headers=labels_headers(labels) or None,
        )
        return definition.result_json.deserialize(answer)

    @property
    def executes(self) -> ExecuteDefinition | None:
        """How the fan-out executes subtasks; None if an executor does."""
        return self.definition.execute

    @property
    def service(self) -> Service:
        """The Restate service of the fan-out alone."""
        return service(self.definition)

    @property
    def services(self) -> list[RestateService]:
        """The Restate services of the fan-out: its own, and those that it needs."""
        return services(self)


def services(
    *served: Served, progress_retention: timedelta = RETENTION
) -> list[RestateService]:
    """Return the Restate services of fan-outs and executors, for `restate.app`.

    If there is a `FanOut`, the virtual objects `FanOutProgress`, `FanOutRedrive` and
    `FanOutOutcomes` are among the services. If a subtask may wait, `FanOutAnswers` and
    `FanOutMailbox` are among them too. A `Webhook` needs `FanOutMailbox`. If a `FanOut`
    has `notify`, `FanOutNotify` is among them. It reads its settings from the
    environment, unless `served` has a `Notifications` of your own.

    Args:
        served: Fan-outs, executors, webhooks and other Restate services.
        progress_retention: How long `FanOutProgress` keeps a run after the run's last
            update. Default: one day.

    Raises:
        DefinitionError: Two services have the same name.
        SettingsError: `FanOutNotify` is needed, and one of its settings is invalid; or
            a setting is missing for a receiver.

    Examples:
        ```python
        app = restate.app(parallelizework.services(lengths, thumbnails))
        ```
    """
    all_services = [
        each if isinstance(each, RestateService) else each.service for each in served
    ]
    definitions = [each.definition for each in served if isinstance(each, FanOut)]
    notifies = any(each.name == NOTIFY for each in served)
    receivers = [url for each in definitions for url in each.notify]
    if receivers and not notifies:
        all_services.append(_notifications(receivers))
        notifies = True
    if definitions or notifies:
        all_services += [
            progress_object(progress_retention),
            redrive_object(),
            outcomes_object(),
        ]
    servable = [each for each in served if isinstance(each, Servable)]
    all_services += waiting_objects(
        (each.executes for each in servable if each.executes),
        delivers_events=any(each.delivers_events for each in servable),
    )
    names = Counter(each.name for each in all_services)
    if repeated := [name for name, count in names.items() if count > 1]:
        raise DefinitionError(
            f"several services are named {repeated[0]!r}: use a different name for each"
        )
    return all_services


def _urls(notify: Receiver | Sequence[Receiver]) -> tuple[str, ...]:
    from parallelizework.notifications.receivers import urls_of  # noqa: PLC0415 - the core does not depend on this room

    return urls_of(notify)


def _notifications(receivers: list[str]) -> Service:
    from parallelizework.notifications.service import Notifications  # noqa: PLC0415 - as above

    return Notifications.able_to_notify(receivers)
