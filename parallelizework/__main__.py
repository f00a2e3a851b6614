"""The command `parallelizework`, also as `python -m parallelizework`."""

import sys

from parallelizework.errors import ExtraMissing, extras_named


def main() -> None:
    """Run the command line; a missing extra is one line and the exit code 1."""
    try:
        with extras_named():
            from parallelizework import cli  # noqa: PLC0415 - it may lack its extra
    except ExtraMissing as error:
        sys.exit(f"parallelizework: {error}")
    cli.main()


if __name__ == "__main__":
    main()
