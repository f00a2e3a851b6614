"""`make bench-quick`: print the ratios, within four minutes on two cores."""

from benchmarks.comparisons import Sizes, comparisons
from benchmarks.systems import end_on_sigterm
from benchmarks.tables import comparison_table

SIZES = Sizes(
    rounds=3,
    slow_rounds=2,
    plain=5_000,
    auto=20_000,
    alone=60,
    at_once=200,
    waiting=10_000,
    runs=20,
    subtasks=500,
    limit=20,
)


def main() -> None:
    """Measure, and print one table."""
    end_on_sigterm()
    print(comparison_table(list(comparisons(SIZES))))


if __name__ == "__main__":
    main()
