"""The Restate service of a fan-out: its handlers, and the server's options for them."""

from datetime import timedelta
from typing import Any

from restate import InvocationRetryPolicy, Service

from parallelizework.attempts.retries import await_resume
from parallelizework.attempts.task_groups import fix_task_groups
from parallelizework.coordination.handlers import Handlers
from parallelizework.definition.definition import Definition
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.execution.batch_handler import BatchHandler
from parallelizework.execution.handler_code import HandlerCodeHandler
from parallelizework.execution.observed_handler import observed_handler
from parallelizework.execution.subtask import SubtaskHandler
from parallelizework.messages import HandlerName
from parallelizework.restate_sdk import RETRIED_FOR_A_DAY, RETRIED_WITHOUT_END
from parallelizework.serde.json_handler import add_json_handler
from parallelizework.serde.validated_json import Json
from parallelizework.waiting.wait import WaitHandler

# Inactivity timeouts. After this time without progress, the server asks the handler to
# suspend. A suspended invocation releases its invoker slot: a server has 1,000 of them
# in each partition.
# - A coordinator releases its slot soon, because its own subtasks may need the slot. A
#   step that takes longer continues; at its end it costs one more call of the handler.
_INACTIVITY = timedelta(seconds=1)
# - With `combine`, a coordinator stays longer. The server sends the journal again to
#   resume an invocation. This journal may hold large values, and values arrive often.
_COMBINING = timedelta(seconds=10)
# - A handler that executes plain functions is asked to suspend only after a day. After
#   such a request, the server sends nothing more to the worker: no cancellation either.
_LISTENING: dict[str, Any] = {"inactivity_timeout": timedelta(days=1)}
# How long a step may take after that before the server aborts the attempt and makes
# another one. The server notices a lost worker by its connection, so this can be long.
_ABORT = timedelta(days=1)
# Nobody needs the journal of an inner call once its answer is delivered.
_RETENTION = timedelta(0)

# A coordinator waits for a worker without end: pausing it would help nobody, because
# there is nothing to repair in it.
_COORDINATES: dict[str, Any] = {"invocation_retry_policy": RETRIED_WITHOUT_END}
# For `awaitResume`: Restate pauses the invocation after one failed attempt.
_PAUSING = InvocationRetryPolicy(max_attempts=1, on_max_attempts="pause")


def service(definition: Definition) -> Service:
    """Return the Restate service of a fan-out."""
    fix_task_groups()
    handlers = Handlers(definition)
    restate_service = Service(
        definition.name,
        description=f"Fan-out {definition.name}",
        inactivity_timeout=_COMBINING if definition.combine else _INACTIVITY,
        abort_timeout=_ABORT,
    )
    types = (definition.task_json, definition.result_json)
    add_json_handler(
        restate_service, HandlerName.RUN, handlers.run, types, **_COORDINATES
    )
    types = (handlers.redrive_json, definition.result_json)
    add_json_handler(
        restate_service, HandlerName.REDRIVE, handlers.redrive, types, **_COORDINATES
    )
    if execute := definition.execute:
        _add_execution(restate_service, execute, BatchHandler(execute, definition))
    _add_pause(restate_service)
    types = (handlers.slice_json, handlers.outcomes_json)
    options = _INNER | _COORDINATES
    add_json_handler(
        restate_service, HandlerName.RUN_SEGMENT, handlers.run_segment, types, **options
    )
    if definition.expand:
        add_json_handler(
            restate_service, HandlerName.RUN_SHARD, handlers.run_shard, types, **options
        )
        add_json_handler(
            restate_service,
            HandlerName.RUN_SHARDS,
            handlers.run_shards,
            types,
            **options,
        )
    return restate_service


def executing_service(definition: ExecuteDefinition) -> Service:
    """Return the Restate service of an executor."""
    fix_task_groups()
    restate_service = Service(
        definition.name,
        description=f"Executor {definition.name}",
        inactivity_timeout=_INACTIVITY,
        abort_timeout=_ABORT,
    )
    _add_execution(restate_service, definition, BatchHandler(definition))
    _add_pause(restate_service)
    return restate_service


def _add_execution(
    restate_service: Service, execute: ExecuteDefinition, batch: BatchHandler
) -> None:
    is_handler_code = execute.function.accepts_context
    single = HandlerCodeHandler(execute) if is_handler_code else SubtaskHandler(execute)
    listening = {} if is_handler_code else _LISTENING
    retry = _retry(execute)
    options = {"journal_retention": _RETENTION, **listening, **retry}
    types = (execute.subtask_json, execute.value_json)
    run_subtask = observed_handler(execute.name, single.run_subtask)
    add_json_handler(
        restate_service, HandlerName.RUN_SUBTASK, run_subtask, types, **options
    )
    # Handler code has this handler too, and refuses batches. If an executor of handler
    # code had no such handler, Restate would retry the call of a batch without end.
    types, options = (batch.slice_json, batch.outcomes_json), _INNER | listening | retry
    add_json_handler(
        restate_service, HandlerName.RUN_BATCH, batch.run_batch, types, **options
    )
    if execute.may_wait:
        _add_wait(restate_service, execute)


def _add_wait(restate_service: Service, execute: ExecuteDefinition) -> None:
    waits, options = WaitHandler(execute), _INNER | _COORDINATES
    types = (execute.subtask_json, execute.value_json)
    listens = options | _LISTENING  # an answer ends the wait while `remind` executes
    wait = observed_handler(execute.name, waits.await_answer, has_waited=True)
    add_json_handler(restate_service, HandlerName.AWAIT_ANSWER, wait, types, **listens)
    types = (waits.answer_json, execute.value_json)
    add_json_handler(
        restate_service, HandlerName.CHECK_ANSWER, waits.check_answer, types, **options
    )


def _add_pause(restate_service: Service) -> None:
    pause = Json[Any](Any, "a pause")
    options = _INNER | _LISTENING | {"invocation_retry_policy": _PAUSING}
    name, types = HandlerName.AWAIT_RESUME, (pause, pause)
    add_json_handler(restate_service, name, await_resume, types, **options)


_INNER: dict[str, Any] = {"journal_retention": _RETENTION, "ingress_private": True}


def _retry(execute: ExecuteDefinition) -> dict[str, Any]:
    """How Restate retries a subtask or a batch."""
    policy = execute.policy
    if not execute.function.accepts_context or policy.on_exhausted == "fail":
        return {"invocation_retry_policy": RETRIED_FOR_A_DAY}
    restate_counts = InvocationRetryPolicy(
        initial_interval=policy.initial_retry_interval,
        max_interval=policy.max_retry_interval,
        exponentiation_factor=policy.retry_interval_factor,
        max_attempts=policy.max_attempts,
        on_max_attempts="pause",
    )
    return {"invocation_retry_policy": restate_counts}
