"""Read a file that has copies in several folders. Two readable copies are enough.

parallelizework dev examples/quorum.py:quorum
curl localhost:8080/Quorum/run --json '{"name": "a.json", "folders": ["x", "y", "z"]}'
"""

from pathlib import Path

from pydantic import BaseModel

from parallelizework import Failure, FanOut, Policy


class Read(BaseModel):
    """The task: the name of the file, its folders, and an optional policy."""

    name: str
    folders: list[Path]
    policy: Policy = Policy()


class Copy(BaseModel):
    """One copy of the file."""

    version: int
    text: str


class Answer(BaseModel):
    """The newest copy, the number of copies, and an error for each missing copy."""

    newest: Copy
    read: int
    missing: dict[Path, str]


def copies(task: Read) -> list[Path]:
    """Return the path of the copy in each folder."""
    return [folder / task.name for folder in task.folders]


def read(path: Path) -> Copy:
    """Read one copy.

    The policy retries a copy that another program is writing at this moment.
    """
    return Copy.model_validate_json(path.read_bytes())


def newest(copies: list[Copy], failures: list[Failure[Path]]) -> Answer:
    """Return the newest copy.

    Two copies are enough if each version was written to two of three folders.
    """
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
