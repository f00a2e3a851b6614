"""The commands that pages show and that another file of the repository runs."""

from dataclasses import dataclass

from .page import ROOT


@dataclass(frozen=True)
class Elsewhere:
    """The file that runs a command, and the text of the command in this file."""

    path: str
    text: str

    @property
    def is_true(self) -> bool:
        """Whether the file contains the command."""
        path = ROOT / self.path
        return path.exists() and self.text in path.read_text()


PROGRAMS = ("docker", "git", "kubectl", "make", "npm", "pip")  # no page runs these
ELSEWHERE = {
    "pip install 'parallelizework[worker]'": Elsewhere(
        "tests/dist/use.py", '"[worker]"'
    ),
    "make demo": Elsewhere(".ci/run", "make demo"),
    "make test": Elsewhere(".ci/run", "make test"),
    "make test-compose": Elsewhere(".ci/run", "make test-compose"),
    "docker compose up": Elsewhere("tests/compose.sh", '"${compose[@]}" up'),
    "docker compose up --build --detach": Elsewhere(
        "tests/compose.sh", '"${compose[@]}" up --detach'
    ),
}
