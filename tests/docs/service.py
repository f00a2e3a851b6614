"""`Service`: a command that runs until the end of its page."""

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpx

from .page import Command, File
from .ports import ADMIN, INGRESS, WORKER, PagePorts

_COMMAND = re.compile(
    r"(?:\w+=(?:'[^']*'|\"[^\"]*\"|\S*) )*"
    r"(?P<program>parallelizework (?:dev|serve|server)\b|python3? -m http\.server\b"
    r"|(?:python3? -m )?(?:hypercorn|uvicorn|granian)\b"
    r"|python3? (?P<file>[\w./-]+\.py))"
)
_STARTED = (
    "Ctrl-C stops"  # in the last line that `dev` and `server` print at their start
)
_FOREVER = "serve_forever"
_HTTP_SECONDS = 5.0


@dataclass(frozen=True)
class Service:
    """A command that runs until the end of its page.

    Attributes:
        text: The command with the ports of the page, and without `&`.
        is_ready: Whether the command serves; the argument is its output.
    """

    command: Command
    text: str
    is_ready: Callable[[str], bool]


def service(
    command: Command, files: Iterable[File], ports: PagePorts
) -> Service | None:
    """Return the service that a command starts; None for a command that ends.

    Args:
        files: The files of the page. A program in a file is a service if its text
            contains `serve_forever`.
    """
    text = ports.replaced(command.text).removesuffix("&").rstrip()
    found = _COMMAND.match(text)
    program = found["program"] if found else ""
    own = next((f.text for f in files if found and f.name == found["file"]), "")
    started = own if _FOREVER in own else text
    port = ports.named_in(ports.replaced(started))
    if command.port:
        port = ports.free.get(command.port, command.port)
    elif not found or "--help" in text or (found["file"] and started is text):
        return None
    if program.endswith((" dev", " server")):
        return Service(command, text + _options(program, text, ports), _has_started)
    if program.endswith(" serve"):
        if port is None:
            port = ports.free[WORKER]
            text = f"{text} --bind 127.0.0.1:{port}"
        return Service(command, text, lambda _: _is_healthy(port))
    assert port, f"{command.text}: which port? `<!-- server 8000 -->` before the block"
    return Service(command, text, lambda _: _listens(port))


def _options(program: str, text: str, ports: PagePorts) -> str:
    options = {"ingress": INGRESS, "admin": ADMIN, "worker": WORKER}
    if program.endswith("server"):
        del options["worker"]
    missing = {k: v for k, v in options.items() if f"--{k}-port" not in text}
    return "".join(f" --{k}-port {ports.free[v]}" for k, v in missing.items())


def _has_started(output: str) -> bool:
    return _STARTED in output


def _is_healthy(port: int) -> bool:
    try:
        url = f"http://127.0.0.1:{port}/health"
        return httpx.get(url, timeout=_HTTP_SECONDS).is_success
    except httpx.HTTPError:
        return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
