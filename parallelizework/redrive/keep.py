"""`Keeper`: sends what a run has at its end to `FanOutRedrive`."""

from datetime import timedelta

import restate
from restate import Context, TerminalError

from parallelizework.messages import Outcomes
from parallelizework.progress.labels import Labels
from parallelizework.redrive.models import NAME, Hold, Kept, Piece, Release
from parallelizework.redrive.pieces import pieces
from parallelizework.redrive.virtual_object import (
    hold_json,
    kept_json,
    piece_json,
    release_json,
)

_logger = restate.getLogger(__name__)  # pyright: ignore[reportUnknownMemberType] - half typed


class Keeper:
    """Sends what a run has at its end to `FanOutRedrive`.

    Args:
        ctx: The context of the run.
        fan_out: The name of the fan-out.
        redrive_of: The id of the run that this run redrives, if any.
        labels: The labels of the run.
    """

    def __init__(
        self,
        ctx: Context,
        fan_out: str,
        redrive_of: str | None,
        labels: Labels | None = None,
    ) -> None:
        self._ctx = ctx
        self._fan_out = fan_out
        self._redrive_of = redrive_of
        self._labels = dict(labels or {})

    def keep(
        self,
        task: bytes,
        outcomes: Outcomes,
        total: int | None,
        *,
        is_split: bool,
        kept_for: timedelta,
    ) -> bool:
        """Keep the run; return whether it can be redriven.

        Args:
            task: The task, as JSON.
            outcomes: All outcomes of the run, and the items without an outcome.
            total: The number of subtasks; None if it is unknown.
            is_split: Whether `split` has returned its list.
            kept_for: How long the run can be redriven.
        """
        if not kept_for:
            return False
        found = pieces(outcomes)
        kept = Kept(
            fan_out=self._fan_out,
            task=task.decode(),
            is_split=is_split,
            total=total,
            pieces=len(found),
            succeeded=found[0].succeeded,
            kept_for=kept_for,
            labels=self._labels,
            first=found[0],
        )
        try:
            messages = [
                piece_json.serialize(Piece(number=number, outcomes=each))
                for number, each in enumerate(found[1:], 1)
            ]
            last = kept_json.serialize(kept)
        except TerminalError as error:  # one value is as large as a message
            run = self._ctx.request().id
            _logger.warning("run cannot be redriven: run=%s: %s", run, error)
            return False
        for message in messages:
            self._send("add", message)
        self._send("keep", last)
        return True

    def hold(self, number: int | None) -> None:
        """Note that the run is held, or no longer held.

        Args:
            number: How often the run was held before; None if it is no longer held.
        """
        hold = Hold(fan_out=self._fan_out, number=number)
        self._send("hold", hold_json.serialize(hold))

    def release(self, *, has_succeeded: bool, is_kept: bool) -> None:
        """Note the end of this run, if it is a redrive, at the run that it redrives."""
        if self._redrive_of:
            release = Release(
                by=self._ctx.request().id,
                has_succeeded=has_succeeded,
                is_kept=is_kept,
            )
            message = release_json.serialize(release)
            self._send("release", message, to=self._redrive_of)

    def _send(self, handler: str, message: bytes, to: str | None = None) -> None:
        key = to or self._ctx.request().id
        self._ctx.generic_send(NAME, handler, message, key=key)
