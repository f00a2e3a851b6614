"""Submit jobs now or later, each once, and follow them from any other process.

parallelizework dev examples/job_scheduler.py:jobs
python examples/job_scheduler.py submit report-17 3
python examples/job_scheduler.py submit report-18 3 60
python examples/job_scheduler.py list
python examples/job_scheduler.py result RUN
python examples/job_scheduler.py cancel RUN
"""

import sys
import time

from pydantic import BaseModel

from parallelizework import FanOut
from parallelizework.client import Client


class Job(BaseModel):
    """The task: the name of a report, and the number of its pages."""

    name: str
    pages: int


def pages(job: Job) -> list[int]:
    """Return the number of each page."""
    return list(range(1, job.pages + 1))


def render(page: int) -> str:
    """Render a page."""
    time.sleep(0.1)
    return f"page {page}"


def bind(rendered: list[str]) -> str:
    """Return the report."""
    return ", ".join(rendered)


jobs = FanOut("Jobs", split=pages, execute=render, aggregate=bind)


def submit(client: Client, job: Job, delay: float) -> None:
    """Start a job after a delay in seconds, once for each name."""
    labels = {"job": job.name}
    run = client.submit(jobs, job, idempotency_key=job.name, delay=delay, labels=labels)
    print("new" if run.is_new else "known", run.id)


if __name__ == "__main__":
    with Client() as client:
        match sys.argv[1:]:
            case ["submit", name, count, *delay]:
                seconds = float(delay[0]) if delay else 0
                submit(client, Job(name=name, pages=int(count)), seconds)
            case ["result", run_id]:
                print(client.attach(jobs, run_id).result())
            case ["list"]:
                for listed in client.recent():
                    print(listed.run, listed.labels.get("job", ""), listed.state)
            case ["cancel", run_id]:
                client.attach(jobs, run_id).cancel()
            case _:
                sys.exit(__doc__)
