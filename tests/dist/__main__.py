"""`make dist`: build wheel and sdist into dist/, check them, install and use the wheel."""

import sys
import tempfile
from pathlib import Path

from tests.dist import contents, use
from tests.dist.processes import ROOT, run, tool

DIST = ROOT / "dist"


def main() -> None:
    """Build, check, install and use; the first failure ends the program."""
    for old in DIST.glob("parallelizework-*"):
        old.unlink()
    run(tool("uv"), "build", "--quiet", "--offline", "--out-dir", DIST, ROOT)
    wheel, sdist = *DIST.glob("*.whl"), *DIST.glob("*.tar.gz")
    run(tool("twine"), "check", "--strict", wheel, sdist)
    run(tool("check-wheel-contents"), wheel)
    contents.check(wheel, sdist)
    with tempfile.TemporaryDirectory() as folder:
        use.check(wheel, Path(folder))
    print(f"dist: {wheel.name} and {sdist.name} are good")


if __name__ == "__main__":
    sys.exit(main())
