"""`Page`: a page of the documentation, parsed into the steps of its session."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"( *)(`{3,})(\w*)")
_MARK = re.compile(r"<!-- (fragment|exit|server)(?: (\d+))? -->")
_FILE_NAME = re.compile(r"# ([\w./-]+\.\w+)")
_FILES = {"python", "yaml", "toml", "ini", "text"}
_DIAGRAMS = {"mermaid"}


class PageError(Exception):
    """A block that follows no convention. The message has the page and the line."""


@dataclass(frozen=True)
class File:
    """A file that the reader creates."""

    line: int
    name: str
    text: str


@dataclass(frozen=True)
class Program:
    """A Python program that the reader runs, and its output if the page shows it."""

    line: int
    text: str
    output: str | None = None


@dataclass(frozen=True)
class Command:
    """A command that the reader runs, and its output if the page shows it.

    Attributes:
        code: The expected exit code.
        port: The port of a server, if a mark of the page names the port.
    """

    line: int
    text: str
    output: str | None = None
    code: int = 0
    port: int | None = None


@dataclass(frozen=True)
class Fragment:
    """A block that is not run: code of another system, a signature, or JSON."""

    line: int
    language: str
    text: str


Step = File | Program | Command | Fragment


@dataclass(frozen=True)
class _Block:
    line: int
    language: str
    text: str
    marks: dict[str, int]


@dataclass(frozen=True)
class Page:
    """A page: its name without a suffix, such as `how-to/serve`, and its text."""

    name: str
    text: str

    def steps(self) -> list[Step]:
        """Return the steps of the reader in their order.

        Raises:
            PageError: A block follows no convention.
        """
        steps: list[Step] = []
        for block in _blocks(self.text):
            last = steps[-1] if steps else None
            if _is_output(block, last):
                assert isinstance(last, Program)
                steps[-1] = Program(last.line, last.text, block.text)
            else:
                steps += self._steps(block)
        return steps

    def _steps(self, block: _Block) -> list[Step]:
        line, text, name = block.line, block.text, _FILE_NAME.match(block.text)
        match block.language:
            case language if "fragment" in block.marks or language in _DIAGRAMS:
                return [Fragment(line, language, text)]
            case language if name and language in _FILES:
                return [File(line, name[1], text)]
            case "python":
                return [Program(line, text)]
            case "console":
                return list(self._commands(block))
            case "json":
                return [Fragment(line, "json", text)]
            case language:
                raise PageError(
                    f"{self.name}.md:{line}: a {language or 'plain'} block that is "
                    "neither run nor compared: name its file in a first line "
                    "`# NAME.EXT`, or put `<!-- fragment -->` directly before it"
                )

    def _commands(self, block: _Block) -> Iterator[Command]:
        """Yield the commands of a console block; its marks are for the last command."""
        lines = block.text.splitlines()
        starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
        if not starts or starts[0] != 0:
            raise PageError(
                f"{self.name}.md:{block.line}: a console block begins with $"
            )
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            first, *rest = lines[start:end]
            more = list(takewhile(lambda line: line.startswith("> "), rest))
            shown = "\n".join(rest[len(more) :]).rstrip()
            is_last = start == starts[-1]
            yield Command(
                block.line + 1 + start,
                "\n".join(line[2:] for line in [first, *more]),
                f"{shown}\n" if shown else None,
                block.marks.get("exit", 0) if is_last else 0,
                block.marks.get("server") if is_last else None,
            )


def pages(root: Path) -> list[Page]:
    """Return the pages of a repository: the README and all pages of `docs/`."""
    found = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return [
        Page(_name(path.relative_to(root)), path.read_text())
        for path in found
        if path.exists()
    ]


def _name(path: Path) -> str:
    return path.with_suffix("").as_posix().removeprefix("docs/")


def _is_output(block: _Block, last: Step | None) -> bool:
    """Whether a block shows the output of the program before it."""
    is_plain = block.language == "text" and not block.marks
    is_first = isinstance(last, Program) and last.output is None
    return is_plain and is_first and not _FILE_NAME.match(block.text)


def _blocks(text: str) -> Iterator[_Block]:
    """Yield the fenced blocks with the marks on the lines directly before them."""
    lines = text.splitlines()
    marks: dict[str, int] = {}
    end = -1
    for index, line in enumerate(lines):
        if index <= end:
            continue
        if mark := _MARK.fullmatch(line.strip()):
            marks[mark[1]] = int(mark[2] or 0)
        elif fence := _FENCE.match(line):
            close = f"{fence[1]}{fence[2]}"
            end = next(
                (i for i in range(index + 1, len(lines)) if lines[i].rstrip() == close),
                len(lines),
            )
            inner = [each.removeprefix(fence[1]) for each in lines[index + 1 : end]]
            body = "".join(f"{each}\n" for each in inner)
            yield _Block(index + 1, fence[3], body, marks)
            marks = {}
        else:
            marks = {}
