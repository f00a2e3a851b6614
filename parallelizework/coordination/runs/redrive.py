"""`Redrive`: a run that executes what another run has left without a value."""

from restate import Context, TerminalError

from parallelizework.coordination.dispatch import SubtaskDispatch
from parallelizework.coordination.runs.redrivable_run import RedrivableRun
from parallelizework.definition.definition import Definition
from parallelizework.messages import Outcomes
from parallelizework.progress.models import State
from parallelizework.redrive.claim import Claimed, outcomes_of
from parallelizework.redrive.keep import Keeper
from parallelizework.redrive.models import RedriveRequest


class Redrive(RedrivableRun):
    """A redrive: read what is kept of a run, fan out the rest, aggregate everything.

    Args:
        ctx: The context of the invocation.
        definition: The fan-out.
        claimed: The run, claimed by this invocation.
        request: What to redrive.

    Raises:
        TerminalError: 400; the task no longer fits its type, or the policy is not
            possible.
    """

    def __init__(
        self,
        ctx: Context,
        definition: Definition,
        claimed: Claimed,
        request: RedriveRequest,
    ) -> None:
        kept, run = claimed.kept, claimed.run
        body, labels = kept.task.encode(), kept.labels
        try:
            super().__init__(ctx, definition, body, redrive_of=run, labels=labels)
        except TerminalError:
            keeper = Keeper(ctx, definition.name, run)
            keeper.release(has_succeeded=False, is_kept=False)
            raise
        self._claimed = claimed
        self._request = request

    async def outcomes(self, dispatch: SubtaskDispatch) -> Outcomes:
        """Execute what has no value; return the outcomes of all subtasks.

        Raises:
            TerminalError: As for `Run.fan_out`; or the request selects subtasks that
                have a value.
        """
        kept = self._claimed.kept
        if not kept.is_split:
            return await self.redrive(dispatch, Outcomes(), self._request)
        outcomes = await outcomes_of(self._ctx, self._claimed)
        self._is_split, self._total = True, kept.total
        return await self.redrive(dispatch, outcomes, self._request)

    def _keep(self, state: State) -> bool:
        if self._claimed.kept.is_split and not self._is_split:
            return False  # what is kept was not read
        return super()._keep(state)
