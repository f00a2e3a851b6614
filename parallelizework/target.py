"""`MODULE:OBJECT`: how a user hands us what to serve on the command line."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from parallelizework.errors import TargetError
from parallelizework.executor import Executor
from parallelizework.fan_out import FanOut

Served = FanOut[Any, Any, Any, Any] | Executor[Any, Any]


def load(target: str) -> Served:
    """The `FanOut` or `Executor` that `target` names.

    Args:
        target: `package.module:object` or `folder/file.py:object`. The module is
            looked up from the current folder too.

    Raises:
        TargetError: There is no such thing; it says what was tried.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise TargetError(
            f"{target!r} is neither a ready-made fan-out nor of the form MODULE:OBJECT "
            "or FILE.py:OBJECT"
        )
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    found = getattr(module, name, None)
    if not isinstance(found, FanOut | Executor):
        is_there = hasattr(module, name)
        what = f"is a {type(found).__name__}" if is_there else "is not there"
        raise TargetError(
            f"{target!r}: {name!r} {what}; the FanOut and Executor objects in "
            f"{module.__file__} are: {', '.join(_names(module)) or 'none'}"
        )
    return found  # pyright: ignore[reportUnknownVariableType] - types known to its author


def _from_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise TargetError(f"there is no file {path}")
    known = sys.modules.get(path.stem)
    if known and getattr(known, "__file__", None) == str(path):
        return known
    name = f"parallelizework_target_{path.stem}" if known else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is not a Python module")
    sys.path.insert(0, str(path.parent))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _from_name(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, but something that it imports is not
        raise TargetError(
            f"there is no module {name!r}; looked in {Path.cwd()} and in the "
            f"packages of {sys.executable}"
        ) from error


def _names(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, FanOut | Executor)
    ]
