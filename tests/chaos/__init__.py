"""Chaos: the real program in real processes, killed, frozen and starved, judged by the provider's own book.

`python -m tests.chaos [--short] [--only NAME] [--seed N] [--kills N]` prints one table; `make chaos` is the long form.
"""
