"""The same work on a DBOS queue: a workflow enqueues no-op workflows and adds up."""

from collections.abc import Generator
from contextlib import contextmanager

from dbos import DBOS, SetWorkflowTimeout

LONGEST = 1_800  # seconds; a run that takes longer has failed
LAST = 10  # seconds in which workflows must end after an interrupt
QUEUE = "nothing"


@DBOS.workflow()
def nothing(number: int) -> int:
    """Do nothing: the benchmark measures only the cost of the fan-out."""
    return number


@DBOS.workflow()
def fan_out(count: int) -> int:
    """Enqueue `count` workflows, gather their numbers in order, and add them up."""
    handles = [DBOS.enqueue_workflow(QUEUE, nothing, number) for number in range(count)]
    return sum([handle.get_result() for handle in handles])


def run(count: int) -> int:
    """Run `count` workflows and wait for the sum of their numbers."""
    with SetWorkflowTimeout(LONGEST):
        return fan_out(count)


@contextmanager
def launched(database: str) -> Generator[None, None, None]:
    """Run DBOS in this process, with its defaults, on the database with this URL."""
    DBOS(
        config={
            "name": "benchmarks",
            "system_database_url": database,
            "log_level": "WARNING",
        }
    )
    try:
        DBOS.launch()
        DBOS.register_queue(QUEUE)
        yield
    finally:
        DBOS.destroy(workflow_completion_timeout_sec=LAST)
