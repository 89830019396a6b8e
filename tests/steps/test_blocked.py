"""The provider's block list comes in: page by page, once, every reason as what it is, and before anything may leave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.app import App
from engine.cli import checkup
from engine.domain.words import Reason
from engine.errors import ProviderRefused, TreuepostError, UsageError
from engine.language import Language
from engine.providers import brevo_blocked
from engine.steps.importing import blocked
from engine.steps.watching import readying
from engine.store import imports
from engine.store.suppression_log import SuppressionLog
from engine.store.tables import Suppression
from tests.cli.typed import document, lay_out, typed
from tests.conftest import CONFIG, MakeApp
from tests.doubles.http import Double, serving
from tests.people import NOW, add_consent, add_customer
from tests.providers.conftest import asked, described
from tests.steps.sending_shop import BIRTHDAY, rows, tick

BLOCKS: sa.Table = Suppression.__table__  # type: ignore[attr-defined]
AT = "2026-05-01 12:30:00+00:00"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[tuple[Double, str]]:
    made = Double(tmp_path / "book.jsonl", "brevo", sync=False)
    with serving(made) as url:
        yield made, url


@pytest.fixture
def shop(make_app: MakeApp, double: tuple[Double, str], tmp_path: Path) -> App:
    return make_app(config=_config(tmp_path, double[1]), campaigns={"birthday": BIRTHDAY})


def _config(folder: Path, url: str, use: str = "brevo") -> str:
    key = folder / "api.key"
    key.write_text("a-key", encoding="utf-8")
    key.chmod(0o600)
    return CONFIG.replace('use = "outbox"', f'use = "{use}"\nbase_url = "{url}"\napi_key_file = "{key}"')


def _entry(email: str, code: str = "unsubscribedViaEmail", at: str = AT) -> dict[str, Any]:
    reason = {"code": code, "message": "whatever"}
    return {"email": email, "senderEmail": "post@radhaus.de", "reason": reason, "blockedAt": at}


def _block(double: tuple[Double, str], *entries: dict[str, Any]) -> None:
    double[0].desk.personality.blocked.extend(entries)  # type: ignore[attr-defined]


def test_f3_every_reason_of_the_provider_becomes_ours(shop: App, double: tuple[Double, str]) -> None:
    _block(double, *(_entry(f"k{code}@example.com", code) for code in (*brevo_blocked.REASONS, "somethingNew")))
    done = blocked.pull(shop, NOW)
    assert (done.read, done.created, done.unchanged, done.refused) == (7, 7, 0, 0)
    kept = sorted((row.source, row.reason, row.scope, row.at) for row in rows(shop, BLOCKS))
    when = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
    assert kept == sorted(
        [
            ("unsubscribedViaMA", Reason.OBJECTION, "advertising", when),
            ("unsubscribedViaEmail", Reason.OBJECTION, "advertising", when),
            ("unsubscribedViaApi", Reason.OBJECTION, "advertising", when),
            ("contactFlaggedAsSpam", Reason.COMPLAINT, "advertising", when),
            ("hardBounce", Reason.HARD_BOUNCE, "all", when),
            ("adminBlocked", Reason.SUPPRESSED, "all", when),
            ("somethingNew", Reason.OBJECTION, "advertising", when),
        ]
    )


def test_f3_a_list_of_several_pages_is_read_whole_and_twice_changes_nothing(
    shop: App, double: tuple[Double, str]
) -> None:
    _block(double, *(_entry(f"k{number}@example.com") for number in range(250)))
    seen: list[int] = []
    assert blocked.pull(shop, NOW, seen.append).created == 250
    assert seen == [100, 100, 50]
    log = SuppressionLog.beside(shop.database, shop.home)
    assert len(list(log.read())) == 250
    again = blocked.pull(shop, NOW + timedelta(days=1))
    assert (again.created, again.unchanged) == (0, 250)
    assert len(list(log.read())) == len(rows(shop, BLOCKS)) == 250


def test_f3_whoever_objected_at_the_provider_gets_no_mail_from_here(shop: App, double: tuple[Double, str]) -> None:
    with shop.database.write() as session:
        for name in ("anna", "ben"):
            born = NOW.date().replace(year=1980)
            add_consent(session, add_customer(session, name, f"{name}@example.com", birthday=born))
    _block(double, _entry("Anna@example.com"))
    blocked.pull(shop, NOW)
    tick(shop)
    assert {(row.customer_id, row.state.value, row.reason) for row in rows(shop)} == {
        (1, "skipped", Reason.OBJECTION),
        (2, "sent", None),
    }


def test_what_is_no_address_is_counted_and_left_out(shop: App, double: tuple[Double, str]) -> None:
    _block(double, _entry("nobody"), _entry("a@example.com", at="yesterday"), _entry("a@example.com"))
    done = blocked.pull(shop, NOW)
    assert (done.read, done.refused) == (3, 1)
    assert {row.reason for row in rows(shop, BLOCKS)} == {Reason.OBJECTION}


@pytest.mark.parametrize(("mode", "error", "code"), [("unauthorized", ProviderRefused, 6), ("500", TreuepostError, 1)])
def test_a_list_that_is_refused_is_not_taken_for_an_empty_one(
    shop: App, double: tuple[Double, str], mode: str, error: type[TreuepostError], code: int
) -> None:
    double[0].switch(mode, look_ups=mode) if mode == "500" else setattr(double[0].desk, "token", "another")
    with pytest.raises(error) as refused:
        blocked.pull(shop, NOW)
    assert refused.value.exit_code == code
    with shop.database.read() as session:
        assert imports.last(session, readying.source_name("brevo"), good=True) is None
        assert readying.list_unread(session, "brevo")


def test_an_empty_list_counts_as_read(shop: App) -> None:
    assert blocked.pull(shop, NOW).read == 0
    with shop.database.read() as session:
        assert not readying.list_unread(session, "brevo")


def test_the_request_is_what_brevo_describes(
    shop: App, double: tuple[Double, str], provider_descriptions: Path
) -> None:
    _block(double, _entry("a@example.com"))
    blocked.pull(shop, NOW)
    (entry,) = [one for one in double[0].requests if one["path"] == "/smtp/blockedContacts"]
    api = described(provider_descriptions / "brevo.yaml", "/smtp/blockedContacts")
    api.validate_request(asked(entry))
    assert entry["query"] == {"limit": "100", "offset": "0", "sort": "asc"}


def test_a_provider_without_a_list_to_read_is_told_so(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(config=_config(tmp_path, "http://127.0.0.1:9", "resend"))
    with pytest.raises(UsageError) as said:
        blocked.pull(app, NOW)
    assert "import suppressions" in said.value.hint


def test_doctor_counts_who_is_blocked_there_and_unknown_here(shop: App, double: tuple[Double, str]) -> None:
    _block(double, _entry("a@example.com"), _entry("b+x@example.com"))
    say = Language("en").gettext
    (line,) = checkup._block_list(shop.config, say)
    assert (line.verdict, line.remedy) == ("FAIL", "treuepost suppress pull")
    assert "2 addresses" in line.text
    assert "2 of them unknown" in line.text
    blocked.pull(shop, NOW)
    (line,) = checkup._block_list(shop.config, say)
    assert line.verdict == "ok"


def test_pull_as_it_is_typed(tmp_path: Path, double: tuple[Double, str]) -> None:
    home = lay_out(tmp_path / "laden", config=_config(tmp_path, double[1]))
    _block(double, _entry("anna@example.com"))
    assert document(home, "suppress", "pull") == {
        "provider": "brevo", "read": 1, "created": 1, "unchanged": 0, "refused": 0,
    }  # fmt: skip
    assert "1 schon bekannt" in typed(home, "suppress", "pull").stdout
    double[0].desk.token = "another"
    assert typed(home, "suppress", "pull").exit_code == 6
    assert json.loads(typed(home, "suppress", "list", "--json").stdout)[0]["reason"] == "objection"
