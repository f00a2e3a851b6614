"""Compare the output of a command with the output that a page shows."""

import re
from difflib import unified_diff

_ANY, _RUN = "...", re.compile(r"inv_\w+(?:\\\.\\\.\\\.)?|inv_\\\.\\\.\\\.")


def difference(shown: str, printed: str) -> str:
    """Return a diff of the shown and the printed text; empty if they match.

    In a shown line, `...` matches any text. A shown line that is only `...` matches any
    lines. `inv_...` and each invocation id match any invocation id. Spaces at the end
    of a line and empty lines at the end of the text are ignored.
    """
    expected, found = _lines(shown), _lines(printed)
    pattern = "".join(_lines_pattern(line) for line in expected)
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in found)):
        return ""
    alike = [_shown_as(line, expected) for line in found]
    diff = unified_diff(expected, alike, "shown", "printed", lineterm="", n=100)
    return "\n".join(diff)


def has_line(shown: str, printed: str) -> bool:
    """Whether a printed line matches the shown line."""
    pattern = _pattern(shown.rstrip())
    return any(re.fullmatch(pattern, line) for line in _lines(printed))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _lines_pattern(line: str) -> str:
    return r"(?:[^\n]*\n)*" if line.strip() == _ANY else f"{_pattern(line)}\n"


def _pattern(line: str) -> str:
    """Return a regular expression for one shown line."""
    escaped = _RUN.sub(lambda _: r"inv_\w+", re.escape(line))
    return escaped.replace(re.escape(_ANY), r"[^\n]*")


def _shown_as(line: str, shown: list[str]) -> str:
    """Return the shown line that matches a printed line, or else the printed line."""
    alike = (each for each in shown if re.fullmatch(_pattern(each), line))
    return next((each for each in alike if each.strip() != _ANY), line)
