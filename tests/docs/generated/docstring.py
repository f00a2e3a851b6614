"""The descriptions of arguments and attributes in a docstring."""

import inspect
import re

_SECTION = re.compile(r"^(?:Args|Attributes):\n((?:    .*\n|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^    (\w+): ((?:.*\n)(?:        .*\n)*)", re.MULTILINE)


def described(documented: type) -> dict[str, str]:
    """Return the descriptions in the sections `Args` and `Attributes` of a class."""
    text = f"{inspect.getdoc(documented) or ''}\n"
    sections = "".join(found[1] for found in _SECTION.finditer(text))
    return {name: one_line(about) for name, about in _ENTRY.findall(sections)}


def one_line(text: str) -> str:
    """Return a text as a sentence without line breaks; a URL is not capitalized."""
    line = " ".join(text.split())
    if not re.match(r"\w+:", line):
        line = line[:1].upper() + line[1:]
    return line if not line or line.endswith((".", "?", ")")) else f"{line}."
