"""Retention: nothing is kept longer than it may be, nothing shorter, and nothing of a case that stands."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.app import App
from engine.domain.words import State
from engine.steps import planning
from engine.steps.privacy import forgetting, retaining, subjects
from engine.steps.privacy.forgetting import Order
from engine.store import evidence, legal_holds, purging
from engine.store.evidence import Terms
from engine.store.lawful_tables import PrivacyEvent, RefusalCount
from engine.store.legal_holds import Kept, NewHold
from engine.store.message_tables import Attempt, DeliveryEvent, Enrolment, Message, MessageBody, MessageEvent
from engine.store.tables import Address, Customer, Purchase
from tests.conftest import MakeApp
from tests.people import NOW, add_address, add_consent, add_customer, add_purchase
from tests.steps.sending_shop import BIRTHDAY, rows, tick
from tests.steps.soundness import assert_sound

YEARS_ON = datetime(2029, 12, 31, 22, 59, tzinfo=UTC)
"""A minute before the year's end in Berlin."""
GONE = YEARS_ON + timedelta(minutes=1)


@pytest.fixture
def app(make_app: MakeApp) -> App:
    """Give a shop in which six people were mailed for their birthday today, and one had not agreed."""
    app = make_app(campaigns={"birthday": BIRTHDAY})
    with app.database.write() as session:
        for number in range(1, 8):
            born = date(1980, 11, 23)
            customer = add_customer(session, str(number), f"k{number}@example.com", birthday=born, first_name="Kim")
            if number < 7:
                add_consent(session, customer)
    tick(app)
    return app


def count(app: App, model: Any) -> int:
    with app.database.read() as session:
        return session.connection().execute(sa.select(sa.func.count()).select_from(model.__table__)).scalar_one()


def purge(app: App, now: datetime, *, dry_run: bool = False) -> retaining.Purged:
    return retaining.purge(app, now, "petra", dry_run=dry_run)


def days(number: int) -> datetime:
    return NOW + timedelta(days=number)


def test_the_text_of_a_mail_goes_after_thirty_days_and_its_hash_stays(app: App) -> None:
    assert purge(app, days(30)).bodies == 0
    files = len(list((app.home / "outbox").iterdir()))
    assert purge(app, days(31)).bodies == 6
    bodies = rows(app, MessageBody.__table__)  # type: ignore[attr-defined]
    assert {(one.recipient, one.html, one.text, one.subject) for one in bodies} == {("", "", "", "")}
    assert all(len(one.sha256) == 64 for one in bodies)
    assert (files, len(list((app.home / "outbox").iterdir()))) == (6, 0)
    assert_sound(app)
    assert purge(app, days(31)).bodies == 0


def test_who_got_no_mail_is_only_counted_after_ninety_days(app: App) -> None:
    real_mails(app)
    assert purge(app, days(90)).refusals == 0
    assert purge(app, days(91)).refusals == 1
    (counted,) = rows(app, RefusalCount.__table__)  # type: ignore[attr-defined]
    assert (counted.month, counted.campaign, counted.state, counted.reason, counted.count) == (
        *("2026-11", "birthday", "skipped"),
        *("no_consent", 1),
    )
    assert [row.state for row in rows(app) if row.state is State.SKIPPED] == []
    assert count(app, Enrolment) == 7
    assert_sound(app)


def real_mails(app: App, after: int = 0) -> None:
    """Let what was rehearsed count as mailed: only real mails are counted."""
    with app.database.write() as session:
        for table in (Message, Enrolment):
            mine = table.__table__.c.customer_id > after  # type: ignore[attr-defined]
            session.connection().execute(sa.update(table).where(mine).values(rehearsal=False))


def test_counts_add_up_over_purges(app: App) -> None:
    real_mails(app)
    purge(app, days(91))
    with app.database.write() as session:
        other = add_customer(session, "70", "k70@example.com", birthday=date(1980, 11, 23))
        last = (other.id or 0) - 1
    tick(app)
    real_mails(app, last)
    purge(app, days(91))
    (counted,) = rows(app, RefusalCount.__table__)  # type: ignore[attr-defined]
    assert counted.count == 2


def test_an_occasion_that_was_refused_and_purged_is_not_planned_anew(app: App) -> None:
    purge(app, days(91))
    assert planning.plan(app, NOW).planned == 0


def test_evidence_stays_to_the_last_minute_of_the_year_and_goes_in_the_next(app: App) -> None:
    purge(app, YEARS_ON)
    assert count(app, Message) == 6
    assert purge(app, GONE).mails == 5
    for model in (Message, Attempt, MessageBody):
        assert count(app, model) == 1  # the latest call: every later one is numbered after it
    assert_sound(app)


def test_a_dry_run_says_the_same_and_deletes_nothing(app: App) -> None:
    before = {
        model: count(app, model) for model in (Message, MessageEvent, Attempt, MessageBody, Enrolment, RefusalCount)
    }
    said = purge(app, GONE, dry_run=True)
    assert {model: count(app, model) for model in before} == before
    assert len(list((app.home / "outbox").iterdir())) == 6
    assert rows(app, PrivacyEvent.__table__) == []  # type: ignore[attr-defined]
    done = purge(app, GONE)
    assert (said.refusals, said.bodies, said.mails) == (done.refusals, done.bodies, done.mails)


def test_a_purge_is_noted_with_its_counts_and_who_asked(app: App) -> None:
    purge(app, days(31))
    (deed,) = rows(app, PrivacyEvent.__table__)  # type: ignore[attr-defined]
    assert (deed.operator, deed.action, deed.detail, deed.subject) == ("petra", "purge", "bodies=6", "")


def test_of_a_case_that_stands_nothing_goes(app: App) -> None:
    with app.database.write() as session:
        legal_holds.place(session, NewHold(1, "", "Az 1", "petra", NOW))
    done = purge(app, GONE)
    assert done.kept == 1
    assert [row.customer_id for row in rows(app) if row.customer_id == 1] == [1]
    body = next(row for row in rows(app, MessageBody.__table__) if row.recipient)  # type: ignore[attr-defined]
    assert body.recipient == "k1@example.com"
    assert (app.home / "outbox" / f"{next(r.message_id for r in rows(app) if r.customer_id == 1)}.eml").exists()


def test_of_a_restricted_person_nothing_goes_either(app: App) -> None:
    with app.database.write() as session:
        session.connection().execute(sa.text("UPDATE customer SET restricted_at = updated_at WHERE customer_id = '1'"))
    assert purge(app, GONE).kept == 1
    assert 1 in [row.customer_id for row in rows(app)]


def test_the_words_of_a_provider_go_and_what_happened_stays(app: App) -> None:
    with app.database.write() as session:
        session.add(
            DeliveryEvent(
                provider="brevo", event_id="e", message=1, kind="bounced", at=NOW, received_at=NOW, detail="550 k1@x"
            )
        )
    assert purge(app, days(31)).news == 1
    (told,) = rows(app, DeliveryEvent.__table__)  # type: ignore[attr-defined]
    assert (told.kind, told.detail) == ("bounced", "")


def test_the_daemon_purges_once_a_day(app: App) -> None:
    first = retaining.purge_daily(app, days(31))
    assert first is not None
    assert first.bodies == 6
    assert retaining.purge_daily(app, days(31) + timedelta(hours=3)) is None
    assert retaining.purge_daily(app, days(32)) is not None


@pytest.mark.parametrize("ended", [datetime(2026, 1, 2, 9, tzinfo=UTC), datetime(2026, 12, 30, 9, tzinfo=UTC)])
def test_h1_a_withdrawn_consent_is_evidence_until_the_first_of_january_2030(app: App, ended: datetime) -> None:
    with app.database.write() as session:
        one = add_customer(session, "50", "w@example.com")
        add_consent(session, one, at=datetime(2025, 1, 1, tzinfo=UTC))
        add_consent(session, one, state="withdrawn", at=ended)
        number = one.address_id
    assert number not in over(app, date(2029, 12, 31))
    assert number in over(app, date(2030, 1, 1))


def over(app: App, today: date) -> list[int]:
    """Return the addresses whose consents are no evidence any more on a day."""
    start = datetime(today.year - 3, 1, 1, tzinfo=UTC)
    with app.database.read() as session:
        return evidence.unused_consents(session, Terms(start, start), Kept())


def test_a_consent_that_still_permits_mails_is_kept_however_old(app: App) -> None:
    with app.database.write() as session:
        one = add_customer(session, "50", "w@example.com")
        add_consent(session, one, at=datetime(2020, 1, 1, tzinfo=UTC))
        number = one.address_id
    long = Terms(datetime(2026, 1, 1, tzinfo=UTC), datetime(2010, 1, 1, tzinfo=UTC))
    short = Terms(datetime(2026, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
    with app.database.read() as session:
        assert number not in evidence.unused_consents(session, long, Kept())
        assert number in evidence.unused_consents(session, short, Kept())
        assert number not in evidence.unused_consents(session, short, Kept(addresses=frozenset({number or 0})))


def test_an_address_that_is_nobodys_any_more_goes(app: App) -> None:
    with app.database.write() as session:
        add_address(session, "frei@example.org")
    purge(app, YEARS_ON)
    assert emails(app, "frei@example.org") == 1
    assert purge(app, GONE).addresses == 1
    assert emails(app, "frei@example.org") == 0
    assert emails(app, "k1@example.com") == 1


def emails(app: App, email: str) -> int:
    with app.database.read() as session:
        query = sa.select(sa.func.count()).where(Address.__table__.c.email == email)  # type: ignore[attr-defined]
        return session.connection().execute(query).scalar_one()


def test_the_sales_to_an_erased_person_go_with_the_last_mail_they_proved(app: App) -> None:
    with app.database.write() as session:
        add_purchase(session, session.get_one(Customer, 1), "B-1", NOW)
    forgetting.erase(app, subjects.find(app, "1"), Order("petra", patience=0), NOW)
    purge(app, YEARS_ON)
    assert count(app, Purchase) == 1
    purge(app, GONE)
    assert count(app, Purchase) == 0


def test_a_purge_works_in_short_transactions(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "AT_ONCE", 2)
    assert purge(app, days(31)).bodies == 6


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(later=st.integers(0, 1500) | st.sampled_from([30, 31, 90, 91, 1132, 1133, 1134]), hour=st.integers(0, 23))
def test_whatever_the_day_exactly_what_is_too_old_goes(app: App, later: int, hour: int) -> None:
    now = datetime(2026, 11, 23, hour, tzinfo=UTC) + timedelta(days=later)
    said = purge(app, now, dry_run=True)
    today = now.astimezone(app.config.shop.zone).date()
    age = (today - NOW.date()).days
    assert said.bodies == (6 if age > 30 else 0)
    assert said.refusals == (1 if age > 90 else 0)
    assert said.mails == (0 if today < date(2030, 1, 1) else 5)
