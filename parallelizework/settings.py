"""`Settings`: the one place that reads the environment."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ServerName = Literal["hypercorn", "granian"]


class Settings(BaseSettings):
    """What an operator may set, as `PARALLELIZEWORK_` and the name in capitals.

    Args:
        fan_outs: What to serve, separated by spaces (quoted as in
            a shell where they contain one): `MODULE:OBJECT`s and names of
            ready-made fan-outs; nothing for all the ready-made ones.
        max_pause: The longest that a subtask of FanOutWorker takes, in seconds.
        grace_period: How long a stopping worker lets calls in flight finish, in
            seconds; 10 is what `docker stop` waits.
        progress_retention: How long FanOutProgress remembers a run after its last
            update, in seconds.
        identity_keys: Public keys (`publickeyv1_...`), separated by spaces, of the
            restate-servers that may call the worker; without any, whoever reaches it.
        server: The ASGI server that serves the fan-outs: hypercorn, or granian where it
            is installed.
        restate_server: The restate-server program for `parallelizework dev`.
        ingress_url: Where the restate-server takes requests.
        admin_url: Where the restate-server takes orders.
    """

    model_config = SettingsConfigDict(env_prefix="PARALLELIZEWORK_", frozen=True)

    fan_outs: Annotated[tuple[str, ...], NoDecode] = ()
    max_pause: float = Field(default=1.0, ge=0)
    grace_period: float = Field(default=8.0, ge=0)
    progress_retention: float = Field(default=86_400, gt=0)
    identity_keys: Annotated[tuple[str, ...], NoDecode] = ()
    server: ServerName = "hypercorn"
    restate_server: Path | None = None
    ingress_url: str = "http://localhost:8080"
    admin_url: str = "http://localhost:9070"

    @field_validator("fan_outs", "identity_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(shlex.split(value)) if isinstance(value, str) else value
