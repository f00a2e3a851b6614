"""`Prometheus`: a real Prometheus. Run as a module to install the program.

Debian's package contains `prometheus` and `promtool`. It is unpacked, not installed, so
no service starts. On another system, install both programs in PATH.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from parallelizework.client import healthy
from tests.integration.processes import eventually
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
FOLDER = Path(sys.executable).parent
PROGRAMS = ("prometheus", "promtool")


def find(program: str) -> str:
    """Return the path of a program: the installed one, or the one in PATH."""
    installed = FOLDER / program
    found = str(installed) if installed.exists() else shutil.which(program)
    assert found, f"there is no {program}: run `make test-more`, or install it in PATH"
    return found


def promtool(*arguments: str | Path, text: str = "") -> None:
    """Run promtool; its output is the message if it fails."""
    ended = subprocess.run(
        [find("promtool"), *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus.

    Attributes:
        url: The URL of its HTTP API.
    """

    url: str

    def query(self, query: str) -> list[dict[str, Any]]:
        """Return the result of a query: series with their latest values."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query})
        assert answer.status_code == 200, f"{query}: {answer.text}"
        return answer.json()["data"]["result"]

    def value(self, query: str) -> float | None:
        """Return the only value of a query; None without a value."""
        result = self.query(query)
        return float(result[0]["value"][1]) if result else None

    def rules(self) -> list[dict[str, Any]]:
        """Return the alert rules, each with its health."""
        answer = httpx.get(f"{self.url}/api/v1/rules").raise_for_status().json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]


@contextmanager
def prometheus(folder: Path, jobs: Mapping[str, str]) -> Generator[Prometheus]:
    """Run a Prometheus with our alerts until the block ends.

    Args:
        folder: An empty folder for its data.
        jobs: The address, `HOST:PORT`, of each scrape job. It is read each second.
    """
    scrapes = [
        {"job_name": name, "static_configs": [{"targets": [address]}]}
        for name, address in jobs.items()
    ]
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": scrapes,
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    [port] = free_ports(1)
    address = f"127.0.0.1:{port}"
    command = [find("prometheus"), "--config.file", file, "--log.level=warn"]
    command += [f"--web.listen-address={address}", "--storage.tsdb.path", folder]
    process = subprocess.Popen(command)
    try:
        ready = f"http://{address}/-/ready"
        eventually(lambda: healthy(ready) or process.poll() is not None)
        assert process.poll() is None, "Prometheus has ended"
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        process.wait()


def install() -> None:
    """Install both programs beside this Python, from Debian's package."""
    if all(map(shutil.which, PROGRAMS)) or not shutil.which("apt-get"):
        return
    with tempfile.TemporaryDirectory() as folder:
        if not _download(folder):
            subprocess.run(["apt-get", "update", "--quiet"], check=True)
            assert _download(folder), "apt-get does not find the package prometheus"
        [package] = Path(folder).glob("*.deb")
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        for program in PROGRAMS:
            shutil.copy(Path(folder, "usr", "bin", program), FOLDER)


def _download(folder: str) -> bool:
    """Download Debian's package; return whether apt-get has found the package."""
    command = ["apt-get", "download", "--quiet", "prometheus"]
    return subprocess.run(command, cwd=folder, check=False).returncode == 0


if __name__ == "__main__":
    install()
