"""What the worker of the integration tests serves.

As a script it prints that, with paths from the root of the repository.
"""

from pathlib import Path

HERE = "tests/integration"
DEADLY = "fan_outs_serving.py"  # its subtasks end their worker
EXAMPLES = ["link_check", "quorum", "wordcount"]


def targets(root: Path) -> list[str]:
    """What to hand to `parallelizework serve`."""
    examples = [root / "examples" / f"{name}.py" for name in EXAMPLES]
    ours = sorted((root / HERE).glob("fan_outs*.py"))
    files = [*examples, *(path for path in ours if path.name != DEADLY)]
    return ["FanOutWorker", "HttpFanOut", *map(str, files)]


if __name__ == "__main__":
    print(*targets(Path()))
