"""The same work as a Celery chord: a header of no-op tasks, a body that sums."""

from collections.abc import Sequence

from celery import Celery, chord, shared_task

LONGEST = 1_800  # seconds; a run that takes longer has failed

app = Celery("benchmarks.celery_app")  # the worker's: its command line names Redis


@shared_task
def nothing(number: int) -> int:
    """No work at all: what remains is the cost of the fan-out."""
    return number


@shared_task
def total(values: Sequence[int]) -> int:
    """The sum, to check that nothing is lost or counted twice."""
    return sum(values)


def client(redis: str) -> Celery:
    """Connect to the Redis with this URL; `run` uses the last connection."""
    return Celery(broker=redis, backend=redis)


def run(count: int) -> int:
    """Run `count` tasks and wait for the sum of their numbers."""
    header = [nothing.s(number) for number in range(count)]
    result = chord(header)(total.s())
    # By default each message from Redis makes it look at all tasks of the header, which
    # is quadratic; where one fails, the body fails, so there is nothing to look for.
    return result.get(timeout=LONGEST, follow_parents=False)
