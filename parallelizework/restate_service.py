"""The Restate service of a fan-out: its handlers, and how the server treats them."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from restate import Context, InvocationRetryPolicy, Service, TerminalError
from restate.handler import TypeHint, handler_from_callable
from restate.serde import BytesSerde

from parallelizework.attempts.durable import await_resume
from parallelizework.coordination.handlers import Handlers
from parallelizework.definition.definition import Definition
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.execution.batch import BatchHandler
from parallelizework.execution.handler_code import HandlerCodeHandler
from parallelizework.execution.subtask import SubtaskHandler
from parallelizework.messages import HandlerName
from parallelizework.restate_sdk import CONTINUED, RETRIED_WITHOUT_END
from parallelizework.serde.validated_json import Json

_logger = logging.getLogger(__name__)

_Handler = Callable[[Context, bytes], Awaitable[bytes]]

# A waiting invocation holds one of the 1,000 that a server runs at once in a partition,
# and a coordinator's own subtasks may need that invoker slot: the coordinator releases
# it this soon. A step that takes longer continues; it costs one more call at its end.
_INACTIVITY = timedelta(seconds=1)
# To resume it, the server sends its journal again. With combine the journal may hold
# large values, and others arrive all the time: then it is better to stay.
_COMBINING = timedelta(seconds=10)
# But from then on the server sends nothing more to the worker, not even that somebody
# has cancelled the invocation: so a handler keeps listening while it executes subtasks.
_LISTENING: dict[str, Any] = {"inactivity_timeout": timedelta(days=1)}
# How long after that a step may take before the server aborts and repeats it. A worker
# that is gone is noticed by its connection, so this need not be short.
_ABORT = timedelta(days=1)
# Inner journals serve nobody any more once their answers are delivered.
_RETENTION = timedelta(0)

# A coordinator waits for its worker as long as its run may live: it has nothing that
# could be repaired.
_COORDINATES: dict[str, Any] = {"invocation_retry_policy": RETRIED_WITHOUT_END}
# A subtask waits for a day; one that kills its worker each time is paused then. What
# its function fails is counted by our own attempts.
_SUBTASKS = InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    exponentiation_factor=2.0,
    max_interval=timedelta(minutes=1),
    max_attempts=1_450,
    on_max_attempts="pause",
)
# One attempt, then Restate pauses it; it is listening, so it is not suspended before.
_PAUSING = InvocationRetryPolicy(max_attempts=1, on_max_attempts="pause")


def service(definition: Definition) -> Service:
    """The Restate service that serves `definition`."""
    this, handlers = definition, Handlers(definition)
    made = Service(
        this.name,
        description=f"Fan-out {this.name}",
        inactivity_timeout=_COMBINING if this.combine else _INACTIVITY,
        abort_timeout=_ABORT,
    )
    run = (this.task_json, this.result_json)
    _add(made, HandlerName.RUN, handlers.run, run, _COORDINATES)
    if this.execute:
        _add_execution(made, this.execute, BatchHandler(this.execute, this))
    _add_pause(made)
    inner, called = (handlers.slice_json, handlers.outcomes_json), _INNER | _COORDINATES
    _add(made, HandlerName.RUN_SEGMENT, handlers.run_segment, inner, called)
    if this.expand:
        _add(made, HandlerName.RUN_SHARD, handlers.run_shard, inner, called)
        _add(made, HandlerName.RUN_SHARDS, handlers.run_shards, inner, called)
    return made


def executing_service(definition: ExecuteDefinition) -> Service:
    """The Restate service that executes subtasks for the fan-outs of other services."""
    made = Service(
        definition.name,
        description=f"Executor {definition.name}",
        inactivity_timeout=_INACTIVITY,
        abort_timeout=_ABORT,
    )
    _add_execution(made, definition, BatchHandler(definition))
    _add_pause(made)
    return made


def _add_execution(made: Service, this: ExecuteDefinition, batch: BatchHandler) -> None:
    is_code = this.function.takes_context
    single = HandlerCodeHandler(this) if is_code else SubtaskHandler(this)
    listening = {} if is_code else _LISTENING
    options = {"journal_retention": _RETENTION, **listening, **_retry(this)}
    subtask = (this.subtask_json, this.value_json)
    _add(made, HandlerName.RUN_SUBTASK, single.run_subtask, subtask, options)
    # Handler code refuses batches. Without the handler, Restate would retry for ever
    # what a fan-out with batches sends to an executor of handler code.
    types, options = (batch.slice_json, batch.outcomes_json), _INNER | listening
    _add(made, HandlerName.RUN_BATCH, batch.run_batch, types, options | _retry(this))


def _add_pause(made: Service) -> None:
    pause = Json[Any](Any, "a pause")
    retry = {"invocation_retry_policy": _PAUSING}
    _add(
        made,
        HandlerName.AWAIT_RESUME,
        await_resume,
        (pause, pause),
        _INNER | _LISTENING | retry,
    )


_INNER: dict[str, Any] = {"journal_retention": _RETENTION, "ingress_private": True}


def _retry(this: ExecuteDefinition) -> dict[str, Any]:
    """How Restate retries a subtask or a batch."""
    policy = this.policy
    if not this.function.takes_context or policy.on_exhausted == "fail":
        return {"invocation_retry_policy": _SUBTASKS}
    counting = InvocationRetryPolicy(
        initial_interval=policy.initial_retry_interval,
        max_interval=policy.max_retry_interval,
        exponentiation_factor=policy.retry_interval_factor,
        max_attempts=policy.max_attempts,
        on_max_attempts="pause",
    )
    return {"invocation_retry_policy": counting}


def _add(
    made: Service,
    name: HandlerName,
    function: _Handler,
    types: tuple[Json[Any], Json[Any]],
    options: dict[str, Any],
) -> None:
    """Add a handler that reads and writes JSON itself, so that bad input is a 400."""

    async def handler(ctx: Context, body: bytes) -> bytes:
        """End at once for a bug of ours, instead of being retried for ever."""
        try:
            return await function(ctx, body)
        except (TerminalError, *CONTINUED):
            raise
        except Exception as error:
            _logger.exception("handler failed: %s/%s", made.name, name)
            message = f"{made.name}/{name} failed unexpectedly: {error!r:.1000}"
            raise TerminalError(message, 500) from error

    handler.__doc__ = function.__doc__
    raw = BytesSerde()
    register = made.handler(name, input_serde=raw, output_serde=raw, **options)
    io = handler_from_callable(register(handler)).handler_io
    takes, gives = types
    io.input_type = TypeHint[Any](bytes, generate_json_schema=takes.schema)
    io.output_type = TypeHint[Any](bytes, generate_json_schema=gives.schema)
