"""`run`: submit a task, show the progress of the run, print its result."""

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from parallelizework.cli.app import (
    HERE,
    RUN,
    Duration,
    Flag,
    Json,
    Label,
    Urls,
    Where,
    cli,
)
from parallelizework.cli.follow import follow
from parallelizework.cli.printing.output import note, print_result
from parallelizework.cli.task import read_labels, read_receivers, read_task
from parallelizework.client import Run
from parallelizework.client.codec import raw
from parallelizework.errors import RunNotFinished
from parallelizework.notifications.receivers import Receiver

_INTERRUPTED = 130  # the exit code after Ctrl-C, as in shells


@cli.command(group=RUN)
def run(  # noqa: PLR0913 - each is one switch of the command
    name: str,
    task: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    from_lines: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    detach: Flag = False,
    wait: Duration | None = None,
    timeout: Duration | None = None,
    idempotency_key: str | None = None,
    delay: Duration | None = None,
    labels: Label = None,
    notify: Urls = None,
    as_json: Json = False,
    where: Where = HERE,
) -> None:
    """Run a fan-out: submit a task, show the progress, print the result.

    Ctrl-C ends the command only. The run continues, and the command prints how to
    follow it.

    Parameters
    ----------
    name
        The name of the fan-out.
    task
        The task: JSON, @FILE, or - for stdin.
    from_lines
        The task is a JSON list of strings: the lines of this file, or of stdin (-).
        Empty lines are skipped.
    detach
        Print the run's id and do not wait.
    wait
        Wait this long at most, such as 30s. If the run has not ended then, print the
        run's id instead of the result.
    timeout
        Wait this long at most, such as 30s. Fail if the run has not ended; the run
        continues.
    idempotency_key
        Requests with the same key return the same run, for a day.
    delay
        Start the run after this time, such as 10s.
    labels
        A label of the run, such as tenant=a. You can repeat the option. `list --label`
        finds the run.
    notify
        Notify this receiver when the run has ended: https://HOST/PATH for a webhook, or
        mailto:me@example.com. You can repeat the option. With --wait, a run that ends
        within this time notifies nobody.
    as_json
        Print a JSON object with run, state, and result or error.
    """
    receivers = read_receivers(notify or ())
    with where.client() as client:
        submitted = client.submit(
            raw(name),
            read_task(task, from_lines),
            idempotency_key=idempotency_key,
            delay=None if delay is None else delay.total_seconds(),
            labels=read_labels(labels or ()),
            notify=receivers if wait is None else (),
        )
        if not submitted.is_new:
            note(f"the key {idempotency_key!r} was used before: no new run is started")
        start = Start(
            detach=detach,
            wait=wait,
            timeout=timeout,
            as_json=as_json,
            then=() if wait is None else receivers,
        )
        start.follow(submitted, name)


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a command does after it has started a run.

    Attributes:
        detach: Print the id of the run, and do not wait.
        wait: How long to wait at most; then print the id instead of the result.
        timeout: How long to wait at most; then fail.
        as_json: Print a JSON object.
        then: Who is notified when the run has ended, if it does not end within `wait`.
    """

    detach: bool
    wait: timedelta | None
    timeout: timedelta | None
    as_json: bool
    then: Sequence[Receiver] = ()

    def follow(self, run: Run[bytes], title: str) -> None:
        """Show the progress of a run, and print its result or its id.

        Args:
            run: The run.
            title: What was started, to print before the id.

        Raises:
            RunFailed: The run ended without a result.
            RunNotFinished: The run did not end within `timeout`.
        """
        if self.detach:
            run.notify(self.then)
            _print_id(run.id, as_json=self.as_json)
            return
        note(f"{title} {run.id}")
        with _detached_by_ctrl_c(run, self.then):
            self._wait(run)

    def _wait(self, run: Run[bytes]) -> None:
        wait, timeout = self.wait, self.timeout
        bounds = [each.total_seconds() for each in (wait, timeout) if each is not None]
        try:
            result = follow(run, min(bounds, default=None))
        except RunNotFinished as error:
            run.notify(self.then)
            if wait is None or (timeout is not None and timeout < wait):
                raise
            note(str(error))
            _print_id(run.id, as_json=self.as_json)
        else:
            print_result(run.id, result, as_json=self.as_json)


def _print_id(run: str, *, as_json: bool) -> None:
    print(json.dumps({"run": run, "state": "running"}) if as_json else run, flush=True)


@contextmanager
def _detached_by_ctrl_c(
    run: Run[bytes], then: Sequence[Receiver]
) -> Generator[None, None, None]:
    try:
        yield
    except KeyboardInterrupt:
        run.notify(then)
        note(
            f"\n{run.id} continues. Follow it, get its result, or cancel it:\n"
            f"  parallelizework watch {run.id}\n"
            f"  parallelizework result {run.id}\n"
            f"  parallelizework cancel {run.id}"
        )
        sys.exit(_INTERRUPTED)
