"""`PagePorts`: the ports that a page names, and the free ones that stand for them."""

import random
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

INGRESS, ADMIN, WORKER = 8080, 9070, 9080
DOCUMENTED = (INGRESS, ADMIN, WORKER, 9081, 9082, 8000)
_BEFORE = (":", "server ", '", ', "port ", "port=", "port = ")
_PORT = re.compile(
    f"(?i)({'|'.join(map(re.escape, _BEFORE))})({'|'.join(map(str, DOCUMENTED))})"
    r"(?!\d)"
)
_URL = r"http://127\.0\.0\.1:"
_OPTIONS = re.compile(f" --ingress {_URL}{INGRESS} --admin {_URL}{ADMIN}")
# Below those that the kernel uses for connections that go out: it might take one
# between the moment when it is found free and the moment when somebody listens there.
_RANGE = range(20_000, 32_000)


@dataclass(frozen=True)
class PagePorts:
    """A free port for each that the pages name."""

    free: Mapping[int, int]

    @classmethod
    def chosen(cls) -> "PagePorts":
        """Free ports, others each time: several pages may run at once."""
        numbers = random.SystemRandom().sample(_RANGE, 200)
        free = filter(_is_free, numbers)
        return cls({documented: next(free) for documented in DOCUMENTED})

    def replaced(self, text: str) -> str:
        """A text of a page with the free ports; a number that is no port stays."""
        return _PORT.sub(lambda found: found[1] + str(self.free[int(found[2])]), text)

    def as_documented(self, text: str) -> str:
        """What was printed, as it would be printed with the ports of the page."""
        for documented, free in self.free.items():
            text = re.sub(rf"\b{free}\b", str(documented), text)
        return _OPTIONS.sub("", text)

    def named_in(self, text: str) -> int | None:
        """The first free port in a text in which the ports are replaced."""
        found = re.findall(r"\d+", text)
        return next((int(n) for n in found if int(n) in self.free.values()), None)


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
