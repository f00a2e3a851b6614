"""The commands, from their `--help`."""

import re
from collections.abc import Iterator

from cyclopts import App

from parallelizework.cli.app import FOLLOW, RUN, SCHEDULE, SERVE, cli

# A section of the help of a command: its title and its list.
_SECTION = re.compile(r"\*\*(.+?)\*\*:\n\n((?:\* .*\n(?: +.*\n)*)+)")
_USAGE = re.compile(r"```console\n.*?(\[OPTIONS\].*?)\n```")
_SERVER = "Server"


def commands() -> Iterator[str]:
    """Lines: a section for each command, in the order and the groups of the help."""
    for group in (RUN, FOLLOW, SCHEDULE, SERVE):
        yield f"## {group.name}\n"
        for name in _names(group.name):
            yield from _sections(name, cli[name])


def server_options() -> Iterator[str]:
    """Lines: the options for the URLs of the server."""
    sections = dict(_SECTION.findall(_help(cli["list"])))
    yield _list(sections[_SERVER])


def _names(group: str) -> list[str]:
    named = [(name, cli[name]) for name in cli if not name.startswith("-")]
    ordered = sorted(named, key=lambda each: _position(each[1]))
    return [name for name, command in ordered if _group(command) == group]


def _sections(name: str, command: App) -> Iterator[str]:
    """The section of a command, or the sections of its commands."""
    inner = sorted(each for each in command if not each.startswith("-"))
    for each in inner:
        yield _section(f"{name} {each}", command[each])
    if not inner:
        yield _section(name, command)


def _position(command: App) -> int:
    return command.sort_key if isinstance(command.sort_key, int) else -1


def _group(command: App) -> str:
    """The name of the only group of a command."""
    groups = command.group if isinstance(command.group, tuple) else (command.group,)
    return str(getattr(groups[0], "name", groups[0]))


def _help(command: App) -> str:
    text = command.generate_docs(output_format="markdown", heading_level=3)
    return f"{text}\n"


def _section(name: str, command: App) -> str:
    text = _help(command)
    usage = _USAGE.search(text)
    assert usage
    program = f"parallelizework {name} {usage[1]}".rstrip()
    about = text[usage.end() :].partition("\n**")[0].strip()
    sections = dict(_SECTION.findall(text))
    lines = [f"### {name}\n", f"Usage: `{program}`\n", f"{about}\n"]
    for title, options in sections.items():
        if title != _SERVER:
            lines += [f"{title}:\n", _list(options)]
    if _SERVER in sections:
        lines.append("Also: the [server options](#server-options).\n")
    return "\n".join(lines)


def _list(options: str) -> str:
    """A list with one line for each option."""
    joined = re.sub(r"\n +", " ", options.strip()).replace("TIMEDELTA", "DURATION")
    return re.sub(r"^\*", "-", joined, flags=re.MULTILINE) + "\n"
