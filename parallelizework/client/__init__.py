"""Submit, follow and control runs from any Python program, over plain HTTP."""

from parallelizework.client.async_client import AsyncClient, AsyncRun
from parallelizework.client.models import (
    FailedSubtask,
    Failures,
    Listed,
    Paused,
    Progress,
)
from parallelizework.client.server_api.health import healthy
from parallelizework.client.steering.answer import Answered
from parallelizework.client.subtasks.completed import CompletedSubtask
from parallelizework.client.subtasks.listed import ListedSubtask, Subtasks
from parallelizework.client.subtasks.waiting import WaitingSubtask, WaitingSubtasks
from parallelizework.client.sync_client import Client, Run

__all__ = [
    "Answered",
    "AsyncClient",
    "AsyncRun",
    "Client",
    "CompletedSubtask",
    "FailedSubtask",
    "Failures",
    "Listed",
    "ListedSubtask",
    "Paused",
    "Progress",
    "Run",
    "Subtasks",
    "WaitingSubtask",
    "WaitingSubtasks",
    "healthy",
]
