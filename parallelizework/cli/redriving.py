"""`redrive` and `settle`: what to do with a run that has failures."""

from typing import Annotated

from cyclopts import Parameter
from pydantic import ValidationError

from parallelizework.cli.app import FOLLOW, HERE, Duration, Flag, Json, Where, cli
from parallelizework.cli.printing.output import note
from parallelizework.cli.running import Start
from parallelizework.cli.runs import RunId
from parallelizework.cli.task import UsageError
from parallelizework.client.codec import raw
from parallelizework.policy import Policy
from parallelizework.redrive.models import Index
from parallelizework.serde.adapter import mistakes

_ANY = raw("")


@cli.command(group=FOLLOW)
def redrive(  # noqa: PLR0913 - each is one switch of the command
    run: RunId,
    /,
    *,
    failed_only: Flag = False,
    index: str | None = None,
    policy: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    detach: Flag = False,
    wait: Duration | None = None,
    timeout: Duration | None = None,
    as_json: Json = False,
    where: Where = HERE,
) -> None:
    """Redrive a run with failures: execute only what has no value.

    The redrive is a new run, on the code that is registered now. Its result has the
    values of both runs. A run that is held continues instead.

    Parameters
    ----------
    failed_only
        Leave out subtasks that were cancelled or never started.
    index
        Execute these subtasks only, such as 17,99. With shards: 3/17,3/99.
    policy
        The fields of the policy to override, as JSON: {"max_attempts": 3}.
    detach
        Print the id of the redrive and do not wait.
    wait
        Wait this long at most, such as 30s. If the redrive has not ended then, print
        its id instead of the result.
    timeout
        Wait this long at most, such as 30s. Fail if the redrive has not ended; the
        redrive continues.
    as_json
        Print a JSON object with run, state, and result or error.
    """
    with where.client() as client:
        started = client.attach(_ANY, run).redrive(
            _policy(policy),
            failed_only=failed_only,
            indexes=_indexes(index),
        )
        if started.id == run:
            note(f"{run} was held and continues")
        elif not started.is_new:
            note(f"{run} is being redriven already")
        start = Start(detach=detach, wait=wait, timeout=timeout, as_json=as_json)
        start.follow(started, "redrive")


@cli.command(group=FOLLOW)
def settle(run: RunId, /, *, where: Where = HERE) -> None:
    """Let a run end now that is held and waits for a redrive."""
    with where.client() as client:
        client.attach(_ANY, run).settle()
    note(f"{run} ends now")


def _policy(text: str | None) -> Policy | None:
    try:
        return None if text is None else Policy.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(f"--policy {text}: {mistakes(error)}") from error


def _indexes(text: str | None) -> list[Index] | None:
    return None if text is None else [_index(each) for each in text.split(",")]


def _index(text: str) -> Index:
    shard, slash, index = text.strip().rpartition("/")
    if not index.isdecimal() or bool(slash) != shard.isdecimal():
        raise UsageError(
            f"--index {text!r}: pass indexes such as 17,99 or, with shards, 3/17,3/99"
        )
    return (int(shard), int(index)) if slash else int(index)
