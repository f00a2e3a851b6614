"""The command line: each command parses, calls one function and prints."""

from parallelizework.cli import answering, redriving, running, runs, serving
from parallelizework.cli.app import cli, main
from parallelizework.cli.schedules import commands

__all__ = [
    "answering",
    "commands",
    "main",
    "redriving",
    "running",
    "runs",
    "serving",
]

_ORDER = (
    "watch result list failures waiting answer redrive settle cancel pause resume "
    "dev serve server register doctor"
)

for _index, _name in enumerate(_ORDER.split()):  # the order in the help
    cli[_name].sort_key = _index
