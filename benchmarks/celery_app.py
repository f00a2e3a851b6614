"""The same work as a Celery chord: a header of no-op tasks, a body that sums.

Where Redis is, the caller says: here by `app.conf`, to the worker by its command line.
"""

from collections.abc import Sequence

from celery import Celery, chord

LONGEST = 1_800  # seconds; a run that takes longer has failed

app = Celery("benchmarks.celery_app")


@app.task
def nothing(number: int) -> int:
    """No work at all: what remains is the cost of the fan-out."""
    return number


@app.task
def total(values: Sequence[int]) -> int:
    """The sum, to check that nothing is lost or counted twice."""
    return sum(values)


def run(count: int) -> int:
    """Run so many tasks and wait for the sum of their numbers."""
    header = [nothing.s(number) for number in range(count)]
    result = chord(header)(total.s())
    # By default each message from Redis makes it look at all tasks of the header, which
    # is quadratic; where one fails, the body fails, so there is nothing to look for.
    return result.get(timeout=LONGEST, follow_parents=False)
