"""`WebhookRequest`: a request of a third party, as the third party sent it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from pydantic_core import from_json

_MAX_FIELDS = 1_000  # of a form or a query


class Headers(Mapping[str, str]):
    """Headers by their names, in any case.

    Args:
        headers: The headers.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._headers[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._headers

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        return f"Headers({list(self)})"  # no values: some are secrets


@dataclass(frozen=True)
class WebhookRequest:
    """A request of a third party, as the third party sent it.

    Attributes:
        body: The exact body. A GET request has an empty body.
        headers: The headers. Upper and lower case of a name are the same.
        query_string: The text after `?` in the URL; empty if there is none.
    """

    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query_string: str = ""

    def __post_init__(self) -> None:
        """Make the names of the headers the same in upper and lower case."""
        object.__setattr__(self, "headers", Headers(self.headers))

    @property
    def text(self) -> str:
        """The body as UTF-8.

        Raises:
            ValueError: The body is not UTF-8.
        """
        return self.body.decode()

    @property
    def query(self) -> dict[str, str]:
        """The fields of the query; a repeated field has its last value.

        Raises:
            ValueError: The query has more than 1,000 fields.
        """
        return _fields(self.query_string)

    def json(self) -> Any:
        """Return the body, which is JSON.

        Raises:
            ValueError: The body is not JSON.
        """
        return from_json(self.body, allow_inf_nan=False)

    def form(self) -> dict[str, str]:
        """Return the fields of the body, which is a form (`a=1&b=2`).

        A repeated field has its last value.

        Raises:
            ValueError: The body is not UTF-8, or has more than 1,000 fields.
        """
        return _fields(self.text)


def _fields(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
