"""The output of commands: results to stdout, all other texts to stderr."""

import sys


def note(text: str) -> None:
    """Print a text to stderr."""
    print(text, file=sys.stderr, flush=True)


def print_result(run: str, result: bytes, *, as_json: bool) -> None:
    """Print a result as it is, or in a JSON object with the id of its run."""
    text = result.decode()
    if as_json:
        text = f'{{"run": "{run}", "state": "succeeded", "result": {text or "null"}}}'
    print(text, flush=True)
