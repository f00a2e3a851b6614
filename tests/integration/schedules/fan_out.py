"""The fan-out that the tests of schedules run. Its runs may wait for a test."""

import math
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from parallelizework import FanOut
from tests.integration.fan_outs.ledger import Lines, until_repaired

lines = Lines("scheduled")


class Job(BaseModel):
    """A task.

    Attributes:
        key: The name of the record of its runs.
        waits: Whether a run waits until a test repairs the key.
        time: The time of the run.
        limit: A number that JSON may not have.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    key: str
    waits: bool = False
    time: datetime | None = None
    limit: float = 0


def split(job: Job) -> list[Job]:
    return [job]


async def execute(job: Job) -> str:
    if math.isinf(job.limit):
        lines.record(job.key, f"limit {job.limit}")
    lines.record(job.key, f"begin {job.time}")
    if job.waits:
        await until_repaired(job.key)
    lines.record(job.key, f"end {job.time}")
    return f"{job.time}"


def aggregate(values: list[str]) -> str:
    return values[0]


scheduled = FanOut("Scheduled", split=split, execute=execute, aggregate=aggregate)
