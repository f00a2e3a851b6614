"""The settings of restate-server in the manifests.

restate-server ignores an unknown setting, so these tests compare the names.
"""

import os
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from parallelizework.local.binaries import find

from .manifests import DEPLOY, rendered


def effective(*options: str, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """All settings of a restate-server with these options and variables."""
    command = [find("restate-server"), *options, "--dump-config"]
    environment = {**os.environ, **(given or {})}
    dumped = subprocess.check_output(command, env=environment, text=True)
    return settings(tomllib.loads(dumped))


def settings(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The settings of a TOML file, such as `worker.invoker.connect-timeout`."""
    flat: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= settings(cast(dict[str, Any], value), f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value)
    return flat


def setting(variable: str) -> str:
    """The setting of a variable such as `RESTATE_WORKER__INVOKER__CONNECT_TIMEOUT`."""
    name = variable.removeprefix("RESTATE_").lower()
    return name.replace("__", ".").replace("_", "-")


def test_the_server_knows_the_variables() -> None:
    server = rendered(DEPLOY / "overlays" / "single").container("StatefulSet/restate")

    known = effective(given={**server.environment, "RESTATE_NONSENSE": "1"})

    assert {setting(name) for name in server.environment} <= known.keys()
    assert setting("RESTATE_NONSENSE") not in known


def test_the_server_knows_the_configuration_of_the_cluster(tmp_path: Path) -> None:
    cluster = rendered(DEPLOY / "overlays" / "operator")["RestateCluster/restate"]
    text = cluster["spec"]["config"]
    (tmp_path / "config.toml").write_text(text)

    known = effective("--config-file", str(tmp_path / "config.toml"))

    assert settings(tomllib.loads(text)).keys() <= known.keys()
    assert known["worker.invoker.http2-streams-per-connection-limit"] == "8"
