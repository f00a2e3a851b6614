"""Build the documentation site; a warning or a broken link is an error.

    python -m tests.docs.site

builds `site/` from `zensical.toml`. `make docs` runs this command.
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
_WARNING = (
    "griffe:"  # zensical does not report this warning as an error, even with --strict
)


def navigation() -> list[str]:
    """Return the pages in the navigation of the site."""
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
    """Yield pages that exist only in the navigation, or only as a file."""
    named = {page for page in navigation() if "://" not in page}
    files = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    yield from (f"the navigation names docs/{each}: no file" for each in named - files)
    yield from (f"docs/{each} is not in the navigation" for each in files - named)


def build() -> Iterator[str]:
    """Build the site; yield its errors."""
    command = ["zensical", "build", "--clean", "--strict"]
    program = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    done = subprocess.run(
        program, cwd=ROOT, check=False, capture_output=True, text=True
    )
    output = done.stdout + done.stderr
    if done.returncode:
        yield output.partition("Traceback")[0]
    yield from (line for line in output.splitlines() if line.startswith(_WARNING))
    yield from problems(SITE)


def main() -> int:
    """Build and check the site; return an exit code."""
    errors = [*misplaced(), *build()]
    print("\n".join(errors) if errors else f"{SITE.name}/ has the documentation")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
