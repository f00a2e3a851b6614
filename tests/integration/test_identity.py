"""Who may call a worker that knows the keys of its servers."""

import subprocess
from pathlib import Path

import httpx
import pytest

from parallelizework.errors import RegistrationError
from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports

from .processes import LONG

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SERVERS_KEY = "RESTATE_WORKER__INVOKER__REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE"


def key_pair(file: Path) -> str:
    """Write a private key for a server; its public key, as Restate spells it."""
    make = ["openssl", "genpkey", "-algorithm", "ed25519", "-outform", "pem"]
    subprocess.run([*make, "-out", file], check=True, capture_output=True)
    show = ["openssl", "pkey", "-in", file, "-pubout", "-outform", "der"]
    der = subprocess.run(show, check=True, capture_output=True).stdout
    number, digits = int.from_bytes(der[-32:], "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = ALPHABET[digit] + digits
    return f"publickeyv1_{digits}"


def environment(private: Path, public: str) -> dict[str, str]:
    return {SERVERS_KEY: str(private), "PARALLELIZEWORK_IDENTITY_KEYS": public}


def run(started: Local) -> httpx.Response:
    url = f"{started.ingress}/FanOutWorker/run"
    return httpx.post(url, json={"description": "a"}, timeout=LONG)


def test_a_worker_with_identity_keys_accepts_calls_of_its_server_only(
    tmp_path: Path,
) -> None:
    private = tmp_path / "private.pem"
    known = environment(private, key_pair(private))
    with local([], ports=Ports(0, 0, 0), environment=known) as started:
        answer = run(started)
        discovered = httpx.get(f"{started.worker}/discover", timeout=LONG)
        url = f"{started.worker}/invoke/FanOutWorker/run"
        invoked = httpx.post(url, json={"description": "a"}, timeout=LONG)
        health = httpx.get(f"{started.worker}/health", timeout=LONG)

    assert answer.json() == {"description": "a: DONE"}
    assert (discovered.status_code, invoked.status_code) == (401, 401)
    assert health.status_code == 200


def test_a_server_with_another_key_cannot_register_the_worker(tmp_path: Path) -> None:
    private, other = tmp_path / "private.pem", tmp_path / "other.pem"
    key_pair(private)
    unknown = environment(private, key_pair(other))

    with (
        pytest.raises(RegistrationError, match="401"),
        local([], ports=Ports(0, 0, 0), environment=unknown),
    ):
        pass
