"""Arguments of `serve`: modules, names, settings, an address, a logging setup."""

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from parallelizework.client import healthy
from parallelizework.messages import VIRTUAL_OBJECTS

from .fan_outs.deadly import greeter
from .processes import LONG, eventually, running
from .test_dev import FAN_OUTS, FREE
from .test_serve import alone
from .test_supervision import SERVING

MANIFEST = {"accept": "application/vnd.restate.endpointmanifest.v4+json"}
SQUARES = "from tests.integration.fan_outs.values import squares"


def discovered(url: str) -> set[str]:
    """The names of the services that a worker serves."""
    answer = httpx.get(f"{url}/discover", headers=MANIFEST, timeout=LONG)
    return {service["name"] for service in answer.json()["services"]}


def refused(
    *arguments: str, code: int, environment: Mapping[str, str] | None = None
) -> str:
    """Run a command that fails; return its error of one line."""
    with running(*arguments, environment=environment) as process:
        assert process.ended() == code, process.output
        assert process.output.startswith("parallelizework: ")
        assert process.output.count("\n") == 1
        return process.output


def test_a_module_without_a_name_serves_all_its_fan_outs_and_services() -> None:
    with alone(str(SERVING)) as (_, url):
        names = discovered(url)

    fan_outs = {"Deadly", "DeadlyAsync", "DeadlyCode"}
    assert names == {*fan_outs, greeter.name, *VIRTUAL_OBJECTS}


def test_a_module_may_be_named_as_it_is_imported() -> None:
    with alone("tests.integration.fan_outs.deadly") as (_, url):
        assert greeter.name in discovered(url)


def test_a_plain_service_is_served_together_with_a_fan_out() -> None:
    with alone(f"{FAN_OUTS}.values:squares", f"{SERVING}:greeter") as (_, url):
        assert discovered(url) == {*VIRTUAL_OBJECTS, "Greeter", "Squares"}


@pytest.mark.parametrize(
    "target", ["FanOutSchedule", "parallelizework.schedules:schedules"]
)
def test_schedules_are_served_if_a_target_names_them(target: str) -> None:
    with alone(f"{FAN_OUTS}.values:squares", target) as (_, url):
        assert discovered(url) == {*VIRTUAL_OBJECTS, "FanOutSchedule", "Squares"}


def test_dev_serves_fan_outs_and_restate_services() -> None:
    with running("dev", str(SERVING), *FREE) as dev:
        line = dev.wait_for("curl")
        ingress = line.split()[2].rpartition("/")[0].rpartition("/")[0]
        url = f"{ingress}/Greeter/greet"

        assert "/Greeter/" not in line
        assert httpx.post(url, json="Ada", timeout=LONG).json() == "Hello Ada"


def test_a_target_that_is_named_twice_is_served_once() -> None:
    with alone(f"{SERVING}:greeter", f"{SERVING}:greeter", str(SERVING)) as (_, url):
        assert "Greeter" in discovered(url)


def test_two_services_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        text = f"import restate\n{name} = restate.Service('Same')\n"
        (tmp_path / f"{name}.py").write_text(text)

    error = refused("serve", f"{tmp_path}/one.py:one", f"{tmp_path}/two.py", code=1)

    assert "'Same'" in error


@pytest.mark.parametrize("target", ["FanOutWorkr", "nothing.at_all", "a:b:"])
def test_the_error_for_an_unknown_target_lists_the_ready_made_fan_outs(
    target: str,
) -> None:
    error = refused("serve", target, code=1)

    assert repr(target) in error
    assert "FanOutWorker, HttpFanOut" in error


def test_a_module_with_nothing_to_serve_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")

    assert "has nothing to serve" in refused("serve", f"{tmp_path}/empty.py", code=1)


@pytest.mark.parametrize(
    "bind", ["9080", "127.0.0.1", "127.0.0.1:", "localhost:http", "h:99999", "h:-1"]
)
def test_an_address_without_a_valid_port_is_a_usage_error(bind: str) -> None:
    error = refused("serve", f"--bind={bind}", code=2)

    assert "HOST:PORT" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--workers=0"],
        ["dev", "--workers=-1"],
        ["dev", "--ingress-port=99999"],
        ["server", "--admin-port=-1"],
    ],
)
def test_a_number_out_of_range_is_a_usage_error(arguments: list[str]) -> None:
    assert arguments[1].partition("=")[0] in refused(*arguments, code=2)


@pytest.mark.parametrize("bind", ["no.such.host.invalid:9080", "192.0.2.1:0"])
def test_an_address_that_cannot_be_bound_is_reported_in_one_line(bind: str) -> None:
    assert bind in refused("serve", "--bind", bind, code=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRACE_PERIOD", "soon"),
        ("FAN_OUTS", "'one quote"),
        ("MAX_PAUSE", "-1"),
        ("HTTP_MAX_BODY", "many"),
        ("HTTP_HOSTS_OF_SECRETS", "TOKEN"),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line_with_its_name(
    name: str, value: str
) -> None:
    variable = f"PARALLELIZEWORK_{name}"

    error = refused("serve", code=1, environment={variable: value})

    assert f"{variable}={value}" in error


def test_a_command_that_serves_nothing_checks_the_settings_too() -> None:
    environment = {"PARALLELIZEWORK_GRACE_PERIOD": "soon"}

    assert "GRACE_PERIOD=soon" in refused("list", code=1, environment=environment)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "set_up",
    [
        "logging.basicConfig(level='INFO', format='MINE %(message)s')",
        "logging.config.dictConfig({'version': 1, 'formatters': {'f': {'format': "
        "'MINE %(message)s'}}, 'handlers': {'h': {'class': 'logging.StreamHandler', "
        "'formatter': 'f'}}, 'root': {'level': 'INFO', 'handlers': ['h']}})",
    ],
)
def test_the_logging_configuration_of_a_users_module_is_kept(
    tmp_path: Path, set_up: str, workers: int
) -> None:
    module = tmp_path / "mine.py"
    module.write_text(f"import logging.config\n{set_up}\n{SQUARES}\n")
    with alone(f"{module}:squares", workers=workers) as (worker, url):
        bind = url.removeprefix("http://")
        eventually(lambda: healthy(f"{url}/health"))

        assert f"MINE Serving on {bind}" in worker.output
        assert "pid=" not in worker.output
