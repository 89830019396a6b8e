"""Bounces are counted by the table, and too many complaints, noes or refusals stop all advertising."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from engine.app import App
from engine.clock import stopped_at
from engine.domain.complaints import Brake
from engine.domain.news import DeliveryNews, NewsKind
from engine.domain.words import Reason, State
from engine.language import Language
from engine.steps import braking, receiving, sending
from engine.steps.watching import worrying
from engine.store import pauses
from engine.store.tables import Suppression
from tests.conftest import MakeApp
from tests.people import NOW, add_customer, add_service_item
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, MESSAGES, add_birthdays, later, real_config, rows, tick
from tests.steps.test_promises import APPOINTMENT
from tests.store.rows import add_messages

BLOCKS: sa.Table = Suppression.__table__  # type: ignore[attr-defined]
SOFT = "soft_bounce 452 4.2.2 mailbox full"


@pytest.fixture
def shop(make_app: MakeApp, brevo: Served) -> App:
    return make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY, "service": APPOINTMENT})


def _mailed(app: App, count: int, *, days: int = 0, email: str = "anna@example.com") -> list[str]:
    """Let somebody have got so many mails, and return their ids."""
    sent = NOW - timedelta(days=days)
    with app.database.write() as session:
        anna = add_customer(session, email, email)
        add_messages(session, count, anna, state=State.SENT, provider="brevo", sent_at=sent, address_id=anna.address_id)
        if not app.database.sqlite:  # the rows brought their numbers along
            for table in ("message", "enrolment"):
                step = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
                session.connection().exec_driver_sql(step)
        mine = sa.select(MESSAGES.c.message_id).where(MESSAGES.c.customer_id == anna.id).order_by(MESSAGES.c.id)
        return list(session.connection().execute(mine).scalars())


def _tell(app: App, message_id: str, kind: NewsKind, detail: str = "", at: datetime = NOW) -> receiving.Received:
    number = f"{message_id}|{kind}|{at.isoformat()}"
    return receiving.take(app, "brevo", [DeliveryNews(kind, number, message_id, at=at, detail=detail)], at)


def _blocked(app: App) -> list[Reason]:
    return [row.reason for row in rows(app, BLOCKS)]


# -- bounces ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [NewsKind.BOUNCED, NewsKind.DEFERRED])
def test_o1_a_dead_address_is_blocked_at_once(shop: App, kind: NewsKind) -> None:
    (mail,) = _mailed(shop, 1)
    assert _tell(shop, mail, kind, "x 550 5.1.1 no such user").noes == 1
    assert _blocked(shop) == [Reason.HARD_BOUNCE]


def test_o1_a_mailbox_switched_off_is_blocked_the_second_time(shop: App) -> None:
    first, second = _mailed(shop, 2)
    assert _tell(shop, first, NewsKind.BOUNCED, "hard_bounce 550 5.2.1 disabled").noes == 0
    assert _blocked(shop) == []
    _tell(shop, second, NewsKind.BOUNCED, "hard_bounce 550 5.2.1 disabled", NOW + timedelta(days=20))
    assert _blocked(shop) == [Reason.HARD_BOUNCE]


def test_o1_five_soft_bounces_on_five_days_block_and_four_do_not(shop: App) -> None:
    mails = _mailed(shop, 5)
    for day, mail in enumerate(mails[:4]):
        _tell(shop, mail, NewsKind.DEFERRED, SOFT, NOW + timedelta(days=day))
        _tell(shop, mail, NewsKind.DEFERRED, SOFT, NOW + timedelta(days=day, hours=1))
    assert _blocked(shop) == []
    _tell(shop, mails[4], NewsKind.DEFERRED, SOFT, NOW + timedelta(days=6))
    assert _blocked(shop) == [Reason.HARD_BOUNCE]


def test_o1_soft_bounces_of_somebody_else_do_not_count(shop: App) -> None:
    for number in range(5):
        (mail,) = _mailed(shop, 1, email=f"k{number}@example.com")
        _tell(shop, mail, NewsKind.DEFERRED, SOFT, NOW + timedelta(days=number))
    assert _blocked(shop) == []


@pytest.mark.parametrize("code", ["5.7.1", "5.7.26", "5.7.515", "5.6.0", "5.3.4"])
def test_o1_what_is_about_us_or_the_mail_blocks_nobody_however_often(shop: App, code: str) -> None:
    for day, mail in enumerate(_mailed(shop, 8)):
        _tell(shop, mail, NewsKind.BOUNCED, f"hard_bounce 550 {code} no", NOW + timedelta(days=day))
    assert _blocked(shop) == []


def test_o1_a_block_the_owner_has_lifted_does_not_come_back_by_a_full_mailbox(shop: App) -> None:
    first, second = _mailed(shop, 2)
    _tell(shop, first, NewsKind.BOUNCED, "hard_bounce 550 5.1.1")
    with shop.database.write() as session:
        session.connection().execute(sa.update(BLOCKS).values(removed_at=NOW))
    _tell(shop, second, NewsKind.DEFERRED, SOFT, NOW + timedelta(days=1))
    assert [row.removed_at for row in rows(shop, BLOCKS)] == [NOW]


# -- the brake -------------------------------------------------------------------------------------------------------


def _complain(app: App, mails: list[str]) -> None:
    for mail in mails:
        _tell(app, mail, NewsKind.COMPLAINED, "spam")


def test_j9_three_complaints_of_a_thousand_stop_all_advertising_and_owed_mail_goes_on(shop: App) -> None:
    mails = _mailed(shop, 1000)
    _complain(shop, mails[:2])
    assert worrying.brakes(shop) == []
    _complain(shop, mails[2:3])
    assert worrying.brakes(shop) == [Brake.COMPLAINTS]
    add_birthdays(shop, 2)
    with shop.database.write() as session:
        owner = add_customer(session, "owner", "owner@example.com")
        add_service_item(session, owner, "Keller", NOW.date(), contract_ref="W-1")
    tick(shop)
    found = {(row.campaign, row.state) for row in rows(shop) if row.campaign != "birthday" or row.state != State.SENT}
    assert ("birthday", State.PLANNED) in found
    assert ("service", State.SENT) in found
    with shop.database.write() as session:
        pauses.resume_all(session)
    sending.send_due(shop, stopped_at(later(90)))
    assert State.PLANNED not in {row.state for row in rows(shop)}


def test_j9_two_complaints_are_told_and_stop_nothing(shop: App) -> None:
    _complain(shop, _mailed(shop, 100)[:2])
    assert worrying.brakes(shop) == []
    say = Language("de").gettext
    (worry,) = worrying.worries(shop, say, NOW + timedelta(hours=1))
    assert worry.topic == "complaints"
    assert "2 von 100 Mails" in worry.text
    assert list(worrying.worries(shop, say, NOW + timedelta(days=2))) == []


def test_j9_the_owner_is_told_of_the_brake_until_it_is_lifted(shop: App) -> None:
    _complain(shop, _mailed(shop, 10)[:3])
    say = Language("de").gettext
    for days in (0, 30):
        (worry,) = worrying.worries(shop, say, NOW + timedelta(days=days))
        assert worry.topic == "brake:complaints"
        assert "treuepost resume --all" in worry.text
    assert braking.figures(shop.database, NOW).complaints == 3


def test_j9_a_repeated_complaint_counts_once(shop: App) -> None:
    mail, *_ = _mailed(shop, 100)
    for minute in range(5):
        _tell(shop, mail, NewsKind.COMPLAINED, "spam", NOW + timedelta(minutes=minute))
    assert worrying.brakes(shop) == []


def test_j9_what_the_owner_lets_go_on_is_stopped_only_by_a_new_complaint(shop: App) -> None:
    mails = _mailed(shop, 10)
    _complain(shop, mails[:3])
    with shop.database.write() as session:
        pauses.resume_all(session)
    _complain(shop, mails[:3])
    _tell(shop, mails[4], NewsKind.UNSUBSCRIBED, "unsubscribe")
    assert worrying.brakes(shop) == []
    _complain(shop, mails[5:6])
    assert worrying.brakes(shop) == [Brake.COMPLAINTS]


def test_a_flood_of_noes_stops_advertising(shop: App) -> None:
    _mailed(shop, 200, email="others@example.com")
    for number in range(20):
        (mail,) = _mailed(shop, 1, email=f"k{number}@example.com")
        _tell(shop, mail, NewsKind.BOUNCED, "hard_bounce 550 5.1.1")
    assert Brake.FLOOD in worrying.brakes(shop)


def test_o1_refusals_for_our_sake_stop_advertising_and_are_told(shop: App) -> None:
    mails = _mailed(shop, 50)
    _tell(shop, mails[0], NewsKind.BOUNCED, "hard_bounce 550 5.7.26 unauthenticated")
    (worry,) = worrying.worries(shop, Language("de").gettext, NOW)
    assert (worry.topic, worrying.brakes(shop)) == ("policy", [])
    for mail in mails[1:3]:
        _tell(shop, mail, NewsKind.DEFERRED, "soft_bounce 421 4.7.28 rate", NOW)
    assert worrying.brakes(shop) == [Brake.POLICY]
    assert _blocked(shop) == []
