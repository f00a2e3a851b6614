"""`Policy`: the limits and the completion rule of a run."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self, cast

from annotated_types import Ge, Gt, Le
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Overrides = dict[str, Any]  # the fields of a `Policy` that were set, as plain JSON

# A request may set a number. A bound is needed: plans take memory in proportion to it.
_LARGEST_NUMBER = 1_000_000

BatchSize = Annotated[int, Field(ge=1, le=_LARGEST_NUMBER)]
_LONGEST = Le(timedelta(days=3_650))
Duration = Annotated[timedelta, Gt(timedelta(0)), _LONGEST]

WINDOW = 64  # calls that one coordinator has in flight, at most
_TOLERANCE = {"tolerated_failure_count", "tolerated_failure_percentage"}
_RULE = _TOLERANCE | {"min_successful", "race"}

# What the policy of an executor may set, in the order in which it is checked.
ABOUT_ATTEMPTS = (
    "max_attempts",
    "initial_retry_interval",
    "max_retry_interval",
    "retry_interval_factor",
    "attempt_timeout",
    "on_exhausted",
)
# What a fan-out sends to its executor.
ABOUT_SUBTASKS = (*ABOUT_ATTEMPTS, "subtask_timeout")


class Policy(BaseModel):
    """The limits and the completion rule of a run.

    The names of the fields are those of AWS Step Functions and of Restate. A policy has
    at most one completion rule. Without a rule, all subtasks must succeed: the first
    failure cancels the others and fails the run.

    A duration is a `datetime.timedelta`, longer than 0 and at most 10 years. In JSON a
    duration is a number of seconds (`300`) or an ISO 8601 text (`"PT5M"`).

    Examples:
        ```python
        Policy(max_concurrency=200, tolerated_failure_percentage=2.5)
        Policy(min_successful=3, deadline=timedelta(minutes=5))
        ```
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_concurrency: int | None = Field(default=None, ge=1, le=_LARGEST_NUMBER)
    """How many subtasks of one run may execute at the same time, on all workers.

    Default: 64 times `max_items_per_batch`; 64 if that is `"auto"`. 64 calls keep a
    worker busy, and need little memory. A restate-server executes 1,000 invocations at
    the same time in one partition; 64 calls are a small part of them. Use a larger
    number for subtasks that mostly wait. Maximum: 1,000,000.
    """

    max_items_per_batch: BatchSize | Literal["auto"] = 1
    """How many subtasks one call executes; or `"auto"`.

    Default: 1. A larger batch saves most of the cost of a call. Only the answer of the
    call is durable. So if a worker dies, all subtasks of its batch are executed again,
    and a pause between two attempts is not durable. Maximum: 1,000,000.

    With `"auto"`, a run begins with single subtasks, and measures how long they take.
    Then a batch has as many subtasks as take about a quarter of a second: at most 128,
    and about 4 MiB. Use `"auto"` for many subtasks of similar duration that take less
    than about 0.1 seconds. Do not use it for subtasks that may be postponed for long.
    """

    tolerated_failure_count: int | None = Field(default=None, ge=0)
    """How many subtasks may fail. One more failure fails the run.

    Default: no tolerance is set. Then no subtask may fail, unless
    `tolerated_failure_percentage` is set.
    """

    tolerated_failure_percentage: float | None = Field(
        default=None, ge=0, le=100, allow_inf_nan=False
    )
    """How many percent of all subtasks of the run may fail: 0 to 100.

    Default: no tolerance is set. If `tolerated_failure_count` is set too, the lower
    number of failures counts.
    """

    min_successful: int | None = Field(default=None, ge=1)
    """How many successes end the run. The other subtasks are cancelled then.

    The run fails as soon as it can no longer reach this number. Default: not set.
    """

    race: bool = False
    """Whether the first outcome ends the run: a success or a failure.

    The other subtasks are cancelled then. Default: `False`.
    """

    deadline: Duration | None = None
    """How long the run may take: a duration. Default: no limit."""

    on_deadline: Literal["fail", "answer"] = "fail"
    """What happens when the deadline passes: `"fail"` (the default) or `"answer"`.

    `"fail"` fails the run with status 504. With `"answer"`, `aggregate` receives the
    outcomes that exist. A subtask that has not ended becomes a failure with status
    `cancelled` and code 504. Subtasks of a shard that is not expanded yet are absent.
    """

    max_attempts: int = Field(default=20, ge=1, le=_LARGEST_NUMBER)
    """How many attempts each call of a function has, such as `execute` for one subtask.

    Default: 20. After the last attempt, the error is final. A `restate.TerminalError`
    is final at once. With the default pauses, 20 attempts take about four minutes: long
    enough to restart a service that is called. An outage of the worker itself is not an
    attempt. Maximum: 1,000,000.
    """

    initial_retry_interval: Duration = timedelta(milliseconds=50)
    """The pause after the first attempt: a duration. Default: 50 milliseconds.

    Each pause is shortened at random, by up to half.
    """

    max_retry_interval: Duration = timedelta(seconds=30)
    """The longest pause between two attempts: a duration.

    Default: 30 seconds, or `initial_retry_interval` if that is longer.
    """

    retry_interval_factor: float = Field(default=2.0, ge=1, le=1_000)
    """The factor from one pause to the next: 1 to 1,000. Default: 2."""

    attempt_timeout: Duration | None = None
    """How long one attempt at a subtask may take: a duration. Default: no limit.

    An attempt that takes longer has failed, and the subtask is tried again. Handler
    code (an `execute` that accepts a `restate.Context`) has no `attempt_timeout`.
    """

    subtask_timeout: Duration | None = None
    """How long one subtask may take with all its attempts: a duration.

    The time starts with the call of the subtask. In a batch, the time starts when the
    subtask has a slot. The time includes the wait of a subtask that returned `Waiting`.
    A subtask that takes longer has `timed_out`. Default: no limit.
    """

    on_exhausted: Literal["fail", "pause"] = "fail"
    """What happens after the last attempt: `"fail"` (the default) or `"pause"`.

    With `"pause"`, the function waits for manual repair. Repair the cause, then resume
    the run. The function then has all of its attempts again.
    """

    redrivable_for: Annotated[timedelta, Ge(timedelta(0)), _LONGEST] = timedelta(days=1)
    """How long a run that ended with failures can be redriven: a duration, or 0.

    Until then, Restate stores the values of the subtasks that have succeeded, and the
    other subtasks. Default: 1 day, as long as Restate stores the run itself. With 0,
    the run cannot be redriven. A run without failures stores nothing.
    """

    hold: Duration | None = None
    """How long a run that would fail waits for a redrive instead: a duration.

    Meanwhile the run is `held`: it does not answer, and occupies no slot. A redrive
    executes what has no value, within the same run. `parallelizework settle` ends the
    waiting. Default: a run is not held; it fails at once.
    """

    stream: bool = False
    """Whether the outcomes of the run can be read one by one, while the run continues.

    Default: `False`. The outcomes cost one message for several of them. With `combine`,
    `stream` is possible only without batches: a batch combines its values.
    """

    @classmethod
    def all_successful(cls) -> Self:
        """Return the default policy: all subtasks must succeed."""
        return cls()

    @classmethod
    def all_settled(cls) -> Self:
        """Return a policy by which all subtasks end, and no failure fails the run."""
        return cls(tolerated_failure_percentage=100)

    @classmethod
    def first_successful(cls) -> Self:
        """Return a policy by which the first success ends the run."""
        return cls(min_successful=1)

    @classmethod
    def first_settled(cls) -> Self:
        """Return a policy by which the first outcome ends the run."""
        return cls(race=True)

    @classmethod
    def quorum(cls, successful: int) -> Self:
        """Return a policy by which a number of successes ends the run.

        Args:
            successful: The number of successes.
        """
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
        if first <= longest:
            return self
        if "max_retry_interval" in self.model_fields_set:
            raise ValueError(
                f"initial_retry_interval={first} is longer than "
                f"max_retry_interval={longest}: use a shorter initial_retry_interval, "
                "or a longer max_retry_interval"
            )
        # Set as a default: the field is not among `model_fields_set`.
        object.__setattr__(self, "max_retry_interval", first)
        return self

    @model_serializer(mode="wrap")
    def _set_fields(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Write only fields that were set: the definition's policy sets the others."""
        dumped: dict[str, object] = dump(self)
        return {name: dumped[name] for name in dumped if name in self.model_fields_set}

    @property
    def slots(self) -> int:
        """How many slots a run has."""
        return self.max_concurrency or WINDOW * self.batch

    @property
    def batch(self) -> int:
        """How many subtasks a batch has; 1 if each coordinator decides that."""
        size = self.max_items_per_batch
        return 1 if size == "auto" else size

    @property
    def is_automatic(self) -> bool:
        """Whether coordinators decide how many subtasks a batch has."""
        return self.max_items_per_batch == "auto"

    @property
    def is_redrivable(self) -> bool:
        """Whether a run with failures can be redriven, during the run or afterwards."""
        return self.hold is not None or self.redrivable_for > timedelta(0)

    def overridden(self, by: "Policy") -> "Policy":
        """Return this policy with the fields that another policy sets.

        If the other policy has a completion rule, it replaces the rule of this policy.
        """
        theirs = {name: getattr(by, name) for name in by.model_fields_set}
        dropped = _RULE if by._rules() else set[str]()
        ours = {name: getattr(self, name) for name in self.model_fields_set - dropped}
        return Policy.model_validate(ours | theirs)

    def retry(self) -> dict[str, object]:
        """Return the fields about attempts, to compare two policies."""
        return {name: getattr(self, name) for name in ABOUT_ATTEMPTS}

    def _rules(self) -> list[str]:
        """The names of the completion rules that this policy has."""
        rules = {
            "a tolerance": any(getattr(self, name) is not None for name in _TOLERANCE),
            "min_successful": self.min_successful is not None,
            "race": self.race,
        }
        return [name for name, is_set in rules.items() if is_set]


def requested(task: object) -> Overrides:
    """Return the fields that the `policy` of a task sets; none without a `policy`."""
    is_dict = isinstance(task, Mapping)
    policy = cast("Mapping[str, object]", task).get("policy") if is_dict else None
    policy = policy or getattr(task, "policy", None)
    if not isinstance(policy, Policy):
        return {}
    return policy.model_dump(mode="json", exclude_unset=True)
