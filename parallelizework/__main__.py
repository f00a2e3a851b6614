"""`python -m parallelizework` runs the command `parallelizework`."""

from parallelizework.cli import main

main()
