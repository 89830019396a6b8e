"""The harness's dice: keyed hashes, so that a run with the same seed makes the same choices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


class Chance:
    """Every draw is named and counted: what one part draws does not move what another gets."""

    def __init__(self, seed: int, name: str) -> None:
        self._key = f"{seed}|{name}"
        self._drawn: dict[str, int] = {}

    def share(self, what: str) -> float:
        """Return a number from 0 up to 1."""
        number = self._drawn[what] = self._drawn.get(what, 0) + 1
        digest = hashlib.sha256(f"{self._key}|{what}|{number}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    def between(self, what: str, least: float, most: float) -> float:
        """Return a number between two others."""
        return least + (most - least) * self.share(what)

    def one_of(self, what: str, things: Sequence[Thing]) -> Thing:
        """Return one of these."""
        return things[int(self.share(what) * len(things))]
