"""`Policy`: the limits of a run."""

from pydantic import BaseModel, ConfigDict, Field

from parallelizework.plan import WINDOW


class Policy(BaseModel):
    """The limits of a run; the words are those of AWS Step Functions.

    Args:
        max_concurrency: How many subtasks of one run may be executing at once, over
            all its segments and workers. By default 64 calls are: that keeps a worker
            busy, while a run's share of memory and of the 1,000 invocations that a
            restate-server runs at once for a partition stays small. Raise it for work
            that mostly waits.
        max_items_per_batch: How many subtasks one call executes and journals as one
            step. A batch saves most of what a call costs; in exchange, all of it is
            executed again when its worker dies.
        max_attempts: How often `split`, one `execute` or `aggregate` may be tried
            before its error becomes final. Restate waits between attempts, from
            50 ms doubling up to 10 s. A `TerminalError` is final at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_concurrency: int | None = Field(default=None, ge=1)
    max_items_per_batch: int = Field(default=1, ge=1)
    max_attempts: int = Field(default=10, ge=1)

    @property
    def slots(self) -> int:
        """How many subtasks may be executing at once."""
        return self.max_concurrency or WINDOW * self.max_items_per_batch
