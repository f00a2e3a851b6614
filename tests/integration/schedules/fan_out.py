"""The fan-out that the tests of schedules run. Its runs may wait for a test."""

from datetime import datetime

from pydantic import BaseModel

from parallelizework import FanOut
from tests.integration.fan_outs.ledger import Lines, until_repaired

lines = Lines("scheduled")


class Job(BaseModel):
    """A task.

    Attributes:
        key: The name of the record of its runs.
        waits: Whether a run waits until a test repairs the key.
        time: The time of the run.
    """

    key: str
    waits: bool = False
    time: datetime | None = None


def split(job: Job) -> list[Job]:
    return [job]


async def execute(job: Job) -> str:
    lines.record(job.key, f"begin {job.time}")
    if job.waits:
        await until_repaired(job.key)
    lines.record(job.key, f"end {job.time}")
    return f"{job.time}"


def aggregate(values: list[str]) -> str:
    return values[0]


scheduled = FanOut("Scheduled", split=split, execute=execute, aggregate=aggregate)
