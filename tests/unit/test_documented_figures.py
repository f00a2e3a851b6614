"""The figures in the docs are those of `make bench` and `make faults`."""

import json
from pathlib import Path
from typing import Any

from benchmarks.page import PAGE, TABLE, TABLES, page

ROOT = Path(__file__).parents[2]
BENCH: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results.json").read_text())
FAULTS: dict[str, Any] = json.loads((ROOT / "tests/faults/results.json").read_text())


def lines(path: str) -> list[str]:
    return (ROOT / path).read_text().splitlines()


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def test_each_benchmark_is_on_the_page() -> None:
    """`python -m benchmarks.page` writes it anew."""
    text = PAGE.read_text()

    assert page(text, BENCH) == text
    assert {name for _, name, _ in TABLE.findall(text)} == TABLES.keys()


def test_the_figures_of_the_readme_are_among_them() -> None:
    seconds = {
        (each["name"], each["count"]): f"{each['seconds']:.1f}"
        for each in BENCH["rows"]
    }
    names = "Plain", "Auto", "SeedRpc"

    for count in (1_000, 5_000, 100_000):
        cells = [seconds.get((name, count), "") for name in names]
        assert row(f"{count:,}", *cells).replace("|  |", "| |") in lines("README.md")


def test_the_faults_are_on_the_page_and_in_the_readme() -> None:
    page = lines("docs/explain/faults.md")
    wrong = [FAULTS[each] for each in ("lost", "duplicated", "hanging")]
    wrong.append(FAULTS["otherwise_wrong"])
    runs, subtasks = f"{FAULTS['runs']:,}", f"{FAULTS['subtasks']:,}"

    for kind, times in FAULTS["faults"].items():
        repeated = FAULTS["repeated"].get(kind, 0)
        assert row(kind, times, f"{repeated:,}") in page
    assert row("runs", runs) in page
    faults = sum(FAULTS["faults"].values())
    assert row(runs, subtasks, faults, *wrong) in lines("README.md")
