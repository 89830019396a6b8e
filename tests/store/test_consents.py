"""Consent events and the facts read from them, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from engine.domain.permission import ConsentState, PermissionFacts, Permitted, Policy, Refused, permit
from engine.domain.words import Reason
from engine.keys import Keyring
from engine.store import addresses, consents, installation, suppressions
from engine.store.consents import NewConsent, permission_facts
from engine.store.database import Database
from engine.store.suppressions import NewSuppression
from engine.store.tables import ConsentEvent, Customer, CustomerAddress
from tests.people import NOW, add_address, add_consent, add_customer, add_service_item

KEYS = Keyring((b"k" * 40,))
KINDS = frozenset({"birthday", "winback"})
POLICY = Policy(ZoneInfo("Europe/Berlin"), {"newsletter-2015": KINDS})
DAY = timedelta(days=1)


def read(session: Session, *people: Customer, keys: Keyring = KEYS) -> Sequence[PermissionFacts]:
    session.flush()
    return permission_facts(session, keys, [(one.id or 0, one.address_id, None) for one in people])


def reason(facts: PermissionFacts, kind: str = "birthday") -> Reason | None:
    said = permit(kind, facts, POLICY, NOW)
    return said.reason if isinstance(said, Refused) else None


def refuse(session: Session, email: str, why: Reason, scope: str = "advertising") -> None:
    suppressions.add(session, [NewSuppression(suppressions.address_hashes(KEYS, email), scope, why, NOW)])


def test_bringing_the_same_event_again_adds_nothing(database: Database) -> None:
    with database.write() as session:
        number = addresses.find_or_add(session, ["anna@example.com"], NOW)["anna@example.com"]
        event = NewConsent(number, ConsentState.CONFIRMED, NOW - DAY, KINDS, "newsletter-2015", source="web")
        claim = NewConsent(number, ConsentState.CLAIMED)
        assert consents.append(session, [event, claim], NOW, "import") == 2
        assert consents.append(session, [claim, event, replace(event, customer_id=1)], NOW + DAY, "import") == 0
        entries = consents.timeline(session, [number])
    assert [(one.state, one.at, one.kinds) for one in entries] == [
        ("confirmed", NOW - DAY, KINDS),
        ("claimed", NOW, frozenset()),
    ]


@pytest.mark.parametrize("change", ["UPDATE consent_event SET state = 'confirmed'", "DELETE FROM consent_event"])
def test_the_database_itself_refuses_to_change_what_was_recorded(database: Database, change: str) -> None:
    with database.write() as session:
        add_consent(session, add_customer(session), state="withdrawn")
    with pytest.raises(DBAPIError, match="append-only"), database.write() as session:
        session.connection().execute(sa.text(change))
    with database.read() as session:
        assert session.execute(sa.select(ConsentEvent.state)).scalars().all() == ["withdrawn"]


def test_facts_come_back_in_the_order_asked_for(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session, "1", "anna@example.com")
        ben = add_customer(session, "2", "ben@example.com")
        cleo = add_customer(session, "3", None)
        event = add_consent(session, ben)
        facts = read(session, cleo, ben, anna)
        assert [one.email for one in facts] == [None, "ben@example.com", "anna@example.com"]
        assert permit("birthday", facts[1], POLICY, NOW) == Permitted("consent", f"consent:{event.id}")  # type: ignore[arg-type]
        assert [reason(facts[0]), reason(facts[2])] == [Reason.NO_ADDRESS, Reason.NO_CONSENT]


def test_more_people_than_one_statement_takes(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        people = [add_customer(session, str(number), f"k{number}@example.com") for number in range(1100)]
        for one in people[::2]:
            add_consent(session, one)
        facts = read(session, *people)
    assert [reason(one) for one in facts] == [None, Reason.NO_CONSENT] * 550


def test_consent_belongs_to_the_exact_address_and_a_new_one_needs_its_own(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session, "1", "anna@example.com")
        add_consent(session, anna)
        moved = add_address(session, "anna+new@example.com")
        session.add(CustomerAddress(customer_id=anna.id, address_id=moved.id))
        anna.address_id = moved.id
        assert reason(read(session, anna)[0]) is Reason.NO_CONSENT


def test_an_objection_follows_the_person_to_every_address(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session, "1", "anna@example.com")
        add_consent(session, anna, state="objected", at=NOW - 2 * DAY, kinds="", wording="")
        moved = add_address(session, "anna@work.example.com")
        session.add(CustomerAddress(customer_id=anna.id, address_id=moved.id))
        anna.address_id = moved.id
        assert reason(read(session, anna)[0]) is Reason.OBJECTION


def test_an_objection_is_for_everybody_on_the_mailbox(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session, "1", "family@example.com")
        ben = add_customer(session, "2", "family@example.com")
        other = add_customer(session, "3", "other@example.com")
        for one in (ben, other):
            add_consent(session, one, at=NOW - 9 * DAY)
        old = add_address(session, "anna.old@example.com")
        session.add(CustomerAddress(customer_id=anna.id, address_id=old.id))
        said = NewConsent(old.id or 0, ConsentState.OBJECTED, NOW - DAY)
        consents.append(session, [said], NOW, "owner")
        assert [reason(one) for one in read(session, ben, other)] == [Reason.OBJECTION, None]


@pytest.mark.parametrize("spelling", ["Anna.Meyer@googlemail.com", "annameyer+shop@gmail.com", "ANNA.MEYER@gmail.com"])
def test_an_address_suppressed_in_either_form_is_never_written_to(database: Database, spelling: str) -> None:
    with database.write() as session:
        anna = add_customer(session, "1", "anna.meyer@gmail.com")
        add_consent(session, anna)
        assert reason(read(session, anna)[0]) is None
        refuse(session, spelling, Reason.SUPPRESSED, "all")
        assert reason(read(session, anna)[0]) is Reason.SUPPRESSED


def test_a_bounce_stays_with_its_mailbox(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session, "1", "anna@example.com")
        add_consent(session, anna)
        old = add_address(session, "anna@dead.example.com")
        session.add(CustomerAddress(customer_id=anna.id, address_id=old.id))
        refuse(session, "anna@dead.example.com", Reason.HARD_BOUNCE, "all")
        assert reason(read(session, anna)[0]) is None
        refuse(session, "anna@dead.example.com", Reason.COMPLAINT)
        assert reason(read(session, anna)[0]) is Reason.COMPLAINT


def test_a_person_without_an_address_can_say_no_for_every_later_one(database: Database) -> None:
    with database.write() as session:
        anna = add_customer(session, "1", None)
        no = NewSuppression(suppressions.person_hashes(KEYS, anna.uid), "advertising", Reason.OBJECTION, NOW)
        suppressions.add(session, [no])
        box = add_address(session, "anna@example.com")
        session.add(CustomerAddress(customer_id=anna.id, address_id=box.id))
        anna.address_id = box.id
        assert reason(read(session, anna)[0]) is Reason.OBJECTION


def test_the_contract_is_the_items_own_and_only_of_its_owner(database: Database) -> None:
    with database.write() as session:
        anna, ben = add_customer(session, "1", "anna@example.com"), add_customer(session, "2", "ben@example.com")
        item = add_service_item(session, anna, "T-1", NOW.date(), contract_ref="W-17")
        rows = [(one.id or 0, one.address_id, item.id) for one in (anna, ben)]
        facts = permission_facts(session, KEYS, rows)
    assert permit("contract_appointment", facts[0], POLICY, NOW) == Permitted("contract", "contract:W-17")  # type: ignore[arg-type]
    assert reason(facts[1], "contract_appointment") is Reason.NO_CONTRACT


def test_a_store_opened_with_a_wrong_key_mails_nobody(database: Database) -> None:
    with database.write() as session:
        installation.ensure(session, NOW)
        suppressions.seal(session, KEYS)
        anna = add_customer(session)
        add_consent(session, anna)
        wrong = Keyring((b"w" * 40,))
        assert reason(read(session, anna)[0]) is None
        assert reason(read(session, anna, keys=wrong)[0]) is Reason.KEY_BROKEN
        suppressions.seal(session, wrong)
        assert reason(read(session, anna, keys=wrong)[0]) is Reason.KEY_BROKEN


def test_a_new_key_before_the_old_one_still_finds_what_the_old_one_hid(database: Database) -> None:
    with database.write() as session:
        installation.ensure(session, NOW)
        suppressions.seal(session, KEYS)
        anna = add_customer(session)
        add_consent(session, anna)
        refuse(session, "anna@example.com", Reason.OBJECTION)
        rotated = Keyring((b"n" * 40, *KEYS.keys))
        suppressions.seal(session, rotated)
        assert reason(read(session, anna, keys=rotated)[0]) is Reason.OBJECTION
        assert reason(read(session, anna, keys=KEYS)[0]) is Reason.KEY_BROKEN
