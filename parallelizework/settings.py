"""`Settings`, `HttpSettings`, `NotifySettings`: only here the environment is read."""

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

LogFormat = Literal["text", "json"]
_PREFIX = "Value error, "  # with which pydantic begins the message of a ValueError
_PORTS = 65_536
_LOOPBACK = "127.0.0.1"
_OTLP_PROTOCOL = "http/protobuf"
_OTLP_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class _Settings(BaseSettings):
    @model_validator(mode="wrap")
    @classmethod
    def _error_in_one_line(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            prefix = cls.model_config.get("env_prefix", "")
            invalid = [
                f"{prefix}{e['loc'][0]}".upper()
                + f"={values[e['loc'][0]]}: {e['msg'].removeprefix(_PREFIX)}"
                for e in error.errors()
            ]
            raise SettingsError("; ".join(invalid)) from error


class Settings(_Settings):
    """The settings of a worker and of a client.

    Each is read from the variable `PARALLELIZEWORK_` and the name in capitals.

    Args:
        fan_outs: The targets to serve, as `parallelizework serve` accepts them,
            separated by spaces. Quote a target that contains a space. By default, all
            ready-made fan-outs are served.
        max_pause: The longest pause of a subtask of FanOutWorker, in seconds.
        grace_period: How long a worker that stops waits for its calls in flight, in
            seconds. The default is less than the 10 s that `docker stop` waits.
        progress_retention: How long FanOutProgress keeps a run after the run's last
            update, in seconds.
        identity_keys: The public keys (`publickeyv1_...`) of the restate-servers that
            may call the worker, separated by spaces. By default, everyone who can
            reach the worker may call it.
        restate_server: The path of the restate-server program for `parallelizework
            dev`. By default, the program is found or installed.
        log_format: The format of the log: `text`, or `json` for one JSON object per
            line. If a module that `parallelizework serve` serves configures logging,
            the setting has no effect.
        ingress_url: The URL of the restate-server's ingress.
        admin_url: The URL of the restate-server's admin API.
        metrics_bind: Where the worker serves metrics for Prometheus: `PORT` for
            loopback, or `HOST:PORT`. By default, the worker serves no metrics.
    """

    model_config = SettingsConfigDict(env_prefix="PARALLELIZEWORK_", frozen=True)

    fan_outs: Annotated[tuple[str, ...], NoDecode] = ()
    max_pause: float = Field(default=1.0, ge=0)
    grace_period: float = Field(default=8.0, ge=0)
    progress_retention: float = Field(default=86_400, gt=0)
    identity_keys: Annotated[tuple[str, ...], NoDecode] = ()
    restate_server: Path | None = None
    log_format: LogFormat = "text"
    ingress_url: str = "http://localhost:8080"
    admin_url: str = "http://localhost:9070"
    metrics_bind: str | None = None

    @field_validator("fan_outs", "identity_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @field_validator("metrics_bind", mode="after")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        """Add the host to a value that is only a port."""
        if not value:
            return None
        host, _, port = value.rpartition(":")
        is_port = port.isascii() and port.isdigit() and int(port) < _PORTS
        if not is_port or "/" in host:
            raise ValueError("set PORT or HOST:PORT, such as 9464 or 0.0.0.0:9464")
        return f"{host or _LOOPBACK}:{port}"


class HttpSettings(_Settings):
    """The settings of HttpFanOut.

    Each is read from the variable `PARALLELIZEWORK_HTTP_` and the name in capitals.

    Args:
        allowed_hosts: The hosts that may be sent requests, separated by spaces: names,
            globs, addresses and networks; see `AllowedHosts`. By default, no host is
            allowed, and HttpFanOut is off.
        hosts_of_secrets: `NAME=HOST` pairs, separated by spaces. A secret that is named
            here is sent to its hosts only. Any other secret may be sent to each
            allowed host.
        folder: The folder of the files of rows and of their results. By default,
            HttpFanOut reads no files.
        max_body: The largest body of a response, unpacked, in bytes. A message of
            Restate holds 32 MiB, and base64 makes a body larger by a third.
        max_timeout: The longest time that one request may take, in seconds.
        max_retry_after: The longest pause that a server may ask for, in seconds. Many
            public APIs renew their rate limits each hour, hence the default.
        max_postponement: The longest time that one request may spend in all pauses that
            servers ask for, in seconds. The default is two hours: other clients may
            use up a quota that is renewed each hour.
        max_concurrency_per_host: How many requests one worker process sends to one host
            at once. The default is the default `max_concurrency` of one run.
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
        """The secret of that name; None if the environment has no such secret."""
        return os.environ.get(f"PARALLELIZEWORK_HTTP_SECRET_{name}")


def secrets_in(variable: str) -> tuple[str, ...]:
    """The secrets in an environment variable of the user, separated by spaces."""
    return tuple(os.environ.get(variable, "").split())


def sends_traces() -> bool:
    """Whether the environment asks for traces, by the variables of OpenTelemetry.

    The SDK of OpenTelemetry reads all of its other variables itself.

    Raises:
        SettingsError: The endpoint is not a URL of HTTP, or the protocol is not HTTP.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    endpoints = {name: os.environ.get(name, "") for name in _OTLP_ENDPOINTS}
    for name, url in endpoints.items():
        if url and not url.startswith(("http://", "https://")):
            raise SettingsError(f"{name}={url}: set a URL, such as http://HOST:4318")
    for name in _OTLP_PROTOCOLS:
        protocol = os.environ.get(name) or _OTLP_PROTOCOL
        if protocol != _OTLP_PROTOCOL:
            raise SettingsError(
                f"{name}={protocol}: a worker sends traces by {_OTLP_PROTOCOL} only"
            )
    return any(endpoints.values())


class NotifySettings(_Settings):
    """The settings of FanOutNotify.

    Each is read from the variable `PARALLELIZEWORK_` and the name in capitals.

    Args:
        notify_allowed_hosts: The hosts that may be sent webhooks, separated by spaces:
            names, globs, addresses and networks; see `AllowedHosts`. By default, no
            host is allowed.
        notify_secrets: The secrets of the signatures of webhooks, separated by spaces:
            each is `whsec_` and 24 to 64 bytes in base 64. A webhook has one signature
            for each secret. By default, there is no secret, and no webhook is sent.
        smtp_url: The server for emails: `smtp://USER:PASSWORD@HOST` (port 587,
            STARTTLS) or `smtps://USER:PASSWORD@HOST` (port 465, TLS). For a server
            without TLS on a trusted network: `smtp+plain://HOST` (port 25). By
            default, no email is sent.
        smtp_sender: The address of the sender of emails. An SMTP server needs it.
    """

    model_config = SettingsConfigDict(env_prefix="PARALLELIZEWORK_", frozen=True)

    notify_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    notify_secrets: Annotated[tuple[str, ...], NoDecode] = ()
    smtp_url: str | None = None
    smtp_sender: str | None = None

    @field_validator("notify_allowed_hosts", "notify_secrets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(shlex.split(value)) if isinstance(value, str) else value
