"""`Hold`: a run that would fail waits for an order: a redrive, or its end."""

from datetime import timedelta

from restate import Context

from parallelizework.coordination.window import Events
from parallelizework.redrive.keep import Keeper
from parallelizework.redrive.models import Selection
from parallelizework.redrive.virtual_object import order_json, order_name


class Hold:
    """Holds a run.

    Args:
        ctx: The context of the run.
        events: The events that the run waits for.
        keeper: Tells `FanOutRedrive` that the run is held.

    Attributes:
        times: How often the run was held.
    """

    def __init__(self, ctx: Context, events: Events, keeper: Keeper) -> None:
        self._ctx = ctx
        self._events = events
        self._keeper = keeper
        self.times = 0

    async def order(self, longest: timedelta) -> Selection | None:
        """Wait for an order.

        Args:
            longest: How long to wait.

        Returns:
            Which subtasks to execute; None to end the run.

        Raises:
            TerminalError: Somebody has cancelled the run.
        """
        order = self._ctx.signal(order_name(self.times), serde=order_json)
        timer, has_expired = self._ctx.sleep(longest), False

        def expire() -> None:
            nonlocal has_expired
            has_expired = True

        self._events.on(timer, expire)
        self._keeper.hold(self.times)
        self.times += 1
        while not await self._events.wait(order):
            if has_expired:
                self._keeper.hold(None)
                return None
        self._events.drop(timer)
        return (await order).redrive
