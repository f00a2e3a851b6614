"""`cli`: the commands' groups, the options they share, how errors are told."""

import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter
from rich.console import Console

from parallelizework.client import Client
from parallelizework.errors import ParallelizeworkError

_HELP = """Durable fan-out/fan-in for Python on Restate.

Start a server and a worker with `parallelizework dev`, then, in another terminal,
`parallelizework run FanOutWorker '{"description": "make coffee,shower"}'`.
"""
_EPILOGUE = """Results go to stdout, everything else to stderr. Exit codes: 0 done,
1 the run failed or something does not answer, 2 usage, 130 detached by Ctrl-C.
"""

RUN = Group("Run a fan-out", sort_key=1)
FOLLOW = Group("Follow and steer a run", sort_key=2)
SERVE = Group("Serve fan-outs", sort_key=3)
OTHER = Group("Other", sort_key=4)

cli = App(
    name="parallelizework",
    help=_HELP,
    help_epilogue=_EPILOGUE,
    help_format="markdown",
    help_on_error=False,
    version=version("parallelizework"),
    error_console=Console(stderr=True, soft_wrap=True),
    error_formatter=lambda error: _line(_said(error)),
    suppress_keyboard_interrupt=False,
)
cli["--help"].group = OTHER
cli["--version"].group = OTHER
cli.register_install_completion_command(  # pyright: ignore[reportUnknownMemberType] - its **kwargs
    group=OTHER, help="Install completion for the shell that this is."
)

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Json = Annotated[Flag, Parameter(name="--json")]


class UsageError(ParallelizeworkError):
    """The command was given what it cannot take; exit code 2."""


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Where the restate-server is."""

    ingress: Annotated[str | None, Parameter(group="Server")] = None
    """Where it takes requests; by default PARALLELIZEWORK_INGRESS_URL or
    http://localhost:8080."""

    admin: Annotated[str | None, Parameter(group="Server")] = None
    """Where it takes orders; by default PARALLELIZEWORK_ADMIN_URL or
    http://localhost:9070."""

    def client(self) -> Client:
        """A client of that server."""
        return Client(self.ingress, self.admin)


HERE = Where()


def note(text: str) -> None:
    """Say something that is no result."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Run the command line; an error with a remedy is one line and an exit code."""
    try:
        cli()
    except ParallelizeworkError as error:
        note(_line(str(error)))
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()


def _said(error: CycloptsError) -> str:
    return " ".join(str(error).split())


def _line(text: str) -> str:
    return f"parallelizework: {text}"
