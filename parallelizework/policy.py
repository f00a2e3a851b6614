"""`Policy`: the limits and the completion rule of a run."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self, cast

from annotated_types import Gt, Le
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Overrides = dict[str, Any]  # of a `Policy`, as plain JSON; only what was said

Duration = Annotated[timedelta, Gt(timedelta(0)), Le(timedelta(days=3_650))]

WINDOW = 64  # calls that one coordinator has in flight, at most
_MOST = 1_000_000  # a request may say it, and what is planned with it takes memory
_LONGEST = timedelta(seconds=30)  # pauses between attempts, by default
_TOLERANCE = {"tolerated_failure_count", "tolerated_failure_percentage"}
_RULE = _TOLERANCE | {"min_successful", "race"}

# What the policy of an executor may say, in the order in which it is checked.
ABOUT_ATTEMPTS = (
    "max_attempts",
    "initial_retry_interval",
    "max_retry_interval",
    "retry_interval_factor",
    "attempt_timeout",
    "on_exhausted",
)
ABOUT_SUBTASKS = (*ABOUT_ATTEMPTS, "subtask_timeout")  # what an executor has to know


def _longest(validated: dict[str, timedelta]) -> timedelta:
    """The longest pause, where only the first one is given."""
    return max(_LONGEST, validated.get("initial_retry_interval", _LONGEST))


class Policy(BaseModel):
    """The limits and the completion rule of a run.

    The words are those of AWS Step Functions and of Restate. Durations are seconds, or
    ISO 8601 (`"PT5M"`), in JSON. By default a run is successful if all subtasks are;
    the first failure ends it.

    Attributes:
        max_concurrency: How many subtasks of one run may be executing at once, over
            all its segments and workers. By default 64 calls are: that keeps a worker
            busy, while a run's share of memory and of the 1,000 invocations that a
            restate-server runs at once for a partition stays small. Raise it for work
            that mostly waits.
        max_items_per_batch: How many subtasks one call executes and journals as one
            step. A batch saves most of what a call costs; in exchange, all of it is
            executed again when its worker dies.
        tolerated_failure_count: How many subtasks may fail; one more fails the run.
        tolerated_failure_percentage: The same, of all subtasks of the run. With both,
            the lower one counts.
        min_successful: The run ends well once so many subtasks have succeeded, and
            badly once they no longer can. The rest is cancelled.
        race: The run ends with the first outcome, good or bad. The rest is cancelled.
        deadline: How long the run may take.
        on_deadline: Whether a run that takes longer fails, or answers with what is
            there. Then `aggregate` gets each subtask that has not ended as a failure
            with status `cancelled` and code 504, unless its shard was not expanded yet.
        max_attempts: How often `split`, one `execute` or `aggregate` may be tried
            before its error becomes final. A `TerminalError` is final at once. With the
            defaults, attempts take about four minutes: long enough for a service that
            is called to be restarted. An outage of the worker is no attempt.
        initial_retry_interval: The pause after the first attempt.
        max_retry_interval: The longest pause between attempts: 30 seconds, or the first
            pause where that is longer.
        retry_interval_factor: By what the pause grows from attempt to attempt.
        attempt_timeout: How long one attempt at a subtask may take; it is retried then.
        subtask_timeout: How long a subtask may take altogether, from its call on; in a
            batch, from when it has a slot.
        on_exhausted: Whether a function whose attempts are used up fails, or is paused
            until somebody has repaired the cause and resumes the run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_concurrency: int | None = Field(default=None, ge=1, le=_MOST)
    max_items_per_batch: int = Field(default=1, ge=1, le=_MOST)
    tolerated_failure_count: int | None = Field(default=None, ge=0)
    tolerated_failure_percentage: float | None = Field(
        default=None, ge=0, le=100, allow_inf_nan=False
    )
    min_successful: int | None = Field(default=None, ge=1)
    race: bool = False
    deadline: Duration | None = None
    on_deadline: Literal["fail", "answer"] = "fail"
    max_attempts: int = Field(default=20, ge=1, le=_MOST)
    initial_retry_interval: Duration = timedelta(milliseconds=50)
    max_retry_interval: Duration = Field(default_factory=_longest)
    retry_interval_factor: float = Field(default=2.0, ge=1, le=1_000)
    attempt_timeout: Duration | None = None
    subtask_timeout: Duration | None = None
    on_exhausted: Literal["fail", "pause"] = "fail"

    @classmethod
    def all_successful(cls) -> Self:
        """All subtasks must succeed: the default."""
        return cls()

    @classmethod
    def all_settled(cls) -> Self:
        """Every subtask is brought to an end; none of them fails the run."""
        return cls(tolerated_failure_percentage=100)

    @classmethod
    def first_successful(cls) -> Self:
        """The first success is enough."""
        return cls(min_successful=1)

    @classmethod
    def first_settled(cls) -> Self:
        """The first outcome decides, good or bad."""
        return cls(race=True)

    @classmethod
    def quorum(cls, successful: int) -> Self:
        """So many successes are enough."""
        return cls(min_successful=successful)

    @model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        rules = self._rules()
        if len(rules) > 1:
            raise ValueError(f"{' and '.join(rules)} are different rules: choose one")
        return self

    @model_validator(mode="after")
    def _has_pauses_that_fit(self) -> Self:
        first, longest = self.initial_retry_interval, self.max_retry_interval
        if first > longest:
            raise ValueError(
                f"initial_retry_interval={first} is longer than "
                f"max_retry_interval={longest}: lower it, or raise the longest"
            )
        return self

    @model_serializer(mode="wrap")
    def _what_is_said(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Of a task's policy, what it does not say is the definition's to say."""
        dumped: dict[str, object] = dump(self)
        return {name: dumped[name] for name in dumped if name in self.model_fields_set}

    @property
    def slots(self) -> int:
        """How many subtasks may be executing at once."""
        return self.max_concurrency or WINDOW * self.max_items_per_batch

    def overridden(self, by: "Policy") -> "Policy":
        """This policy, with what another one says; its rule replaces ours."""
        theirs = {name: getattr(by, name) for name in by.model_fields_set}
        dropped = _RULE if by._rules() else set[str]()
        ours = {name: getattr(self, name) for name in self.model_fields_set - dropped}
        return Policy.model_validate(ours | theirs)

    def retry(self) -> dict[str, object]:
        """What concerns the attempts at a subtask, to be compared."""
        return {name: getattr(self, name) for name in ABOUT_ATTEMPTS}

    def _rules(self) -> list[str]:
        """The kinds of rule that are given."""
        given = {
            "a tolerance": any(getattr(self, name) is not None for name in _TOLERANCE),
            "min_successful": self.min_successful is not None,
            "race": self.race,
        }
        return [name for name, is_given in given.items() if is_given]


def requested(task: object) -> Overrides:
    """What the field `policy` of a task says, where the task has one."""
    is_dict = isinstance(task, Mapping)
    policy = cast("Mapping[str, object]", task).get("policy") if is_dict else None
    policy = policy or getattr(task, "policy", None)
    if not isinstance(policy, Policy):
        return {}
    return policy.model_dump(mode="json", exclude_unset=True)
