"""`make faults`: inject faults for FAULTS_SECONDS with FAULTS_SEED; print a table."""

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
    """Run the suite; return 0 if no rule is violated, or else 1."""
    seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(1_000_000))
    seconds = float(os.environ.get("FAULTS_SECONDS") or 600)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    command = f"FAULTS_SEED={seed} FAULTS_SECONDS={seconds:g} make faults"
    print(f"{command}; logs and ledger are in {folder}", flush=True)
    outcome = suite.run(folder, seed, suite.random_faults(seed, seconds))
    print(f"\n{report.tables(outcome)}\n")
    if outcome.is_good:
        RESULTS.write_text(json.dumps(report.figures(outcome), indent=1) + "\n")
        shutil.rmtree(folder)
        return 0
    report.evidence(outcome, folder)
    for violation in outcome.verdict.violations[:20]:
        print(violation, file=sys.stderr)
    print(f"{command} failed; logs and ledger are in {folder}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
