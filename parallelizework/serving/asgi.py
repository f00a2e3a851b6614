"""The composition root: `app` is the ASGI application that serves the fan-outs."""

from collections import Counter
from datetime import timedelta

import restate
from restate.aws_lambda import is_running_on_lambda

from parallelizework.errors import StartError, TargetError
from parallelizework.executor import Executor
from parallelizework.fan_out import FanOut, services
from parallelizework.ready_made.fan_out_worker import checklist
from parallelizework.ready_made.http.fan_out import http_fan_out
from parallelizework.serving.loader import Plain, load
from parallelizework.serving.protocol_guard import Gate
from parallelizework.serving.shutdown import leave_signals_to_the_server
from parallelizework.settings import HttpSettings, Settings


def served(settings: Settings) -> list[Plain]:
    """The services of what the settings name, or of all that is ready-made.

    Raises:
        TargetError: Something is not there, or two services have the same name.
    """
    ours = [checklist(max_pause=settings.max_pause), http_fan_out(HttpSettings())]
    ready_made = {fan_out.name: fan_out for fan_out in ours}
    targets = settings.fan_outs or ready_made
    named = dict.fromkeys(each for t in targets for each in load(t, ready_made))
    made: list[Plain] = [
        *services(
            *(each for each in named if isinstance(each, FanOut | Executor)),
            progress_retention=timedelta(seconds=settings.progress_retention),
        ),
        *(each for each in named if not isinstance(each, FanOut | Executor)),
    ]
    name, count = Counter(service.name for service in made).most_common(1)[0]
    if count > 1:
        raise TargetError(
            f"{count} of the services are named {name!r}: rename one, or serve it "
            "elsewhere"
        )
    return made


if is_running_on_lambda():
    raise StartError(
        "AWS Lambda calls a handler, and parallelizework.serving.asgi has none yet: "
        "name one of your own, handler = restate.app(FAN_OUT.services)"
    )
leave_signals_to_the_server()
settings = Settings()
app = Gate(restate.app(served(settings), identity_keys=list(settings.identity_keys)))
