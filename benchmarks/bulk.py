"""Send HTTP requests in bulk to a local server, with HttpFanOut and other programs.

As a script, it sends them with httpx and gather: `python -m benchmarks.bulk URL COUNT`.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.measurement import Measured, measured, measured_script
from benchmarks.systems import System, system
from benchmarks.workers import hypercorn

AT_ONCE = 64  # requests in flight: the default of HttpFanOut
LONGEST = 1_800  # seconds; a script that takes longer has failed
ALLOWED = {"PARALLELIZEWORK_HTTP_ALLOWED_HOSTS": "127.0.0.1"}

COUNTS = [1_000, 5_000]
IN_FILE = 20_000
BATCHES: dict[str, int | str] = {
    "HTTP: HttpFanOut": 1,
    "HTTP: HttpFanOut, auto": "auto",
    "HTTP: HttpFanOut, batched": 64,
}

Send = Callable[[str, int], None]


def requests_in_bulk(
    counts: Sequence[int] = COUNTS, in_file: int = IN_FILE
) -> list[Measured]:
    """Measure HTTP requests, durable and not durable, to a server on this machine."""
    rows: list[Measured] = []
    scripts = {"HTTP: httpx and gather": gather, "HTTP: xargs and curl": xargs}
    with TemporaryDirectory() as folder, answering() as url:
        environment = ALLOWED | {"PARALLELIZEWORK_HTTP_FOLDER": folder}
        with system(hypercorn("HttpFanOut", environment=environment)) as started:
            processes = started.processes("HttpFanOut")
            for count in counts:
                for name, batch in BATCHES.items():
                    run = partial(fan_out(started, batch), url)
                    rows.append(measured(name, count, run, processes))
                for name, send in scripts.items():
                    rows.append(measured_script(name, count, partial(send, url)))
            name = "HTTP: HttpFanOut, batched, rows in a file"
            run = partial(rows_file(started, 64, Path(folder)), url)
            rows.append(measured(name, in_file, run, processes))
    return sorted(rows, key=lambda row: row.name)


@contextmanager
def answering() -> Generator[str]:
    """Run a server that responds at once; yield its URL."""
    script = Path(__file__).with_name("answering.py")
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    with process.stdout as output:
        try:
            yield f"http://127.0.0.1:{output.readline().strip()}"
        finally:
            process.kill()
            process.wait()


def fan_out(system: System, batch: int | str) -> Send:
    """Return a function that sends requests with HttpFanOut."""

    def send(url: str, count: int) -> None:
        task = {
            "request": {"url": f"{url}/{{n}}"},
            "rows": [{"n": n} for n in range(count)],
            "policy": {"max_items_per_batch": batch, "max_concurrency": AT_ONCE},
        }
        answer = system.run("HttpFanOut", task)
        assert len(answer["responses"]) == count

    return send


def rows_file(system: System, batch: int, folder: Path) -> Send:
    """Return a function that sends the rows of a file with HttpFanOut."""

    def send(url: str, count: int) -> None:
        rows = folder / "rows.ndjson"
        rows.write_text("".join(f'{{"n": {n}}}\n' for n in range(count)))
        task = {
            "request": {"url": f"{url}/{{n}}"},
            "rows_file": rows.name,
            "policy": {"max_items_per_batch": batch, "max_concurrency": AT_ONCE},
        }
        answer = system.run("HttpFanOut", task)
        assert answer["succeeded"] == count
        results = (folder / answer["results_file"]).read_text().splitlines()
        assert [json.loads(line)["index"] for line in results] == list(range(count))

    return send


def gather(url: str, count: int) -> None:
    """Send the requests with httpx in a new process, including its start."""
    command = [sys.executable, "-m", "benchmarks.bulk", url, str(count)]
    subprocess.run(command, check=True, timeout=LONGEST)


def xargs(url: str, count: int) -> None:
    """Send each request with a curl process."""
    curl = ["curl", "--silent", "--fail", "--output", "/dev/null"]
    subprocess.run(
        ["xargs", "-n", "1", "-P", str(AT_ONCE), *curl],
        input="\n".join(f"{url}/{n}" for n in range(count)),
        text=True,
        check=True,
        timeout=LONGEST,
    )


async def main(url: str, count: int) -> None:
    """Send all requests at once, with a semaphore and without durability."""
    limiter = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(timeout=LONGEST) as client:

        async def one(number: int) -> object:
            async with limiter:
                answer = await client.get(f"{url}/{number}")
                return answer.raise_for_status().json()

        answers = await asyncio.gather(*map(one, range(count)))
    assert len(answers) == count


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
