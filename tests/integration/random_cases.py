"""`Case`: a random run. The same seed and number always create the same case."""

from dataclasses import dataclass
from random import Random
from typing import Any

from parallelizework import Policy

KINDS = {  # the features of each service
    "RandomAsync": "",
    "RandomSync": "",
    "RandomCode": "code",
    "RandomExecutor": "",
    "RandomCombined": "combine",
    "RandomSharded": "expand",
    "RandomShardedCombined": "combine expand",
    "RandomShardedCode": "code expand",
    "RandomShardedExecutor": "expand",
}
_SIZES = [(0, 3), (1, 12), (1, 12), (13, 70), (13, 70), (71, 300), (301, 1_100)]
_LARGE = (1_001, 3_000)
_FEW = 300  # subtasks


@dataclass(frozen=True)
class Case:
    """A random task, and the service that executes the task.

    Attributes:
        fates, shards, policy: See `random_fan_outs.Task`.
    """

    seed: int
    number: int
    service: str
    fates: str
    shards: tuple[int, ...]
    policy: dict[str, Any]

    def __str__(self) -> str:
        command = f"RANDOM_SEED={self.seed} RANDOM_CASE={self.number} make random"
        fates = self.fates if len(self.fates) < 80 else f"{self.fates[:80]}..."
        size = f"{len(self.fates)} subtasks in {len(self.shards)} shards"
        return f"{command}\n  {self.service}, {self.policy}, {size}, {fates}"

    @property
    def is_sharded(self) -> bool:
        return "expand" in KINDS[self.service]

    @property
    def is_combined(self) -> bool:
        return "combine" in KINDS[self.service]

    @property
    def is_code(self) -> bool:
        return "code" in KINDS[self.service]

    @property
    def is_timed(self) -> bool:
        """Whether subtasks or attempts have a timeout."""
        return not self.policy.keys().isdisjoint(("attempt_timeout", "subtask_timeout"))

    @property
    def max_attempts(self) -> int:
        return self.policy.get("max_attempts", 3)

    def task(self, key: str) -> dict[str, Any]:
        return {
            "key": key,
            "fates": self.fates,
            "shards": self.shards,
            "policy": self.policy,
        }


def random_case(seed: int, number: int) -> Case:
    """Return the case with this seed and number."""
    random = Random(f"{seed} {number}")
    service = random.choice(list(KINDS))
    sizes = _LARGE if random.random() < 0.04 else random.choice(_SIZES)
    count = random.randint(*sizes)
    policy = _policy(random, service, count)
    Policy.model_validate(policy)
    shards = _shards(random, count) if "expand" in KINDS[service] else ()
    fates = _fates(random, count, policy)
    return Case(seed, number, service, fates, shards, policy)


def _policy(random: Random, service: str, count: int) -> dict[str, Any]:
    policy = _rule(random, count)
    if random.random() < 0.5:
        few = [1, 2, 5] if count <= _FEW else []  # many subtasks would take too long
        policy["max_concurrency"] = random.choice([*few, 16, 70, 200])
    if random.random() < 0.08:
        policy["deadline"] = random.choice([0.2, 0.6, 1.5, 100])
        policy["on_deadline"] = random.choice(["fail", "answer"])
    if random.random() < 0.06:
        policy["subtask_timeout"] = random.choice([0.4, 60])
    if "code" in KINDS[service]:
        return policy  # a request cannot change the attempts of handler code
    if random.random() < 0.4:
        policy["max_items_per_batch"] = random.choice(
            [2, 3, 10, 16, 100, 1_000, "auto"]
        )
    if random.random() < 0.06:
        policy["attempt_timeout"] = random.choice([0.4, 60])
    if random.random() < 0.5:
        policy["max_attempts"] = random.randint(1, 4)
    return policy


def _rule(random: Random, count: int) -> dict[str, Any]:
    few = random.randint(0, max(1, count // 3))
    share = random.choice(
        [0, 100, random.randint(0, 1_000) / 10, few * 100 / (count or 1)]
    )
    share = round(share, 1)
    return random.choice(
        [
            {},
            {"tolerated_failure_count": few},
            {"tolerated_failure_count": few},
            {"tolerated_failure_percentage": share},
            {"tolerated_failure_percentage": share},
            {"tolerated_failure_percentage": 100.0},
            {"tolerated_failure_percentage": share, "tolerated_failure_count": few},
            {"min_successful": 1},
            {"min_successful": random.randint(1, count + 1)},
            {"min_successful": max(1, few)},
            {"race": True},
        ]
    )


def _fates(random: Random, count: int, policy: dict[str, Any]) -> str:
    """Return fates whose failures are often at the limit of the completion rule."""
    tolerated = policy.get("tolerated_failure_percentage", 0) * count / 100
    tolerated = policy.get("tolerated_failure_count", tolerated)
    enough = policy.get("min_successful", count)
    failing = random.choice(
        [0, tolerated, tolerated + 1, count - enough, count - enough + 1, count // 2]
    )
    failing = min(count, max(0, int(failing)))
    if random.random() < 0.1:
        failing = count
    good = random.choice(["o", "o", "oooo1", "ooos", "oood", "ooo12sd"])
    bad = random.choice(["f", "f", "9", "ff9"])
    if policy.get("attempt_timeout") == 0.4 or policy.get("subtask_timeout") == 0.4:
        bad = random.choice(["f", "h", "fh"])
    fates = [
        *random.choices(bad, k=failing),
        *random.choices(good, k=count - failing),
    ]
    random.shuffle(fates)
    return "".join(fates)


def _shards(random: Random, count: int) -> tuple[int, ...]:
    cuts = sorted(random.randint(0, count) for _ in range(random.choice([0, 1, 5, 40])))
    return tuple(b - a for a, b in zip([0, *cuts], [*cuts, count], strict=True))
