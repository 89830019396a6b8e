"""A process that can die: the store's doors counted, so that it ends at any commit or call the test chooses.

Whatever the program does for good passes through a commit or through the provider. Once it has died, its doors open no
more: nothing of it goes on, as after kill -9.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlmodel import Session

from engine.store.database import Database


class Died(BaseException):
    """The process is gone. No product code may catch it."""


class Mortal(Database):
    """The store as one life of the program sees it; with `left` it dies after so many boundaries."""

    def __init__(self, store: Database, left: int | None = None) -> None:
        self.__dict__.update(store.__dict__)
        self.left = left
        self.dead = False

    def boundary(self, *_: Any) -> None:
        """Pass a point at which a process can die, or die there."""
        self._live()
        if self.left is not None:
            self.left -= 1
            self.dead = self.left < 0
            self._live()

    def _live(self) -> None:
        if self.dead:
            raise Died

    @contextmanager
    def write(self) -> Iterator[Session]:
        self._live()
        with super().write() as session:
            yield session
            session.flush()
            self.boundary()
        self.boundary()

    @contextmanager
    def read(self) -> Iterator[Session]:
        self._live()
        with super().read() as session:
            yield session
