"""Check the links in Markdown files. Each link is one subtask.

The report lists the broken links.

export PARALLELIZEWORK_HTTP_ALLOWED_HOSTS='*'
parallelizework dev examples/link_check.py:link_check
curl localhost:8080/LinkCheck/run --json '{"folder": "docs"}'
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urldefrag

import anyio
from pydantic import BaseModel
from restate import TerminalError

from parallelizework import Failure, FanOut, Policy
from parallelizework.ready_made.http import HttpClient, Options, Request
from parallelizework.settings import HttpSettings

CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|^\s*\[[^\]]+\]:\s+<?([^\s>]+)", re.MULTILINE)
FOLLOWING = Options(follow_redirects=True, max_concurrency_per_host=4)

client = HttpClient(HttpSettings())


class Folder(BaseModel):
    """The task: the folder of the Markdown files.

    `instead` maps the start of a URL to the text that replaces the start.
    """

    folder: Path
    glob: str = "**/*.md"
    instead: dict[str, str] = {}


class Link(BaseModel):
    """The target of a link, and the files that contain the link."""

    target: str
    files: list[Path]


class Broken(BaseModel):
    """A link whose target does not exist, and the reason."""

    target: str
    files: list[Path]
    reason: str


class Report(BaseModel):
    """The number of links, and the broken links."""

    links: int
    broken: list[Broken]


def links(task: Folder) -> list[Link]:
    """Return each link of all files once, without the links within a page."""
    if not task.folder.is_dir():
        raise TerminalError(f"{task.folder} is not a folder of the worker", 400)
    found: dict[str, list[Path]] = {}
    for file in sorted(task.folder.glob(task.glob)):
        for target in sorted(set(targets(file, task.instead))):
            found.setdefault(target, []).append(file)
    return [Link(target=target, files=files) for target, files in found.items()]


def targets(file: Path, instead: dict[str, str]) -> Iterator[str]:
    """Yield the target of each link in a file: a URL, or a path."""
    text = CODE.sub("", file.read_text(errors="replace"))
    for found in LINK.finditer(text):
        page = urldefrag(found[1] or found[2]).url
        if re.match("https?://", page):
            start = next((each for each in instead if page.startswith(each)), "")
            yield instead.get(start, "") + page.removeprefix(start)
        elif page and not re.match("[a-z]+:", page):
            yield str(file.parent / unquote(page))


async def check(link: Link) -> None:
    """Raise an error if the target of a link does not exist."""
    if link.target.startswith(("http://", "https://")):
        await client.send(Request(url=link.target), FOLLOWING)
    elif not await anyio.Path(link.target).exists():
        raise TerminalError("there is no such file", 404)


def report(good: list[None], broken: list[Failure[Link]]) -> Report:
    """Count the links, and list the broken links."""
    return Report(
        links=len(good) + len(broken),
        broken=[
            Broken(reason=each.message, **each.subtask.model_dump()) for each in broken
        ],
    )


link_check = FanOut(
    "LinkCheck",
    split=links,
    execute=check,
    aggregate=report,
    policy=Policy(
        tolerated_failure_percentage=100,
        max_attempts=3,
        initial_retry_interval=timedelta(seconds=1),
    ),
)
