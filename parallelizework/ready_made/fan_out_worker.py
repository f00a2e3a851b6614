"""`FanOutWorker`: a list of chores; each chore is a pause of random length."""

import asyncio
import logging
import operator
import random

from pydantic import BaseModel, Field, field_validator
from restate import RestateLoggingFilter

from parallelizework.fan_out import FanOut
from parallelizework.outcomes import Failure
from parallelizework.policy import Policy

_logger = logging.getLogger(__name__)
_logger.addFilter(RestateLoggingFilter())


class Task(BaseModel):
    """The names of chores."""

    description: str = Field(description="names, separated by commas")
    policy: Policy = Policy()

    @field_validator("description")
    @classmethod
    def _names_something(cls, description: str) -> str:
        if not _names(description):
            raise ValueError("contains no name; separate names by commas")
        return description


class SubTask(BaseModel):
    """One chore."""

    description: str


class SubTaskResult(BaseModel):
    """One chore that is done."""

    description: str


class Result(BaseModel):
    """The chores that are done, in the order of the task, and the failures if any."""

    description: str
    failures: list[Failure[SubTask]] = Field(default=[], exclude_if=operator.not_)


def checklist(*, max_pause: float) -> FanOut[Task, SubTask, SubTaskResult, Result]:
    """The fan-out `FanOutWorker`.

    Args:
        max_pause: The longest pause of a chore, in seconds; 0 means no pause.
    """

    async def execute(subtask: SubTask) -> SubTaskResult:
        _logger.info("Started executing subtask: %.1000s", subtask.description)
        await asyncio.sleep(random.uniform(0, max_pause))
        _logger.info("Execution subtask finished: %.1000s", subtask.description)
        return SubTaskResult(description=f"{subtask.description}: DONE")

    return FanOut("FanOutWorker", split=split, execute=execute, aggregate=aggregate)


def split(task: Task) -> list[SubTask]:
    """One subtask for each name."""
    return [SubTask(description=name) for name in _names(task.description)]


def aggregate(values: list[SubTaskResult], failures: list[Failure[SubTask]]) -> Result:
    """All values in one line."""
    description = ",".join(value.description for value in values)
    result = Result(description=description, failures=failures)
    _logger.info("Aggregated result: %.1000s", result.description)
    return result


def _names(description: str) -> list[str]:
    return [name for part in description.split(",") if (name := part.strip())]
