"""Leaves SIGTERM to the ASGI server, and tells the SDK when the server shuts down.

The app of restate-sdk 1.3.0 installs its own handler of SIGTERM at its first request.
This replaces the handler of the ASGI server, which then never ends
(https://github.com/restatedev/sdk-python/pull/226). This module keeps the SDK's hooks
instead, and calls them when the server shuts down.
"""

import asyncio
import signal
from collections.abc import Callable

import restate.server

_hooks: list[Callable[[], None]] = []


def leave_signals_to_the_server() -> None:
    """Prevent the SDK's apps in this process from installing a signal handler."""
    restate.server.install_shutdown_hook = _keep


def notify() -> None:
    """Tell the SDK's apps not to wait until the restate-server closes its streams."""
    for hook in _hooks:
        hook()


def _keep(
    loop: asyncio.AbstractEventLoop,
    hook: Callable[[], None],
    signum: int = signal.SIGTERM,
) -> None:
    _hooks.append(hook)
