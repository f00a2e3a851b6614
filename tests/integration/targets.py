"""What the worker of the integration tests serves.

As a script it prints that, with paths from the root of the repository.
"""

from pathlib import Path

NAMES = [
    "aggregating",
    "flaky",
    "nested",
    "poison",
    "poison_code",
    "refusing",
    "shapes_fan_out",
    "splitting",
    "squares",
]


def targets(root: Path) -> list[str]:
    """What to hand to `parallelizework serve`."""
    return [
        "FanOutWorker",
        f"{root / 'examples/wordcount.py'}:wordcount",
        *(f"{root / 'tests/integration/fan_outs.py'}:{name}" for name in NAMES),
    ]


if __name__ == "__main__":
    print(*targets(Path()))
