"""`stand_in`: a stand-in for AWS Lambda, for one function.

In front, it speaks the Invoke API, which a restate-server calls. Behind, it runs real
runtimes (see `Environment`). It enforces what AWS Lambda enforces: the concurrency, the
timeout and the sizes of payloads.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .environment import MAX_PAYLOAD, ApiRequests, ApiServer, Environment, FunctionError

ARN = "arn:aws:lambda:us-east-1:123456789012:function:fanout:1"
HANDLER = "parallelizework.aws_lambda.function.handler"


@dataclass
class Usage:
    """What AWS Lambda would charge for, and what it refused.

    Attributes:
        handlers: The number of executed invocations of each handler.
        throttled: The number of invocations that were refused: too many at once.
        failed: The number of invocations that the function did not answer.
        killed: The number of environments that were killed by `kill_one`.
        seconds: The time of all executed invocations.
    """

    handlers: Counter[str] = field(default_factory=Counter[str])
    throttled: int = 0
    failed: int = 0
    killed: int = 0
    seconds: float = 0.0


class StandIn:
    """AWS Lambda, for one function.

    Args:
        variables: The environment variables of the function.
        log: The file for what the function prints.
        handler: The handler of the function: `MODULE.NAME`.
        concurrency: How many invocations may be executed at once.
        timeout: The timeout of the function, in seconds.

    Attributes:
        usage: What was charged and refused so far.
        concurrency: How many invocations may be executed at once.
        timeout: The timeout of the function, in seconds.
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        log: Path,
        *,
        handler: str = HANDLER,
        concurrency: int = 4,
        timeout: float = 30,
    ) -> None:
        self.usage = Usage()
        self.concurrency = concurrency
        self.timeout = timeout
        self._function = {
            **variables,
            "AWS_LAMBDA_FUNCTION_NAME": "fanout",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        }
        self._handler = handler
        self._log = log
        self._lock = threading.Lock()
        self._idle: list[Environment] = []
        self._busy = set[Environment]()
        self._api = ApiServer(self._requests())

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables for a restate-server that uses this stand-in."""
        return {
            "AWS_ENDPOINT_URL_LAMBDA": f"http://{self._api.address}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def invoke(self, payload: bytes) -> tuple[int, dict[str, str], bytes]:
        """Execute one invocation; return the status, headers and body of the answer."""
        if len(payload) > MAX_PAYLOAD:
            return _error(413, "RequestTooLargeException", "Request must be smaller")
        environment = self._leased()
        if environment is None:
            return _error(429, "TooManyRequestsException", "Rate Exceeded.")
        path = json.loads(payload)["path"]
        self.usage.handlers[path.removeprefix("/invoke/")] += 1
        began = time.monotonic()
        try:
            outcome = environment.invoke(payload, self.timeout)
        finally:
            self._release(environment, time.monotonic() - began)
        if isinstance(outcome, FunctionError):
            self.usage.failed += 1
            headers = {"X-Amz-Function-Error": "Unhandled"}
            body = {"errorType": outcome.type, "errorMessage": outcome.message}
            return 200, headers, json.dumps(body).encode()
        return 200, {"X-Amz-Executed-Version": "1"}, outcome

    def kill_one(self) -> None:
        """Kill an environment that executes an invocation, if there is one."""
        with self._lock:
            for environment in self._busy:
                environment.kill()
                self.usage.killed += 1
                return

    def close(self) -> None:
        """Stop everything."""
        self._api.close()
        for environment in [*self._idle, *self._busy]:
            environment.close()

    def _leased(self) -> Environment | None:
        """An idle environment, or a new one; None if too many are busy."""
        with self._lock:
            if len(self._busy) >= self.concurrency:
                self.usage.throttled += 1
                return None
            while self._idle and not self._idle[-1].is_alive:
                self._idle.pop().close()
            if self._idle:
                environment = self._idle.pop()
            else:
                environment = Environment(self._handler, self._function, self._log)
            self._busy.add(environment)
            return environment

    def _release(self, environment: Environment, seconds: float) -> None:
        with self._lock:
            self.usage.seconds += seconds
            self._busy.remove(environment)
            self._idle.append(environment)

    def _requests(self) -> type[ApiRequests]:
        stand_in = self

        class Requests(ApiRequests):
            """The Invoke API."""

            def do_POST(self) -> None:
                status, headers, body = stand_in.invoke(self.body())
                self.answer(status, body, headers)

        return Requests


def _error(status: int, name: str, message: str) -> tuple[int, dict[str, str], bytes]:
    body = {"Type": "User", "message": message}
    return status, {"x-amzn-errortype": name}, json.dumps(body).encode()


@contextmanager
def stand_in(
    variables: Mapping[str, str],
    log: Path,
    *,
    handler: str = HANDLER,
    concurrency: int = 4,
    timeout: float = 30,
) -> Generator[StandIn]:
    """Run a stand-in until the block ends; the arguments are those of `StandIn`."""
    started = StandIn(
        variables, log, handler=handler, concurrency=concurrency, timeout=timeout
    )
    try:
        yield started
    finally:
        started.close()
