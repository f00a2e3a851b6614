"""`make faults`: break things for FAULTS_SECONDS, by FAULTS_SEED; print a table."""

import json
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults import report, suite

RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Run the suite; 0 if all is well, else 1, and say where to look."""
    seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(1_000_000))
    seconds = float(os.environ.get("FAULTS_SECONDS") or 600)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    again = f"FAULTS_SEED={seed} FAULTS_SECONDS={seconds:g} make faults"
    print(f"{again}; logs and ledger are in {folder}", flush=True)
    outcome = suite.run(folder, seed, suite.drawn(seed, seconds))
    print(f"\n{report.tables(outcome)}\n")
    if outcome.is_good:
        RESULTS.write_text(json.dumps(report.figures(outcome), indent=1) + "\n")
        shutil.rmtree(folder)
        return 0
    report.evidence(outcome, folder)
    for violation in outcome.verdict.violations[:20]:
        print(violation, file=sys.stderr)
    print(f"{again} failed; what happened is in {folder}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
