"""The reference pages: what they say of commands, settings and HTTP is from the code.

    python -m tests.docs.reference

writes it into `docs/reference/`, between the marks of each part.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from .generated import command_line, handlers, variables
from .page import ROOT

FOLDER = ROOT / "docs" / "reference"
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Parts = Mapping[str, Callable[[], Iterator[str]]]
PAGES: Mapping[str, Parts] = {
    "command-line.md": {
        "commands": command_line.commands,
        "server-options": command_line.server_options,
    },
    "settings.md": {
        "worker-and-client": variables.worker_and_client,
        "http": variables.http,
    },
    "http.md": {
        "paths": handlers.paths,
        "progress": handlers.progress,
        "failure": handlers.failure,
        "policy": handlers.policy,
        "fan-out-worker": handlers.fan_out_worker_task,
        "http-task": handlers.http_task,
        "http-result": handlers.http_result,
    },
}


def written(name: str) -> str:
    """The text of a page with its generated parts as they must be now."""
    parts = PAGES[name]

    def part(found: re.Match[str]) -> str:
        lines = "\n".join(parts[found[2]]())
        return f"{found[1]}\n{lines}\n{found[3]}"

    text, count = _PART.subn(part, FOLDER.joinpath(name).read_text())
    assert count == len(parts), f"{name} must have the parts {', '.join(parts)}"
    return text


def main() -> None:
    for name in PAGES:
        FOLDER.joinpath(name).write_text(written(name))


if __name__ == "__main__":
    main()
