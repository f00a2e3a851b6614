"""Labels: the keys and values by which callers find their runs. Pure.

The ingress request that starts a run has the labels in a header, as a JSON object.
"""

import json
import re
from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

LABELS_HEADER = "x-parallelizework-labels"

Labels = Mapping[str, str]

_MOST = 16  # labels of a run: each is a key in the state of FanOutProgress
_LONGEST = 256  # characters of a value: each log line of a subtask has all labels
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,63}")
# The fields of a subtask in the log, beside the labels.
_LOG_FIELDS = ("run", "shard", "index", "name", "attempt")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+-]+")  # values that a log has without quotes
_LOGGED = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|[^"\s]+)')

_LABELS = TypeAdapter(dict[str, str])


def labels_headers(labels: Labels | None) -> dict[str, str]:
    """Return the header for the labels; no header if there are none.

    JSON escapes other characters than ASCII, which a header cannot contain.
    """
    return {LABELS_HEADER: json.dumps(dict(labels))} if labels else {}


def labels_in(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the labels in the headers of a run.

    Raises:
        ValueError: The header has no valid labels.
    """
    header = headers.get(LABELS_HEADER)
    if header is None:
        return {}
    try:
        labels = _LABELS.validate_json(header, strict=True)
    except ValidationError as error:
        raise ValueError(
            f"the header {LABELS_HEADER} is not a JSON object of strings: use an "
            'object such as {"tenant": "a"}, with \\u escapes for characters other '
            "than ASCII"
        ) from error
    return checked(labels)


def checked(labels: Labels) -> dict[str, str]:
    """Return the labels, if they are valid.

    Raises:
        ValueError: There are too many labels, or a key or a value is invalid.
    """
    if len(labels) > _MOST:
        raise ValueError(f"there are {len(labels)} labels: use {_MOST} at most")
    for key, value in labels.items():
        if not _KEY.fullmatch(key):
            raise ValueError(
                f"the key {key!r} of a label is invalid: use 1 to 63 of the "
                "characters A-Z, a-z, 0-9, _, . and -"
            )
        if key in _LOG_FIELDS:
            raise ValueError(
                f"a label cannot have the key {key!r}, which is a field of the log: "
                "use another key"
            )
        if not (0 < len(value) <= _LONGEST and value.isprintable()):
            raise ValueError(
                f"the value {value!r:.80} of the label {key} is invalid: use 1 to "
                f"{_LONGEST} printable characters"
            )
    return dict(labels)


def with_labels(run: str, labels: Labels) -> str:
    """Return the id of a run and its labels, as the log shows them."""
    return " ".join([run, *(f"{key}={_logged(labels[key])}" for key in sorted(labels))])


def without_labels(text: str) -> tuple[str, dict[str, str]]:
    """Return the id of a run and its labels, from what `with_labels` returned."""
    run, _, rest = text.partition(" ")
    return run, {key: _read(value) for key, value in _LOGGED.findall(rest)}


def _read(value: str) -> str:
    """The value of a label in the log. A value that is not JSON stays as it is."""
    try:
        return str(json.loads(value)) if value.startswith('"') else value
    except ValueError:
        return value


def _logged(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value)
