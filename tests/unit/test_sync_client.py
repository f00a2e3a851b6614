"""The sync `Client`, which runs an async client in a thread."""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic

import pytest
from pydantic import JsonValue

from parallelizework.client import Client
from parallelizework.errors import RunNotFinished, Unreachable

NOWHERE = "http://127.0.0.1:1"
RUN = "inv_1"
WAITING = """
import signal
import sys
from parallelizework.client import Client
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells may ignore it

with Client(sys.argv[1], sys.argv[1]) as client:
    client.attach("Squares", "inv_1").result()
"""
UNCLOSED = """
from parallelizework.client import Client
from parallelizework.errors import Unreachable

client = Client("http://127.0.0.1:1", "http://127.0.0.1:1")
try:
    client.attach("Squares", "inv_1").cancel()
except Unreachable:
    print("unreachable")
"""


class Answering(BaseHTTPRequestHandler):
    """A server that has the result of every run."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "1")
        self.end_headers()
        self.wfile.write(b"7")

    def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        pass


@pytest.fixture
def answering() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True  # or closing it waits for idle connections
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def silent() -> Iterator[tuple[str, socket.socket]]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", listener


def client_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "parallelizework"]


def test_a_client_may_be_used_from_several_threads(answering: str) -> None:
    with Client(answering) as client, ThreadPoolExecutor(8) as pool:
        run = client.attach("Squares", RUN)

        def read(_: int) -> JsonValue:
            return run.result()

        results = list(pool.map(read, range(50)))

        assert len(client_threads()) == 1
    assert results == [7] * 50
    assert not client_threads()


async def test_a_client_works_in_the_thread_of_an_event_loop(answering: str) -> None:
    with Client(answering) as client:
        assert client.attach("Squares", RUN).result() == 7


def test_a_client_that_is_dropped_ends_its_thread(answering: str) -> None:
    run = Client(answering).attach("Squares", RUN)
    assert run.result() == 7  # the run keeps what it needs of its client
    [thread] = client_threads()

    del run
    gc.collect()

    thread.join(10)
    assert not thread.is_alive()


def test_a_closed_client_raises_an_error(answering: str) -> None:
    with Client(answering) as client:
        run = client.attach("Squares", RUN)
        run.result()

    with pytest.raises(RuntimeError, match="closed"):
        run.result()
    client.close()


def test_a_wait_for_a_result_ends_at_its_timeout(
    silent: tuple[str, socket.socket],
) -> None:
    with Client(silent[0]) as client, pytest.raises(RunNotFinished):
        client.attach("Squares", RUN).result(0.1)


def test_closing_ends_the_calls_of_other_threads(
    silent: tuple[str, socket.socket],
) -> None:
    url, listener = silent
    client = Client(url)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.attach("Squares", RUN).result)
        listener.accept()[0].close()  # it asks again
        connection = listener.accept()[0]

        client.close()

        with connection, pytest.raises(RuntimeError, match="closed"):
            waiting.result(10)


def test_updates_ask_the_server_only_when_they_are_iterated() -> None:
    with Client(NOWHERE, NOWHERE) as client:
        updates = client.attach("Squares", RUN).updates()

        assert not client_threads()
        with pytest.raises(Unreachable):
            next(updates)


def test_ctrl_c_ends_a_wait_at_once(silent: tuple[str, socket.socket]) -> None:
    url, listener = silent
    command = [sys.executable, "-W", "error", "-c", WAITING, url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        connection = listener.accept()[0]
        interrupted = monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)

    connection.close()
    assert process.returncode == -signal.SIGINT
    assert stderr.rstrip().endswith("KeyboardInterrupt")
    assert "Warning" not in stderr
    assert monotonic() - interrupted < 10


def test_a_client_that_is_not_closed_causes_no_warning_at_the_exit() -> None:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", UNCLOSED]
    process = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True
    )

    # In its debug mode asyncio also reports each step that a busy machine delays.
    lines = process.stderr.splitlines()
    assert process.stdout == "unreachable\n"
    assert not [line for line in lines if not line.startswith("Executing <")]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12
def test_a_client_used_before_a_fork_raises_an_error_in_the_child(
    answering: str,
) -> None:
    with Client(answering) as client:
        run = client.attach("Squares", RUN)
        run.result()
        child = os.fork()
        if not child:
            try:
                run.result()
            except RuntimeError as error:
                os._exit(7 if "fork" in str(error) else 1)
            os._exit(2)
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 7
        assert run.result() == 7
