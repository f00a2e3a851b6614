"""The fan-outs that the worker of the integration tests serves.

As a script, this module prints the targets, with paths from the root of the repository.
"""

from pathlib import Path

FAN_OUTS = "tests.integration.fan_outs"
DEADLY = "deadly"  # its subtasks kill their worker
EXAMPLES = ["link_check", "quorum", "wordcount"]


def targets(root: Path) -> list[str]:
    """Return the arguments of `parallelizework serve`."""
    examples = [str(root / "examples" / f"{name}.py") for name in EXAMPLES]
    topics = {path.stem for path in Path(__file__).with_name("fan_outs").glob("*.py")}
    served = sorted(topics - {"__init__", DEADLY})
    modules = [f"{FAN_OUTS}.{topic}" for topic in served]
    return ["FanOutWorker", "HttpFanOut", *examples, *modules]


if __name__ == "__main__":
    print(*targets(Path()))
