"""Alternate the forms that are compared, so that all have the same conditions. Pure."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


def alternating(
    forms: Sequence[Callable[[], Result]],
    rounds: int,
    *,
    longest: float = float("inf"),
) -> list[list[Result]]:
    """Call all forms in turn, A B A B, and return the results of each form.

    Args:
        forms: The forms.
        rounds: How many times each form is called.
        longest: A form whose first call needs more seconds is called only once.
    """
    results: list[list[Result]] = [[] for _ in forms]
    left = list(zip(forms, results, strict=True))
    for _ in range(rounds):
        short: list[tuple[Callable[[], Result], list[Result]]] = []
        for form, its_results in left:
            start = time.perf_counter()
            its_results.append(form())
            if time.perf_counter() - start <= longest:
                short.append((form, its_results))
        left = short
    return results


@dataclass(frozen=True)
class Comparison:
    """One figure of our form, and the same figure of another form.

    Attributes:
        what: What is compared.
        unit: The unit of both figures.
        ours: The figure of each round.
        other: The same for the other form; empty if there is no other form.
        to_reach: The figure to reach, with its unit. Without a unit, it is a ratio.
    """

    what: str
    unit: str
    ours: Sequence[float]
    other: Sequence[float] = ()
    to_reach: str = ""

    @property
    def ratios(self) -> list[float]:
        """The ratio of each round; empty if there is no other form."""
        if not self.other:
            return []
        return [a / b for a, b in zip(self.ours, self.other, strict=True)]

    @property
    def ratio(self) -> float | None:
        """The median of the ratios; None if there is no other form."""
        return statistics.median(self.ratios) if self.other else None

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio; without another form, of our figure."""
        figures = self.ratios or self.ours
        return min(figures), max(figures)
