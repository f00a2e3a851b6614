"""`python -m parallelizework` is the command `parallelizework`."""

from parallelizework.cli import main

main()
