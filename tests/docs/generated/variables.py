"""The environment variables, from the fields of the settings and their docstrings."""

from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from parallelizework.settings import HttpSettings, NotifySettings, Settings

from .docstring import described


def worker_and_client() -> Iterator[str]:
    """Lines: the variables of the worker, the command line and the client."""
    return _variables(Settings)


def http() -> Iterator[str]:
    """Lines: the variables of HttpFanOut."""
    return _variables(HttpSettings)


def notify() -> Iterator[str]:
    """Lines: the variables of FanOutNotify."""
    return _variables(NotifySettings)


def _variables(settings: type[BaseSettings]) -> Iterator[str]:
    prefix = settings.model_config.get("env_prefix", "")
    meanings = described(settings)
    for name, field in settings.model_fields.items():
        yield f"### {prefix}{name.upper()}\n"
        yield f"{meanings[name]}\n"
        yield f"Default: {_default(field)}.\n"


def _default(field: FieldInfo) -> str:
    default: Any = field.default
    return f"`{default:g}`" if isinstance(default, float) else _shown(default)


def _shown(default: object) -> str:
    return f"`{default}`" if default not in (None, (), {}) else "none"
