"""Messages about a user's functions name the place of each: `album.py:12`."""

import re

_PLACE = re.compile(r" \(\w+\.py:\d+\)|, \w+\.py:\d+")


def without_places(error: BaseException) -> str:
    """Return the message of an error without the file and line of each function."""
    return _PLACE.sub("", str(error))
