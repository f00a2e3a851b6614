"""The commands that serve fan-outs: serve, dev, server, register, doctor."""

import shlex
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from parallelizework.cli.app import HERE, SERVE, Flag, Where, cli
from parallelizework.cli.example import Example, example
from parallelizework.cli.printing.output import note
from parallelizework.errors import ExtraMissing, extras_named
from parallelizework.local.dev import Local, local
from parallelizework.local.doctor import Finding, examine
from parallelizework.local.manifest import task_schemas
from parallelizework.local.ports import Ports, url
from parallelizework.local.process import RestartableProcess
from parallelizework.local.server import LocalServer, local_server
from parallelizework.settings import Settings

_PORTS = 65_536
Port = Annotated[int, Parameter(validator=Number(gte=0, lt=_PORTS))]
Workers = Annotated[int, Parameter(validator=Number(gte=1))]


def _check_bind(_type: Any, bind: str) -> None:
    host, _, port = bind.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) < _PORTS):
        raise ValueError(f"{bind!r} is not HOST:PORT, such as 127.0.0.1:9080")


@cli.command(group=SERVE)
def serve(
    targets: list[str] | None = None,
    /,
    *,
    bind: Annotated[str, Parameter(validator=_check_bind)] = "127.0.0.1:9080",
    workers: Workers = 1,
) -> None:
    """Serve fan-outs to a restate-server until SIGTERM or Ctrl-C.

    Parameters
    ----------
    targets
        What to serve. MODULE or FILE.py: all fan-outs, executors and Restate services
        in it. MODULE:OBJECT or FILE.py:OBJECT: one of them. Or the name of a ready-made
        fan-out, or FanOutNotify or FanOutSchedule. By default, the targets in
        PARALLELIZEWORK_FAN_OUTS, or all ready-made fan-outs.
    bind
        The address to listen on, as HOST:PORT. Anyone who can reach this address may
        run the fan-outs.
    workers
        The number of worker processes.
    """
    with extras_named():
        from parallelizework.serving import logs, worker  # noqa: PLC0415 - other commands do without restate

    settings = Settings()
    changes = {"fan_outs": tuple(targets or settings.fan_outs)}
    settings = settings.model_copy(update=changes)
    with logs.fatal_errors_logged(settings.log_format):
        worker.serve(settings, bind=bind, workers=workers)


@cli.command(group=SERVE)
def dev(  # noqa: PLR0913 - each is one switch of the command
    targets: list[str] | None = None,
    /,
    *,
    ingress_port: Port = 8080,
    admin_port: Port = 9070,
    worker_port: Port = 9080,
    workers: Workers = 1,
    data: Path | None = None,
) -> None:
    """Run a local restate-server with a registered worker until Ctrl-C.

    Parameters
    ----------
    targets
        What to serve. MODULE or FILE.py: all fan-outs, executors and Restate services
        in it. MODULE:OBJECT or FILE.py:OBJECT: one of them. Or the name of a ready-made
        fan-out, or FanOutNotify or FanOutSchedule. By default, the targets in
        PARALLELIZEWORK_FAN_OUTS, or all ready-made fan-outs.
    ingress_port
        The port of the server's ingress; 0 means any free port.
    admin_port
        The port of the server's UI and admin API; 0 means any free port.
    worker_port
        The port of the worker; 0 means any free port.
    workers
        The number of worker processes.
    data
        The server's data folder. With the same folder, the next start continues the
        runs. By default, all data is deleted at the end.
    """
    if not find_spec("restate"):  # before restate-server is installed and started
        raise ExtraMissing("restate")
    ports = Ports(ingress_port, admin_port, worker_port)
    _handle_signals()
    with local(
        targets or [],
        ports=ports,
        data=data,
        server=Settings().restate_server,
        workers=workers,
    ) as started:
        _welcome(started)
        _wait_for_the_end(started.server.process, started.worker_process)


@cli.command(group=SERVE)
def server(
    *,
    ingress_port: Port = 8080,
    admin_port: Port = 9070,
    data: Path | None = None,
) -> None:
    """Run a local restate-server without a worker until Ctrl-C.

    Parameters
    ----------
    ingress_port
        The port of the server's ingress; 0 means any free port.
    admin_port
        The port of the server's UI and admin API; 0 means any free port.
    data
        The server's data folder. With the same folder, the next start continues the
        runs. By default, all data is deleted at the end.
    """
    ports = Ports(ingress_port, admin_port, worker=0).chosen()
    _handle_signals()
    program = Settings().restate_server
    with local_server(ports=ports, data=data, server=program) as started:
        note(f"UI        {started.admin}")
        note(f"Ingress   {started.ingress}")
        note("Next      run parallelizework serve, then parallelizework register URL")
        _note_exports(started)
        note("Ctrl-C stops the server")
        _wait_for_the_end(started.process)


def _check_url(_type: Any, worker: str) -> None:
    if "://" not in worker and not worker.startswith("arn:"):
        raise ValueError(f"{worker!r} is not a URL: write http://{worker}")


@cli.command(group=SERVE)
def register(
    worker: Annotated[str, Parameter(name="URL", validator=_check_url)],
    /,
    *,
    force: Flag = False,
    where: Where = HERE,
) -> None:
    """Register a worker with the restate-server; print the services of the worker.

    Parameters
    ----------
    worker
        The URL at which the server reaches the worker, such as http://localhost:9080.
        On AWS Lambda, the ARN of a version of the function.
    force
        Replace the services that were registered for the same URL. Runs in flight may
        fail if the handlers of the worker have changed.
    """
    with where.client() as client:
        registered = client.register(worker, force=force)
    print("\n".join(registered))
    if not registered.is_new:
        note(f"{worker} was registered before. If its services changed, add --force")
    for other in registered.others:
        note(str(other))
    if any(other.is_idle for other in registered.others):
        note(
            "only one worker receives the new calls of a service. To share the calls, "
            "put a load balancer in front of the workers and register its URL, or use "
            "`parallelizework serve --workers`"
        )


@cli.command(group=SERVE)
def doctor(*, where: Where = HERE) -> None:
    """Check the server, the workers and their versions; print errors and remedies."""
    findings = examine(where.ingress, where.admin)
    for finding in findings:
        print(_line(finding))
    if not all(finding.ok for finding in findings):
        sys.exit(1)


def _line(finding: Finding) -> str:
    mark = ("idle" if finding.is_idle else "ok") if finding.ok else "WRONG"
    line = f"{mark:6} {finding.what:12} {finding.text}"
    return f"{line}\n{'':7}{finding.remedy}" if finding.remedy else line


def _welcome(started: Local) -> None:
    note(f"UI        {started.admin}")
    schemas = task_schemas(started.worker)
    names = [name for name in schemas or started.services if name in started.services]
    note(f"Services  {', '.join(names)}")
    if fan_outs := [name for name in names if name in started.fan_outs]:
        known = _EXAMPLES.get(fan_outs[0])
        made = known or example(schemas.get(fan_outs[0], {}))
        _note_example(started, fan_outs[0], made)
    _note_exports(started.server)
    note("Ctrl-C stops the server and the worker")


def _note_example(started: Local, name: str, made: Example) -> None:
    """Print two commands that run a fan-out."""
    task = shlex.quote(made.task)
    where = f" --ingress {started.ingress} --admin {started.admin}"
    options = "" if _has_default_ports(started.server) else where
    note(f"Try       curl {started.ingress}/{name}/run --json {task}")
    note(f"or        parallelizework run {name} {task}{options}")
    if made.kind:
        note(f"TASK is   {made.kind}")


_EXAMPLES = {
    "FanOutWorker": Example(
        '{"description": "get out of bed,shower,make coffee,have breakfast"}'
    ),
    "HttpFanOut": Example('{"requests": [{"url": "https://example.com/"}]}'),
}


def _note_exports(server: LocalServer) -> None:
    """Print how commands in another terminal find a server on other ports."""
    if not _has_default_ports(server):
        note("For commands in another terminal:")
        note(f"  export PARALLELIZEWORK_INGRESS_URL={server.ingress}")
        note(f"  export PARALLELIZEWORK_ADMIN_URL={server.admin}")


def _has_default_ports(server: LocalServer) -> bool:
    default = Ports()
    return (server.ingress, server.admin) == (url(default.ingress), url(default.admin))


def _wait_for_the_end(*processes: RestartableProcess) -> None:
    """Wait for Ctrl-C; start each process again that ends."""
    try:
        while True:
            for process in processes:
                if how := process.restart_if_ended():
                    note(f"{process.name} {how} and is started again")
            time.sleep(0.2)
    except KeyboardInterrupt:
        note("stopping")


def _handle_signals() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _interrupt)  # SIGINT too: a script's `&` ignores it


def _interrupt(_signum: int, _frame: object) -> None:
    raise KeyboardInterrupt
