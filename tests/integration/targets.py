"""What the worker of the integration tests serves.

As a script it prints that, with paths from the root of the repository.
"""

from pathlib import Path

from .fan_outs_poison import FAN_OUTS as POISON

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
DEFINITION = [
    "calling",
    "calling_misread",
    "calling_once",
    "calling_secretly",
    "code_attempts",
    "code_batch",
    "code_plain",
    "code_timeout",
    "code_waiter",
    "expand_bag",
    "hasty",
    "hasty_batch",
    "hasty_waiter",
    "paused_attempts",
    "paused_batch",
    "pausing_waiter",
    "readings",
    "readings_batch",
    "sheets",
    "split_bag",
    "split_deque",
    "split_frozenset",
    "split_keys",
    "split_range",
    "split_set",
    "split_text",
    "split_tuple",
    "stamping",
    "tries_batch",
    "tries_one",
    "waiter",
    "waits_batch",
    "waits_one",
]
POSTPONED = ["postponing"]
RANDOM = [
    "random_async",
    "random_code",
    "random_combined",
    "random_elsewhere",
    "random_executor",
    "random_ledger",
    "random_sharded",
    "random_sharded_code",
    "random_sharded_combined",
    "random_sharded_executor",
    "random_sync",
]


ENDING = ["aggregate_pausing", "put_off_long"]
CLIENT = ["idling_segmented", "idling_sharded", "loud"]

THREADS = [
    "hung",
    "hung_async",
    "hung_for_ever",
    "partly_known",
    "whose",
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
        *(
            f"{root / 'tests/integration/fan_outs_definition.py'}:{name}"
            for name in DEFINITION
        ),
        *(f"{root / 'tests/integration/fan_outs_ending.py'}:{n}" for n in ENDING),
        *(
            f"{root / 'tests/integration/fan_outs_postponed.py'}:{name}"
            for name in POSTPONED
        ),
        *(
            f"{root / 'tests/integration/fan_outs_threads.py'}:{name}"
            for name in THREADS
        ),
        *(f"{root / 'tests/integration/fan_outs_client.py'}:{n}" for n in CLIENT),
        *(f"{root / 'tests/integration/fan_outs_poison.py'}:{name}" for name in POISON),
        *(f"{root / 'tests/integration/fan_outs_random.py'}:{name}" for name in RANDOM),
    ]


if __name__ == "__main__":
    print(*targets(Path()))
