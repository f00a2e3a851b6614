"""The layers of `docs/architecture.md`: which module may import which."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from .architecture_map import PAGE, the_map

PACKAGE = Path(__file__).parents[2] / "parallelizework"
LAYERS = [  # a package may import from its own line and the lines above
    {"errors", "policy", "outcomes", "settings", "headers"},
    {"serde", "completion", "terminal_errors", "restate_sdk"},
    {"definition", "progress"},
    {"observation"},
    {"messages", "attempts"},
    {"redrive", "streaming", "waiting", "schedules"},
    {"coordination", "execution"},
    {"restate_service", "served"},
    {"fan_out", "executor"},
    {"ready_made"},
    {"notifications", "metrics"},
    {"client", "events"},
    {"serving", "local", "tracing"},
    {"aws_lambda"},
    {"cli", "testing"},
    {"__main__"},
]
PURE = [
    "attempts.retry_schedule",
    "aws_lambda.answers",
    "aws_lambda.event",
    "aws_lambda.payload",
    "completion",
    "coordination.planning.partition",
    "coordination.planning.slots",
    "errors",
    "events.joins.models",
    "events.joins.rounds",
    "events.promises.models",
    "events.webhooks.models",
    "events.webhooks.request",
    "events.webhooks.signatures.signed",
    "headers",
    "messages",
    "notifications.models",
    "notifications.receivers",
    "notifications.run_id",
    "observation.observed",
    "outcomes.attempt",
    "outcomes.counts",
    "outcomes.done",
    "outcomes.failure",
    "outcomes.waiting",
    "policy",
    "progress.labels",
    "progress.models",
    "redrive.models",
    "redrive.pieces",
    "redrive.remains",
    "schedules.models",
    "schedules.overlap",
    "schedules.timetable",
    "serde.restate_protocol",
    "streaming.models",
    "tracing.attributes",
    "waiting.models",
]
WITH_IO = {"restate", "httpx", "httpcore", "hypercorn", "asyncio", "os", "pathlib"}
MOST_AT_THE_TOP, MOST_IN_A_FOLDER, MOST_LEVELS = 15, 12, 17


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {
    name_of(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}


def imports(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the imports of a module, except in functions and for type checkers."""
    for node in body:
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{name.name}" for name in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=orelse):
                yield from imports(orelse)
            case ast.If(body=inner, orelse=orelse) | ast.Try(body=inner, orelse=orelse):
                yield from imports(inner + orelse)
            case _:
                pass


@cache
def imported(module: str) -> frozenset[str]:
    """The modules of ours that a module imports, and the packages of others."""
    found: set[str] = set()
    for name in imports(ast.parse(MODULES[module].read_text()).body):
        package, _, rest = name.partition(".")
        if package != PACKAGE.name:
            found.add(package)
        elif rest in MODULES:
            found.add(rest)
        elif rest.rpartition(".")[0] in MODULES:
            found.add(rest.rpartition(".")[0])
    return frozenset(found)


def ours(module: str) -> frozenset[str]:
    return imported(module) & MODULES.keys() - {module}


def rank(module: str) -> int:
    package = module.partition(".")[0]
    return next(number for number, packages in enumerate(LAYERS) if package in packages)


@cache
def longest(module: str) -> tuple[str, ...]:
    chains = [longest(each) for each in ours(module)]
    return (module, *max(chains, key=len, default=()))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_no_package_of_a_higher_layer(module: str) -> None:
    wrong = [each for each in ours(module) if rank(each) > rank(module)]

    assert not wrong


def test_no_modules_import_each_other_in_a_circle() -> None:
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"a circle: {' -> '.join((*above, module))}"
        if module not in done:
            for each in sorted(ours(module)):
                visit(each, (*above, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_chains_of_imports_are_short() -> None:
    chain = max(map(longest, MODULES), key=len)

    assert len(chain) <= MOST_LEVELS, " -> ".join(chain)


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_neither_restate_nor_input_and_output(
    module: str,
) -> None:
    reached, todo = set[str](), [module]
    while todo:
        each = todo.pop()
        new = imported(each) - reached
        reached |= new
        todo += new & MODULES.keys()

    assert not reached & WITH_IO


def test_no_folder_has_more_files_than_one_person_looks_at_together() -> None:
    folders = {path.parent for path in MODULES.values()} | {PACKAGE}
    counts = {
        str(folder.relative_to(PACKAGE)): len(list(folder.glob("*.py*")))
        for folder in folders
    }
    counts = {
        name: count
        for name, count in counts.items()
        if count > (MOST_AT_THE_TOP if name == "." else MOST_IN_A_FOLDER)
    }

    assert not counts


def test_the_map_names_each_module_with_its_first_sentence() -> None:
    """`python -m tests.unit.architecture_map` writes it anew."""
    assert the_map() in PAGE.read_text()
