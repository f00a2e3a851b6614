"""`Attempt`: the current attempt at a subtask. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """The current attempt at a subtask: the optional second parameter of `execute`.

    Attributes:
        number: The number of the attempt; 1 for the first one.
        key: An idempotency key for the calls that `execute` makes. All attempts at a
            subtask have the same key, also after a crash. No other subtask of any run
            has this key.

    Examples:
        ```python
        def execute(order: Order, attempt: Attempt) -> Receipt:
            return pay(order, idempotency_key=attempt.key)
        ```
    """

    number: int
    key: str
