"""Submit, follow and control runs from any Python program, over plain HTTP."""

from parallelizework.client.async_client import AsyncClient, AsyncRun
from parallelizework.client.models import (
    FailedSubtask,
    Failures,
    Listed,
    Paused,
    Progress,
)
from parallelizework.client.schedules.async_schedules import AsyncSchedules
from parallelizework.client.schedules.sync_schedules import Schedules
from parallelizework.client.server_api.health import healthy
from parallelizework.client.subtasks.completed import CompletedSubtask
from parallelizework.client.subtasks.listed import ListedSubtask, Subtasks
from parallelizework.client.subtasks.waiting import WaitingSubtask, WaitingSubtasks
from parallelizework.client.sync_client import Client, Run
from parallelizework.schedules.models import (
    SavedSchedule,
    Schedule,
    ScheduledRun,
    SchedulePlan,
)
from parallelizework.waiting.models import Answered

__all__ = [
    "Answered",
    "AsyncClient",
    "AsyncRun",
    "AsyncSchedules",
    "Client",
    "CompletedSubtask",
    "FailedSubtask",
    "Failures",
    "Listed",
    "ListedSubtask",
    "Paused",
    "Progress",
    "Run",
    "SavedSchedule",
    "Schedule",
    "SchedulePlan",
    "ScheduledRun",
    "Schedules",
    "Subtasks",
    "WaitingSubtask",
    "WaitingSubtasks",
    "healthy",
]
