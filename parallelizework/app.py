"""The composition root: `app` is the ASGI application that serves the fan-outs."""

from collections.abc import Sequence
from datetime import timedelta

import restate
from restate.aws_lambda import is_running_on_lambda

from parallelizework.errors import StartError
from parallelizework.fan_out import services
from parallelizework.gate import Gate
from parallelizework.settings import HttpSettings, Settings
from parallelizework.shutdown import leave_signals_to_the_server
from parallelizework.target import Served, load
from parallelizework.workers.checklist import checklist
from parallelizework.workers.http import http_fan_out


def served(settings: Settings) -> Sequence[Served]:
    """What the settings name, or all the ready-made ones."""
    ours = [checklist(max_pause=settings.max_pause), http_fan_out(HttpSettings())]
    ready_made = {fan_out.name: fan_out for fan_out in ours}
    targets = settings.fan_outs or ready_made
    return [ready_made.get(target) or load(target) for target in targets]


if is_running_on_lambda():
    raise StartError(
        "AWS Lambda calls a handler, and parallelizework.app has none yet: name one of "
        "your own, handler = restate.app(FAN_OUT.services)"
    )
leave_signals_to_the_server()
settings = Settings()
app = Gate(
    restate.app(
        services(
            *served(settings),
            progress_retention=timedelta(seconds=settings.progress_retention),
        ),
        identity_keys=list(settings.identity_keys),
    )
)
