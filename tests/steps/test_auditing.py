"""The audit: silent over a shop that kept its promises, loud over each one broken behind the program's back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from engine.app import App
from engine.domain.words import State
from engine.steps import subscribing
from engine.steps.watching import auditing
from engine.store import audit
from engine.store.auditing.contract import Violation
from engine.store.database import Database
from tests.conftest import MakeApp
from tests.people import NOW, add_consent, add_customer, add_service_item
from tests.steps.pocket_provider import PocketProvider
from tests.steps.pocket_shop import open_pocket_shop, tick
from tests.steps.sending_shop import BIRTHDAY, SERVICE, later, rows
from tests.steps.soundness import assert_sound

CAMPAIGNS = {"birthday": BIRTHDAY, "service": SERVICE + '\n[limit]\nat_most = "2 per 30 days"\n'}


@contextmanager
def behind_the_programs_back(database: Database, *, keep: bool = True) -> Iterator[Session]:
    """Write into the store without the guards the store has of its own; with `keep` off it is undone at the end."""
    with database.connection() as connection:
        if database.sqlite:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("PRAGMA legacy_alter_table=ON")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        yield Session(connection)
        (connection.commit if keep else connection.rollback)()
        connection.invalidate()


def do(session: Session, *statements: str) -> None:
    for statement in statements:
        text = statement
        for word, meaning in SHORT.items():
            text = re.sub(rf"\b{word}\b", meaning, text)
        session.connection().exec_driver_sql(text)


def found_after(shop: App, *statements: str) -> list[Violation]:
    """Return what is found after these statements, which are undone again."""
    ground = auditing.ground_of(shop.config, shop.campaigns, shop.provider)
    with behind_the_programs_back(shop.database, keep=False) as session:
        do(session, *statements)
        return audit.findings(session, ground)


@pytest.fixture
def shop(make_app: MakeApp) -> App:
    """Give a shop in which mails were sent, refused, repeated, carried, skipped and forgotten by nobody."""
    provider = PocketProvider(batch=2)
    app = open_pocket_shop(make_app, provider, CAMPAIGNS)
    with app.database.write() as session:
        for number, name in enumerate(("anna", "ben", "cleo", "dora", "emil")):
            born = date(1980, 11, 23 + number % 2)
            person = add_customer(session, name, f"{name}@example.com", birthday=born)
            if name != "dora":
                add_consent(session, person)
            add_service_item(session, person, f"S{name}", NOW.date() + timedelta(days=number % 3))
        add_service_item(session, person, "another", NOW.date() + timedelta(days=1))
    subscribing.object_from_any_channel(app, "ben", "Anruf", NOW)
    provider.plan.extend(["lose_answer", "throttle", *["refuse"] * 2])
    for minute in (0, 10, 25 * 60, 26 * 60, 49 * 60, 80 * 60):
        tick(app, later(minute))
    return app


def test_a_shop_that_kept_its_promises_is_sound(shop: App) -> None:
    states = {row.state for row in rows(shop)}
    assert states >= {State.SENT, State.REJECTED, State.SKIPPED}
    with shop.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT max(made) FROM provider_call").scalar() == 2
        assert session.connection().exec_driver_sql("SELECT max(members) FROM provider_call").scalar() == 2
    assert_sound(shop)


def test_an_empty_store_is_sound(make_app: MakeApp) -> None:
    assert_sound(make_app())


def _some(shop: App, state: State = State.SENT) -> tuple[int, str]:
    row = next(row for row in rows(shop) if row.state is state)
    return row.id, row.message_id


SHORT = {"ITS": "message = SENT", "SENT": "(SELECT min(id) FROM message WHERE state = 'sent')"}
"""The first message that was sent, and what belongs to it."""

PLANTED: dict[str, list[tuple[str, ...]]] = {
    "once_a_day": [
        (
            "UPDATE message SET campaign = 'birthday', address_id = (SELECT address_id FROM message WHERE id = SENT) "
            "WHERE state = 'sent'",
            "UPDATE attempt SET started_at = (SELECT min(started_at) FROM attempt)",
        )
    ],
    "intent": [
        ("DELETE FROM attempt WHERE ITS",),
        ("UPDATE attempt SET fence = fence + 10 WHERE ITS",),
    ],
    "release": [
        ("UPDATE attempt SET fence = fence + 10 WHERE ITS",),
        ("UPDATE message_event SET after = 'held' WHERE after = 'sending' AND ITS",),
    ],
    "call": [
        ("UPDATE provider_call SET members = members + 1 WHERE id = 1",),
        ("UPDATE provider_call SET made = made + 1 WHERE id = 1",),
        ("UPDATE attempt SET position = 1 - position WHERE call_id = 1",),
        ("UPDATE provider_call SET sha256 = 'other' WHERE id = 1",),
        ("UPDATE attempt SET call_id = NULL WHERE id = (SELECT max(id) FROM attempt)",),
        (
            "UPDATE attempt SET message = (SELECT min(id) FROM message WHERE first_call_at IS NULL) "
            "WHERE id = (SELECT max(id) FROM attempt WHERE call_id = 1)",
        ),
    ],
    "bytes": [
        ("UPDATE attempt SET sha256 = 'other' WHERE id = (SELECT max(id) FROM attempt)",),
        ("DELETE FROM message_body WHERE ITS",),
    ],
    "tries": [("UPDATE message SET attempts = 20 WHERE id = SENT",)],
    "repeat": [("UPDATE provider_call SET last_at = '2026-11-24 08:30:00.000000+00:00' WHERE made = 2",)],
    "basis": [
        ("UPDATE message SET basis = NULL WHERE id = SENT",),
        ("UPDATE message SET evidence = '' WHERE id = SENT",),
    ],
    "evidence": [
        ("UPDATE message SET evidence = 'consent:999' WHERE id = SENT",),
        ("UPDATE message SET evidence = 'hearsay' WHERE id = SENT",),
        ("UPDATE consent_event SET state = 'claimed'",),
        ("UPDATE consent_event SET proven = NOT proven WHERE state = 'confirmed'",),
        ("UPDATE consent_event SET address_id = (SELECT max(id) FROM address) WHERE state = 'confirmed'",),
        ("UPDATE consent_event SET kinds = ';coupon;'",),
        ("UPDATE consent_event SET at = '2027-01-01 00:00:00.000000+00:00'",),
    ],
    "chain": [
        ("UPDATE consent_event SET wording = 'another' WHERE seq = 2",),
        ("DELETE FROM consent_pii", "DELETE FROM consent_event WHERE seq = 1"),
        ("UPDATE consent_pii SET content = '{}'",),
        ("UPDATE chain_head SET size = size + 1",),
    ],
    "state": [("UPDATE message SET state = 'lost' WHERE id = SENT",)],
    "history": [
        ("UPDATE message SET state = 'planned' WHERE id = SENT",),
        ("DELETE FROM message_event WHERE ITS",),
    ],
    "steps": [
        ("UPDATE message_event SET after = 'cancelled' WHERE after = 'claimed' AND ITS",),
        ("DELETE FROM message_event WHERE after = 'claimed' AND ITS",),
        ("UPDATE message_event SET before = 'sent' WHERE before = 'claimed'",),
    ],
    "fences": [
        ("UPDATE message_event SET fence = 7 WHERE after = 'claimed' AND ITS",),
        ("UPDATE message SET fence = 0 WHERE id = SENT",),
        ("UPDATE message_event SET fence = 1 WHERE after = 'sending'",),
    ],
    "count": [
        ("UPDATE message_event SET before = 'held' WHERE before = '' AND ITS",),
        ("DELETE FROM message WHERE id = SENT",),
    ],
    "forgotten": [
        (
            "UPDATE message SET state = 'planned', expires_at = '2026-11-24 00:00:00.000000+00:00' WHERE id = 1",
            "UPDATE installation SET last_tick_at = '2026-11-26 00:00:00.000000+00:00'",
        )
    ],
    "time": [
        ("UPDATE message SET send_after = '2027-01-01 00:00:00.000000+00:00' WHERE id = SENT",),
        ("UPDATE message SET expires_at = '2026-11-01 00:00:00.000000+00:00' WHERE id = SENT",),
    ],
    "hours": [("UPDATE attempt SET started_at = '2026-11-23 21:30:00.000000+00:00' WHERE ITS",)],
    "cap": [("UPDATE message SET address_id = (SELECT address_id FROM message WHERE id = SENT) WHERE state = 'sent'",)],
}


def test_every_broken_promise_is_found(shop: App) -> None:
    planted = [(check, statements) for check, each in PLANTED.items() for statements in each]
    overlooked = [
        (check, statements)
        for check, statements in planted
        if check not in {one.check for one in found_after(shop, *statements)}
    ]
    assert overlooked == []
    assert_sound(shop)


def test_two_mails_for_one_occasion_are_found(shop: App) -> None:
    number, message_id = _some(shop)
    copy = ", ".join(
        {"id": "id + 1000", "message_id": "'twin'"}.get(column.name, f'"{column.name}"')
        for column in audit.once.MESSAGES.columns
    )
    unguarded = (
        ("ALTER TABLE message RENAME TO former", "CREATE TABLE message AS SELECT * FROM former")
        if shop.database.sqlite
        else ("ALTER TABLE message DROP CONSTRAINT message_enrolment_id_step_key",)
    )
    twin = " ".join(("INSERT INTO message SELECT", copy, "FROM message WHERE id =", str(number)))
    found = [one for one in found_after(shop, *unguarded, twin) if one.check == "once"]
    assert [(one.message_id, one.what.rpartition(" ")[2]) for one in found] == [(message_id, "twin")]


def test_a_release_after_an_objection_is_found_whatever_the_clocks_say(shop: App) -> None:
    number, message_id = _some(shop)
    customer = next(row.customer_id for row in rows(shop) if row.id == number)
    with shop.database.read() as session:
        who = session.connection().execute(sa.text("SELECT customer_id FROM customer WHERE id = :id"), {"id": customer})
        name = who.scalar_one()
    subscribing.object_from_any_channel(shop, name, "Anruf", NOW - timedelta(days=1))  # the clock was set back
    assert_sound(shop)
    for table in ("consent_event", "suppression"):
        before = " ".join(("UPDATE", table, "SET after_attempt = 0 WHERE after_attempt > 0"))
        assert message_id in {one.message_id for one in found_after(shop, before) if one.check == "no"}


def test_an_enrolment_without_a_message_is_found(shop: App) -> None:
    copied = "campaign, customer_id, customer_uid, 'lost', rehearsal, created_at"
    columns = "campaign, customer_id, customer_uid, occasion, rehearsal, created_at"
    lost = " ".join(("INSERT INTO enrolment (", columns, ") SELECT", copied, "FROM enrolment WHERE id = 1"))
    assert [one.check for one in found_after(shop, lost)] == ["count"]


def test_every_check_is_proved_by_a_planted_violation() -> None:
    assert set(PLANTED) | {"once", "no"} == {check.name for check in audit.CHECKS}


def test_rules_that_were_edited_since_do_not_hold_for_older_mails(shop: App) -> None:
    with behind_the_programs_back(shop.database) as session:
        do(session, *PLANTED["cap"][0])
    late = auditing.ground_of(shop.config, (), shop.provider, later(10**6))
    assert [one for one in auditing.audit_store(shop.database, late) if one.check in {"cap", "hours"}] == []


def test_the_nightly_audit_runs_once_a_night_and_tells_the_owner(make_app: MakeApp) -> None:
    provider = PocketProvider()
    app = open_pocket_shop(make_app, provider, CAMPAIGNS, rules='\n[owner]\nemail = "chefin@example.com"\n')
    with app.database.write() as session:
        add_consent(session, add_customer(session, "anna", birthday=date(1980, 11, 23)))
    tick(app)
    with behind_the_programs_back(app.database) as session:
        do(session, "UPDATE message SET basis = NULL")
    night = NOW.replace(hour=2, minute=30) + timedelta(days=1)
    assert auditing.audit_nightly(app, NOW) is None
    (one,) = auditing.audit_nightly(app, night) or ()
    assert one.check == "basis"
    assert auditing.audit_nightly(app, night + timedelta(minutes=30)) is None
    _, told = provider.book
    assert told.to == "chefin@example.com"
    assert one.message_id[:8] in told.text
