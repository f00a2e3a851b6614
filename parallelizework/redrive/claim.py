"""`claimed`: claims a run for a redrive, and reads what is kept of the run."""

from dataclasses import dataclass
from datetime import timedelta

from restate import Context, TerminalError
from restate.serde import BytesSerde

from parallelizework.messages import Outcomes
from parallelizework.redrive.keep import Keeper
from parallelizework.redrive.models import (
    NAME,
    Claim,
    ClaimRequest,
    Kept,
    RedriveRequest,
    Selection,
)
from parallelizework.redrive.pieces import joined
from parallelizework.redrive.virtual_object import (
    NOT_KEPT,
    claim_json,
    claim_request_json,
    outcomes_json,
)
from parallelizework.serde.message import Message
from parallelizework.terminal_errors import is_lost

_NOT_FOUND, _CONFLICT = 404, 409
# What a run keeps takes some milliseconds to arrive after the end of the run; in the
# worst case, some seconds.
_WAITS, _WAIT = 30, timedelta(seconds=0.1)

_selection_json = Message[Selection](Selection, "a redrive")


@dataclass(frozen=True)
class Claimed:
    """A run that was claimed for a redrive.

    Attributes:
        run: The id of the run. If the requested run was redriven before without
            success, this is the latest redrive.
        kept: What is kept of the run.
    """

    run: str
    kept: Kept


async def claimed(
    ctx: Context, fan_out: str, request: RedriveRequest
) -> Claimed | bytes:
    """Claim a run for the redrive that this invocation is.

    Returns:
        The claimed run. Or, if the run is held, or another redrive has claimed it: the
        result of the run or of the other redrive.

    Raises:
        TerminalError: Nothing is kept of the run, or a redrive of it has succeeded; or
            the held run, or the other redrive, has failed.
    """
    run, lost = request.run, None
    while True:
        claim = await _claim(ctx, run, fan_out, lost)
        match claim.status:
            case "claimed":
                assert claim.kept, "a run that can be claimed is kept"
                return Claimed(run, claim.kept)
            case "held":
                return await _of_held(ctx, run, request)
            case "moved":
                run = claim.by
            case "taken":
                result = await _of_other(ctx, claim.by)
                if result is not None:
                    return result
                lost = claim.by
            case "succeeded":
                by = claim.by
                message = f"{run} was redriven before: the run {by} has succeeded"
                raise TerminalError(message, _CONFLICT)
            case _:
                raise TerminalError(NOT_KEPT.format(run), _NOT_FOUND)


async def outcomes_of(ctx: Context, run: Claimed) -> Outcomes:
    """Return the outcomes that are kept of a claimed run."""
    pieces: list[Outcomes] = []
    for number in range(run.kept.pieces):  # one by one: a piece may be large
        body = str(number).encode()
        answer = await ctx.generic_call(NAME, "read", body, key=run.run)
        pieces.append(outcomes_json.deserialize(answer))
    return joined(pieces)


async def _claim(ctx: Context, run: str, fan_out: str, lost: str | None) -> Claim:
    """Claim a run, as soon as everything that is kept of the run has arrived."""
    request = ClaimRequest(by=ctx.request().id, fan_out=fan_out, instead_of=lost)
    body = claim_request_json.serialize(request)
    try:
        for _ in range(_WAITS):
            answer = await ctx.generic_call(NAME, "claim", body, key=run)
            claim = claim_json.deserialize(answer)
            if claim.status != "unknown":
                return claim
            await ctx.sleep(_WAIT)
    except TerminalError:  # a redrive that is cancelled may have the claim already
        Keeper(ctx, fan_out, run).release(has_succeeded=False, is_kept=False)
        raise
    return Claim(status="unknown")


async def _of_held(ctx: Context, run: str, request: RedriveRequest) -> bytes:
    """The result of a held run, after it has executed what has no value."""
    selection = Selection(**request.model_dump(exclude={"run"}, exclude_unset=True))
    await ctx.generic_call(
        NAME, "redrive", _selection_json.serialize(selection), key=run
    )
    return await ctx.attach_invocation(run, BytesSerde())


async def _of_other(ctx: Context, redrive: str) -> bytes | None:
    """The result of another redrive; None if it was killed, or is not stored."""
    try:
        return await ctx.attach_invocation(redrive, BytesSerde())
    except TerminalError as error:
        if is_lost(error):
            return None
        raise
