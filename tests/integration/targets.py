"""What the worker of the integration tests serves.

As a script it prints that, with paths from the root of the repository.
"""

from pathlib import Path

NAMES = [
    "aggregating",
    "aliased",
    "attempted",
    "attempted_batch",
    "batched",
    "blocking",
    "clingers",
    "combined",
    "coming_back",
    "executions",
    "flaky",
    "flaky_batch",
    "grandparent",
    "idling",
    "impatient",
    "late",
    "lines",
    "mender",
    "nested",
    "never_ending",
    "paced",
    "paced_batch",
    "pausing",
    "poison",
    "poison_batch",
    "poison_code",
    "refusing",
    "remote",
    "remote_batch",
    "remote_poison",
    "remote_squares",
    "rough",
    "rough_code",
    "segmented",
    "shapes_fan_out",
    "sharded",
    "sizes",
    "sizes_batched",
    "sizes_combined",
    "sizes_joined",
    "sizes_sharded",
    "slow",
    "splitting",
    "squares",
    "staggering",
    "steady",
    "steady_sharded",
    "stepping",
    "trials",
    "trials_combined",
    "trials_sharded",
    "trials_slowly_combined",
    "typed_trials",
    "unmarked",
]


def targets(root: Path) -> list[str]:
    """What to hand to `parallelizework serve`."""
    return [
        "FanOutWorker",
        "HttpFanOut",
        f"{root / 'examples/link_check.py'}:link_check",
        f"{root / 'examples/quorum.py'}:quorum",
        f"{root / 'examples/wordcount.py'}:wordcount",
        *(f"{root / 'tests/integration/fan_outs.py'}:{name}" for name in NAMES),
    ]


if __name__ == "__main__":
    print(*targets(Path()))
