"""Make a file ready in an object store: return its URL in time, or send it by email.

parallelizework dev examples/data_preparation.py FanOutNotify
python examples/data_preparation.py me@example.com --wait 2
"""

import argparse
import os
import time
from pathlib import Path

from pydantic import BaseModel

from parallelizework import FanOut, Policy
from parallelizework.client import Client
from parallelizework.notifications import Email

STORE = Path(os.environ.get("STORE", "store"))  # stands for a bucket
STORE_URL = os.environ.get("STORE_URL", "http://localhost:8000")


class Report(BaseModel):
    """The task: the sales of a year, by month."""

    year: int
    seconds_per_month: float = 0.1


class Month(BaseModel):
    """The subtask: the sales of one month."""

    year: int
    month: int
    seconds: float


class Sales(BaseModel):
    """The value: the name of a month, and its sales."""

    month: str
    sales: int


class File(BaseModel):
    """The result: where the file is."""

    url: str
    rows: int


def split(report: Report) -> list[Month]:
    """Return the twelve months of a year."""
    seconds = report.seconds_per_month
    return [Month(year=report.year, month=m, seconds=seconds) for m in range(1, 13)]


def query(month: Month) -> Sales:
    """Stand for a slow query of a database."""
    time.sleep(month.seconds)
    return Sales(month=f"{month.year}-{month.month:02}", sales=100 * month.month)


def put(sales: list[Sales], report: Report) -> File:
    """Write the file into the store, and return its URL.

    If this is executed twice, the second file replaces the first one.
    """
    name = f"sales-{report.year}.csv"
    rows = [f"{each.month},{each.sales}\n" for each in sales]
    STORE.mkdir(exist_ok=True)
    STORE.joinpath(name).write_text("".join(["month,sales\n", *rows]))
    return File(url=f"{STORE_URL}/{name}", rows=len(rows))


data_preparation = FanOut(
    "DataPreparation",
    split=split,
    execute=query,
    aggregate=put,
    policy=Policy(max_concurrency=4),
)


def main() -> None:
    """Ask for the file, and wait for it for some time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--wait", type=float, default=30.0)
    parser.add_argument("--seconds-per-month", type=float, default=0.1)
    options = parser.parse_args()
    report = Report(year=2026, seconds_per_month=options.seconds_per_month)
    with Client() as client:
        answer = client.run(
            data_preparation, report, wait=options.wait, then=Email(options.address)
        )
    if isinstance(answer, File):
        print(answer.url)
    else:
        print(f"{options.address} will be notified about {answer.id}")


if __name__ == "__main__":
    main()
