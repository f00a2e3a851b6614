"""`cli`: the groups of commands, their shared options, and how errors are printed."""

import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated, Any, cast

from cyclopts import App, CycloptsError, Group, Parameter, Token, convert
from pydantic import JsonValue

from parallelizework.cli.printing.output import note
from parallelizework.cli.task import UsageError
from parallelizework.client import Client
from parallelizework.errors import (
    NotRedrivable,
    ParallelizeworkError,
    RunFailed,
    RunNotFinished,
    UnfitData,
)

_HELP = """Durable fan-out/fan-in for Python on Restate.

Start a server and a worker with `parallelizework dev`. In another terminal, run
`parallelizework run FanOutWorker '{"description": "make coffee,shower"}'`.
"""
_EPILOGUE = """Results are printed to stdout, all other texts to stderr. Exit codes: 0
success; 1 the run failed, or the command failed; 2 the command line is wrong, or there
is nothing to redrive; 130 the command was ended by Ctrl-C.
"""

_USAGE = 2  # the exit code of a usage error
_USAGE_ERRORS = (UsageError, UnfitData, NotRedrivable)

RUN = Group("Run a fan-out", sort_key=1)
FOLLOW = Group("Follow and control runs", sort_key=2)
SCHEDULE = Group("Start runs at times", sort_key=3)
SERVE = Group("Serve fan-outs", sort_key=4)
OTHER = Group("Other", sort_key=5)

cli = App(
    name="parallelizework",
    help=_HELP,
    help_epilogue=_EPILOGUE,
    help_format="markdown",
    help_on_error=False,
    version=version("parallelizework"),
    suppress_keyboard_interrupt=False,
)
cli["--help"].group = OTHER
cli["--version"].group = OTHER
cli.register_install_completion_command(  # pyright: ignore[reportUnknownMemberType] - its **kwargs
    group=OTHER, help="Install tab completion for your shell."
)


def _duration(_type: Any, tokens: Sequence[Token]) -> timedelta:
    """A duration such as 30s or 5m; a number without a unit is in seconds."""
    text = tokens[0].value
    has_unit = text[-1:].isalpha()
    try:
        return cast(timedelta, convert(timedelta, [text if has_unit else f"{text}s"]))
    except (CycloptsError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is not a duration, such as 30s, 5m or 1h30m"
        ) from error


Duration = Annotated[timedelta, Parameter(converter=_duration)]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Json = Annotated[Flag, Parameter(name="--json")]
Label = Annotated[
    list[str] | None,
    Parameter(name="--label", negative="", allow_leading_hyphen=True),
]

Urls = Annotated[list[str] | None, Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """The URLs of the restate-server."""

    ingress: Annotated[str | None, Parameter(group="Server")] = None
    """The URL of the server's ingress. By default, PARALLELIZEWORK_INGRESS_URL or
    http://localhost:8080."""

    admin: Annotated[str | None, Parameter(group="Server")] = None
    """The URL of the server's admin API. By default, PARALLELIZEWORK_ADMIN_URL or
    http://localhost:9070."""

    def client(self) -> Client:
        """A client for the server."""
        return Client(self.ingress, self.admin)


HERE = Where()


def main() -> None:
    """Run the command line; an error is printed as one line, without a traceback."""
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # JSON is UTF-8, on any terminal
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        sys.exit(_code())
    except BrokenPipeError:  # `| head` has ended
        _drop_output()
    except OSError as error:
        _drop_output()
        note(_line(str(error)))
        sys.exit(1)


def _code() -> int:
    """Run the command, flush its output and return its exit code."""
    try:
        cli(exit_on_error=False, print_error=False)
    except CycloptsError as error:
        message = " ".join(str(error).split())
        return _failed(message, {"error": message}, _USAGE)
    except ParallelizeworkError as error:
        code = _USAGE if isinstance(error, _USAGE_ERRORS) else 1
        code = _failed(str(error), _as_json(error), code)
        _note_next(error)
        return code
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:
        sys.stdout.flush()
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    sys.stdout.flush()
    return 0


def _failed(text: str, as_json: dict[str, JsonValue], code: int) -> int:
    if "--json" in sys.argv[1:]:
        print(json.dumps(as_json), flush=True)
    note(_line(text))
    return code


def _note_next(error: ParallelizeworkError) -> None:
    """Print what to do next after a run that has failed."""
    if isinstance(error, RunFailed) and error.reason and not error.cancelled:
        note(f"`parallelizework redrive {error.run}` executes what has no value")


def _as_json(error: ParallelizeworkError) -> dict[str, JsonValue]:
    match error:
        case RunFailed():
            return {
                "run": error.run,
                "state": "cancelled" if error.cancelled else "failed",
                "status": error.status,
                "error": error.message,
                "reason": error.reason,
            }
        case RunNotFinished():
            return {"run": error.run, "state": "running", "error": str(error)}
        case _:
            return {"error": str(error)}


def _drop_output() -> None:
    """Discard the interpreter's last flush of stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(message: Warning | str, *_: object) -> None:
    note(_line(str(message)))


def _line(text: str) -> str:
    return f"parallelizework: {text}"
