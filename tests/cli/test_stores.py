"""`treuepost db` and `treuepost doctor`."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.domain.complaints import Brake
from engine.store import pauses
from tests.cli.typed import document, lay_out, opened, typed
from tests.people import NOW


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "laden")


def set_schema(home: Path, step: str) -> None:
    with closing(sqlite3.connect(home / "store.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (step,))
        connection.commit()


def test_a_new_shop_gets_its_store_by_itself(home: Path) -> None:
    for file in home.glob("store.db*"):
        file.unlink()
    assert typed(home, "plan").exit_code == 0
    status = document(home, "db", "status")
    assert isinstance(status, dict)
    assert status["schema"] == status["needed"]


def test_an_older_schema_is_refused_by_the_name_of_its_remedy(home: Path) -> None:
    set_schema(home, "0002")
    result = typed(home, "plan")
    assert result.exit_code == 5
    assert "treuepost db upgrade" in result.stderr
    assert "db upgrade" in typed(home, "doctor").stdout


def test_a_newer_schema_is_left_alone(home: Path) -> None:
    set_schema(home, "9999")
    for command in (["plan"], ["db", "upgrade"]):
        assert typed(home, *command).exit_code == 5


def test_a_backup_is_proven_and_named(home: Path) -> None:
    made = document(home, "db", "backup")
    assert isinstance(made, dict)
    assert made["verified"] is True
    assert made["rows"]["customer"] == 3
    status = document(home, "db", "status")
    assert isinstance(status, dict)
    assert status["last_backup"] == made["file"]


def test_a_backup_that_finds_no_room_says_so(home: Path) -> None:
    (home / "taken").touch()
    result = typed(home, "db", "backup", "--to", str(home / "taken"))
    assert result.exit_code == 5
    assert "Traceback" not in result.output


def test_a_store_up_to_date_stays_as_it_is(home: Path) -> None:
    done = document(home, "db", "upgrade")
    assert isinstance(done, dict)
    assert done["before"] == done["after"]
    assert done["backup"] is None


def test_doctor_finds_a_sound_shop_sound(home: Path) -> None:
    typed(home, "plan")
    found = document(home, "doctor")
    assert isinstance(found, dict)
    assert found["ok"] is True
    assert {"config", "campaigns", "secrets", "schema", "store", "clock", "space", "provider"} <= {
        line["about"] for line in found["checks"]
    }


def test_doctor_names_what_has_failed(home: Path) -> None:
    typed(home, "plan")
    (home / "secret.key").chmod(0o644)
    (home / "campaigns" / "birthday.toml").write_text('id = "birthday"\n', encoding="utf-8")
    result = typed(home, "doctor")
    assert result.exit_code == 1
    assert "chmod 600" in result.stdout
    assert "birthday.toml" in result.stdout


def _real(home: Path, *keys: str) -> None:
    """Let the shop send through a provider that is neither a rehearsal nor on this machine."""
    (home / "key").write_text("xkeysib-1", encoding="utf-8")
    (home / "key").chmod(0o600)
    lines = "\n".join(['use = "brevo"', 'base_url = "https://brevo.invalid/v3"', 'api_key_file = "key"', *keys])
    config = home / "config.toml"
    text = config.read_text(encoding="utf-8").replace('use = "outbox"', lines).replace(".example.com", ".de")
    config.write_text(text, encoding="utf-8")


def test_p1_doctor_names_what_is_missing_before_real_mail_may_leave(home: Path) -> None:
    _real(home, 'country = "US"')
    typed(home, "plan")
    result = typed(home, "doctor")
    assert result.exit_code == 1
    for key in ("provider.dpa_signed_at", "provider.transfer", "web.public_url", "provider.use"):
        assert key in result.stdout
    assert "treuepost suppress pull" in result.stdout
    assert "shop.phone" not in result.stdout
    assert re.search(r"config\.toml:\d+: provider\.transfer", result.stdout)


def test_p1_doctor_says_it_beforehand_while_rehearsing(home: Path) -> None:
    found = document(home, "doctor")
    assert isinstance(found, dict)
    missing = {line["about"]: line["verdict"] for line in found["checks"]}
    assert (missing["contract"], missing["imprint"], missing["keys"]) == ("warn", "ok", "ok")


def test_j9_doctor_says_that_advertising_was_stopped_and_resume_lifts_it(home: Path) -> None:
    typed(home, "plan")
    with opened(home) as session:
        pauses.pause(session, pauses.brake_name(Brake.COMPLAINTS), NOW)
    result = typed(home, "doctor")
    assert result.exit_code == 1
    assert "als Spam gemeldet" in result.stdout
    assert typed(home, "resume", "--all").exit_code == 0
    assert typed(home, "doctor").exit_code == 0


def test_p1_a_pass_says_on_stderr_why_nothing_may_leave(home: Path) -> None:
    _real(home)
    result = typed(home, "tick")
    assert result.exit_code == 0
    assert "provider.dpa_signed_at" in result.stderr
    assert "provider.dpa_signed_at" not in result.stdout


def test_p1_doctor_finds_keys_that_are_not_the_stores(home: Path) -> None:
    typed(home, "plan")
    (home / "secret.key").write_text("f" * 64 + "\n", encoding="utf-8")
    found = typed(home, "doctor").stdout
    assert "Schlüssel sind nicht die dieses Speichers" in found
