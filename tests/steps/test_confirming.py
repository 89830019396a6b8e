"""What is far more than usual waits for the owner's word; what was released once is not held again."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import stopped_at, system_clock
from engine.domain.confirmation import ENOUGH_DAYS, FLOOR, TIMES, Usual, never_held, verdict
from engine.domain.words import Reason, State
from engine.steps import confirming, intervening, passing, planning, sending
from engine.steps.foresight import explaining, foreseeing
from engine.steps.watching import alarming
from engine.store import holds, installation, scans
from engine.store.messages import TABLE
from engine.store.tables import Customer
from tests.brevo_double import BrevoDouble, serving
from tests.conftest import MakeApp
from tests.end_to_end.command import start, until
from tests.people import NOW, add_consent, add_customer
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, real_config, rows, states

if TYPE_CHECKING:
    from engine.app import App

LIMIT = "[rules]\nconfirm_above = 5\n"


def open_shop(make_app: MakeApp, *, extra: str = LIMIT, now: datetime = NOW) -> App:
    return make_app(campaigns={"birthday": BIRTHDAY}, extra=extra, now=now)


def more_birthdays(app: App, name: str, count: int) -> None:
    with app.database.write() as session:
        for number in range(count):
            born = NOW.date().replace(year=1980)
            customer = add_customer(session, f"{name}{number}", f"{name}{number}@example.com", birthday=born)
            add_consent(session, customer)


def release(app: App) -> int:
    with app.database.read() as session:
        (lot,) = intervening.held_lots(session, "birthday")
    return len(intervening.release_lot(app.database, lot, NOW))


def test_more_than_the_owner_allows_wait_with_the_numbers(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 6)
    report = passing.one_pass(app)
    assert (report.planned, report.held, report.sent) == (6, 6, 0)
    assert {(row.state, row.reason, row.detail) for row in rows(app)} == {
        (State.HELD, Reason.CONFIRM_ABOVE, "6 for 2026-11-23, above 5")
    }
    with app.database.read() as session:
        (lot,) = holds.lots(session)
    assert (lot.campaign, lot.reason, lot.count) == ("birthday", Reason.CONFIRM_ABOVE, 6)


def test_as_many_as_the_owner_allows_go(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 5)
    assert passing.one_pass(app).sent == 5


def test_only_mails_that_would_really_go_count(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 20, consent=False)
    more_birthdays(app, "yes", 4)
    report = passing.one_pass(app)
    assert (report.held, report.sent, report.skipped) == (0, 4, 20)


def test_what_may_not_be_sent_anyway_does_not_wait(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 3, consent=False)
    more_birthdays(app, "yes", 6)
    assert passing.one_pass(app).held == 6
    assert states(app) == {"held": 6, "skipped": 3}


def test_the_owners_word_is_remembered(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 10)
    passing.one_pass(app)
    assert release(app) == 10
    more_birthdays(app, "late", 3)
    report = passing.one_pass(app)
    assert (report.held, report.sent) == (0, 13)


def test_a_second_lot_on_the_same_day_needs_a_word_of_its_own(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 10)
    passing.one_pass(app)
    release(app)
    more_birthdays(app, "second", 6)
    report = passing.one_pass(app)
    assert (report.held, report.sent) == (6, 10)


def test_a_trickle_adds_up(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 4)
    assert passing.one_pass(app).sent == 4
    more_birthdays(app, "second", 2)
    report = passing.one_pass(app)
    assert (report.held, report.sent) == (2, 0)


def test_those_that_come_after_a_lot_that_waits_wait_with_it(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 6)
    passing.one_pass(app)
    more_birthdays(app, "late", 1)
    assert passing.one_pass(app).held == 1


def test_a_lot_that_was_ended_is_over(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 6)
    passing.one_pass(app)
    with app.database.read() as session:
        (lot,) = intervening.held_lots(session, "birthday")
    assert len(intervening.cancel_lot(app.database, lot, NOW)) == 6
    more_birthdays(app, "late", 2)
    report = passing.one_pass(app)
    assert (report.held, report.sent) == (0, 2)
    assert states(app) == {"cancelled": 6, "sent": 2}


def _let_run(app: App, days: int, a_day: int) -> None:
    """Give the campaign a past: so many mails on each day before today."""
    from tests.store.rows import add_messages

    with app.database.write() as session:
        regular = add_customer(session, "regular", None)
        for ago in range(days, 0, -1):
            then = NOW - timedelta(days=ago)
            past = {"planned_at": then, "first_call_at": then, "sent_at": then, "state": State.SENT, "rehearsal": True}
            add_messages(session, a_day, regular, due=then.date(), expires_at=then + timedelta(days=3), **past)
        _follow_ids(session.connection())


def _follow_ids(connection: sa.Connection) -> None:
    """Let PostgreSQL number on behind the rows that were given their numbers."""
    if connection.dialect.name == "postgresql":
        for table in ("enrolment", "message"):
            top = f"(SELECT max(id) FROM {table})"  # noqa: S608
            connection.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {top})"))


def test_far_more_than_on_other_days_waits(make_app: MakeApp) -> None:
    app = open_shop(make_app, extra="")
    _let_run(app, days=20, a_day=2)
    add_birthdays(app, FLOOR + 1)
    assert passing.one_pass(app).held == FLOOR + 1
    assert {row.detail for row in rows(app) if row.state is State.HELD} == {"51 for 2026-11-23, usually 2.0"}


@pytest.mark.parametrize(("days", "a_day"), [(0, 0), (ENOUGH_DAYS - 1, 1), (20, FLOOR // TIMES + 1)])
def test_many_go_where_nothing_or_as_much_is_usual(make_app: MakeApp, days: int, a_day: int) -> None:
    app = open_shop(make_app, extra="")
    _let_run(app, days, a_day)
    add_birthdays(app, FLOOR + 1)
    assert passing.one_pass(app).sent == FLOOR + 1


def test_it_is_foreseen_and_explained(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 6)
    lines = foreseeing.foresee(app, NOW).lines
    assert {(line.decision, line.reason) for line in lines} == {("hold", Reason.CONFIRM_ABOVE)}
    passing.one_pass(app)
    lines = foreseeing.foresee(app, NOW).lines
    assert [(line.decision, line.reason) for line in lines] == [("hold", Reason.CONFIRM_ABOVE)] * 6
    (found,) = explaining.explain(app, "1", "birthday", NOW)
    assert (found.decision, found.reason) == ("hold", Reason.CONFIRM_ABOVE)
    assert found.trail[0].detail == "confirm_above: 6 for 2026-11-23, above 5"


MINUTE = timedelta(minutes=1)


def at(app: App, later: timedelta) -> App:
    return replace(app, clock=stopped_at(NOW + later))


def test_a_process_that_dies_between_planning_and_looking_lets_nothing_through(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 6)
    planning.plan(app, NOW, unchecked=True)
    assert _unchecked(app) == {"birthday": NOW}
    report = passing.one_pass(at(app, MINUTE))
    assert (report.planned, report.held, report.sent) == (0, 6, 0)
    assert _unchecked(app) == {}


def test_a_campaign_that_is_off_for_a_while_is_looked_at_when_it_is_on_again(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 6)
    planning.plan(app, NOW, unchecked=True)  # and the process dies before it has looked
    off = replace(app, campaigns=tuple(replace(campaign, enabled=False) for campaign in app.campaigns))
    passing.one_pass(at(off, MINUTE))
    sending.send_due(app, stopped_at(NOW + 2 * MINUTE))  # a sender has read the files before the planner
    assert states(app) == {"planned": 6}
    assert foreseeing.foresee(app, NOW + 2 * MINUTE).sends == 0
    assert passing.one_pass(at(app, 3 * MINUTE)).held == 6


def test_a_rehearsal_does_not_look_for_the_real_thing(make_app: MakeApp, brevo: Served) -> None:
    rehearsed = open_shop(make_app)
    real = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY}, extra=LIMIT)
    add_birthdays(real, 6)
    planning.plan(real, NOW, unchecked=True)  # and the process dies before it has looked
    passing.one_pass(replace(rehearsed, database=real.database, clock=stopped_at(NOW + MINUTE)))
    report = passing.one_pass(at(real, 2 * MINUTE))
    assert (report.held, report.sent) == (6, 0)


def test_one_planners_look_does_not_stand_for_what_another_plans_afterwards(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 2)
    planning.plan(app, NOW, unchecked=True)
    with app.database.read() as session:
        (seen,) = scans.unchecked(session, rehearsal=True)
    more_birthdays(app, "new", 6)
    planning.plan(app, NOW, unchecked=True)
    with app.database.write() as session:
        scans.note_checked(session, seen, rehearsal=True)  # the first has looked, and knows nothing of the others
    sending.send_due(app, stopped_at(NOW))
    assert states(app) == {"planned": 8}
    assert confirming.confirm(app, NOW) == 8


def test_what_is_planned_is_marked_until_it_was_looked_at(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 2)
    passing.plan(app, NOW - MINUTE)
    more_birthdays(app, "new", 3)
    planning.plan(app, NOW, unchecked=True)
    assert _looked_at(app) == 2
    planning.plan(app, NOW + MINUTE, unchecked=True)  # a second planner does not take the first one's mark away
    assert _looked_at(app) == 2
    confirming.confirm(app, NOW)
    assert _looked_at(app) == 5


def test_what_was_moved_is_marked_whenever_it_was_planned(make_app: MakeApp) -> None:
    app = open_shop(make_app)
    add_birthdays(app, 2)
    passing.plan(app, NOW)
    assert _looked_at(app) == 2
    tomorrow = NOW.date() + timedelta(days=1)
    with app.database.write() as session:
        corrected = sa.update(Customer).values(birth_md=tomorrow.month * 100 + tomorrow.day)
        session.connection().execute(corrected)
        installation.bump_data_version(session)
    assert planning.plan(app, NOW + MINUTE, unchecked=True).moved == 2
    assert _looked_at(app) == 0


def _looked_at(app: App) -> int:
    query = sa.select(sa.func.count()).select_from(TABLE).where(scans.checked(TABLE))
    with app.database.read() as session:
        return session.connection().execute(query).scalar_one()


def _unchecked(app: App) -> dict[str, datetime]:
    with app.database.read() as session:
        return {mark.campaign: mark.since for mark in scans.unchecked(session, rehearsal=app.rehearsal)}


def test_the_owner_is_told_once_a_day_in_their_language(make_app: MakeApp) -> None:
    app = open_shop(make_app, extra=LIMIT + '[owner]\nemail = "petra@example.com"\n')
    add_birthdays(app, 6)
    passing.one_pass(app)
    assert alarming.tell_owner(app, NOW) == ["held:birthday:confirm_above", "consent_checkpoint"]
    assert alarming.tell_owner(app, NOW) == []
    files = (app.home / "outbox").glob("*.eml")
    texts = [file.read_text(encoding="utf-8").replace("=\n", "") for file in files]
    (text,) = [text for text in texts if "treuepost messages release birthday" in text]
    assert "6 am 2026-11-23, mehr als die 5" in text


# -- the rule by itself ----------------------------------------------------------------------------------------------


USUAL = st.builds(Usual, st.integers(0, 10**5), st.integers(0, 30))


@given(mails=st.integers(0, 10**6), limit=st.none() | st.integers(1, 10**6), usual=USUAL)
def test_nothing_is_held_that_no_rule_names(mails: int, limit: int | None, usual: Usual) -> None:
    said = verdict(mails, limit, usual)
    if said is None:
        assert mails <= (limit or mails)
        assert mails <= max(FLOOR, TIMES * usual.a_day) or usual.days < ENOUGH_DAYS
    elif said[0] is Reason.CONFIRM_ABOVE:
        assert mails > (limit or mails)
    else:
        assert usual.days >= ENOUGH_DAYS
        assert mails > max(FLOOR, TIMES * usual.a_day)
    if mails <= never_held(limit):
        assert said is None


# -- the day's budget ------------------------------------------------------------------------------------------------


def test_the_days_budget_survives_being_killed_between_claim_and_send(make_app: MakeApp, tmp_path: Path) -> None:
    allowed = 6
    double = BrevoDouble(tmp_path / "slow.jsonl", delay=0.3)
    with serving(double) as url:
        served = Served(url, double)
        always = BIRTHDAY + '\n[send]\nbetween = "00:00-24:00"\n'
        config = real_config(served, max_per_day=allowed, senders=2, batch=1)
        app = make_app(config=config, campaigns={"birthday": always})
        _born_today(app, 20)
        for _ in range(4):
            _killed_while_sending(app, double, tmp_path)
        last = start(app.home, "tick", log=tmp_path / "log")
        assert last.wait(timeout=120) == 0, (tmp_path / "log").read_text(encoding="utf-8")
        counts = [mail["to"] for mail in double.mails()]
    assert len(counts) == len(set(counts))
    assert 0 < len(counts) <= allowed


def _born_today(app: App, count: int) -> None:
    with app.database.write() as session:
        for number in range(count):
            born = system_clock().astimezone(app.config.shop.zone).date().replace(year=1984)
            add_consent(session, add_customer(session, str(number), f"k{number}@example.com", birthday=born))


def _killed_while_sending(app: App, double: BrevoDouble, folder: Path) -> None:
    """Start a pass and kill it as soon as it has a call under way, or let it end where nothing is left to send."""
    before = len(double.mails())
    process = start(app.home, "tick", log=folder / "log")
    until(
        lambda: process.poll() is not None or len(double.mails()) > before,
        seconds=120,
        what="a call or the end of the pass",
    )
    process.send_signal(signal.SIGKILL)
    process.wait()
