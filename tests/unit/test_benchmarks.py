"""The parts of the benchmarks that need no processes."""

import pytest

from benchmarks.alternation import Comparison, alternating
from benchmarks.fan_outs import delays, first_and_last, occupancy
from benchmarks.late import used_since
from benchmarks.measurement import Measured, family, median
from benchmarks.small_requests import Requests
from benchmarks.small_requests import median as median_of_requests
from benchmarks.tables import comparison_table, figure, request_table, run_table


def test_forms_alternate() -> None:
    called: list[str] = []

    results = alternating([lambda: called.append("A"), lambda: called.append("B")], 3)

    assert called == ["A", "B", "A", "B", "A", "B"]
    assert results == [[None] * 3, [None] * 3]


def test_a_form_that_takes_long_is_called_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    def takes(seconds: float) -> float:
        clock[0] += seconds
        return seconds

    results = alternating([lambda: takes(1), lambda: takes(30)], 3, longest=20)

    assert results == [[1, 1, 1], [30]]


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    comparison = Comparison("CPU", "ms", ours=[2, 9, 3], other=[1, 3, 2])

    assert comparison.ratios == [2, 3, 1.5]
    assert comparison.ratio == 2
    assert comparison.spread == (1.5, 3)


def test_without_another_form_the_spread_is_that_of_the_figure() -> None:
    comparison = Comparison("slots", "", ours=[0.85, 0.84, 0.87])

    assert comparison.ratio is None
    assert comparison.spread == (0.84, 0.87)


def test_each_round_has_both_forms() -> None:
    comparison = Comparison("CPU", "ms", ours=[2, 9], other=[1])

    with pytest.raises(ValueError, match="shorter"):
        _ = comparison.ratio


def test_the_table_of_comparisons_has_the_figure_to_reach() -> None:
    comparisons = [
        Comparison("rate", "/s", [2000, 1100], [1000, 1000], "at least 1.5"),
        Comparison("busy", "", [0.85, 0.87]),
    ]

    assert comparison_table(comparisons).splitlines() == [
        "| what | ours | the other | ratio | spread | to reach |",
        "| --- | --: | --: | --: | --: | --: |",
        "| rate | 1,550 /s | 1,000 /s | 1.55 | 1.10 to 2.00 | at least 1.5 |",
        "| busy | 0.86 |  |  | 0.85 to 0.87 |  |",
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.123, "0.12"), (99, "99.00"), (123.4, "123"), (5e4, "50,000")],
)
def test_a_large_figure_has_no_decimals(number: float, text: str) -> None:
    assert figure(number) == text


def test_several_runs_become_their_medians_and_their_largest_memory() -> None:
    runs = [
        Measured("Plain", 100, 2.0, 0.5, 0.6, 60, 300),
        Measured("Plain", 100, 1.0, 0.7, 0.4, 70, 200),
        Measured("Plain", 100, 4.0, 0.6, 0.5, 65, 250),
    ]

    row = median(runs)

    assert row == Measured("Plain", 100, 2.0, 0.6, 0.5, 70, 300, 1.0, 4.0, 3)
    assert row.rate == 50
    assert row.cpu_ms == pytest.approx(1.1)
    assert run_table([row]).splitlines()[-1] == (
        "| Plain | 100 | 2.00 | 50 | 1.00 to 4.00 | 0.60 | 0.50 | 70 | 300 |"
    )


def test_one_run_of_a_script_has_neither_a_spread_nor_a_server() -> None:
    row = median([Measured("xargs", 100, 2.0, 5.0)])

    assert run_table([row]).splitlines()[-1] == (
        "| xargs | 100 | 2.00 | 50 |  | 5.00 |  |  |  |"
    )


def test_several_measurements_of_requests_become_their_medians() -> None:
    rows = [
        Requests("Plain", 16, 60, 90, 3, 4),
        Requests("Plain", 16, 70, 80, 2, 5),
        Requests("Plain", 16, 65, 99, 1, 6),
    ]

    row = median_of_requests(rows)

    assert row.cpu_ms == 7
    assert request_table([row]).splitlines()[-1] == (
        "| Plain | 16 | 65.0 | 90.0 | 2.0 | 5.0 |"
    )


def test_a_family_has_all_descendants() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1}

    assert family(parents, 10) == {10, 11, 12}


def test_the_cpu_time_since_a_moment_is_that_since_the_sample_before() -> None:
    samples = [(0, 1.0), (100, 2.0), (200, 2.5), (300, 4.0)]

    assert used_since(samples, 150) == 2.0
    assert used_since(samples, 200) == 1.5


def test_the_occupancy_is_the_average_number_of_subtasks_at_once() -> None:
    spans = [(0, 100), (0, 50), (60, 100)]

    assert first_and_last(spans) == (0, 100)
    assert occupancy(spans) == 1.9


def test_only_the_last_subtasks_are_late() -> None:
    assert delays(6) == [0.0, 0.0, 2.5, 4.0, 5.5, 7.0]
