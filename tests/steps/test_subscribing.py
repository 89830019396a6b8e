"""What people allow and forbid counts at once, and survives whatever happens to the store."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from engine.app import Premises
from engine.domain.permission import ConsentState, Permitted, Refused, permit
from engine.domain.words import OnDoubt, Reason, State
from engine.errors import NothingFound, StoreError, UsageError
from engine.steps import subscribing, suppressing
from engine.steps.subscribing import Hearsay
from engine.store import addresses, consents
from engine.store.consents import NewConsent, permission_facts
from engine.store.database import Database
from engine.store.message_tables import Enrolment, Message, MessageEvent
from engine.store.suppression_log import SuppressionLog
from engine.store.tables import Address, Customer, CustomerAddress
from tests.people import NOW, add_address, add_consent, add_customer
from tests.steps.premises import open_shop

DAY = timedelta(days=1)


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Premises:
    """Give a shop with a store, once on each database."""
    return open_shop(tmp_path, database)


def log_of(shop: Premises) -> SuppressionLog:
    return SuppressionLog.beside(shop.database, shop.home)


def add_anna(shop: Premises, **columns: object) -> Customer:
    with shop.database.write() as session:
        anna = add_customer(session, "1", "anna@example.com", first_name="Anna", last_name="Meyer", **columns)
        add_consent(session, anna)
        return anna


def add_message(session: Session, customer: Customer, number: int, kind: str, state: State = State.PLANNED) -> None:
    enrolment = Enrolment(
        campaign=kind, customer_id=customer.id, customer_uid=customer.uid, occasion=str(number), rehearsal=False,
        created_at=NOW,
    )  # fmt: skip
    session.add(enrolment)
    session.flush()
    session.add(
        Message(
            message_id=f"m{number}", enrolment_id=enrolment.id, customer_id=customer.id, address_id=customer.address_id,
            campaign=kind, step="message", kind=kind, on_doubt=OnDoubt.HOLD, rehearsal=False, due=NOW.date(),
            send_after=NOW, expires_at=NOW + DAY, planned_at=NOW, state=state,
        )
    )  # fmt: skip
    session.flush()


def verdict(shop: Premises, customer: Customer, kind: str = "birthday") -> Reason | None:
    with shop.database.read() as session:
        row = session.execute(sa.select(Customer.address_id).where(Customer.id == customer.id)).scalar_one()
        facts = permission_facts(session, shop.keyring, [(customer.id or 0, row, None)])[0]
    said = permit(kind, facts, subscribing.policy_of(shop.config), NOW + DAY)
    return said.reason if isinstance(said, Refused) else None


def test_who_says_stop_on_the_phone_gets_no_more_advertising(shop: Premises) -> None:
    anna = add_anna(shop)
    assert verdict(shop, anna) is None
    stopped = subscribing.object_from_any_channel(shop, "Anna Meyer", "called at 14:05", NOW)
    assert verdict(shop, anna) is Reason.OBJECTION
    assert stopped.known
    assert stopped.emails == ("anna@example.com",)


@pytest.mark.parametrize("who", ["1", "anna@example.com", "ANNA@example.com ", "anna meyer", "Meyer"])
def test_a_person_is_found_by_number_address_or_name(shop: Premises, who: str) -> None:
    anna = add_anna(shop)
    stopped = subscribing.object_from_any_channel(shop, who, "letter", NOW)
    assert [one.id for one in stopped.people] == [anna.id]


def test_open_advertising_is_skipped_at_once_and_contract_mail_stays(shop: Premises) -> None:
    anna = add_anna(shop)
    with shop.database.write() as session:
        for number, (kind, state) in enumerate(
            [
                ("birthday", State.PLANNED),
                ("winback", State.RETRYING),
                ("thank_you", State.HELD),
                ("birthday", State.SENDING),
                ("birthday", State.SENT),
                ("contract_appointment", State.PLANNED),
            ]
        ):
            add_message(session, anna, number, kind, state)
    stopped = subscribing.object_from_any_channel(shop, "1", "reply", NOW)
    assert (stopped.skipped, stopped.under_way) == (3, 1)
    with shop.database.read() as session:
        states = session.execute(sa.select(Message.state, Message.reason).order_by(Message.message_id)).all()
        told = session.execute(sa.select(MessageEvent.after, MessageEvent.reason)).all()
    skipped = (State.SKIPPED, Reason.OBJECTION)
    assert [tuple(row) for row in states] == [
        skipped, skipped, skipped, (State.SENDING, None), (State.SENT, None), (State.PLANNED, None),
    ]  # fmt: skip
    assert [tuple(row) for row in told] == [("skipped", "objection")] * 3


def test_an_objection_reaches_every_address_of_the_person_and_everybody_there(shop: Premises) -> None:
    anna = add_anna(shop)
    with shop.database.write() as session:
        old = add_address(session, "old@example.com")
        session.add(CustomerAddress(customer_id=anna.id, address_id=old.id))
        ben = add_customer(session, "2", "old@example.com")
        add_consent(session, ben)
    stopped = subscribing.object_from_any_channel(shop, "1", "letter", NOW)
    assert stopped.emails == ("anna@example.com", "old@example.com")
    assert [verdict(shop, anna), verdict(shop, ben)] == [Reason.OBJECTION, Reason.OBJECTION]


def test_an_unknown_address_is_blocked_before_it_is_ever_imported_and_not_kept(shop: Premises) -> None:
    stopped = subscribing.object_from_any_channel(shop, "Stranger+x@GMX.de", "reply", NOW)
    assert not stopped.known
    with shop.database.write() as session:
        assert session.execute(sa.select(Address.email)).all() == []
        later = add_customer(session, "9", "stranger@gmx.de")
        add_consent(session, later)
    assert verdict(shop, later) is Reason.OBJECTION
    assert "stranger" not in log_of(shop).path.read_text().lower()


def test_a_person_without_an_address_is_heard_too(shop: Premises) -> None:
    with shop.database.write() as session:
        cleo = add_customer(session, "3", None, first_name="Cleo")
    subscribing.object_from_any_channel(shop, "3", "at the counter", NOW)
    with shop.database.write() as session:
        box = add_address(session, "cleo@example.com")
        session.add(CustomerAddress(customer_id=cleo.id, address_id=box.id))
        session.execute(sa.update(Customer).where(Customer.id == cleo.id).values(address_id=box.id))
    assert verdict(shop, cleo) is Reason.OBJECTION


def test_namesakes_are_listed_and_nothing_is_done(shop: Premises) -> None:
    anna = add_anna(shop)
    with shop.database.write() as session:
        add_customer(session, "2", "other@example.com", first_name="Anna", last_name="Meyer")
    with pytest.raises(UsageError, match="2 people") as refused:
        subscribing.object_from_any_channel(shop, "Anna Meyer", "phone", NOW)
    assert "a***@example.com" in refused.value.hint
    assert verdict(shop, anna) is None


def test_who_is_neither_known_nor_an_address_is_not_found(shop: Premises) -> None:
    with pytest.raises(NothingFound, match="Nobody"):
        subscribing.object_from_any_channel(shop, "Frau Unbekannt", "phone", NOW)


def test_a_withdrawal_of_one_kind_leaves_the_others(shop: Premises) -> None:
    anna = add_anna(shop)
    with shop.database.write() as session:
        add_message(session, anna, 1, "birthday")
        add_message(session, anna, 2, "winback")
    stopped = subscribing.withdraw(shop, "1", "reply", NOW, ["birthday"])
    assert stopped.skipped == 1
    assert [verdict(shop, anna, kind) for kind in ("birthday", "winback")] == [Reason.WITHDRAWN, None]


def test_a_withdrawal_names_only_kinds_there_are(shop: Premises) -> None:
    with pytest.raises(UsageError, match="birtday"):
        subscribing.withdraw(shop, "1", "reply", NOW, ["birtday"])


def test_nobody_can_withdraw_for_a_stranger(shop: Premises) -> None:
    with pytest.raises(NothingFound, match="Nobody"):
        subscribing.withdraw(shop, "nobody@example.com", "reply", NOW)


def test_the_owner_cannot_confirm_for_a_customer(shop: Premises) -> None:
    anna = add_anna(shop)
    with pytest.raises(UsageError, match="only the customer can confirm"):
        subscribing.note(shop, Hearsay("anna@example.com", "confirmed", NOW, "counter"), NOW)
    assert verdict(shop, anna) is None


@pytest.mark.parametrize("state", ["requested", "claimed"])
def test_what_the_owner_notes_down_never_permits_anything(shop: Premises, state: str) -> None:
    with shop.database.write() as session:
        ben = add_customer(session, "2", "ben@example.com")
    said = Hearsay("Ben@example.com", state, NOW - DAY, "form 17", "newsletter-2015")
    assert subscribing.note(shop, said, NOW)
    assert not subscribing.note(shop, said, NOW + DAY)
    assert verdict(shop, ben) is (Reason.NOT_CONFIRMED if state == "requested" else Reason.UNPROVEN)


def test_a_note_of_the_future_or_of_an_unknown_wording_is_refused(shop: Premises) -> None:
    with pytest.raises(UsageError, match="not come yet"):
        subscribing.note(shop, Hearsay("a@example.com", "claimed", NOW + DAY, "form"), NOW)
    with pytest.raises(UsageError, match="no wording"):
        subscribing.note(shop, Hearsay("a@example.com", "claimed", NOW, "form", "lost"), NOW)


def test_every_no_stands_in_the_log_before_the_answer_and_names_nobody(shop: Premises) -> None:
    add_anna(shop)
    subscribing.object_from_any_channel(shop, "1", "called", NOW)
    subscribing.withdraw(shop, "1", "called", NOW, ["birthday"])
    suppressing.suppress(shop, "spam@example.com", "prank", NOW)
    reasons = [entry.reason for entry in log_of(shop).read()]
    assert {*reasons} == {Reason.OBJECTION, Reason.WITHDRAWN, Reason.SUPPRESSED}
    text = log_of(shop).path.read_text()
    assert "anna" not in text
    assert "called" not in text
    assert log_of(shop).path.stat().st_mode & 0o777 == 0o600


def test_if_the_log_cannot_be_written_nothing_is_recorded_and_nobody_is_told_otherwise(shop: Premises) -> None:
    anna = add_anna(shop)
    log_of(shop).path.mkdir()
    with pytest.raises(StoreError, match=r"suppressions\.log"):
        subscribing.object_from_any_channel(shop, "1", "called", NOW)
    assert verdict(shop, anna) is None


def test_a_restored_backup_revives_nobody(tmp_path: Path, sqlite_database: Database) -> None:
    shop = open_shop(tmp_path, sqlite_database)
    anna = add_anna(shop)
    with shop.database.write() as session:
        ben = add_customer(session, "2", "ben@example.com")
        add_consent(session, ben)
    shop.database.close()
    assert sqlite_database.path
    backup = tmp_path / "backup.db"
    with sqlite_database.connection() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql(f"VACUUM INTO '{backup}'")
    subscribing.object_from_any_channel(shop, "1", "called", NOW)
    subscribing.withdraw(shop, "2", "reply", NOW, ["birthday"])
    restored_path = tmp_path / "restored" / "store.db"
    restored_path.parent.mkdir()
    shutil.copy(backup, restored_path)
    shutil.copy(log_of(shop).path, restored_path.parent / "suppressions.log")
    restored = Premises(shop.config, Database(f"sqlite:///{restored_path}"), shop.keyring, shop.installation, tmp_path)
    assert [verdict(restored, one) for one in (anna, ben)] == [None, None]
    assert suppressing.replay(restored.database, log_of(restored)) == 4
    assert [verdict(restored, one) for one in (anna, ben)] == [Reason.OBJECTION, Reason.WITHDRAWN]
    assert verdict(restored, ben, "winback") is None
    assert suppressing.replay(restored.database, log_of(restored)) == 0
    restored.database.close()


def test_a_log_that_lacks_a_no_is_completed_from_the_store(shop: Premises) -> None:
    anna = add_anna(shop)
    subscribing.object_from_any_channel(shop, "1", "called", NOW)
    suppressing.suppress(shop, "ben@example.com", "prank", NOW)
    suppressing.unsuppress(shop, "ben@example.com", NOW)
    before = {entry.key for entry in log_of(shop).read()}
    log_of(shop).path.unlink()
    assert suppressing.complete(shop.database, log_of(shop)) == len(before) == 3
    assert {entry.key for entry in log_of(shop).read()} == before
    assert suppressing.complete(shop.database, log_of(shop)) == 0
    assert verdict(shop, anna) is Reason.OBJECTION


def test_a_line_torn_by_a_power_cut_harms_no_other(shop: Premises) -> None:
    add_anna(shop)
    subscribing.object_from_any_channel(shop, "1", "called", NOW)
    before = len(list(log_of(shop).read()))
    with log_of(shop).path.open("ab") as file:
        file.write(b'{"exact":"ab')
        os.fsync(file.fileno())
    assert suppressing.replay(shop.database, log_of(shop)) == 0
    suppressing.suppress(shop, "spam@example.com", "prank", NOW)
    assert [entry.reason for entry in log_of(shop).read()][before:] == [Reason.SUPPRESSED]


def test_replaying_a_log_that_does_not_exist_is_nothing(shop: Premises) -> None:
    assert suppressing.replay(shop.database, log_of(shop)) == 0


def test_an_imported_no_is_kept_for_good_and_once(shop: Premises) -> None:
    anna = add_anna(shop)
    ledger = suppressing.ledger_of(shop)
    event = NewConsent(anna.address_id or 0, ConsentState.OBJECTED, NOW - DAY)
    for expected in (1, 0):
        with shop.database.write() as session:
            assert subscribing.record(session, ledger, [event], NOW, "import") == expected
    assert len(list(ledger.log.read())) == 1
    assert verdict(shop, anna) is Reason.OBJECTION


def test_only_a_later_proven_consent_lifts_an_objection(shop: Premises) -> None:
    anna = add_anna(shop)
    subscribing.object_from_any_channel(shop, "1", "called", NOW)
    subscribing.note(shop, Hearsay("anna@example.com", "requested", NOW, "form", "newsletter-2015"), NOW)
    assert verdict(shop, anna) is Reason.OBJECTION
    with shop.database.write() as session:
        add_consent(session, anna, at=NOW + timedelta(hours=1))
    assert verdict(shop, anna) is None


def test_a_bounce_is_kept_once_however_often_it_is_told(shop: Premises) -> None:
    anna = add_anna(shop)
    ledger = suppressing.ledger_of(shop)
    for expected in (1, 0):
        with shop.database.write() as session:
            kept = suppressing.block(session, ledger, ["anna@example.com"], Reason.HARD_BOUNCE, "5.1.1", NOW)
            assert kept == expected
    assert verdict(shop, anna, "contract_appointment") is Reason.HARD_BOUNCE


def test_the_owner_lifts_his_own_entry_and_a_bounce_but_no_objection(shop: Premises) -> None:
    anna = add_anna(shop)
    suppressing.suppress(shop, "anna@example.com", "wrong person", NOW)
    assert verdict(shop, anna) is Reason.SUPPRESSED
    lifted = suppressing.unsuppress(shop, "anna@example.com", NOW)
    assert [one.reason for one in lifted.lifted] == [Reason.SUPPRESSED]
    assert verdict(shop, anna) is None
    subscribing.object_from_any_channel(shop, "1", "called", NOW)
    lifted = suppressing.unsuppress(shop, "anna@example.com", NOW)
    assert (lifted.lifted, [one.reason for one in lifted.stays]) == ((), [Reason.OBJECTION])
    assert verdict(shop, anna) is Reason.OBJECTION


def test_a_lifted_entry_is_not_put_back_by_the_next_start(shop: Premises) -> None:
    anna = add_anna(shop)
    suppressing.suppress(shop, "anna@example.com", "wrong person", NOW)
    suppressing.unsuppress(shop, "anna@example.com", NOW)
    assert suppressing.replay(shop.database, log_of(shop)) == 0
    assert verdict(shop, anna) is None


def test_a_suppressed_address_loses_even_its_open_contract_mail(shop: Premises) -> None:
    anna = add_anna(shop)
    with shop.database.write() as session:
        add_message(session, anna, 1, "contract_appointment")
    done = suppressing.suppress(shop, "anna@example.com", "prank", NOW)
    assert (done.new, done.skipped) == (True, 1)
    assert not suppressing.suppress(shop, "anna@example.com", "again", NOW).new


def test_an_objection_leaves_one_event_per_address_and_nobody_can_change_it(shop: Premises) -> None:
    anna = add_anna(shop)
    subscribing.object_from_any_channel(shop, "1", "called", NOW)
    with shop.database.read() as session:
        entries = consents.timeline(session, [anna.address_id or 0])
    assert ("objected", "called", "owner") in [(one.state, one.source, one.actor) for one in entries]


def test_permission_is_asked_with_the_kinds_of_the_shops_wordings(shop: Premises) -> None:
    anna = add_anna(shop)
    with shop.database.read() as session:
        facts = permission_facts(session, shop.keyring, [(anna.id or 0, anna.address_id, None)])[0]
    assert isinstance(permit("birthday", facts, subscribing.policy_of(shop.config), NOW), Permitted)
    assert verdict(shop, anna, "vip_offer") is Reason.CONSENT_NOT_FOR_KIND


def test_an_objection_waits_for_a_release_in_flight_and_then_holds(shop: Premises) -> None:
    anna = add_anna(shop)
    said = threading.Thread(target=subscribing.object_from_any_channel, args=(shop, "1", "called", NOW))
    with shop.database.write() as session:
        addresses.lock(session, [anna.address_id or 0])  # what a release does first
        said.start()
        said.join(timeout=0.5)
        assert said.is_alive()
        facts = permission_facts(session, shop.keyring, [(anna.id or 0, anna.address_id, None)])[0]
        assert isinstance(permit("birthday", facts, subscribing.policy_of(shop.config), NOW), Permitted)
    said.join(timeout=20)
    assert not said.is_alive()
    assert verdict(shop, anna) is Reason.OBJECTION
