"""What commands print: results to stdout, everything else to stderr."""

import sys


def note(text: str) -> None:
    """Say something that is no result."""
    print(text, file=sys.stderr, flush=True)


def print_result(run: str, result: bytes, *, as_json: bool) -> None:
    """Print a result as it came, or within an object that says whose it is."""
    text = result.decode()
    if as_json:
        text = f'{{"run": "{run}", "state": "succeeded", "result": {text or "null"}}}'
    print(text, flush=True)
