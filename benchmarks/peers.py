"""Other systems with the same work, for a comparison: no-op subtasks and their sum.

The programs of a peer use free ports of loopback and a temporary folder. They are
stopped by process id; if this process is killed, Linux kills them. A peer that cannot
run on this machine reports its missing requirements.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from subprocess import Popen

from benchmarks.measurement import Processes

REPOSITORY = Path(__file__).parents[1]
HOST = "127.0.0.1"
READY_SECONDS = 60  # for a cold start on a busy machine; usually three seconds
STOP_SECONDS = 20  # before a kill
POSTGRES_USER = "postgres"  # if this process is root: PostgreSQL refuses root
POSTGRES_FOLDERS = Path("/usr/lib/postgresql")  # of Debian; not on the PATH

Started = tuple[Callable[[int], int], Processes]


@dataclass(frozen=True)
class Peer:
    """Another system and its requirements.

    Attributes:
        name: The name in a table.
        started: Starts all programs until the block ends. Yields a function that runs
            a number of subtasks and returns the sum of their numbers, and the processes
            to measure. This process is a part of the worker.
        programs, packages, users: The requirements; users are required only for root.
    """

    name: str
    started: Callable[[], AbstractContextManager[Started]]
    programs: Sequence[str] = ()
    packages: Sequence[str] = ()
    users: Sequence[str] = ()

    def missing(self) -> str | None:
        """Return the missing requirements; None if the peer can run."""
        users = self.users if os.geteuid() == 0 else ()
        missing = [f"program {name}" for name in self.programs if not program(name)]
        missing += [f"package {name}" for name in self.packages if not find_spec(name)]
        missing += [f"user {name}" for name in users if not is_user(name)]
        return f"no {', no '.join(missing)}" if missing else None


@contextmanager
def celery_chord() -> Generator[Started, None, None]:
    """Run a chord on Redis, with a prefork worker of two processes."""
    from benchmarks import celery_app  # noqa: PLC0415 - Celery may be missing

    with (
        temporary_folder() as folder,
        redis(folder) as (url, server),
        celery_app.client(url) as client,
        celery_worker(folder, url, lambda: bool(client.control.ping())),
    ):
        yield celery_app.run, Processes(os.getpid(), server)


@contextmanager
def dbos_queue() -> Generator[Started, None, None]:
    """Run a queue on PostgreSQL, with the workflows in this process."""
    from benchmarks import dbos_app  # noqa: PLC0415 - DBOS may be missing

    with (
        temporary_folder() as folder,
        postgres(folder) as (url, server),
        dbos_app.launched(f"{url}/benchmarks"),
    ):
        yield dbos_app.run, Processes(os.getpid(), server)


PEERS = [
    Peer(
        "Celery chord, Redis",
        celery_chord,
        programs=["redis-server", "setpriv"],
        packages=["celery", "redis"],
    ),
    Peer(
        "DBOS queue, PostgreSQL",
        dbos_queue,
        programs=["postgres", "setpriv"],
        packages=["dbos"],
        users=[POSTGRES_USER],
    ),
]


@contextmanager
def redis(folder: Path) -> Generator[tuple[str, int], None, None]:
    """Run a Redis that syncs its file every second; yield its URL and process id."""
    port = free_port()
    command = [program("redis-server"), "--bind", HOST, "--port", str(port)]
    command += ["--dir", folder, "--save", "", "--loglevel", "warning"]
    command += ["--appendonly", "yes", "--appendfsync", "everysec"]
    with running(command, folder / "redis.log", lambda: answers(port)) as process:
        yield f"redis://{HOST}:{port}/0", process.pid


@contextmanager
def celery_worker(
    folder: Path, url: str, ready: Callable[[], bool]
) -> Generator[None, None, None]:
    """Run a Celery worker with two processes, and otherwise the defaults."""
    command = [sys.executable, "-m", "celery", "--app", "benchmarks.celery_app"]
    command += ["--workdir", REPOSITORY, "--broker", url, "--result-backend", url]
    command += ["worker", "--pool", "prefork", "--concurrency", "2"]
    command += ["--loglevel", "WARNING"]
    stop = signal.SIGQUIT  # "cold": it does not wait for its tasks
    with running(command, folder / "celery.log", ready, stop=stop):
        yield


@contextmanager
def postgres(folder: Path) -> Generator[tuple[str, int], None, None]:
    """Run a new PostgreSQL as `initdb` makes it; yield its URL and process id."""
    server, data, port = program("postgres"), folder / "data", free_port()
    tools = Path(server).resolve().parent  # of the same version
    account = owner(folder)
    initdb = [tools / "initdb", "--pgdata", data, "--username", "postgres"]
    initdb += ["--auth", "trust", "--encoding", "UTF8", "--no-locale"]
    quiet = subprocess.DEVNULL
    initdb = ["setpriv", *account, *initdb]
    subprocess.run(initdb, cwd=folder, stdout=quiet, check=True, timeout=60)
    command = [server, "-D", data, "-h", HOST, "-p", str(port), "-k", folder]
    ask = [tools / "pg_isready", "--quiet", "--host", HOST, "--port", str(port)]
    with running(
        command,
        folder / "postgres.log",
        lambda: subprocess.run(ask, check=False).returncode == 0,
        stop=signal.SIGINT,  # "fast": it does not wait for its clients
        account=account,
    ) as process:
        yield f"postgresql://postgres@{HOST}:{port}", process.pid


def owner(folder: Path) -> list[str]:
    """Return options of `setpriv` that let PostgreSQL programs use this folder."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, POSTGRES_USER, POSTGRES_USER)
    return [f"--reuid={POSTGRES_USER}", f"--regid={POSTGRES_USER}", "--clear-groups"]


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    ready: Callable[[], bool],
    *,
    stop: signal.Signals = signal.SIGTERM,
    account: Sequence[str] = (),
) -> Generator["Popen[bytes]", None, None]:
    """Run a process that is ready when the block begins; yield the process."""
    with log.open("wb") as output:
        process = Popen(
            ["setpriv", *account, "--pdeathsig=KILL", *command],
            cwd=log.parent,
            env={**os.environ, "TMPDIR": str(log.parent)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C does not interrupt the process directly
        )
    try:
        await_ready(process, ready, log)
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def await_ready(process: "Popen[bytes]", ready: Callable[[], bool], log: Path) -> None:
    """Wait until the process is ready; if it ends or takes too long, raise its log."""
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{log.stem} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


@contextmanager
def temporary_folder() -> Generator[Path, None, None]:
    """Yield a folder, and delete it after the block. One interrupt ends the block."""
    with interrupted_once(), tempfile.TemporaryDirectory(prefix="peers-") as name:
        yield Path(name)


@contextmanager
def interrupted_once() -> Generator[None, None, None]:
    """Ignore a second interrupt, so that the cleanup after the first one can complete.

    `timeout -s INT` sends two interrupts.
    """

    def interrupt(*_signal: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def program(name: str) -> str:
    """Return the path of a program; empty if the program is missing."""
    folders = sorted(map(str, POSTGRES_FOLDERS.glob("*/bin")), reverse=True)
    path = os.pathsep.join([os.environ["PATH"], *folders])
    return shutil.which(name, path=path) or ""


def is_user(name: str) -> bool:
    """Whether this machine has a user with this name."""
    return name in {user.pw_name for user in pwd.getpwall()}


def free_port() -> int:
    """Return a free port of loopback."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


def answers(port: int) -> bool:
    """Whether a program listens on a port of loopback."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0
