"""Settings of all tests: no test depends on the speed of the machine."""

import signal

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# A shell starts `make test &` with SIGINT ignored, and processes inherit this. Then no
# test of Ctrl-C could succeed.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        action="append",
        choices=["plain", "replay", "v7", "own", "lambda"],
        help="run the integration tests of this kind of server, or those that start "
        "servers of their own; may be repeated; all by default",
    )
