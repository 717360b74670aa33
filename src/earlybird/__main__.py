"""`python -m earlybird` is the command line."""

from earlybird.cli import main

main()
