"""`Policy`: the limits of a run."""

from pydantic import BaseModel, ConfigDict, Field


class Policy(BaseModel):
    """The limits of a run; the words are those of AWS Step Functions.

    Args:
        max_concurrency: How many subtasks of one run may be executing at once.
            64 keeps one worker process busy (more adds no throughput to work that
            needs the CPU) while a run's share of memory and of Restate's 1,000
            invoker slots stays small; raise it for work that mostly waits.
        max_attempts: How often `split`, one `execute` or `aggregate` may be tried
            before its error becomes final. Restate waits between attempts, from
            50 ms doubling up to 10 s. A `TerminalError` is final at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_concurrency: int = Field(default=64, ge=1)
    max_attempts: int = Field(default=10, ge=1)
