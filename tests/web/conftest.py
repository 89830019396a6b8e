"""A shop whose two birthday mails a double of Brevo has taken, and its pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.brevo_double import BrevoDouble, serving
from tests.conftest import MakeApp
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, real_config, tick

if TYPE_CHECKING:
    from engine.app import App


@pytest.fixture
def brevo(tmp_path: Path) -> Iterator[Served]:
    """Run a double of Brevo with a book of its own."""
    double = BrevoDouble(tmp_path / "book.jsonl")
    with serving(double) as url:
        yield Served(url, double)


@pytest.fixture
def app(make_app: MakeApp, brevo: Served) -> App:
    """Give a shop that has sent two birthday mails."""
    made = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(made, 2)
    tick(made)
    return made
