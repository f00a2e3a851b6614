"""`FanOutRedrive`: the virtual object that keeps what a run with failures has.

`run` sends what it has at its end (`keep.py`). A redrive claims the run, and reads the
pieces. A claim is exclusive: two redrives at the same time execute no subtask twice. A
held run waits for an order of this object.
"""

from restate import ObjectContext, ObjectSharedContext, TerminalError, VirtualObject
from restate.serde import BytesSerde

from parallelizework.messages import Outcomes
from parallelizework.redrive.models import (
    NAME,
    Claim,
    ClaimRequest,
    Hold,
    Kept,
    Order,
    Piece,
    Redrivable,
    Redriven,
    Release,
    Selection,
)
from parallelizework.restate_sdk import virtual_object
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json

kept_json = Message[Kept](Kept, "what is kept of a run")
piece_json = Message[Piece](Piece, "a piece of what is kept of a run")
outcomes_json = Message[Outcomes](Outcomes, "a piece of what is kept of a run")
claim_request_json = Message[ClaimRequest](ClaimRequest, "a claim")
claim_json = Message[Claim](Claim, "the answer to a claim")
release_json = Message[Release](Release, "the end of a redrive")
hold_json = Message[Hold](Hold, "a hold")
order_json = Message[Order](Order, "an order for a held run")
_number_json = Json[int](int, "the number of a piece", status=400)
_selection_json = Json[Selection](Selection, "a redrive", status=400)
_redriven_json = Message[Redriven](Redriven, "the latest redrive of a run")
_redrivable_json = Message[Redrivable](Redrivable, "whether a run can be redriven")

_BAD_REQUEST, _NOT_FOUND, _CONFLICT = 400, 404, 409
_KEPT, _HELD, _REDRIVEN, _ARRIVED = "kept", "held", "redriven", "arrived"


NOT_KEPT = (
    "nothing is kept of the run {}, so it cannot be redriven: it has not ended, or it "
    "succeeded, or its policy has redrivable_for=0, or its time is over, or it is not "
    "a run of a fan-out"
)


def order_name(number: int) -> str:
    """Return the name of the signal with an order for a held run."""
    return f"held.{number}"


def redrive_object() -> VirtualObject:
    """Return the virtual object `FanOutRedrive`. Its key is the id of a run."""
    return virtual_object(
        NAME,
        "What runs of fan-outs with failures keep for a redrive",
        private=(add, keep, forget, claim, release, hold),
        public=(redrive, settle),
        shared=(get, read),
    )


async def add(ctx: ObjectContext, body: bytes) -> bytes:
    """Keep a piece of the outcomes of a run."""
    piece = piece_json.deserialize(body)
    await _add(ctx, piece.number, piece.outcomes)
    return b""


async def keep(ctx: ObjectContext, body: bytes) -> bytes:
    """Keep a run, until its time is over."""
    kept = kept_json.deserialize(body)
    assert kept.first, "a run sends its first piece"
    await _add(ctx, 0, kept.first)
    ctx.set(_KEPT, kept.model_copy(update={"first": None}), serde=kept_json)
    ctx.clear(_HELD)
    ctx.generic_send(NAME, "forget", b"", key=ctx.key(), send_delay=kept.kept_for)
    return b""


async def forget(ctx: ObjectContext, _body: bytes) -> bytes:
    """Forget a run."""
    ctx.clear_all()
    return b""


async def claim(ctx: ObjectContext, body: bytes) -> bytes:
    """Claim the run for a redrive."""
    return claim_json.serialize(await _claim(ctx, claim_request_json.deserialize(body)))


async def release(ctx: ObjectContext, body: bytes) -> bytes:
    """Note the end of the redrive that has claimed the run."""
    end = release_json.deserialize(body)
    redriven = await _redriven(ctx)
    if redriven.by == end.by:  # otherwise, the run was forgotten
        ctx.set(_REDRIVEN, redriven.released(end), serde=_redriven_json)
    return b""


async def hold(ctx: ObjectContext, body: bytes) -> bytes:
    """Note that the run is held, or no longer held."""
    state = hold_json.deserialize(body)
    if state.number is None:
        ctx.clear(_HELD)
    else:
        ctx.set(_HELD, state, serde=hold_json)
    return b""


async def redrive(ctx: ObjectContext, body: bytes) -> bytes:
    """Let a held run execute what has no value. The run continues."""
    await _send_order(ctx, Order(redrive=_selection_json.accept(body)))
    return b""


async def settle(ctx: ObjectContext) -> bytes:
    """Let a held run end now."""
    await _send_order(ctx, Order(redrive=None))
    return b""


async def get(ctx: ObjectSharedContext) -> bytes:
    """Return whether the run can be redriven, and its latest redrive."""
    held = await ctx.get(_HELD, serde=hold_json)
    kept = await ctx.get(_KEPT, serde=kept_json)
    redriven = await _redriven(ctx)
    found = held or kept
    if not found:
        raise TerminalError(NOT_KEPT.format(ctx.key()), _NOT_FOUND)
    redrivable = Redrivable(
        run=ctx.key(),
        fan_out=found.fan_out,
        is_held=held is not None,
        succeeded=kept.succeeded if kept else None,
        total=kept.total if kept else None,
        redriven_by=redriven.by,
        is_redriving=redriven.is_redriving,
        is_completed=redriven.has_succeeded and not redriven.is_kept,
        is_moved=redriven.is_kept,
        redrives=redriven.redrives,
        pieces=kept.pieces if kept else 0,
    )
    return _redrivable_json.serialize(redrivable)


async def read(ctx: ObjectSharedContext, body: bytes) -> bytes:
    """Return a piece of the outcomes of the run; the first has the number 0."""
    number = _number_json.accept(body)
    piece = await ctx.get(_piece(number), serde=BytesSerde())
    if piece is None:
        raise TerminalError(f"no piece {number} is kept of {ctx.key()}", _NOT_FOUND)
    return piece


async def _claim(ctx: ObjectContext, request: ClaimRequest) -> Claim:
    if await ctx.get(_HELD, serde=hold_json):
        return Claim(status="held")
    kept = await ctx.get(_KEPT, serde=kept_json)
    arrived = await ctx.get(_ARRIVED, type_hint=int) or 0
    if not kept or arrived < kept.pieces:
        return Claim(status="unknown")
    if kept.fan_out != request.fan_out:
        message = f"{ctx.key()} is a run of {kept.fan_out}, not of {request.fan_out}"
        raise TerminalError(message, _BAD_REQUEST)
    redriven = await _redriven(ctx)
    answer = redriven.claim(request, kept)
    if answer.status == "claimed":
        ctx.set(_REDRIVEN, redriven.claimed(request), serde=_redriven_json)
    return answer


async def _redriven(ctx: ObjectContext | ObjectSharedContext) -> Redriven:
    return await ctx.get(_REDRIVEN, serde=_redriven_json) or Redriven()


async def _add(ctx: ObjectContext, number: int, piece: Outcomes) -> None:
    ctx.set(_piece(number), piece, serde=outcomes_json)
    arrived = await ctx.get(_ARRIVED, type_hint=int) or 0
    ctx.set(_ARRIVED, arrived + 1)


async def _send_order(ctx: ObjectContext, order: Order) -> None:
    """Send an order to the held run: the next order needs the next hold.

    Raises:
        TerminalError: 409; the run is not held.
    """
    held = await ctx.get(_HELD, serde=hold_json)
    if not held or held.number is None:
        raise TerminalError(f"the run {ctx.key()} is not held", _CONFLICT)
    ctx.resolve_signal(ctx.key(), order_name(held.number), order, serde=order_json)
    ctx.clear(_HELD)


def _piece(number: int) -> str:
    return f"piece.{number}"
