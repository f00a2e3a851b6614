"""`Server`: a restate-server, by the two addresses that it has."""

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

    @classmethod
    def at(cls, ingress: str | None = None, admin: str | None = None) -> Self:
        """The server at these URLs, or where the settings say that it is."""
        settings, http = Settings(), Http()
        return cls(
            http,
            Ingress(http, (ingress or settings.ingress_url).rstrip("/")),
            Admin(http, (admin or settings.admin_url).rstrip("/")),
        )

    @property
    def sql(self) -> Sql:
        """Its SQL tables."""
        return Sql(self.admin)
