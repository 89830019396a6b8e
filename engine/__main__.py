"""`python -m engine` is the same as `treuepost`."""

from engine.cli import main

main()
