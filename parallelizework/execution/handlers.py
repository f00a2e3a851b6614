"""The handlers that execute subtasks: `runSubtask` and `runBatch`."""

from restate import Context

from parallelizework.attempts.handler_code import Misses
from parallelizework.attempts.steps import Steps
from parallelizework.definition.definition import Definition
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.execution.batch import Batch
from parallelizework.execution.handler_code import HandlerCode
from parallelizework.execution.subtask import Subtask
from parallelizework.messages import Outcomes, Slice
from parallelizework.serde import Message


class Execution:
    """The handlers that execute the subtasks of a service.

    Args:
        definition: How a subtask is executed.
        fan_out: The fan-out that the service is; None for an executor.

    Attributes:
        slice_json: The subtasks of a batch.
        outcomes_json: The outcomes of a batch.
    """

    def __init__(
        self, definition: ExecuteDefinition, fan_out: Definition | None = None
    ) -> None:
        name = definition.name
        self.definition = definition
        self.slice_json = Message[Slice[object]](Slice[object], f"a batch of {name}")
        self.outcomes_json = Message[Outcomes](
            Outcomes,
            f"the values of a batch of {name}",
            remedy="lower max_items_per_batch, or let a value be a reference",
        )
        self._fan_out = fan_out
        self._misses = Misses()

    async def run_subtask(self, ctx: Context, body: bytes) -> bytes:
        """Execute one subtask."""
        if self.definition.function.takes_context:
            return await HandlerCode(ctx, self.definition, self._misses).value(body)
        return await Subtask(ctx, self.definition).value(body)

    async def run_batch(self, ctx: Context, body: bytes) -> bytes:
        """Execute a batch of subtasks as one durable step."""
        slice_ = self.slice_json.deserialize(body)
        policy = self.definition.policy_for(slice_.overrides, batch=True)
        batch = Batch(ctx, self.definition, policy, slice_)
        outcomes = await batch.outcomes(
            self.outcomes_json.beside(len(body), "its subtasks")
        )
        if self._fan_out and self._fan_out.combine and len(outcomes.values) > 1:
            steps = Steps(ctx, self._fan_out, policy)
            values = [await steps.combine(outcomes.values)]
            outcomes = outcomes.model_copy(update={"values": values})
        return self.outcomes_json.serialize(outcomes)
