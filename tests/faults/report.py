"""The report of an outcome: as tables, as JSON, and as files for an investigation."""

import json
import os
import platform
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.faults import FAULTS, KILLS
from tests.faults.suite import Outcome


def figures(outcome: Outcome) -> dict[str, Any]:
    """Return the report of an outcome as plain JSON."""
    history, verdict = outcome.history, outcome.verdict
    faults = Counter(fault.kind for fault in history.faults)
    violations = Counter(violation.kind for violation in verdict.violations)
    shown = ("lost", "duplicated", "hanging")
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        f"Python {sys.version.split()[0]}",
        "seed": outcome.seed,
        "seconds": round(outcome.seconds),
        "runs": len(history.runs),
        "subtasks": sum(run.subtasks for run in history.runs),
        "kills": sum(faults[kind] for kind in KILLS),
        "faults": {kind: faults[kind] for kind in FAULTS if kind in faults},
        "skipped": outcome.skipped,
        "executions_beyond_one": sum(verdict.repeated.values()),
        "repeated": dict(verdict.repeated),
        **{kind: violations[kind] for kind in shown},
        "otherwise_wrong": sum(n for k, n in violations.items() if k not in shown),
        "memory_mib": {
            "before": asdict(outcome.before),
            "after": asdict(outcome.after),
        },
    }


def tables(outcome: Outcome) -> str:
    """Return the report as Markdown tables."""
    known = figures(outcome)
    columns = {
        "runs": known["runs"],
        "subtasks": known["subtasks"],
        "faults": sum(known["faults"].values()),
        "kills among them": known["kills"],
        "executions beyond one": known["executions_beyond_one"],
        "lost": known["lost"],
        "duplicated": known["duplicated"],
        "hanging": known["hanging"],
        "otherwise wrong": known["otherwise_wrong"],
    }
    lines = [
        f"seed {known['seed']}, {known['seconds']} s, {known['machine']}",
        "",
        _row(columns),
        _row(["--:"] * len(columns)),
        _row(f"{value:,}" for value in columns.values()),
        "",
        "| fault | times | executions beyond one |",
        "| --- | --: | --: |",
    ]
    for kind, times in known["faults"].items():
        lines.append(_row([kind, times, known["repeated"].get(kind, 0)]))
    lines += [_row([kind, "skipped", why]) for kind, why in outcome.skipped.items()]
    before, after = outcome.before, outcome.after
    lines += [
        "",
        "| MiB | before | after |",
        "| --- | --: | --: |",
        _row(["a worker", before.worker, after.worker]),
        _row(["the server", before.server, after.server]),
    ]
    return "\n".join(lines)


def evidence(outcome: Outcome, folder: Path) -> None:
    """Write the report into the folder of the logs and the ledger."""
    history = outcome.history
    seen = {
        "violations": list(map(asdict, outcome.verdict.violations)),
        "faults": [
            {**asdict(f), "processes": list(f.processes)} for f in history.faults
        ],
        "runs": [{**asdict(r), "failing": sorted(r.failing)} for r in history.runs],
        "left": history.left,
    }
    (folder / "history.json").write_text(json.dumps(seen, indent=1) + "\n")


def _row(cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"
