"""The same work as a Celery chord: the header has no-op tasks, the body adds up."""

from collections.abc import Sequence

from celery import Celery, chord, shared_task

LONGEST = 1_800  # seconds; a run that takes longer has failed

app = Celery(
    "benchmarks.celery_app"
)  # for the worker: its command line has the URL of Redis


@shared_task
def nothing(number: int) -> int:
    """Do nothing: the benchmark measures only the cost of the fan-out."""
    return number


@shared_task
def total(values: Sequence[int]) -> int:
    """Return the sum, to check that no value is lost or counted twice."""
    return sum(values)


def client(redis: str) -> Celery:
    """Connect to the Redis with this URL; `run` uses the last connection."""
    return Celery(broker=redis, backend=redis)


def run(count: int) -> int:
    """Run `count` tasks and wait for the sum of their numbers."""
    header = [nothing.s(number) for number in range(count)]
    result = chord(header)(total.s())
    # By default, Celery checks all tasks of the header at each message from Redis: the
    # cost is quadratic. The check is not needed: if a task fails, the body fails.
    return result.get(timeout=LONGEST, follow_parents=False)
