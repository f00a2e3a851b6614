"""Generate sections of the reference pages from the code.

    python -m tests.docs.reference

writes the sections between their marks in `docs/reference/`.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from .generated import command_line, handlers, variables
from .page import ROOT

FOLDER = ROOT / "docs" / "reference"
_SECTION = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Sections = Mapping[str, Callable[[], Iterator[str]]]
PAGES: Mapping[str, Sections] = {
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
        "schedule": handlers.schedule,
        "policy": handlers.policy,
        "fan-out-worker": handlers.fan_out_worker_task,
        "http-task": handlers.http_task,
        "http-result": handlers.http_result,
    },
}


def written(name: str) -> str:
    """Return the text of a page with its generated sections."""
    sections = PAGES[name]

    def section(found: re.Match[str]) -> str:
        lines = "\n".join(sections[found[2]]())
        return f"{found[1]}\n{lines}\n{found[3]}"

    text, count = _SECTION.subn(section, FOLDER.joinpath(name).read_text())
    assert count == len(sections), f"{name} must have {', '.join(sections)}"
    return text


def main() -> None:
    for name in PAGES:
        FOLDER.joinpath(name).write_text(written(name))


if __name__ == "__main__":
    main()
