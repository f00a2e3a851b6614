"""`Environment`: an execution environment of a Lambda function: a real runtime.

The runtime is `awslambdaric`, as in AWS's own images for Python. It asks the Runtime
API for invocations. Between two invocations, its process is stopped (SIGSTOP), as AWS
Lambda freezes an environment.
"""

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MAX_PAYLOAD = 6 * 1024 * 1024 + 100  # bytes
_LONGEST_START = 60  # seconds
_NEXT = "/2018-06-01/runtime/invocation/next"


@dataclass(frozen=True)
class FunctionError:
    """An invocation that the function did not answer."""

    type: str
    message: str


@dataclass
class _Invocation:
    payload: bytes
    deadline: float = 0.0  # by `time.time`
    ended: threading.Event = field(default_factory=threading.Event)
    outcome: bytes | FunctionError | None = None

    def end(self, outcome: bytes | FunctionError) -> None:
        self.outcome = self.outcome or outcome
        self.ended.set()


class ApiRequests(BaseHTTPRequestHandler):
    """Requests to an API that answers with JSON."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        """Read the body of the request."""
        return self.rfile.read(int(self.headers["content-length"] or 0))

    def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send the answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class ApiServer(ThreadingHTTPServer):
    """Serves one API on loopback, in threads.

    A client may be killed at any time: a lost connection is no error.
    """

    daemon_threads = True

    def __init__(self, requests: type[ApiRequests]) -> None:
        super().__init__(("127.0.0.1", 0), requests)
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a lost connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()


class Environment:
    """One environment; it executes one invocation at a time.

    Args:
        handler: The handler of the function: `MODULE.NAME`.
        variables: The environment variables of the function.
        log: The file for what the function prints.
    """

    def __init__(self, handler: str, variables: Mapping[str, str], log: Path) -> None:
        self._invocations = queue.Queue[_Invocation]()
        self._current: _Invocation | None = None
        self._count = 0
        self._freezing = threading.Lock()
        self._is_ready = threading.Event()
        self._api = ApiServer(self._requests())
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "awslambdaric", handler],
                env={**variables, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def is_alive(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def invoke(self, payload: bytes, timeout: float) -> bytes | FunctionError:
        """Execute one invocation, and return the answer of the function.

        Its time begins when the process is ready for its first invocation.
        """
        self._current = invocation = _Invocation(payload)
        self._is_ready.wait(_LONGEST_START)
        invocation.deadline = time.time() + timeout
        self._count += 1
        with self._freezing:
            self._invocations.put(invocation)
            self._process.send_signal(signal.SIGCONT)
        if not invocation.ended.wait(timeout):
            message = f"Task timed out after {timeout:.2f} seconds"
            invocation.end(FunctionError("Sandbox.Timedout", message))
            self.kill()
        self._current = None
        assert invocation.outcome is not None, "an invocation that ended has an outcome"
        return invocation.outcome

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process, and stop the Runtime API."""
        self.kill()
        self._process.wait()
        self._api.close()

    def _watch(self) -> None:
        """End the current invocation when the process has ended."""
        code = self._process.wait()
        self._is_ready.set()
        message = f"Runtime exited with code {code}"
        if current := self._current:
            current.end(FunctionError("Runtime.ExitError", message))

    def _next(self) -> _Invocation:
        """Wait for the next invocation; the process is stopped meanwhile."""
        self._is_ready.set()
        with self._freezing:
            if self._invocations.empty():
                self._process.send_signal(signal.SIGSTOP)
        return self._invocations.get()

    def _answered(self, body: bytes) -> bool:
        """Take an answer of the function; return whether its size is allowed."""
        if not self._current:
            return True
        if len(body) <= MAX_PAYLOAD:
            self._current.end(body)
            return True
        message = (
            "Response payload size exceeded maximum allowed payload size "
            f"({MAX_PAYLOAD} bytes)."
        )
        error = FunctionError("Function.ResponseSizeTooLarge", message)
        self._current.end(error)
        return False

    def _requests(self) -> type[ApiRequests]:
        environment = self

        class Requests(ApiRequests):
            """The Runtime API."""

            def do_GET(self) -> None:
                assert self.path == _NEXT, self.path
                invocation = environment._next()
                self.answer(
                    200,
                    invocation.payload,
                    {
                        "Lambda-Runtime-Aws-Request-Id": str(environment._count),
                        "Lambda-Runtime-Deadline-Ms": str(
                            round(invocation.deadline * 1000)
                        ),
                        "Lambda-Runtime-Invoked-Function-Arn": "arn",
                        "Lambda-Runtime-Trace-Id": "Root=1-0-0",
                    },
                )

            def do_POST(self) -> None:
                body = self.body()
                is_allowed = True
                if self.path.endswith("/response"):
                    is_allowed = environment._answered(body)
                elif current := environment._current:  # .../error, or init/error
                    current.end(FunctionError("Unhandled", body.decode()))
                self.answer(202 if is_allowed else 413, b"{}", {})

        return Requests
