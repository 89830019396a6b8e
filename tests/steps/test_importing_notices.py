"""Which purchases carry the § 7(3) hint after an import, and which never do (law.md D1, D6, N4)."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from engine.app import Premises
from engine.config.loading import load_config
from engine.domain.registers import version
from engine.steps.importing.pulling import pull
from engine.store import notices
from engine.store.database import Database
from engine.store.lawful_tables import NoticeVersion
from engine.store.tables import Purchase
from tests.conftest import CONFIG
from tests.people import NOW
from tests.steps.premises import open_shop

NOTICE = """
[notice.auftrag]
file = "hinweis.txt"
contact = "widerspruch@radhaus.shop"
shown_from = 2026-03-01
shown_until = 2026-09-30
proof = "auftrag.pdf"
declared_by = "Petra Sommer"
"""
SOURCE = """
[source.orders]
file = "orders.csv"
what = "purchases"
notice = "auftrag"
"""
HEAD = "purchase_id,customer_id,purchased_at,status\n"
ORDERS = HEAD + (
    "before,1,2026-02-28T23:59:00+01:00,concluded\n"
    "first,1,2026-03-01T00:00:00+01:00,concluded\n"
    "open,1,2026-05-01T12:00:00+02:00,open\n"
    "last,1,2026-09-30T23:59:00+02:00,concluded\n"
    "after,1,2026-10-01T00:00:00+02:00,concluded\n"
)
NONE = ("", "", None, None)


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Premises:
    """Give a shop with one customer, a hint and its proof."""
    shop = open_shop(tmp_path, database)
    (tmp_path / "hinweis.txt").write_text("Widerspruch an widerspruch@radhaus.shop", encoding="utf-8")
    (tmp_path / "auftrag.pdf").write_bytes(b"%PDF scan")
    (tmp_path / "customers.csv").write_text("customer_id,email\n1,a@example.com\n", encoding="utf-8")
    people = '[source.people]\nfile = "customers.csv"\nwhat = "customers"\n'
    pull(configured(shop, people), "people", NOW)
    return shop


def configured(shop: Premises, more: str) -> Premises:
    file = shop.home / "config.toml"
    file.write_text(CONFIG.replace("{store}", "sqlite:///store.db") + more, encoding="utf-8")
    return Premises(load_config(file, {}), shop.database, shop.keyring, shop.installation, shop.home)


def bring(shop: Premises, text: str = ORDERS, config: str = NOTICE + SOURCE) -> int:
    """Lay the file, pull it, and return how many rows changed."""
    (shop.home / "orders.csv").write_text(text, encoding="utf-8")
    (result,) = pull(configured(shop, config), "orders", NOW)
    assert not result.error
    return result.report.created + result.report.updated if result.report else 0


def declared(shop: Premises) -> dict[str, tuple[Any, ...]]:
    table = Purchase.__table__  # type: ignore[attr-defined]
    names = ("purchase_id", "notice", "notice_version", "email_from_sale", "notice_shown_at")
    with shop.database.read() as session:
        rows = session.connection().execute(sa.select(*(table.c[name] for name in names)))
        return {row.purchase_id: tuple(row)[1:] for row in rows}


def versions(shop: Premises) -> list[dict[str, str]]:
    with shop.database.read() as session:
        rows = session.connection().execute(sa.select(NoticeVersion.__table__.c.content))  # type: ignore[attr-defined]
        return [json.loads(content) for (content,) in rows]


def test_d6_concluded_purchases_of_the_days_on_which_it_was_shown_carry_the_notice(shop: Premises) -> None:
    bring(shop)
    found = declared(shop)
    assert {name for name, columns in found.items() if columns[0]} == {"first", "last"}
    assert {found[name] for name in ("before", "after", "open")} == {NONE}
    assert found["first"][2:] == (True, found["first"][3])
    (content,) = versions(shop)
    assert content["declared_by"] == "Petra Sommer"
    assert content["proof_sha256"] == hashlib.sha256(b"%PDF scan").hexdigest()
    assert content["text"] == "Widerspruch an widerspruch@radhaus.shop"
    with shop.database.read() as session:
        kept = notices.find(session, found["first"][1])
    assert kept is not None
    assert (kept.name, hashlib.sha256(kept.content.encode()).hexdigest()) == ("auftrag", kept.sha256)


def test_a_pull_of_the_same_file_changes_nothing_and_a_notice_registered_later_marks_it(shop: Premises) -> None:
    assert bring(shop, config=SOURCE.replace('notice = "auftrag"\n', "")) == 5
    assert set(declared(shop).values()) == {NONE}
    assert bring(shop) == 2
    assert bring(shop) == 0
    assert bring(shop, ORDERS + "\n") == 0


def test_an_order_that_is_concluded_later_carries_it_then(shop: Premises) -> None:
    bring(shop)
    bring(shop, ORDERS.replace(",open", ",concluded"))
    assert declared(shop)["open"][0] == "auftrag"


def test_a_text_that_changes_later_was_not_shown_before(shop: Premises) -> None:
    bring(shop)
    before = declared(shop)["first"]
    (shop.home / "hinweis.txt").write_text("Neu: widerspruch@radhaus.shop", encoding="utf-8")
    bring(shop, ORDERS + "new,1,2026-08-01T12:00:00+02:00,concluded\n")
    found = declared(shop)
    assert found["first"] == before
    assert found["new"][1] != before[1]
    assert {content["text"] for content in versions(shop)} == {
        "Widerspruch an widerspruch@radhaus.shop", "Neu: widerspruch@radhaus.shop",
    }  # fmt: skip


@pytest.mark.parametrize(
    "lacking", ['declared_by = "Petra Sommer"\n', 'proof = "auftrag.pdf"\n', "shown_from = 2026-03-01\n"]
)
def test_n4_a_notice_nobody_vouches_for_marks_nothing(shop: Premises, lacking: str) -> None:
    bring(shop, config=NOTICE.replace(lacking, "") + SOURCE)
    assert set(declared(shop).values()) == {NONE}
    assert versions(shop) == []


def test_without_its_proof_file_a_notice_marks_nothing(shop: Premises) -> None:
    (shop.home / "auftrag.pdf").unlink()
    bring(shop)
    assert set(declared(shop).values()) == {NONE}


def test_what_the_file_itself_says_is_never_changed(shop: Premises) -> None:
    at = "2026-05-01T12:00:00+02:00"
    text = "purchase_id,customer_id,purchased_at,email_from_sale,notice,notice_shown_at\n" + (
        f"none,1,{at},no,,\nknown,1,{at},no,auftrag,2026-05-01T11:59:00+02:00\nother,1,{at},yes,kasse,{at}\n"
    )
    bring(shop, text)
    found = declared(shop)
    assert found["none"][:3] == ("", "", False)
    assert (found["known"][0], bool(found["known"][1]), found["known"][2]) == ("auftrag", True, False)
    assert found["known"][3] == found["other"][3] - timedelta(minutes=1)
    assert found["other"][:3] == ("kasse", "", True)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXTS, TEXTS))
def test_e2_a_version_is_the_hash_of_its_content_however_it_is_put_down(content: dict[str, str]) -> None:
    sha256, text = version(content)
    assert sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert version(dict(reversed(content.items()))) == (sha256, text)
    assert text == unicodedata.normalize("NFC", text)


def test_e2_the_canonical_form_is_frozen() -> None:
    assert version({"b": "Mu\u0308ller", "a": "1"}) == (
        hashlib.sha256('{"a":"1","b":"Müller"}'.encode()).hexdigest(), '{"a":"1","b":"Müller"}',
    )  # fmt: skip
