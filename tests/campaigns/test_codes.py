"""Every code a finding can have is explained in the documents."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_document_explains_every_code_there_is_and_no_other() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "engine").rglob("*.py"))
    used = set(re.findall(r'"([ELMST][0-9]{3})"', source))
    explained = re.findall(
        r"^\| `([A-Z][0-9]{3})` \|", (ROOT / "docs" / "findings.md").read_text("utf-8"), re.MULTILINE
    )
    assert set(explained) == used
    assert len(explained) == len(set(explained))
