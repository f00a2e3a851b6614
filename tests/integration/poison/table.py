"""The table of poison: each kind, at each point, with each way to execute."""

from collections.abc import Iterator

from .cells import EXECUTED, STEPS, TASKS, Cell
from .errors import ERRORS, RETRIED
from .values import NUMBER, UNFIT, VALUES


def values() -> Iterator[Cell]:
    """Yield the cells of values that are poison."""
    kinds = [(kind, shape) for shape, of in VALUES.items() for kind in of]
    for kind, shape in kinds:
        for way in EXECUTED:
            yield Cell(kind, "item", way, shape)
            yield Cell(kind, "execute", way, shape)
        yield Cell(kind, "execute", "async", shape, strict=True)
        for way in ("sync", "code", "async batch"):
            yield Cell(kind, "failing item", way, shape)
        yield Cell(kind, "failing item", "async", shape, strict=True)
        yield Cell(kind, "failing expanded item", "async", shape)
        for way in ("sync", "code", "sync batch"):
            yield Cell(kind, "done", way, shape)
        for at in ("shard", "expanded item", "combine"):
            yield Cell(kind, at, "async", shape)
        yield Cell(kind, "expanded item", "sync batch", shape)
        yield Cell(kind, "combine", "sync batch", shape)
        yield Cell(kind, "aggregate", "sync", shape)
    for kind in UNFIT:
        for at in ("split", "expand"):
            yield Cell(kind, at, "sync", "Number")


def errors() -> Iterator[Cell]:
    """Yield the cells of errors that are poison, raised by each function."""
    for kind in [kind for kind in ERRORS if kind != "delay endless"]:
        for way in EXECUTED:
            yield Cell(kind, "execute", way)
        yield Cell(kind, "execute", "sync", strict=True)
        yield Cell(kind, "execute", "async batch", strict=True)
        for at in STEPS:
            yield Cell(kind, at, "sync")
            yield Cell(kind, at, "async")


def tasks() -> Iterator[Cell]:
    """Yield the cells of tasks that are poison."""
    for kind in TASKS:
        shape = "Number" if kind in NUMBER else "Any"
        for way in ("sync", "code", "executor", "sync batch"):
            yield Cell(kind, "task", way, shape)


def lasting() -> Iterator[Cell]:
    """Yield the cells of runs with unlimited attempts."""
    for kind in RETRIED:
        if "code" in kind or ("message" in kind and "surrogate" not in kind):
            continue  # Restate handles these like the others
        for way in ("sync", "code", "async batch"):
            yield Cell(kind, "execute", way, lasting=True)
        for at in ("split", "aggregate"):
            yield Cell(kind, at, "async", lasting=True)


def large() -> Iterator[Cell]:
    """Yield the cells of values that are larger than a message of Restate."""
    for way in EXECUTED:
        yield Cell("33 MiB", "execute", way)
    for at in ("item", "done", "aggregate"):
        yield Cell("33 MiB", at, "sync")
    for at in ("shard", "expanded item", "combine"):
        yield Cell("33 MiB", at, "async")


CELLS = [*values(), *errors(), *tasks()]
LASTING_CELLS, LARGE = [*lasting()], [*large()]
