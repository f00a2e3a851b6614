"""`is_run_id`: which texts are invocation ids of Restate. Pure.

An id is `inv_`, the version `1`, and two numbers in base 62: the partition key with 64
bits in 11 digits, and a unique number with 128 bits in 22 digits. A restate-server
(1.7) cannot attach to any other text: a handler that tries this is retried without end.
"""

import re
import string

_DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase
_ID = re.compile(r"inv_1([0-9A-Za-z]{11})([0-9A-Za-z]{22})")


def is_run_id(text: str) -> bool:
    """Whether a text has the form of an id. The run need not exist."""
    found = _ID.fullmatch(text)
    if not found:
        return False
    key, unique = map(_number, found.groups())
    return key < 2**64 and unique < 2**128


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return number
