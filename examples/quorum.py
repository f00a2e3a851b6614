"""Read a file that is kept in several folders: two of them that can be read will do.

parallelizework dev examples/quorum.py:quorum
curl localhost:8080/Quorum/run --json '{"name": "a.json", "folders": ["x", "y", "z"]}'
"""

from pathlib import Path

from pydantic import BaseModel

from parallelizework import Failure, FanOut, Policy


class Read(BaseModel):
    """The task: which file; a request may ask for another policy."""

    name: str
    folders: list[Path]
    policy: Policy = Policy()


class Copy(BaseModel):
    """One copy of the file."""

    version: int
    text: str


class Answer(BaseModel):
    """The newest of the copies that were read, and what could not be read."""

    newest: Copy
    read: int
    missing: dict[Path, str]


def copies(task: Read) -> list[Path]:
    """Where they should be."""
    return [folder / task.name for folder in task.folders]


def read(path: Path) -> Copy:
    """Read one; it is tried again, as a file may just be being written."""
    return Copy.model_validate_json(path.read_bytes())


def newest(copies: list[Copy], failures: list[Failure[Path]]) -> Answer:
    """Two copies agree on the newest version, if each is written to two of three."""
    return Answer(
        newest=max(copies, key=lambda copy: copy.version),
        read=len(copies),
        missing={failure.subtask: failure.message for failure in failures},
    )


quorum = FanOut(
    "Quorum",
    split=copies,
    execute=read,
    aggregate=newest,
    policy=Policy(min_successful=2, max_attempts=3),
)
