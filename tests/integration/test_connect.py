"""An application without a port, which opens a connection itself.

`restate.connect` opens the connection to Restate Cloud only. So these tests use the
engine of `restate.connect`, with the address of a stand-in.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx
import pytest

from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server

from .processes import LONG
from .test_identity import SERVERS_KEY, key_pair
from .tunnel import Tunnel

WORKER = """
import asyncio
import sys

from restate._internal import TunnelEngine, TunnelEngineOptions

import parallelizework
from parallelizework.ready_made.fan_out_worker import checklist


async def main():
    options = TunnelEngineOptions.resolve(servers=[sys.argv[1]])
    engine = TunnelEngine(parallelizework.app(checklist(max_pause=0)), options)
    info = await engine.ready()
    print(info.deployment_url, file=sys.stderr, flush=True)
    await engine.terminated()


asyncio.run(main())
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_an_application_runs_over_a_connection_that_it_has_opened(
    tmp_path: Path,
) -> None:
    private, token = tmp_path / "private.pem", tmp_path / "token"
    public, ports = key_pair(private), Ports(0, 0, 0).chosen()
    token.write_text("token")
    names = {
        "RESTATE_INPROC_TUNNEL_NAME": "worker",
        "RESTATE_INPROC_ENVIRONMENT_ID": "env_1",
        "RESTATE_INPROC_CLOUD_REGION": "eu",
        "RESTATE_INPROC_AUTH_TOKEN_FILE": str(token),
        "RESTATE_INPROC_SIGNING_PUBLIC_KEY": public,
    }
    tunnel = Tunnel()
    with restate_server(
        find("restate-server"), ports, tmp_path, {SERVERS_KEY: str(private)}
    ):
        async with tunnel.served(), httpx.AsyncClient(timeout=LONG) as http:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", WORKER, tunnel.address),
                env={**os.environ, **names},
                stderr=PIPE,
            )
            try:
                assert worker.stderr
                url = (await worker.stderr.readline()).decode().strip()
                deployments = f"http://127.0.0.1:{ports.admin}/deployments"
                registered = await http.post(deployments, json={"uri": url})
                run = f"http://127.0.0.1:{ports.ingress}/FanOutWorker/run"
                answer = await http.post(run, json={"description": "a,b"})
            finally:
                worker.terminate()
                await worker.communicate()

    assert registered.is_success, registered.text
    assert answer.json() == {"description": "a: DONE,b: DONE"}
    assert tunnel.headers["tunnel-name"] == "worker"
