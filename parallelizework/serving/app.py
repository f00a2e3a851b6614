"""`app`: the ASGI application for fan-outs, executors and Restate services."""

from collections.abc import Sequence
from datetime import timedelta

import restate
from restate.aws_lambda import is_running_on_lambda

from parallelizework.errors import StartError
from parallelizework.fan_out import services
from parallelizework.metrics import observe_metrics
from parallelizework.progress.virtual_object import RETENTION
from parallelizework.served import Served
from parallelizework.serving.protocol_guard import ProtocolGuard
from parallelizework.serving.shutdown import leave_signals_to_the_server
from parallelizework.settings import Settings, sends_traces
from parallelizework.tracing import start_tracing


def app(
    *served: Served,
    identity_keys: Sequence[str] = (),
    progress_retention: timedelta = RETENTION,
) -> ProtocolGuard:
    """Return the ASGI application of a worker, for any ASGI server with HTTP/2.

    With at least one `FanOut`, the application also serves `FanOutProgress`. It refuses
    requests that a restate-server does not send, and it answers the lifespan events of
    the ASGI server. It reads no environment variables, except those of `FanOutNotify`
    if a fan-out has `notify`.

    Args:
        served: The fan-outs, executors and Restate services to serve.
        identity_keys: The public keys (`publickeyv1_...`) of the restate-servers that
            may call the worker. By default, everyone who can reach the worker may call
            it.
        progress_retention: How long `FanOutProgress` keeps a run after the run's last
            update; by default, one day.

    Returns:
        The ASGI application.

    Raises:
        DefinitionError: Two services have the same name.
        SettingsError: A fan-out has `notify`, and a setting is invalid or missing.
        StartError: The process runs on AWS Lambda, which does not call ASGI
            applications.

    Examples:
        >>> app = parallelizework.app(thumbnails)  # hypercorn module:app
    """
    if is_running_on_lambda():
        raise StartError(
            "AWS Lambda calls a handler, not an ASGI application. Define the handler: "
            "handler = parallelizework.aws_lambda.handler(FAN_OUT)"
        )
    leave_signals_to_the_server()
    made = services(*served, progress_retention=progress_retention)
    return ProtocolGuard(restate.app(made, identity_keys=list(identity_keys)))


def load_app(settings: Settings, *, with_metrics: bool = False) -> ProtocolGuard:
    """The application for the targets in the settings.

    Args:
        settings: The targets, and the settings of `app`.
        with_metrics: Whether to count what this process executes.

    Raises:
        TargetError: A target names nothing that can be served.
        DefinitionError: Two services have the same name.
        StartError: The process runs on AWS Lambda; or the environment asks for traces,
            and the extra `telemetry` is not installed.
    """
    from parallelizework.serving.loader import load_all  # noqa: PLC0415 - `app` does not need the ready-made fan-outs

    served = tuple(load_all(settings))
    if with_metrics:
        observe_metrics(*served)
    loaded = app(
        *served,
        identity_keys=settings.identity_keys,
        progress_retention=timedelta(seconds=settings.progress_retention),
    )
    if sends_traces():  # last: a served module may have set a tracer provider
        start_tracing()
    return loaded
