"""The sent log answers who got what, when, why and on which legal basis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session

from engine.domain.log_query import LogQuery
from engine.domain.words import Basis, OnDoubt, Reason, State
from engine.errors import UsageError
from engine.store import reports
from engine.store.database import Database
from engine.store.message_tables import Enrolment, Message, MessageEvent
from engine.store.tables import Customer
from tests.people import NOW, add_customer

BERLIN = ZoneInfo("Europe/Berlin")


def add_message(session: Session, customer: Customer, name: str, **columns: object) -> Message:
    rehearsal = bool(columns.get("rehearsal", False))
    campaign = str(columns.get("campaign", "birthday"))
    enrolment = Enrolment(
        campaign=campaign,
        customer_id=customer.id,
        customer_uid=customer.uid,
        occasion=name,
        rehearsal=rehearsal,
        created_at=NOW,
    )
    session.add(enrolment)
    session.flush()
    given = {
        "message_id": f"00000000-0000-0000-0000-{name:0>12}",
        "campaign": campaign,
        "step": "message",
        "kind": "birthday",
        "on_doubt": OnDoubt.HOLD,
        "rehearsal": rehearsal,
        "due": NOW.date(),
        "send_after": NOW,
        "expires_at": NOW + timedelta(days=3),
        "planned_at": NOW,
    } | columns
    row = Message(enrolment_id=enrolment.id, customer_id=customer.id, address_id=customer.address_id, **given)
    session.add(row)
    session.flush()
    session.add(MessageEvent(message=row.id, at=NOW, after="planned", actor="planning"))
    session.flush()
    return row


@pytest.fixture
def log(database: Database) -> Database:
    with database.write() as session:
        anna = add_customer(session, "1", "anna@example.com", first_name="Anna", last_name="Huber")
        bert = add_customer(session, "2", "bert@gmx.de", first_name="Bert", last_name="100%")
        sent = {
            "state": State.SENT,
            "sent_at": NOW,
            "basis": Basis.CONSENT,
            "evidence": "consent 1",
            "subject": "Hi Anna",
        }
        add_message(session, anna, "1", **sent)
        add_message(session, bert, "2", state=State.SKIPPED, reason=Reason.NO_CONSENT, campaign="winback")
        add_message(session, bert, "3", rehearsal=True)
        add_message(session, bert, "4", planned_at=NOW - timedelta(days=30))
    return database


def asked(database: Database, *words: str, rehearsal: bool = False) -> list[str]:
    query = LogQuery.parse(words, NOW, BERLIN, rehearsal=rehearsal)
    with database.read() as session:
        return [entry.occasion for entry in reports.page(session, query)]


def test_without_words_every_real_message_is_listed_newest_first(log: Database) -> None:
    assert asked(log) == ["4", "2", "1"]


def test_rehearsed_messages_are_a_log_of_their_own(log: Database) -> None:
    assert asked(log, rehearsal=True) == ["3"]


@pytest.mark.parametrize(
    ("words", "occasions"),
    [
        (["campaign:winback"], ["2"]),
        (["state:sent"], ["1"]),
        (["state:sent", "state:skipped"], ["2", "1"]),
        (["reason:no_consent"], ["2"]),
        (["customer:2", "since:7d"], ["2"]),
        (["email:ANNA@example.com"], ["1"]),
        (["email:@gmx.de"], ["4", "2"]),
        (["until:2026-11-01"], ["4"]),
        (["since:2026-11-23"], ["2", "1"]),
        (["hi"], ["1"]),
        (["huber"], ["1"]),
        (["100%"], ["4", "2"]),
        (["nobody"], []),
    ],
)
def test_words_narrow_the_log(log: Database, words: list[str], occasions: list[str]) -> None:
    assert asked(log, *words) == occasions


@pytest.mark.parametrize(
    "word",
    ["state:gone", "reason:because", "since:soon", "since:99999999999d", "status:sent", "state:"],
)
def test_a_word_that_says_nothing_is_refused_with_what_is_allowed(word: str) -> None:
    with pytest.raises(UsageError) as refusal:
        LogQuery.parse((word,), NOW, BERLIN)
    assert refusal.value.hint


def test_a_day_ends_with_its_last_instant_in_the_shops_zone() -> None:
    query = LogQuery.parse(("until:2026-10-25",), NOW, BERLIN)
    assert query.until == datetime(2026, 10, 25, 23, 0, tzinfo=UTC)


def test_pages_follow_each_other_without_gap_or_repeat(log: Database) -> None:
    seen, before = [], None
    while True:
        with log.read() as session:
            page = reports.page(session, LogQuery(), before, size=1)
        if not page:
            break
        seen.append(page[0].occasion)
        before = page[0].number
    assert seen == ["4", "2", "1"]


def test_an_entry_names_state_basis_evidence_and_events(log: Database) -> None:
    with log.read() as session:
        (entry,) = reports.page(session, LogQuery(states=(State.SENT,)))
    assert (entry.state, entry.basis, entry.evidence) == (State.SENT, "consent", "consent 1")
    assert (entry.customer, entry.email, entry.name) == ("1", "anna@example.com", "Anna Huber")
    assert [step.after for step in entry.events] == ["planned"]


def test_a_message_is_found_by_the_beginning_of_its_id(log: Database) -> None:
    with log.read() as session:
        assert len(reports.find(session, "00000000-0000-0000-0000-000000000001")) == 1
        assert len(reports.find(session, "0000")) == 2
        assert reports.find(session, "f%") == []


def test_the_tally_counts_by_state(log: Database) -> None:
    with log.read() as session:
        tally = reports.tally(session, LogQuery())
    assert tally.total == 3
    assert tally.states == {State.SENT: 1, State.SKIPPED: 1, State.PLANNED: 1}
