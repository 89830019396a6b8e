"""What the tests of campaign files share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty campaigns folder, and stand beside it as an owner does."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "campaigns"
    made.mkdir()
    return made
