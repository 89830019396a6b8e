"""`treuepost audit`: what an owner reads when all is well, and when somebody wrote into the store."""

from __future__ import annotations

import json
from pathlib import Path

from engine.store import audit
from tests.cli.typed import AT, document, lay_out, opened, typed


def _mailed(home: Path) -> Path:
    lay_out(home)
    assert typed(home, "tick", "--at", AT).exit_code == 0
    return home


def _damage(home: Path) -> str:
    """Take the evidence from the mail that was sent; return its id."""
    with opened(home) as session:
        session.connection().exec_driver_sql("UPDATE message SET evidence = '' WHERE state = 'sent'")
        found = session.connection().exec_driver_sql("SELECT message_id FROM message WHERE state = 'sent'")
        return str(found.scalar_one())


def test_it_does_not_say_that_this_version_cannot_erase(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "laden")
    assert "kann noch nicht" not in typed(home, "audit").stdout


def test_a_sound_store_says_what_was_checked_and_ends_with_0(tmp_path: Path) -> None:
    found = document(_mailed(tmp_path), "audit")
    assert isinstance(found, dict)
    assert found["ok"] is True
    assert found["violations"] == []
    assert [one["check"] for one in found["checked"]] == [check.name for check in audit.CHECKS]
    assert len(found["not_checked"]) == 2


def test_the_owner_reads_it_in_german(tmp_path: Path) -> None:
    result = typed(_mailed(tmp_path), "audit")
    assert result.exit_code == 0
    assert "Eine Mail je Anlass" in result.stdout
    assert "Nichts gefunden" in result.stdout


def test_a_broken_promise_names_the_message_and_what_it_means_and_ends_with_1(tmp_path: Path) -> None:
    message_id = _damage(_mailed(tmp_path))
    result = typed(tmp_path, "audit", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["ok"] is False
    (basis, evidence) = told["violations"]
    assert (basis["check"], basis["message_id"]) == ("basis", message_id)
    assert basis["what"] == "released on consent, without evidence"
    assert basis["meaning"] == "Nobody can show why this mail was allowed."
    assert (evidence["check"], evidence["message_id"]) == ("evidence", message_id)


def test_the_owner_reads_the_offending_rows(tmp_path: Path) -> None:
    message_id = _damage(_mailed(tmp_path))
    result = typed(tmp_path, "audit")
    assert result.exit_code == 1
    assert f"       {message_id}  released on consent, without evidence" in result.stdout
    assert "→ Niemand kann zeigen" in result.stdout
    assert "2 Funde" in result.stdout


def test_a_store_can_be_audited_though_a_campaign_is_broken(tmp_path: Path) -> None:
    home = _mailed(tmp_path)
    (home / "campaigns" / "birthday.toml").write_text("nonsense", encoding="utf-8")
    found = document(home, "audit")
    assert isinstance(found, dict)
    assert len(found["not_checked"]) == 3
