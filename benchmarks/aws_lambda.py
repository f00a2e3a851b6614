"""`python -m benchmarks.aws_lambda`: print how many invocations a run costs.

The restate-server invokes a function of the stand-in for AWS Lambda, which runs real
runtimes. The numbers depend a little on the speed of the machine: one invocation of
`run` may read the values of several subtasks.
"""

import tempfile
from pathlib import Path

import httpx

from benchmarks.systems import end_on_sigterm
from parallelizework.local.server import LocalServer
from tests.aws_lambda.server import server_on_lambda
from tests.aws_lambda.stand_in import StandIn

_HANDLER = "tests.aws_lambda.fan_outs.handler"
_BATCHES = {"Squares": 1, "Batches": 16}
_SIZES = (50, 200)
_HEAD = "| subtasks | in a batch | invocations | for each subtask |"


def invocations(server: LocalServer, function: StandIn, service: str, n: int) -> int:
    """Return how many invocations a run of n subtasks had."""
    function.usage.handlers.clear()
    url = f"{server.ingress}/{service}/run"
    httpx.post(url, json=n, timeout=300).raise_for_status()
    return function.usage.handlers.total()


def main() -> None:
    """Measure, and print one table."""
    end_on_sigterm()
    print(_HEAD, "| ---: | ---: | ---: | ---: |", sep="\n")
    with (
        tempfile.TemporaryDirectory() as folder,
        server_on_lambda({}, Path(folder), handler=_HANDLER) as (server, function),
    ):
        for service, batch in _BATCHES.items():
            invocations(server, function, service, 1)  # starts an environment
            for n in _SIZES:
                count = invocations(server, function, service, n)
                print(f"| {n} | {batch} | {count} | {count / n:.2f} |", flush=True)


if __name__ == "__main__":
    main()
