"""`app`: the ASGI application for fan-outs, executors and Restate services."""

from collections.abc import Sequence
from datetime import timedelta

import restate
from restate.aws_lambda import is_running_on_lambda

from parallelizework.errors import StartError
from parallelizework.fan_out import services
from parallelizework.progress.virtual_object import RETENTION
from parallelizework.served import Served
from parallelizework.serving.protocol_guard import ProtocolGuard
from parallelizework.serving.shutdown import leave_signals_to_the_server
from parallelizework.settings import Settings


def app(
    *served: Served,
    identity_keys: Sequence[str] = (),
    progress_retention: timedelta = RETENTION,
) -> ProtocolGuard:
    """The ASGI application that serves these, for any ASGI server with HTTP/2.

    It refuses what no restate-server would send, and answers the server's lifespan
    events. `FanOutProgress` is served too where there is a `FanOut`. Nothing is read
    from the environment.

    Args:
        served: Fan-outs, executors and Restate services.
        identity_keys: Public keys (`publickeyv1_...`) of the restate-servers that may
            call the worker; without any, whoever reaches it.
        progress_retention: How long `FanOutProgress` remembers a run after its last
            update.

    Raises:
        DefinitionError: Two services have the same name.
        StartError: The process runs on AWS Lambda, which calls no ASGI application.
    """
    if is_running_on_lambda():
        raise StartError(
            "AWS Lambda calls a handler, and no ASGI application: name one of your "
            "own, handler = restate.app(FAN_OUT.services)"
        )
    leave_signals_to_the_server()
    made = services(*served, progress_retention=progress_retention)
    return ProtocolGuard(restate.app(made, identity_keys=list(identity_keys)))


def load_app(settings: Settings) -> ProtocolGuard:
    """The application for what the settings name.

    Raises:
        TargetError: Something is not there.
        DefinitionError, StartError: As by `app`.
    """
    from parallelizework.serving.loader import load_all  # noqa: PLC0415 - `app` does without the ready-made fan-outs

    return app(
        *load_all(settings),
        identity_keys=settings.identity_keys,
        progress_retention=timedelta(seconds=settings.progress_retention),
    )
