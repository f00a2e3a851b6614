"""Show the results of a run in a browser as they complete, by server-sent events.

Install starlette. Serve the fan-out and the web app in two terminals:

parallelizework dev examples/live_results.py:primes
hypercorn examples/live_results:web

curl localhost:8000/runs --json 2000000
curl --no-buffer localhost:8000/runs/RUN
"""

from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from parallelizework import FanOut, Policy
from parallelizework.client import AsyncClient

SIZE = 20_000  # numbers in one subtask


def split(limit: int) -> list[int]:
    """Return the first number of each subtask."""
    return list(range(0, limit, SIZE))


def execute(first: int) -> int:
    """Count the primes among the numbers of a subtask."""
    numbers = range(max(first, 2), first + SIZE)
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in numbers)


def total(counts: list[int]) -> int:
    """Return the number of all primes."""
    return sum(counts)


primes = FanOut(
    "Primes",
    split=split,
    execute=execute,
    aggregate=total,
    policy=Policy(stream=True),
)


async def start(request: Request) -> JSONResponse:
    """Start a run; return its id."""
    async with AsyncClient() as client:
        run = await client.submit(primes, await request.json())
    return JSONResponse({"run": run.id}, status_code=202)


async def show(request: Request) -> StreamingResponse:
    """Send the outcomes of a run; after a disconnect, the browser continues."""
    last = int(request.headers.get("last-event-id", "-1"))
    events = outcomes(request.path_params["run"], last + 1)
    return StreamingResponse(events, media_type="text/event-stream")


async def outcomes(run_id: str, offset: int) -> AsyncIterator[str]:
    """Yield an event for each outcome, and an event at the end."""
    async with AsyncClient() as client:
        async for each in client.attach(primes, run_id).outcomes(offset):
            yield f"id: {each.offset}\ndata: {each.model_dump_json()}\n\n"
    yield "event: end\ndata:\n\n"


web = Starlette(
    routes=[
        Route("/runs", start, methods=["POST"]),
        Route("/runs/{run}", show),
    ]
)
