"""Ask somebody to approve each purchase order, remind them, and ask the manager last.

parallelizework dev examples/approvals.py:approvals
parallelizework run Approvals '{"orders": [{"id": "A1", "amount": 90}]}'
"""

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from parallelizework import Attempt, Failure, FanOut, Policy, Reminder, Waiting

OUTBOX = Path("outbox.txt")  # stands for a mail server


class Order(BaseModel):
    """A purchase order."""

    id: str
    amount: int


class Orders(BaseModel):
    """The task: several purchase orders, and how often to remind."""

    orders: list[Order]
    remind_every: timedelta = timedelta(days=1)
    policy: Policy = Policy()


class Question(BaseModel):
    """The subtask: ask for the approval of one order."""

    order: Order
    remind_every: timedelta


class Decision(BaseModel):
    """The answer for one order."""

    approved: bool
    by: str


class Summary(BaseModel):
    """The sum of the approved orders, and the orders without a decision."""

    approved: int
    rejected: int
    without_decision: list[str]


def split(task: Orders) -> list[Question]:
    """Return one question for each order."""
    return [Question(order=o, remind_every=task.remind_every) for o in task.orders]


def ask(question: Question, attempt: Attempt) -> Decision | Waiting[Decision]:
    """Approve a small order at once; for others, ask the team lead and wait."""
    order = question.order
    if order.amount < 100:  # noqa: PLR2004 - a rule of the company
        return Decision(approved=True, by="rule")
    mail("lead", f"approve {order.id}? Answer with the key {attempt.key}")
    every = question.remind_every
    return Waiting(within=timedelta(days=14), remind_every=every, reminders=3)


def remind(question: Question, reminder: Reminder) -> None:
    """Remind the team lead twice. The third time, ask the manager."""
    to = "manager" if reminder.is_last else "lead"
    mail(to, f"reminder {reminder.number}: approve {question.order.id}?")


def summarize(decisions: list[Decision], failures: list[Failure[Question]]) -> Summary:
    """Count the decisions, and list the orders without one."""
    approved = sum(decision.approved for decision in decisions)
    return Summary(
        approved=approved,
        rejected=len(decisions) - approved,
        without_decision=[failure.subtask.order.id for failure in failures],
    )


def mail(to: str, text: str) -> None:
    """Send a mail."""
    with OUTBOX.open("a") as outbox:
        outbox.write(f"{to}: {text}\n")


approvals = FanOut(
    "Approvals",
    split=split,
    execute=ask,
    remind=remind,
    aggregate=summarize,
    policy=Policy(
        tolerated_failure_percentage=100,
        deadline=timedelta(days=15),
        on_deadline="answer",
    ),
)
