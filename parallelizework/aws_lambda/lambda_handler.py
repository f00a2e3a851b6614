"""`handler`: the Lambda handler for fan-outs, executors and Restate services."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from datetime import timedelta
from typing import Any, Protocol, cast

import restate
import restate.server
from restate.aws_lambda import (
    ResponseCollector,
    create_scope,
    is_running_on_lambda,
    request_to_receive,
)

from parallelizework.attempts.time_left import limit_time
from parallelizework.aws_lambda import observability
from parallelizework.aws_lambda.answers import Response, failed, refused_event
from parallelizework.aws_lambda.blocked_loop import interrupting
from parallelizework.aws_lambda.event import Event, header, name_of
from parallelizework.aws_lambda.event_loop import EventLoop
from parallelizework.aws_lambda.payload import (
    MAX_MESSAGE,
    checked_response,
    refused_request,
)
from parallelizework.aws_lambda.throttling import retry_soon
from parallelizework.errors import StartError
from parallelizework.fan_out import services
from parallelizework.progress.update_limit import limit_updates
from parallelizework.progress.virtual_object import RETENTION
from parallelizework.serde.message_limit import limit_messages
from parallelizework.served import Served
from parallelizework.serving.protocol_guard import App, ProtocolGuard
from parallelizework.serving.shutdown import leave_signals_to_the_server

# The time for the answer after the last attempt has ended, in seconds: a part of the
# time that the function has left, within bounds.
_PART_FOR_THE_ANSWER = 0.1
_LEAST_FOR_THE_ANSWER, _MOST_FOR_THE_ANSWER = 0.2, 5.0
_UPDATES = 10  # of the progress of a run: each may be one more invocation
_FAILED = 500  # the status of an error that is not an `Exception`
_REASON = "AWS Lambda would stop the function"


class LambdaContext(Protocol):
    """The context of an invocation of a Lambda function."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until AWS Lambda stops the function, in milliseconds."""
        ...


LambdaHandler = Callable[[Any, LambdaContext], Response]  # any event of AWS


def handler(
    *served: Served,
    identity_keys: Sequence[str] = (),
    progress_retention: timedelta = RETENTION,
) -> LambdaHandler:
    """Return a Lambda handler for fan-outs, executors and Restate services.

    Register the ARN of a published version of the function at the restate-server. The
    server then invokes the function; the function needs no URL and no trigger.

    An attempt ends before AWS Lambda stops the function: as an attempt that took too
    long, like at the `attempt_timeout` of the policy. A value or a message that is too
    large for AWS Lambda is an error of the subtask or of the run.

    `PARALLELIZEWORK_LOG_FORMAT` and `OTEL_EXPORTER_OTLP_ENDPOINT` have the same effect
    as for a worker.

    Args:
        served: The fan-outs, executors and Restate services to serve.
        identity_keys: The public keys (`publickeyv1_...`) of the restate-servers that
            may invoke the function. By default, everyone whom IAM allows to invoke the
            function may do so.
        progress_retention: How long `FanOutProgress` keeps a run after the run's last
            update; by default, one day.

    Returns:
        The Lambda handler: a function of an event and a context. It returns the
        response as a dict with `statusCode`, `headers`, `isBase64Encoded` and `body`.

    Raises:
        DefinitionError: Two services have the same name.
        SettingsError: A setting is invalid, or a fan-out has `notify` and one of its
            settings is missing.
        StartError: There is nothing to serve; or the environment asks for traces, and
            the extra `telemetry` is not installed.

    Examples:
        >>> handler = parallelizework.aws_lambda.handler(thumbnails)
    """
    if not served:
        raise StartError("there is nothing to serve: pass fan-outs to `handler`")
    leave_signals_to_the_server()  # AWS Lambda ends a process by SIGTERM
    made = services(*served, progress_retention=progress_retention)
    if is_running_on_lambda():  # and not on the machine of a developer
        limit_messages(MAX_MESSAGE, "an invocation on AWS Lambda")
        limit_updates(_UPDATES)
        retry_soon(made)
        observability.start()
    spans = observability.SpanSender()
    invoke = _Invoker(ProtocolGuard(_asgi_app(made, identity_keys)))

    def handle(event: Event, context: LambdaContext) -> Response:
        if refused := refused_event(event):
            return refused
        response = refused_request(event) or invoke(event, _seconds_left(context))
        spans.send(_seconds_left(context))
        return checked_response(event, response)

    return handle


def _seconds_left(context: LambdaContext) -> float:
    return context.get_remaining_time_in_millis() / 1000


class _Invoker:
    """Executes one invocation after another.

    Args:
        app: The ASGI application.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._loop = EventLoop()

    def __call__(self, event: Event, left: float) -> Response:
        """Return the response to a request.

        Nobody interrupts a function on AWS Lambda. So a KeyboardInterrupt is an error
        of the function, and it must not end the process.

        Args:
            event: The request.
            left: The time that the function has left, in seconds.
        """
        for_the_answer = _for_the_answer(left)
        # A context of its own: the limit of one invocation must not reach the next one.
        isolated = copy_context()
        grace = for_the_answer / 2
        isolated.run(limit_time, left - for_the_answer, _REASON, grace=grace)
        try:
            with interrupting(left - grace):
                return isolated.run(self._answer, event)
        except (KeyboardInterrupt, SystemExit) as error:
            return failed(event, _FAILED, f"{name_of(event)} raised {error!r}")

    def _answer(self, event: Event) -> Response:
        request = cast("Any", event)
        send = ResponseCollector(header(event, "accept-encoding"))
        scope, receive = create_scope(request), request_to_receive(request)
        self._loop.run(_called(self._app, scope, receive, send))
        return cast("Response", send.to_lambda_response())


async def _called(app: App, scope: Any, receive: Any, send: Any) -> None:
    await app(scope, receive, send)


def _for_the_answer(left: float) -> float:
    part = left * _PART_FOR_THE_ANSWER
    return min(max(part, _LEAST_FOR_THE_ANSWER), _MOST_FOR_THE_ANSWER)


def _asgi_app(made: Sequence[Any], identity_keys: Sequence[str]) -> App:
    """Return the SDK's ASGI application, also on AWS Lambda.

    There, the SDK (1.3) returns a Lambda handler instead, and `ProtocolGuard` could not
    wrap the application.
    """
    server: Any = restate.server
    is_on_lambda = server.is_running_on_lambda
    server.is_running_on_lambda = lambda: False
    try:
        app = restate.app(made, "request_response", list(identity_keys))
    finally:
        server.is_running_on_lambda = is_on_lambda
    return cast("App", app)
