"""`Settings` and `HttpSettings`: the one module that reads the environment."""

import os
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from parallelizework.errors import SettingsError

ServerName = Literal["hypercorn", "granian"]


class _Settings(BaseSettings):
    @model_validator(mode="wrap")
    @classmethod
    def _in_one_line(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            prefix = cls.model_config.get("env_prefix", "")
            wrong = [
                f"{prefix}{e['loc'][0]}".upper() + f"={values[e['loc'][0]]}: {e['msg']}"
                for e in error.errors()
            ]
            raise SettingsError("; ".join(wrong)) from error


class Settings(_Settings):
    """What an operator may set, as `PARALLELIZEWORK_` and the name in capitals.

    Args:
        fan_outs: What to serve, separated by spaces (quoted as in
            a shell where they contain one), as `loader.load` reads each; nothing for
            all the ready-made fan-outs.
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
        admin_url: URL of the restate-server's admin API.
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


class HttpSettings(_Settings):
    """What an operator may set for HttpFanOut: `PARALLELIZEWORK_HTTP_` and the name.

    Args:
        allowed_hosts: Whom requests may go to, separated by spaces: names, globs,
            addresses and networks; see `AllowedHosts`. Without any, HttpFanOut is off.
        hosts_of_secrets: `NAME=HOST`s, separated by spaces: a secret that is named here
            goes to these hosts alone, any other to whichever host is allowed.
        folder: Where files of rows are, and their results go; without it, none are.
        max_body: How large the body of a response may be, unpacked, in bytes. A message
            of Restate holds 32 MiB, and a body may take a third more in it.
        max_timeout: How long one request may take, in seconds.
        max_retry_after: How long a pause a server may ask for, in seconds; an hour is
            what the rate limits of public APIs take to be renewed. It may say a year.
        max_postponement: How long all pauses together that servers ask one request to
            make may take, in seconds: two hours, as a quota that is renewed each hour
            may be used up by others once more.
        max_concurrency_per_host: How many requests one worker process sends to a host
            at once: the window of one run with its defaults.
    """

    model_config = SettingsConfigDict(env_prefix="PARALLELIZEWORK_HTTP_", frozen=True)

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    hosts_of_secrets: Annotated[dict[str, tuple[str, ...]], NoDecode] = {}
    folder: Path | None = None
    max_body: int = Field(default=1024 * 1024, gt=0, le=20 * 1024 * 1024)
    max_timeout: float = Field(default=300, gt=0)
    max_retry_after: float = Field(default=3_600, ge=0, le=86_400)
    max_postponement: float = Field(default=7_200, ge=0, le=315_360_000)
    max_concurrency_per_host: int = Field(default=64, ge=1)

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @field_validator("hosts_of_secrets", mode="before")
    @classmethod
    def _paired(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        paired: dict[str, tuple[str, ...]] = {}
        for pair in shlex.split(value):
            name, equals, host = pair.partition("=")
            if not equals:
                raise ValueError(f"{pair!r} is not NAME=HOST")
            paired[name] = (*paired.get(name, ()), host)
        return paired

    def secret(self, name: str) -> str | None:
        """The secret of a name; None if there is none."""
        return os.environ.get(f"PARALLELIZEWORK_HTTP_SECRET_{name}")
