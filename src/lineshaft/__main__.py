"""`python -m lineshaft` is the command line."""

from lineshaft.cli import main

main()
