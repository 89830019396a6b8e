from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from engine.steps import planning
from engine.store import installation
from engine.store.database import Database
from tests.people import add_customer
from tests.steps.planned_shops import PlannedShop, campaign, morning, open_shop

MONDAY = date(2026, 11, 23)
DAY = timedelta(days=1)
BIRTHDAY = 'on = "birthday"'
LAPSED = 'on = "lapsed"\nafter = "90 days"'


def add_birthdays(database: Database, first: date, last: date) -> None:
    with database.write() as session:
        for offset in range((last - first).days + 1):
            day = first + offset * DAY
            add_customer(session, f"{day:%m-%d}", f"{offset}@example.com", birthday=day.replace(year=1980))


def add_lapses(database: Database, dues: list[date]) -> None:
    with database.write() as session:
        for index, due in enumerate(dues):
            key = f"P{index:02}"
            add_customer(session, key, f"{key}@example.com", last_purchase_on=due - 90 * DAY, last_purchase_id=key)


def names(shop: PlannedShop) -> list[str]:
    return [row[0] for row in shop.messages()]


def test_a_campaign_mails_for_no_day_before_the_daemon_first_saw_it(database: Database, tmp_path: Path) -> None:
    add_birthdays(database, MONDAY - 3 * DAY, MONDAY + DAY)
    shop = open_shop(database, tmp_path, campaign(BIRTHDAY))
    shop.plan(morning(MONDAY))
    assert names(shop) == ["11-23"]


def test_from_is_the_first_day_and_may_lie_in_the_past_or_the_future(database: Database, tmp_path: Path) -> None:
    add_birthdays(database, MONDAY - 3 * DAY, MONDAY + 3 * DAY)
    shop = open_shop(
        database,
        tmp_path,
        campaign(BIRTHDAY, "[start]\nfrom = 2026-11-22", name="past"),
        campaign(BIRTHDAY, "[start]\nfrom = 2026-11-24", name="future"),
    )
    shop.plan(morning(MONDAY))
    assert names(shop) == ["11-22", "11-23"]
    shop.plan(morning(MONDAY + DAY))
    assert names(shop) == ["11-22", "11-23", "11-24", "11-24"]


def test_what_was_too_late_before_the_daemon_ever_ran_is_passed_over(sqlite_database: Database, tmp_path: Path) -> None:
    add_birthdays(sqlite_database, MONDAY - 30 * DAY, MONDAY)
    shop = open_shop(sqlite_database, tmp_path, campaign(BIRTHDAY, "[start]\nfrom = 2020-01-01"))
    shop.plan(morning(MONDAY))
    assert names(shop) == ["11-20", "11-21", "11-22", "11-23"]


@pytest.mark.parametrize("gone", ["switched off", "file gone"])
def test_switched_on_again_starts_again(database: Database, tmp_path: Path, gone: str) -> None:
    add_birthdays(database, MONDAY, MONDAY + 4 * DAY)
    off = () if gone == "file gone" else (f"enabled = false\n{campaign(BIRTHDAY)}",)
    open_shop(database, tmp_path, campaign(BIRTHDAY)).plan(morning(MONDAY))
    for offset in (1, 2):
        open_shop(database, tmp_path, *off).plan(morning(MONDAY + offset * DAY))
    for offset in (3, 4):
        shop = open_shop(database, tmp_path, campaign(BIRTHDAY))
        shop.plan(morning(MONDAY + offset * DAY))
    assert names(shop) == ["11-23", "11-26", "11-27"]


def test_an_edit_of_the_trigger_mails_no_day_before_the_edit(database: Database, tmp_path: Path) -> None:
    add_lapses(database, [MONDAY + offset * DAY for offset in range(-5, 40)])
    backlog = '[start]\nbacklog = "5 days"'
    open_shop(database, tmp_path, campaign(LAPSED, backlog)).plan(morning(MONDAY))
    shop = open_shop(database, tmp_path, campaign(LAPSED.replace("90", "60"), backlog))
    assert names(shop) == ["P00", "P01", "P02", "P03", "P04", "P05"]
    for offset in (1, 2):
        shop.plan(morning(MONDAY + offset * DAY))
    # 60 days of absence instead of 90: due thirty days earlier, on the day of the edit and after it.
    assert names(shop)[6:] == ["P36", "P37"]


def test_other_edits_change_no_start(sqlite_database: Database, tmp_path: Path) -> None:
    add_birthdays(sqlite_database, MONDAY, MONDAY + 2 * DAY)
    open_shop(sqlite_database, tmp_path, campaign(BIRTHDAY)).plan(morning(MONDAY))
    shop = open_shop(sqlite_database, tmp_path, campaign(BIRTHDAY, '[send]\nbetween = "08:00-09:00"'))
    shop.plan(morning(MONDAY + 2 * DAY))
    assert names(shop) == ["11-23", "11-24", "11-25"]


def test_the_switch_to_a_real_provider_starts_every_campaign_that_day(database: Database, tmp_path: Path) -> None:
    add_birthdays(database, MONDAY - 7 * DAY, MONDAY + DAY)
    text = campaign(BIRTHDAY, "[start]\nfrom = 2026-11-01")
    rehearsing = open_shop(database, tmp_path, text, rehearsal=True)
    for offset in range(-7, 1):
        rehearsing.plan(morning(MONDAY + offset * DAY))
    assert len(names(rehearsing)) == 8
    real = open_shop(database, tmp_path, text)
    for offset in (0, 1):
        real.plan(morning(MONDAY + offset * DAY))
    mails = [(row[0], row[-1]) for row in real.messages("rehearsal")]
    assert [name for name, rehearsal in mails if not rehearsal] == ["11-23", "11-24"]
    assert [name for name, rehearsal in mails if rehearsal] == [f"11-{day}" for day in range(16, 24)]


def test_a_store_that_never_rehearsed_has_no_switch(sqlite_database: Database, tmp_path: Path) -> None:
    add_birthdays(sqlite_database, MONDAY - 2 * DAY, MONDAY)
    shop = open_shop(sqlite_database, tmp_path, campaign(BIRTHDAY, "[start]\nfrom = 2026-11-01"))
    shop.plan(morning(MONDAY))
    assert names(shop) == ["11-21", "11-22", "11-23"]


def test_a_backlog_counts_as_due_on_the_start(database: Database, tmp_path: Path) -> None:
    add_lapses(database, [MONDAY + offset * DAY for offset in (-31, -30, -1, 0)])
    shop = open_shop(database, tmp_path, campaign(LAPSED, '[start]\nbacklog = "30 days"'))
    assert shop.plan(morning(MONDAY)).planned == 3
    assert [(row[0], row[3], row[4]) for row in shop.messages()] == [
        ("P01", MONDAY, "planned"),
        ("P02", MONDAY, "planned"),
        ("P03", MONDAY, "planned"),
    ]
    for offset in range(10):
        assert shop.plan(morning(MONDAY + offset * DAY)).planned == 0


def test_per_day_spreads_a_backlog_the_most_recent_first(database: Database, tmp_path: Path) -> None:
    add_lapses(database, [MONDAY - offset * DAY for offset in range(1, 8)])
    text = campaign(LAPSED, '[start]\nbacklog = "30 days"\nper_day = 3')
    shop = open_shop(database, tmp_path, text)
    shop.plan(morning(MONDAY))
    spread = [(row[0], (row[3] - MONDAY).days) for row in shop.messages()]
    assert spread == [("P00", 0), ("P01", 0), ("P02", 0), ("P03", 1), ("P04", 1), ("P05", 1), ("P06", 2)]
    with database.write() as session:
        late = MONDAY - 100 * DAY
        add_customer(session, "late", "late@example.com", last_purchase_on=late, last_purchase_id="late")
        installation.bump_data_version(session)
    shop.plan(morning(MONDAY + DAY))
    assert [(row[3] - MONDAY).days for row in shop.messages() if row[0] == "late"] == [2]
    assert [(row[0], (row[3] - MONDAY).days) for row in shop.messages() if row[0] != "late"] == spread


def test_a_backlog_of_every_zone_is_spread_together(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        for index, zone in enumerate(["", "Pacific/Auckland", "America/New_York", ""]):
            last = MONDAY - 95 * DAY
            add_customer(
                session,
                f"{index}",
                f"{index}@example.com",
                timezone=zone,
                last_purchase_on=last,
                last_purchase_id=f"P{index}",
            )
    shop = open_shop(sqlite_database, tmp_path, campaign(LAPSED, '[start]\nbacklog = "30 days"\nper_day = 1'))
    shop.plan(morning(MONDAY))
    assert sorted((row[3] - MONDAY).days for row in shop.messages()) == [0, 1, 2, 3]


def test_of_a_backlog_only_the_latest_step_goes(sqlite_database: Database, tmp_path: Path) -> None:
    steps = "".join(
        f'[[step]]\nid = "{name}"\nwhen = "{when}"\nsubject = "Hallo"\nbody = "Hallo"\n'
        for name, when in [("first", "on the day"), ("second", "10 days after"), ("third", "20 days after")]
    )
    add_lapses(sqlite_database, [MONDAY - 15 * DAY, MONDAY - 5 * DAY, MONDAY - 25 * DAY])
    shop = open_shop(sqlite_database, tmp_path, campaign(LAPSED, '[start]\nbacklog = "30 days"', steps=steps))
    for offset in range(30):
        shop.plan(morning(MONDAY + offset * DAY))
    assert [row[:1] + row[2:4] for row in shop.messages()] == [
        ("P00", "second", MONDAY),
        ("P01", "first", MONDAY),
        ("P02", "third", MONDAY),
        ("P00", "third", MONDAY + 5 * DAY),
        ("P01", "second", MONDAY + 5 * DAY),
        ("P01", "third", MONDAY + 15 * DAY),
    ]


def test_what_the_start_leaves_alone_can_be_counted(sqlite_database: Database, tmp_path: Path) -> None:
    add_lapses(sqlite_database, [MONDAY - offset * DAY for offset in (1, 20, 31, 32, 200)])
    shop = open_shop(
        sqlite_database, tmp_path, campaign(LAPSED), campaign(LAPSED, '[start]\nbacklog = "30 days"', name="b")
    )
    shop.plan(morning(MONDAY))
    with sqlite_database.read() as session:
        assert [planning.passed_over(session, shop, one) for one in shop.campaigns] == [5, 3]
    edited = open_shop(sqlite_database, tmp_path, campaign(LAPSED, name="b"))
    with sqlite_database.read() as session:
        # Two of them have had their mail from the backlog.
        assert planning.passed_over(session, edited, edited.campaigns[0]) == 3


def test_a_clock_set_back_plans_nothing_twice(sqlite_database: Database, tmp_path: Path) -> None:
    add_birthdays(sqlite_database, MONDAY - 5 * DAY, MONDAY + 5 * DAY)
    shop = open_shop(sqlite_database, tmp_path, campaign(BIRTHDAY))
    shop.plan(morning(MONDAY))
    shop.plan(morning(MONDAY + 2 * DAY))
    assert shop.plan(morning(MONDAY)) == planning.PlanReport()
    shop.plan(morning(MONDAY + 3 * DAY))
    assert names(shop) == ["11-23", "11-24", "11-25", "11-26"]


def test_another_name_for_the_shop_changes_no_identity(sqlite_database: Database, tmp_path: Path) -> None:
    add_birthdays(sqlite_database, MONDAY, MONDAY)
    shop = open_shop(sqlite_database, tmp_path, campaign(BIRTHDAY))
    shop.plan(morning(MONDAY))
    renamed = replace(shop, campaigns=(replace(shop.campaigns[0], name="Anders", hash="other"),))
    assert renamed.plan(morning(MONDAY) + timedelta(minutes=5)) == planning.PlanReport()
