"""Fixtures of the steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.database import Database
from tests.brevo_double import BrevoDouble, serving
from tests.providers.conftest import Served
from tests.steps.desk import Desk
from tests.steps.premises import open_shop


@pytest.fixture
def brevo(tmp_path: Path) -> Iterator[Served]:
    """Run a double of Brevo with a book of its own."""
    double = BrevoDouble(tmp_path / "book.jsonl", delay=0.02)
    with serving(double) as url:
        yield Served(url, double)


@pytest.fixture
def desk(tmp_path: Path, database: Database) -> Desk:
    """Give a shop with an empty store and a folder for its files."""
    home = tmp_path / "home"
    home.mkdir()
    return Desk(open_shop(home, database), tmp_path)
