"""The handlers of a fan-out's coordinators.

`run` calls `runSubtask` or `runBatch`, of this service or of an executor. For a large
run, it calls `runSegment` with slices, and `runSegment` continues in the same way. With
`expand`, `run` has shards: it calls `runShard` to expand one, or `runShards` with a
slice of shards. `redrive` is a run that executes what another run has left.
"""

from pydantic_core import to_json
from restate import Context, TerminalError

from parallelizework.coordination.coordinator import InnerCoordinator
from parallelizework.coordination.dispatch import ShardDispatch, SubtaskDispatch
from parallelizework.coordination.runs.redrivable_run import RedrivableRun
from parallelizework.coordination.runs.redrive import Redrive
from parallelizework.definition.definition import Definition
from parallelizework.messages import NOTIFY, WHEN_DONE, Outcomes
from parallelizework.observation.observer import run_started
from parallelizework.redrive.claim import claimed
from parallelizework.redrive.models import RedriveRequest
from parallelizework.restate_sdk import is_resumed
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json
from parallelizework.terminal_errors import error_of


class Handlers:
    """The handlers of one definition.

    Attributes:
        redrive_json: JSON of the request that `redrive` accepts.
        slice_json: JSON of the slice that an inner coordinator accepts.
        outcomes_json: JSON of the outcomes that an inner coordinator returns.
    """

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._subtasks = SubtaskDispatch(definition)
        self._shards = ShardDispatch(definition)
        self.redrive_json = Json[RedriveRequest](
            RedriveRequest, f"the request of a redrive of {definition.name}", status=400
        )
        self.slice_json = self._subtasks.slice_json
        self.outcomes_json = Message[Outcomes](
            Outcomes,
            f"the list of values of a slice of {definition.name}",
            remedy="add a function combine to the fan-out, or use a reference as value",
        )

    async def run(self, ctx: Context, body: bytes) -> bytes:
        """Split the task, execute its subtasks in parallel, aggregate their values."""
        is_new = not is_resumed(ctx)
        self._notify(ctx)
        run = RedrivableRun(ctx, self._definition, body)
        if is_new:
            run_started(self._definition.name)
        with run:
            items = await run.split()
            outcomes = await run.fan_out(self._run_dispatch, items)
            outcomes = await run.hold(self._run_dispatch, outcomes)
            return await run.aggregate(outcomes)

    async def redrive(self, ctx: Context, body: bytes) -> bytes:
        """Execute what a run has left without a value, aggregate all values."""
        is_new = not is_resumed(ctx)
        request = self.redrive_json.accept(body)
        run = await claimed(ctx, self._definition.name, request)
        if isinstance(run, bytes):
            return run
        self._notify(ctx)
        redrive = Redrive(ctx, self._definition, run, request)
        if is_new:
            run_started(self._definition.name)
        with redrive:
            outcomes = await redrive.outcomes(self._run_dispatch)
            outcomes = await redrive.hold(self._run_dispatch, outcomes)
            return await redrive.aggregate(outcomes)

    async def run_segment(self, ctx: Context, body: bytes) -> bytes:
        """Execute a slice of the subtasks of a large run."""
        return await self._outcomes(self._coordinator(ctx, body), self._subtasks)

    async def run_shards(self, ctx: Context, body: bytes) -> bytes:
        """Execute a slice of many shards."""
        return await self._outcomes(self._coordinator(ctx, body), self._shards)

    async def run_shard(self, ctx: Context, body: bytes) -> bytes:
        """Expand a shard and execute its subtasks."""
        coordinator = self._coordinator(ctx, body)
        await coordinator.expand(len(body))
        return await self._outcomes(coordinator, self._subtasks)

    def _notify(self, ctx: Context) -> None:
        """Notify the receivers of the fan-out when this run has ended."""
        if receivers := self._definition.notify:
            run, fan_out = ctx.request().id, self._definition.name
            request = {"run": run, "fan_out": fan_out, "to": receivers}
            ctx.generic_send(NOTIFY, WHEN_DONE, to_json(request))

    @property
    def _run_dispatch(self) -> SubtaskDispatch:
        """The dispatch for the items that `split` returns."""
        return self._shards if self._definition.expand else self._subtasks

    def _coordinator(self, ctx: Context, body: bytes) -> InnerCoordinator:
        slice_ = self.slice_json.deserialize(body)
        return InnerCoordinator(ctx, self._definition, slice_)

    async def _outcomes(
        self, coordinator: InnerCoordinator, dispatch: SubtaskDispatch
    ) -> bytes:
        outcomes = await coordinator.outcomes(dispatch)
        try:
            return self.outcomes_json.serialize(outcomes)
        except TerminalError:  # the values are too large for one message
            if outcomes.error:
                raise error_of(outcomes.error) from None
            if outcomes.cancelled:
                return self.outcomes_json.serialize(Outcomes(cancelled=True))
            raise
