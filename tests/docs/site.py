"""The documentation site: built without a warning, and without a broken link.

    python -m tests.docs.site

builds it by `zensical.toml` into `site/`; `make docs` does.
"""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from .links import problems
from .page import ROOT

CONFIGURATION = ROOT / "zensical.toml"
DOCS, SITE = ROOT / "docs", ROOT / "site"
_WARNING = "griffe:"  # which zensical does not count, even with --strict


def navigation() -> list[str]:
    """The pages that the site's navigation names."""
    nav = tomllib.loads(CONFIGURATION.read_text())["project"]["nav"]
    return list(_pages(nav))


def _pages(entries: object) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, list):
        for entry in cast("list[object]", entries):
            yield from _pages(entry)
    elif isinstance(entries, dict):
        yield from _pages(list(cast("dict[str, object]", entries).values()))


def misplaced() -> Iterator[str]:
    """Pages that the navigation names and that are not there, and the reverse."""
    named = {page for page in navigation() if "://" not in page}
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    yield from (f"the navigation names docs/{each}: no file" for each in named - there)
    yield from (f"docs/{each} is not in the navigation" for each in there - named)


def build() -> Iterator[str]:
    """Build the site; what is wrong with it."""
    command = ["zensical", "build", "--clean", "--strict"]
    program = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    done = subprocess.run(
        program, cwd=ROOT, check=False, capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    if done.returncode:
        yield said.partition("Traceback")[0]
    yield from (line for line in said.splitlines() if line.startswith(_WARNING))
    yield from problems(SITE)


def main() -> int:
    """Build and check; an exit code."""
    wrong = [*misplaced(), *build()]
    print("\n".join(wrong) if wrong else f"{SITE.name}/ has the documentation")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
