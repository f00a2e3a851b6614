"""Write the figures of `results.json` into the tables of docs/explain/benchmarks.md.

    python -m benchmarks.page

Each table stands between `<!-- figures: NAME -->` and `<!-- end of figures -->`.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.alternation import Comparison
from benchmarks.tables import figure, median_figure, table

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs" / "explain" / "benchmarks.md"

Results = Mapping[str, Any]
Row = Mapping[str, Any]

_OURS = ("Plain", "Auto", "Batched", "Sharded", "ShardedBatched", "Sleeping")
_HTTP, _CONFIGURED = "HTTP: ", "Plain, "
TABLE = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.S)


def page(text: str, results: Results) -> str:
    """Return the text of the page with the figures of the results."""
    return TABLE.sub(
        lambda found: f"{found[1]}\n{TABLES[found[2]](results)}\n\n{found[3]}", text
    )


def _rates(selected: Callable[[str], bool]) -> Callable[[Results], str]:
    def rates(results: Results) -> str:
        columns = ("what", "subtasks", "seconds", "subtasks/s")
        rows = _sorted(each for each in results["rows"] if selected(each["name"]))
        return table(
            columns,
            (
                (
                    row["name"].removeprefix(_HTTP).removeprefix(_CONFIGURED),
                    f"{row['count']:,}",
                    f"{row['seconds']:.2f}",
                    f"{row['rate']:,.0f}",
                )
                for row in rows
            ),
        )

    return rates


def _costs(results: Results) -> str:
    columns = ("what", "subtasks", "CPU ms", "MiB")
    return table(
        columns,
        (
            (
                row["name"],
                f"{row['count']:,}",
                _pair(row["worker_ms"], row["server_ms"], ".2f"),
                _pair(row["worker_mib"], row["server_mib"], ",.0f"),
            )
            for row in _sorted(results["rows"])
        ),
    )


def _requests(results: Results) -> str:
    return table(
        ("what", "clients", "p50 ms", "CPU ms"),
        (
            (
                row["name"],
                str(row["clients"]),
                f"{row['p50']:.1f}",
                _pair(row["worker_ms"], row["server_ms"], ".1f"),
            )
            for row in results["latencies"]
        ),
    )


def _times(results: Results) -> str:
    return table(
        ("subtasks", "first begins", "last ends", "result"),
        (
            (
                f"{row['count']:,}",
                f"{row['first']:.3f} s",
                f"{row['last']:.3f} s",
                f"{row['result']:.3f} s",
            )
            for row in results["first_and_last"]
        ),
    )


def _comparisons(results: Results) -> str:
    return table(
        ("what", "ours", "the other", "ratio"),
        (_comparison(row) for row in results["comparisons"]),
    )


def _comparison(row: Row) -> Sequence[str]:
    each = Comparison(row["what"], row["unit"], row["ours"], row["other"])
    spread = " to ".join(map(figure, each.spread))
    return (
        each.what,
        median_figure(each.ours, each.unit),
        median_figure(each.other, each.unit),
        spread if each.ratio is None else f"{each.ratio:.2f} ({spread})",
    )


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["name"], row["count"]))


def _pair(first: float | None, second: float | None, form: str) -> str:
    return " + ".join(f"{each:{form}}" for each in (first, second) if each is not None)


TABLES: dict[str, Callable[[Results], str]] = {
    "ours": _rates(_OURS.__contains__),
    "others": _rates(
        lambda name: name not in _OURS and not name.startswith((_HTTP, _CONFIGURED))
    ),
    "configurations": _rates(lambda name: name.startswith(_CONFIGURED)),
    "http": _rates(lambda name: name.startswith(_HTTP)),
    "costs": _costs,
    "requests": _requests,
    "times": _times,
    "comparisons": _comparisons,
}


def main() -> None:
    """Write the page."""
    results = json.loads(RESULTS.read_text())
    PAGE.write_text(page(PAGE.read_text(), results))


if __name__ == "__main__":
    main()
