"""The composition root: `app` is the ASGI application that serves the fan-outs."""

from collections.abc import Sequence
from datetime import timedelta

import restate

from parallelizework.fan_out import services
from parallelizework.gate import Gate
from parallelizework.settings import HttpSettings, Settings
from parallelizework.target import Served, load
from parallelizework.workers.checklist import checklist
from parallelizework.workers.http import http_fan_out


def served(settings: Settings) -> Sequence[Served]:
    """What the settings name, or all the ready-made ones."""
    ours = [checklist(max_pause=settings.max_pause), http_fan_out(HttpSettings())]
    ready_made = {fan_out.name: fan_out for fan_out in ours}
    targets = settings.fan_outs or ready_made
    return [ready_made.get(target) or load(target) for target in targets]


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
