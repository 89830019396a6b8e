"""A cease-and-desist letter: nothing automated goes to the person any more, at any address, and nothing lifts it."""

from __future__ import annotations

from datetime import timedelta

from engine.app import App
from engine.clock import stopped_at
from engine.domain.words import Reason
from engine.steps import planning, sending, suppressing
from engine.store.tables import CustomerAddress, Suppression
from tests.conftest import MakeApp
from tests.people import NOW, add_address, add_consent, add_customer, add_service_item
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, real_config, rows, tick
from tests.steps.test_promises import APPOINTMENT

ANNA, OTHER = "anna@example.com", "anna.privat@example.com"


def _shop(make_app: MakeApp, brevo: Served) -> App:
    return make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY, "service": APPOINTMENT})


def _anna(app: App) -> None:
    """Add Anna, who agreed, has a contract, and has had another address before."""
    with app.database.write() as session:
        anna = add_customer(session, "a", ANNA, birthday=NOW.date().replace(year=1980))
        add_consent(session, anna)
        add_service_item(session, anna, "Keller", NOW.date(), contract_ref="W-1")
        session.add(CustomerAddress(customer_id=anna.id, address_id=add_address(session, OTHER).id))


def test_c10_it_stops_advertising_and_contract_mail_that_waits_already(make_app: MakeApp, brevo: Served) -> None:
    app = _shop(make_app, brevo)
    _anna(app)
    planning.plan(app, NOW)
    done = suppressing.forbid(app, OTHER, "letter", NOW)
    assert (done.new, done.skipped) == (True, 3)
    sending.send_due(app, stopped_at(NOW + timedelta(minutes=1)))
    assert {(row.kind, row.state.value, row.reason) for row in rows(app)} == {
        ("birthday", "skipped", Reason.LEGAL_BLOCK),
        ("contract_appointment", "skipped", Reason.LEGAL_BLOCK),
    }
    assert brevo.double.mails() == []


def test_c10_it_reaches_the_person_at_an_address_that_comes_later(make_app: MakeApp, brevo: Served) -> None:
    app = _shop(make_app, brevo)
    _anna(app)
    suppressing.forbid(app, ANNA, "letter", NOW)
    with app.database.write() as session:
        new = add_address(session, "neu@example.com")
        session.add(CustomerAddress(customer_id=1, address_id=new.id))
        session.execute(_moves_to(new.id))
    tick(app, NOW + timedelta(minutes=1))
    assert {row.reason for row in rows(app)} == {Reason.LEGAL_BLOCK}
    assert brevo.double.mails() == []


def _moves_to(address: int | None) -> object:
    import sqlalchemy as sa

    from engine.store.tables import Customer

    return sa.update(Customer).where(Customer.id == 1).values(address_id=address)  # type: ignore[arg-type]


def test_c10_it_leaves_others_alone_and_is_not_lifted_with_the_owners_entry(make_app: MakeApp, brevo: Served) -> None:
    app = _shop(make_app, brevo)
    _anna(app)
    add_birthdays(app, 1)
    suppressing.suppress(app, ANNA, "typo", NOW)
    suppressing.forbid(app, ANNA, "letter", NOW)
    lifted = suppressing.unsuppress(app, ANNA, NOW)
    assert ([one.reason for one in lifted.lifted], {one.reason for one in lifted.stays}) == (
        [Reason.SUPPRESSED],
        {Reason.LEGAL_BLOCK},
    )
    tick(app, NOW + timedelta(minutes=1))
    assert [mail["to"] for mail in brevo.double.mails()] == ["k0@example.com"]
    kept = rows(app, Suppression.__table__)  # type: ignore[attr-defined]
    assert suppressing.forbid(app, OTHER, "again", NOW + timedelta(days=1)).new is False
    assert len(rows(app, Suppression.__table__)) == len(kept)  # type: ignore[attr-defined]


def test_c10_an_answer_to_a_request_about_ones_data_and_a_warning_are_spared() -> None:
    stop = suppressing.Stop(Reason.LEGAL_BLOCK, NOW, transactional=True, spared=suppressing.NEVER_BLOCKED)
    assert not stop.reaches("dsr_response")
    assert not stop.reaches("security_notice")
    assert stop.reaches("invoice")
    assert stop.reaches("newsletter")
