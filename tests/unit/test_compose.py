"""The settings of the worker in docker-compose.yml."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def test_http_fan_out_has_a_writable_folder() -> None:
    assert "PARALLELIZEWORK_HTTP_FOLDER=/rows" in COMPOSE
    assert ":-rows}:/rows" in COMPOSE
    assert "--owner=10001 --group=10001 /rows" in (ROOT / "Dockerfile").read_text()


def test_http_fan_out_reads_secrets_from_an_optional_file() -> None:
    assert "env_file: ${WORKER_ENV:-worker.env.example}" in COMPOSE
    assert "worker.env\n" in (ROOT / ".gitignore").read_text()
    example = (ROOT / "worker.env.example").read_text().splitlines()
    assert all(line.startswith("#") for line in example)
