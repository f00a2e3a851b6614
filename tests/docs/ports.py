"""`PagePorts`: the ports that a page names, and the free ports that replace them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.ports import free_ports

INGRESS, ADMIN, WORKER = 8080, 9070, 9080
DOCUMENTED = (INGRESS, ADMIN, WORKER, 9081, 9082, 9083, 8000, 9464, 9465, 4318)
_BEFORE = (":", "server ", "server(", "bind=", '", ', "port ", "port=", "port = ")
_PORT = re.compile(
    f"(?i)({'|'.join(map(re.escape, _BEFORE))})({'|'.join(map(str, DOCUMENTED))})"
    r"(?!\d)"
)
_URL = r"http://127\.0\.0\.1:"
_OPTIONS = re.compile(f" --ingress {_URL}{INGRESS} --admin {_URL}{ADMIN}")


@dataclass(frozen=True)
class PagePorts:
    """A free port for each port that the pages name."""

    free: Mapping[int, int]

    @classmethod
    def chosen(cls) -> "PagePorts":
        """Choose free ports: several pages may run at once."""
        free = free_ports(len(DOCUMENTED))
        return cls(dict(zip(DOCUMENTED, free, strict=True)))

    def replaced(self, text: str) -> str:
        """Return a text of a page with the free ports; other numbers do not change."""
        return _PORT.sub(lambda found: found[1] + str(self.free[int(found[2])]), text)

    def as_documented(self, text: str) -> str:
        """Return an output with the ports of the page instead of the free ports."""
        for documented, free in self.free.items():
            text = re.sub(rf"\b{free}\b", str(documented), text)
        return _OPTIONS.sub("", text)

    def named_in(self, text: str) -> int | None:
        """Return the first free port in a text whose ports are replaced."""
        found = re.findall(r"\d+", text)
        return next((int(n) for n in found if int(n) in self.free.values()), None)
