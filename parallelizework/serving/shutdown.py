"""SIGTERM belongs to the ASGI server; the SDK's app is notified of the end from here.

The app of restate-sdk 1.3.0 takes SIGTERM for itself at its first request, and so takes
it away from uvicorn, granian and any other server, which then never ends
(https://github.com/restatedev/sdk-python/pull/226). Here its hooks are kept instead,
and called when the server shuts down.
"""

import asyncio
import signal
from collections.abc import Callable

import restate.server

_hooks: list[Callable[[], None]] = []


def leave_signals_to_the_server() -> None:
    """Have the SDK's apps of this process install no signal handler."""
    restate.server.install_shutdown_hook = _keep


def notify() -> None:
    """Have the SDK's apps no longer wait for the other side to close its streams."""
    for hook in _hooks:
        hook()


def _keep(
    loop: asyncio.AbstractEventLoop,
    hook: Callable[[], None],
    signum: int = signal.SIGTERM,
) -> None:
    _hooks.append(hook)
