"""Other systems that do the same work, to compare with: no-op subtasks and their sum.

What a peer needs is started on free ports of loopback, with a temporary folder for its
data, and stopped by process id, by Linux itself if this process is killed. A peer that
cannot run here says what it misses.
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

REPOSITORY = Path(__file__).parents[1]
HOST = "127.0.0.1"
READY_SECONDS = 60  # a cold start on a busy machine; each is usually ready in three
STOP_SECONDS = 20  # then it is killed
POSTGRES_USER = "postgres"  # whom PostgreSQL runs as for root, whom it refuses
POSTGRES_FOLDERS = Path("/usr/lib/postgresql")  # Debian's, which are not on the PATH

Run = Callable[[int], int]


@dataclass(frozen=True)
class Peer:
    """Another system, and what it needs to run here.

    Attributes:
        name: What a table calls it.
        started: Starts all it needs, until the block ends. The block gets a function
            that runs so many subtasks and returns the sum of their numbers.
        programs, packages, users: What has to be there; the users for root alone.
    """

    name: str
    started: Callable[[], AbstractContextManager[Run]]
    programs: Sequence[str] = ()
    packages: Sequence[str] = ()
    users: Sequence[str] = ()

    def why_not(self) -> str | None:
        """What it misses to run here; None if it can."""
        users = self.users if os.geteuid() == 0 else ()
        missing = [f"program {name}" for name in self.programs if not program(name)]
        missing += [f"package {name}" for name in self.packages if not find_spec(name)]
        missing += [f"user {name}" for name in users if not is_user(name)]
        return f"no {', no '.join(missing)}" if missing else None


@contextmanager
def celery_chord() -> Generator[Run, None, None]:
    """A chord on Redis, with a prefork worker of two processes."""
    from benchmarks import celery_app  # noqa: PLC0415 - Celery may be missing

    with (
        temporary_folder() as folder,
        redis(folder) as url,
        celery_app.client(url) as client,
        celery_worker(folder, url, lambda: bool(client.control.ping())),
    ):
        yield celery_app.run


@contextmanager
def dbos_queue() -> Generator[Run, None, None]:
    """A queue on PostgreSQL, with the workflows in this process."""
    from benchmarks import dbos_app  # noqa: PLC0415 - DBOS may be missing

    with (
        temporary_folder() as folder,
        postgres(folder) as url,
        dbos_app.launched(f"{url}/benchmarks"),
    ):
        yield dbos_app.run


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
def redis(folder: Path) -> Generator[str, None, None]:
    """A Redis that syncs its append-only file every second; its URL."""
    port = free_port()
    command = [program("redis-server"), "--bind", HOST, "--port", str(port)]
    command += ["--dir", folder, "--save", "", "--loglevel", "warning"]
    command += ["--appendonly", "yes", "--appendfsync", "everysec"]
    with running(command, folder / "redis.log", lambda: answers(port)):
        yield f"redis://{HOST}:{port}/0"


@contextmanager
def celery_worker(
    folder: Path, url: str, ready: Callable[[], bool]
) -> Generator[None, None, None]:
    """A Celery worker with two processes and else the defaults."""
    command = [sys.executable, "-m", "celery", "--app", "benchmarks.celery_app"]
    command += ["--workdir", REPOSITORY, "--broker", url, "--result-backend", url]
    command += ["worker", "--pool", "prefork", "--concurrency", "2"]
    command += ["--loglevel", "WARNING"]
    stop = signal.SIGQUIT  # "cold": it does not wait for its tasks
    with running(command, folder / "celery.log", ready, stop=stop):
        yield


@contextmanager
def postgres(folder: Path) -> Generator[str, None, None]:
    """A new PostgreSQL with the settings of `initdb`; its URL, without a database."""
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
    ):
        yield f"postgresql://postgres@{HOST}:{port}"


def owner(folder: Path) -> list[str]:
    """Options of `setpriv` with which a PostgreSQL program may run on this folder."""
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
) -> Generator[None, None, None]:
    """A process that is ready when the block begins and stopped when it ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", *account, "--pdeathsig=KILL", *command],
            cwd=log.parent,
            env={**os.environ, "TMPDIR": str(log.parent)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it in its turn, not at once
        )
    try:
        await_ready(process, ready, log)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def await_ready(
    process: "subprocess.Popen[bytes]", ready: Callable[[], bool], log: Path
) -> None:
    """Wait until it is ready; if it ends or takes too long, raise with its log."""
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{log.stem} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


@contextmanager
def temporary_folder() -> Generator[Path, None, None]:
    """A folder that is gone after the block, which one interrupt ends."""
    with interrupted_once(), tempfile.TemporaryDirectory(prefix="peers-") as name:
        yield Path(name)


@contextmanager
def interrupted_once() -> Generator[None, None, None]:
    """Ignore a second interrupt: `timeout -s INT` sends two, which must not cut short
    how the first one stops what runs.
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
    """Where a program is; empty if it is missing."""
    folders = sorted(map(str, POSTGRES_FOLDERS.glob("*/bin")), reverse=True)
    path = os.pathsep.join([os.environ["PATH"], *folders])
    return shutil.which(name, path=path) or ""


def is_user(name: str) -> bool:
    """Whether this machine has a user of that name."""
    return name in {user.pw_name for user in pwd.getpwall()}


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]


def answers(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0
