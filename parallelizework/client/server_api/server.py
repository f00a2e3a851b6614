"""`Server`: a restate-server, by the URLs of its ingress and its admin API."""

from dataclasses import dataclass
from typing import Self

from parallelizework.client.server_api.admin import Admin
from parallelizework.client.server_api.http import Http
from parallelizework.client.server_api.ingress import Ingress
from parallelizework.client.server_api.sql import Sql
from parallelizework.settings import Settings


@dataclass(frozen=True)
class Server:
    """The APIs of a restate-server."""

    http: Http
    ingress: Ingress
    admin: Admin
    sql: Sql

    @classmethod
    def at(cls, ingress: str | None = None, admin: str | None = None) -> Self:
        """The server at these URLs; by default, at the URLs in the settings."""
        settings, http = Settings(), Http()
        ingress = (ingress or settings.ingress_url).rstrip("/")
        admin = (admin or settings.admin_url).rstrip("/")
        return cls(http, Ingress(http, ingress), Admin(http, admin), Sql(http, admin))
