"""Durable fan-out/fan-in for Python on Restate."""

from importlib import import_module
from typing import TYPE_CHECKING

from parallelizework.errors import extras_named

if TYPE_CHECKING:
    from parallelizework.attempts.attempt import Postponed
    from parallelizework.errors import ParallelizeworkError
    from parallelizework.executor import Executor
    from parallelizework.fan_out import FanOut, services
    from parallelizework.outcomes import (
        Attempt,
        CompletionReason,
        Done,
        Event,
        Failure,
        Reminder,
        Waiting,
    )
    from parallelizework.policy import Policy
    from parallelizework.serving.app import app

__all__ = [
    "Attempt",
    "CompletionReason",
    "Done",
    "Event",
    "Executor",
    "Failure",
    "FanOut",
    "ParallelizeworkError",
    "Policy",
    "Postponed",
    "Reminder",
    "Waiting",
    "app",
    "services",
]

_MODULES = {
    "Postponed": "attempts.attempt",
    "ParallelizeworkError": "errors",
    "Executor": "executor",
    "FanOut": "fan_out",
    "services": "fan_out",
    "app": "serving.app",
    "Policy": "policy",
}  # the other names are in `outcomes`

if not TYPE_CHECKING:  # with `__getattr__`, type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import a public name at its first use: so `client` does not need restate."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with extras_named():
            module = import_module(f"{__name__}.{_MODULES.get(name, 'outcomes')}")
        globals()[name] = getattr(module, name)
        return globals()[name]

    def __dir__() -> list[str]:
        return __all__
