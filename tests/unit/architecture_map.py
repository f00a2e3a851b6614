"""The map of the package: each module with the first sentence of its docstring.

    python -m tests.unit.architecture_map

writes it into `docs/architecture.md`.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE, PAGE = ROOT / "parallelizework", ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- map -->\n", "<!-- end of map -->\n"


def lines(folder: Path, depth: int = 0) -> list[str]:
    """The files of a folder first, then its folders, each with what is in it."""
    found: list[str] = []
    modules = sorted(each for each in folder.glob("*.py") if each.name != "__init__.py")
    for module in modules:
        found.append(f"{'  ' * depth}- `{module.name}`: {sentence(module)}")
    for inner in sorted(each.parent for each in folder.glob("*/__init__.py")):
        name, package = inner.name, inner / "__init__.py"
        found.append(f"{'  ' * depth}- **`{name}/`** {sentence(package)}")
        found += lines(inner, depth + 1)
    return found


def sentence(module: Path) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text())) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def the_map() -> str:
    return "\n".join(lines(PACKAGE)) + "\n"


def main() -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{the_map()}{END}{after}")


if __name__ == "__main__":
    main()
