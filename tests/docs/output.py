"""Compare what a command has printed with what a page shows."""

import re
from difflib import unified_diff

_ANY, _RUN = "...", re.compile(r"inv_\w+(?:\\\.\\\.\\\.)?|inv_\\\.\\\.\\\.")


def difference(shown: str, printed: str) -> str:
    """A diff of what is shown and what was printed; nothing if that fits.

    In what is shown, `...` stands for any text within a line, or alone on a line for
    any lines; `inv_...` and the id of any invocation stand for each other. Spaces at
    the ends of lines do not count, nor do empty lines at the end.
    """
    expected, found = _lines(shown), _lines(printed)
    pattern = "".join(_lines_pattern(line) for line in expected)
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in found)):
        return ""
    alike = [_shown_as(line, expected) for line in found]
    diff = unified_diff(expected, alike, "shown", "printed", lineterm="", n=100)
    return "\n".join(diff)


def has_line(shown: str, printed: str) -> bool:
    """Whether one of the lines printed is as the one shown."""
    pattern = _pattern(shown.rstrip())
    return any(re.fullmatch(pattern, line) for line in _lines(printed))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _lines_pattern(line: str) -> str:
    return r"(?:[^\n]*\n)*" if line.strip() == _ANY else f"{_pattern(line)}\n"


def _pattern(line: str) -> str:
    """A regular expression of one line."""
    escaped = _RUN.sub(lambda _: r"inv_\w+", re.escape(line))
    return escaped.replace(re.escape(_ANY), r"[^\n]*")


def _shown_as(line: str, shown: list[str]) -> str:
    """A printed line as the page shows it, or as it is where the page does not."""
    alike = (each for each in shown if re.fullmatch(_pattern(each), line))
    return next((each for each in alike if each.strip() != _ANY), line)
