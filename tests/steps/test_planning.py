from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from engine.domain.identity import message_id
from engine.steps import planning
from engine.store import installation
from engine.store.database import Database
from engine.store.message_tables import Enrolment, Message
from tests.people import INSTALLATION, add_customer, add_purchase, add_service_item
from tests.steps.planned_shops import campaign, events, morning, open_shop
from tests.triggers.asking import count

MONDAY = date(2026, 11, 23)
DAY = timedelta(days=1)
BIRTHDAY = campaign('on = "birthday"', kind="birthday", name="birthday")
LAPSED = campaign('on = "lapsed"\nafter = "90 days"')
SERVICE_STEPS = "".join(
    f'[[step]]\nid = "{name}"\nwhen = "{when}"\nsubject = "Hallo"\nbody = "Hallo"\n'
    for name, when in [("first", "30 days before"), ("second", "7 days before"), ("third", "14 days after")]
)
SERVICE = campaign('on = "service_due"', steps=SERVICE_STEPS, kind="service_reminder")


def tables(database: Database) -> tuple[int, int, int]:
    enrolled = count(database, Enrolment.__table__)  # type: ignore[attr-defined]
    return enrolled, count(database, Message.__table__), len(events(database))  # type: ignore[attr-defined]


def test_a_due_customer_gets_one_planned_message_with_its_times_and_its_first_event(
    database: Database, tmp_path: Path
) -> None:
    shop = open_shop(database, tmp_path, BIRTHDAY)
    with database.write() as session:
        customer = add_customer(session, "anna", birthday=date(1980, 11, 23))
    assert shop.plan(morning(MONDAY)) == planning.PlanReport(planned=1, moved=0)
    key = message_id(INSTALLATION, "birthday", UUID(customer.uid), "2026", "message", rehearsal=False)
    assert shop.messages("send_after", "expires_at", "planned_at", "message_id", "kind", "campaign_hash") == [
        (
            *("anna", "2026", "message", MONDAY, "planned"),
            datetime(2026, 11, 23, 8, 0, tzinfo=UTC),
            datetime(2026, 11, 26, 23, 0, tzinfo=UTC),
            *(morning(MONDAY), str(key), "birthday", shop.campaigns[0].hash),
        )
    ]
    assert events(database) == [("", "planned", "planner", "")]


def test_planning_again_writes_nothing(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, BIRTHDAY, LAPSED, SERVICE.replace('"test"', '"service"'))
    with database.write() as session:
        customer = add_customer(session, birthday=date(1980, 11, 23), last_purchase_on=MONDAY - 90 * DAY)
        customer.last_purchase_id = "P1"
        add_service_item(session, customer, "B", MONDAY + 7 * DAY)
    assert shop.plan(morning(MONDAY)).planned == 3
    before = tables(database)
    with database.write() as session:
        installation.bump_data_version(session)
    assert shop.plan(morning(MONDAY)) == planning.PlanReport()
    assert shop.plan(morning(MONDAY) + timedelta(hours=3)) == planning.PlanReport()
    assert tables(database) == before == (3, 3, 3)


def test_without_an_address_the_message_is_planned_all_the_same(sqlite_database: Database, tmp_path: Path) -> None:
    shop = open_shop(sqlite_database, tmp_path, BIRTHDAY)
    with sqlite_database.write() as session:
        add_customer(session, "nobody", None, birthday=date(1980, 11, 23))
    shop.plan(morning(MONDAY))
    assert shop.messages("address_id") == [("nobody", "2026", "message", MONDAY, "planned", None)]


def test_what_is_older_than_max_late_is_recorded_as_expired(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, BIRTHDAY)
    with database.write() as session:
        for offset in range(8):
            day = date(1980, 11, 16) + offset * DAY
            add_customer(session, f"{offset}", f"{offset}@example.com", birthday=day)
    shop.plan(morning(date(2026, 11, 16)))
    shop.plan(morning(MONDAY))
    assert [row[:1] + row[3:] for row in shop.messages("reason")] == [
        ("0", date(2026, 11, 16), "planned", None),
        ("1", date(2026, 11, 17), "expired", "too_late"),
        ("2", date(2026, 11, 18), "expired", "too_late"),
        ("3", date(2026, 11, 19), "expired", "too_late"),
        ("4", date(2026, 11, 20), "planned", None),
        ("5", date(2026, 11, 21), "planned", None),
        ("6", date(2026, 11, 22), "planned", None),
        ("7", date(2026, 11, 23), "planned", None),
    ]
    assert events(database)[1:3] == [("", "planned", "planner", ""), ("planned", "expired", "planner", "too_late")]


def test_a_purchase_imported_two_days_late_still_gets_its_thanks(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, campaign('on = "purchase"\nwhen = "2 days after"'))
    with database.write() as session:
        customer = add_customer(session, "anna")
    for offset in range(5):
        shop.plan(morning(MONDAY + offset * DAY))
    with database.write() as session:
        add_purchase(session, customer, "P1", morning(MONDAY))
    today = MONDAY + 4 * DAY
    assert shop.plan(morning(today)) == planning.PlanReport()
    with database.write() as session:
        installation.bump_data_version(session)
    assert shop.plan(morning(today) + timedelta(minutes=1)).planned == 1
    assert shop.messages() == [("anna", "P1", "message", MONDAY + 2 * DAY, "planned")]


def test_a_late_purchase_is_found_the_next_day_anyway(sqlite_database: Database, tmp_path: Path) -> None:
    shop = open_shop(sqlite_database, tmp_path, campaign('on = "purchase"\nwhen = "2 days after"'))
    with sqlite_database.write() as session:
        customer = add_customer(session, "anna")
    for offset in range(5):
        shop.plan(morning(MONDAY + offset * DAY))
    with sqlite_database.write() as session:
        add_purchase(session, customer, "P1", morning(MONDAY))
    assert shop.plan(morning(MONDAY + 5 * DAY)).planned == 1


def test_hours_after_a_purchase_go_at_the_instant_or_when_the_window_opens(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, campaign('on = "purchase"\nwhen = "2 hours after"'))
    with database.write() as session:
        customer = add_customer(session, "anna")
    shop.plan(morning(MONDAY))
    with database.write() as session:
        add_purchase(session, customer, "noon", datetime(2026, 11, 23, 11, 0, tzinfo=UTC))
        add_purchase(session, customer, "night", datetime(2026, 11, 23, 22, 30, tzinfo=UTC))
    shop.plan(morning(MONDAY) + timedelta(hours=4))
    shop.plan(morning(MONDAY + DAY))
    assert [row[1:] for row in shop.messages("send_after", "expires_at")] == [
        (
            *("noon", "message", MONDAY, "planned"),
            datetime(2026, 11, 23, 13, 0, tzinfo=UTC),
            datetime(2026, 11, 30, 23, 0, tzinfo=UTC),
        ),
        (
            *("night", "message", MONDAY + DAY, "planned"),
            datetime(2026, 11, 24, 8, 0, tzinfo=UTC),
            datetime(2026, 12, 1, 23, 0, tzinfo=UTC),
        ),
    ]


def test_the_customers_zone_decides_what_today_is(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, BIRTHDAY)
    with database.write() as session:
        day = date(1980, 11, 24)
        add_customer(session, "auckland", "a@example.com", birthday=day, timezone="Pacific/Auckland")
        add_customer(session, "berlin", "b@example.com", birthday=day)
        add_customer(session, "nowhere", "c@example.com", birthday=day, timezone="Mars/Base")
    monday_noon = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    shop.plan(monday_noon)
    assert shop.messages("send_after", "expires_at") == [
        (
            *("auckland", "2026", "message", date(2026, 11, 24), "planned"),
            datetime(2026, 11, 23, 20, 0, tzinfo=UTC),
            datetime(2026, 11, 27, 11, 0, tzinfo=UTC),
        )
    ]
    shop.plan(monday_noon + DAY)
    assert [row[0] for row in shop.messages()] == ["auckland", "berlin", "nowhere"]


def test_the_window_opens_on_the_next_allowed_weekday(sqlite_database: Database, tmp_path: Path) -> None:
    text = campaign('on = "birthday"', '[send]\nbetween = "10:00-12:00"\ndays = "Mon-Fri"')
    shop = open_shop(sqlite_database, tmp_path, text)
    with sqlite_database.write() as session:
        add_customer(session, birthday=date(1980, 11, 21))
    shop.plan(morning(date(2026, 11, 21)))
    (row,) = shop.messages("send_after", "expires_at")
    assert row[-2:] == (datetime(2026, 11, 23, 9, 0, tzinfo=UTC), datetime(2026, 11, 24, 23, 0, tzinfo=UTC))


def test_a_waiting_step_follows_only_where_the_step_before_was_planned(database: Database, tmp_path: Path) -> None:
    steps = (
        '[[step]]\nid = "one"\nsubject = "Hallo"\nbody = "Hallo"\n'
        '[[step]]\nid = "two"\nwait = "5 days"\nsubject = "Hallo"\nbody = "Hallo"\n'
        '[[step]]\nid = "three"\nwait = "1 week"\nsubject = "Hallo"\nbody = "Hallo"\n'
    )
    shop = open_shop(database, tmp_path, campaign('on = "lapsed"\nafter = "90 days"', steps=steps))
    with database.write() as session:
        for name, last in [("now", MONDAY - 90 * DAY), ("before", MONDAY - 93 * DAY)]:
            add_customer(session, name, f"{name}@example.com", last_purchase_on=last, last_purchase_id=name)
    for offset in range(20):
        shop.plan(morning(MONDAY + offset * DAY))
    assert shop.messages() == [
        ("now", "now", "one", MONDAY, "planned"),
        ("now", "now", "two", MONDAY + 5 * DAY, "planned"),
        ("now", "now", "three", MONDAY + 12 * DAY, "planned"),
    ]


def test_a_corrected_service_date_moves_the_steps_that_are_not_sent(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, SERVICE)
    with database.write() as session:
        item = add_service_item(session, add_customer(session, "anna"), "B", MONDAY + 30 * DAY)
    shop.plan(morning(MONDAY))
    with database.write() as session:
        item.due_on = MONDAY + 37 * DAY
        session.add(item)
        installation.bump_data_version(session)
    assert shop.plan(morning(MONDAY) + timedelta(hours=1)) == planning.PlanReport(planned=0, moved=1)
    assert shop.messages("send_after") == [
        ("anna", "B:1", "first", MONDAY + 7 * DAY, "planned", datetime(2026, 11, 30, 8, 0, tzinfo=UTC))
    ]
    assert shop.plan(morning(MONDAY + 7 * DAY)) == planning.PlanReport()


def test_a_date_corrected_within_the_window_moves_without_a_word_from_the_import(
    sqlite_database: Database, tmp_path: Path
) -> None:
    shop = open_shop(sqlite_database, tmp_path, BIRTHDAY)
    with sqlite_database.write() as session:
        customer = add_customer(session, "anna", birthday=date(1980, 11, 23))
    shop.plan(morning(MONDAY))
    with sqlite_database.write() as session:
        customer.birth_md = 1124
        session.add(customer)
    assert shop.plan(morning(MONDAY + DAY)) == planning.PlanReport(planned=0, moved=1)
    assert shop.messages() == [("anna", "2026", "message", MONDAY + DAY, "planned")]


def test_the_enrolment_of_a_lapse_knows_the_last_purchase(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, LAPSED)
    with database.write() as session:
        bought = add_purchase(session, add_customer(session), "P1", morning(MONDAY - 90 * DAY))
    shop.plan(morning(MONDAY))
    table = Enrolment.__table__  # type: ignore[attr-defined]
    with database.read() as session:
        rows = session.connection().execute(sa.select(table.c.occasion, table.c.purchase_id)).all()
    assert [tuple(row) for row in rows] == [("P1", bought.id)]


def test_a_new_cycle_is_a_new_occasion(sqlite_database: Database, tmp_path: Path) -> None:
    shop = open_shop(sqlite_database, tmp_path, SERVICE)
    with sqlite_database.write() as session:
        item = add_service_item(session, add_customer(session, "anna"), "B", MONDAY + 30 * DAY)
    shop.plan(morning(MONDAY))
    with sqlite_database.write() as session:
        item.due_on, item.cycle = MONDAY + 395 * DAY, 2
        session.add(item)
        installation.bump_data_version(session)
    later = MONDAY + 365 * DAY
    shop.plan(morning(later))
    assert [row[1:4] for row in shop.messages()] == [("B:1", "first", MONDAY), ("B:2", "first", later)]


def test_pretending_plans_the_same_and_leaves_nothing(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, BIRTHDAY)
    with database.write() as session:
        ids = [
            add_customer(session, f"{n}", f"{n}@example.com", birthday=date(1980, 11, 23) + n * DAY).id or 0
            for n in range(3)
        ]
    with database.pretend() as session:
        (one,) = shop.campaigns
        in_three_days = [planning.plan_campaign(session, shop, one, morning(MONDAY + n * DAY)) for n in range(3)]
    assert in_three_days == [1, 1, 1]
    with database.pretend() as session:
        assert planning.plan_campaign(session, shop, one, morning(MONDAY), among=(ids[1],)) == 0
        assert planning.plan_campaign(session, shop, one, morning(MONDAY), among=(ids[0],)) == 1
    assert tables(database) == (0, 0, 0)


def test_the_messages_of_a_thousand_customers_are_planned_in_chunks(database: Database, tmp_path: Path) -> None:
    shop = open_shop(database, tmp_path, BIRTHDAY)
    with database.write() as session:
        for number in range(1, 1203):
            add_customer(session, f"{number}", None, birthday=date(1980, 11, 23))
    assert shop.plan(morning(MONDAY)).planned == 1202
    assert tables(database) == (1202, 1202, 1202)
