"""Loads the targets of a command line, or of the settings: fan-outs and services."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from parallelizework.errors import TargetError
from parallelizework.ready_made.fan_out_worker import checklist
from parallelizework.ready_made.http.fan_out import http_fan_out
from parallelizework.served import RestateService, Servable, Served
from parallelizework.settings import HttpSettings, Settings

# Ready-made services that a worker serves only if a target names them.
_ON_REQUEST = {
    "FanOutNotify": "parallelizework.notifications:notifications",
    "FanOutSchedule": "parallelizework.schedules:schedules",
}


def load_all(settings: Settings) -> Iterable[Served]:
    """The targets in the settings, each once; by default all ready-made fan-outs.

    Raises:
        TargetError: A target names nothing that can be served.
    """
    fan_outs = [checklist(max_pause=settings.max_pause), http_fan_out(HttpSettings())]
    ready_made = {fan_out.name: fan_out for fan_out in fan_outs}
    targets = settings.fan_outs or ready_made
    return dict.fromkeys(each for t in targets for each in load(t, ready_made))


def load(target: str, ready_made: Mapping[str, Served]) -> list[Served]:
    """The fan-outs and services that a target names.

    Args:
        target: A name in `ready_made`, `FanOutNotify` or `FanOutSchedule`. Or an object
            of a module, as `package.module:object` or `folder/file.py:object`. Or a
            module: then all its objects that can be served. A module is also looked up
            in the current folder.

    Raises:
        TargetError: The target names nothing that can be served.
    """
    if target in ready_made:
        return [ready_made[target]]
    target = _ON_REQUEST.get(target, target)
    path, _, name = target.rpartition(":")
    if not path or target.endswith(".py"):
        path, name = target, ""
    if path.endswith(".py"):
        module = _from_file(Path(path))
    elif not name and not _is_module(path):
        raise TargetError(
            f"{target!r} is neither a ready-made fan-out ({', '.join(ready_made)}) nor "
            "a module. A target is MODULE, MODULE:OBJECT, FILE.py or FILE.py:OBJECT"
        )
    else:
        module = _from_name(path)
    return _named(module, name) if name else _all(module)


def _all(module: ModuleType) -> list[Served]:
    served = _served(module)
    if not served:
        raise TargetError(
            f"{module.__file__} has nothing to serve: define a FanOut, an Executor or "
            "a Restate service in it"
        )
    return list(served.values())


def _named(module: ModuleType, name: str) -> list[Served]:
    exists = hasattr(module, name)  # first: a module may define a name at its first use
    served = _served(module)
    if name not in served:
        what = f"a {type(getattr(module, name)).__name__}" if exists else "not defined"
        raise TargetError(
            f"{name!r} is {what}; the objects that can be served in {module.__file__} "
            f"are: {', '.join(served) or 'none'}"
        )
    return [served[name]]


def _served(module: ModuleType) -> dict[str, Served]:
    """The objects of a module that can be served, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, Servable | RestateService)
    }


def _from_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise TargetError(f"there is no file {path}")
    own_name = f"parallelizework_target_{path.stem}"
    for known in map(sys.modules.get, (path.stem, own_name)):
        if known and getattr(known, "__file__", None) == str(path):
            return known
    name = own_name if path.stem in sys.modules else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is not a Python module")
    sys.path.insert(0, str(path.parent))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _is_module(name: str) -> bool:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return all(map(str.isidentifier, name.split("."))) and bool(find_spec(name))
    except ModuleNotFoundError:  # a package in the name does not exist
        return False


def _from_name(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module exists, but a module that it imports does not
        raise TargetError(
            f"there is no module {name!r} in {Path.cwd()} or in the packages of "
            f"{sys.executable}"
        ) from error
