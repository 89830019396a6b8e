"""A restored, moved or copied store that has really mailed sends nothing before its owner says which it is."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import stopped_at
from engine.daemon.gate import Gate
from engine.domain import guard
from engine.domain.guard import Answer, Memory, Suspicion
from engine.domain.permission import EVERYTHING
from engine.domain.words import Reason, State
from engine.errors import AlreadyRunning, UsageError
from engine.steps import guarding, intervening, passing, sending, suppressing
from engine.steps.watching import telling
from engine.store import backups, holds, installation, messages, moving, ownership, places, suppressions
from engine.store.database import Database
from engine.store.erasure_log import ErasureLog, tombstone
from engine.store.sidecar import ENDING, Sidecar
from engine.store.suppression_log import SuppressionLog
from engine.store.suppressions import NewSuppression
from engine.store.tables import Customer, Installation
from tests import postgres
from tests.conftest import MakeApp
from tests.people import NOW, add_consent, add_customer
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, EVENTS, add_birthdays, real_config, rows, states
from tests.store.rows import add_messages

if TYPE_CHECKING:
    from engine.app import App

TOMORROW = date(2026, 11, 24)
BACKLOG = 'from = 2026-11-15\nbacklog = "30 days"'
MINUTE = timedelta(minutes=1)
BEFORE = timedelta(minutes=25)


@pytest.fixture
def shop(make_app: MakeApp, brevo: Served) -> Callable[..., App]:
    """Return what opens the shop at an instant, with the double as its provider."""
    config = real_config(brevo)

    def at(now: datetime = NOW, **more: Any) -> App:
        return make_app(config=config, campaigns={"birthday": BIRTHDAY}, now=now, **more)

    return at


def one_pass(app: App, later: timedelta = timedelta(0)) -> passing.PassReport:
    return passing.one_pass(replace(app, clock=stopped_at(NOW + later)))


def look(app: App, later: timedelta = timedelta(0), *, joins: bool = False) -> Suspicion | None:
    return guarding.look(app, NOW + later, joins=joins).suspicion


def set_row(app: App, **values: object) -> None:
    """Change what the store remembers of itself, as another place or an older state of it would."""
    with app.database.write() as session:
        session.connection().execute(sa.update(Installation.__table__).values(**values))  # type: ignore[attr-defined]


CUSTOMERS: sa.Table = Customer.__table__  # type: ignore[attr-defined]
Rewind = Callable[["App"], Callable[[], None]]


@pytest.fixture
def rewind(request: pytest.FixtureRequest, tmp_path: Path) -> Rewind:
    """Return what copies a store as other tools do, and gives back what puts the copy in its place."""

    def take(app: App) -> Callable[[], None]:
        app.database.close()
        path = app.database.path
        if path is None:
            return _take_database(app, request.getfixturevalue("postgres_url"))
        kept = tmp_path / "kept.db"
        with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(kept)) as new:
            old.backup(new)

        def put_back() -> None:
            app.database.close()
            for name in (f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
            shutil.copyfile(kept, path)

        return put_back

    return take


def _take_database(app: App, url: str) -> Callable[[], None]:
    name = str(app.database.url.database)
    postgres.create(url, f"{name}_kept", name)

    def put_back() -> None:
        app.database.close()
        postgres.drop(url, name)
        postgres.create(url, name, f"{name}_kept")

    return put_back


def mail_one(app: App) -> None:
    """Let the store really mail one customer, a while before NOW."""
    with app.database.write() as session:
        add_consent(session, add_customer(session, "old", "old@example.com", birthday=NOW.date().replace(year=1960)))
    assert one_pass(app, -BEFORE).sent == 1


def restore_old(app: App, rewind: Rewind, people: int) -> None:
    """Let the store be copied, mail everybody who is due, and be put back as it was."""
    mail_one(app)
    add_birthdays(app, people)
    put_back = rewind(app)
    assert one_pass(app).sent == people
    put_back()


def in_the_same_place(app: App, *homes: Path) -> None:
    """Let the store that was put back lie where it lay, as after `pg_restore --clean` or `cp` into the same file."""
    set_row(app, place=places.here(app.database))
    for home in (app.home, *homes):
        sidecar = Sidecar.beside(app.database, home)
        memory = sidecar.read()
        assert memory is not None
        sidecar.write(replace(memory, place=places.here(app.database)))


def mails(served: Served) -> Counter[str]:
    return Counter(mail["to"] for mail in served.double.mails())


def put_copy_in_place(app: App, copy: backups.Backup) -> None:
    """Put a copy made by `db backup` into the store's own file."""
    path = app.database.path
    assert path is not None
    app.database.close()
    for old in path.parent.glob(path.name + "-*"):
        old.unlink()
    shutil.copyfile(copy.path, path)


# -- which store is it -----------------------------------------------------------------------------------------------


def test_the_store_we_know_is_not_suspected(shop: Callable[..., App]) -> None:
    app = shop()
    add_birthdays(app, 2)
    assert one_pass(app).sent == 2
    assert look(app, 5 * MINUTE) is None
    sidecar = Sidecar.beside(app.database, app.home).read()
    assert sidecar is not None
    assert (sidecar.uuid, sidecar.last_tick, sidecar.place) == (str(app.installation), NOW, places.here(app.database))


def test_an_older_state_than_the_sidecar_has_seen_is_a_restored_one(
    shop: Callable[..., App], brevo: Served, rewind: Rewind
) -> None:
    app = shop()
    restore_old(app, rewind, 3)
    report = one_pass(app, 10 * MINUTE)
    assert (report.guarded, report.planned, report.sent) == (Suspicion.RESTORED, 0, 0)
    assert sum(mails(brevo).values()) == 1 + 3


def test_a_store_in_another_place_waits(shop: Callable[..., App], monkeypatch: pytest.MonkeyPatch) -> None:
    app = shop()
    add_birthdays(app, 1)
    one_pass(app)
    monkeypatch.setenv(places.VARIABLE, "another machine")
    assert one_pass(app, 10 * MINUTE).guarded is Suspicion.ELSEWHERE


def test_a_pinned_place_stays_the_same_wherever_the_container_runs(
    shop: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(places.VARIABLE, "the shop's only container")
    app = shop()
    add_birthdays(app, 1)
    one_pass(app)
    monkeypatch.setattr("socket.gethostname", lambda: "f3a1b2c4d5e6")
    assert look(app, MINUTE) is None
    monkeypatch.delenv(places.VARIABLE)
    assert look(app, MINUTE) is Suspicion.ELSEWHERE


def test_a_store_without_its_sidecar_waits(shop: Callable[..., App]) -> None:
    app = shop()
    add_birthdays(app, 1)
    one_pass(app)
    Sidecar.beside(app.database, app.home).path.unlink()
    assert one_pass(app, 10 * MINUTE).guarded is Suspicion.ALONE


def test_a_worker_relies_on_the_sole_sender_only_while_it_is_at_work(shop: Callable[..., App]) -> None:
    app = shop()
    add_birthdays(app, 1)
    one_pass(app)
    Sidecar.beside(app.database, app.home).path.unlink()
    expected = Suspicion.ALONE if app.database.sqlite else None
    assert look(app, 2 * MINUTE, joins=True) is expected
    expected = Suspicion.ALONE if app.database.sqlite else Suspicion.UNVOUCHED
    assert look(app, 10 * MINUTE, joins=True) is expected


@pytest.fixture
def elsewhere(tmp_path: Path) -> Callable[[App], App]:
    """Return what opens a shop's store from a further machine, which has no sidecar."""

    def at(app: App) -> App:
        if app.database.sqlite:
            pytest.skip("further machines need PostgreSQL")
        home = tmp_path / "machine2"
        home.mkdir()
        return replace(app, home=home)

    return at


def test_a_worker_with_an_old_sidecar_neither_sends_from_a_restored_store_nor_vouches_for_it(
    shop: Callable[..., App], brevo: Served, rewind: Rewind, elsewhere: Callable[[App], App]
) -> None:
    app = shop()
    worker = elsewhere(app)
    mail_one(app)
    Sidecar.beside(app.database, worker.home).write(  # it worked here once, a week ago
        Memory(str(app.installation), NOW - timedelta(days=7), places.here(app.database), mailed=True)
    )
    add_birthdays(app, 3)
    passing.plan(app, NOW - 20 * MINUTE)
    guarding.note(app, NOW - 20 * MINUTE)
    put_back = rewind(app)
    assert one_pass(app).sent == 3
    put_back()
    in_the_same_place(app, worker.home)
    brevo.double.forgetful = True
    gate, later = Gate(joins=True), NOW + timedelta(hours=1)
    assert look(app, timedelta(hours=1)) is Suspicion.RESTORED
    assert gate.waits(worker, later)
    assert gate.look(worker, later).suspicion is Suspicion.UNVOUCHED
    assert look(app, timedelta(hours=1)) is Suspicion.RESTORED
    assert set(mails(brevo).values()) == {1}


def test_a_worker_that_was_off_for_a_week_sends_at_once_beside_a_daemon(
    shop: Callable[..., App], elsewhere: Callable[[App], App]
) -> None:
    app = shop()
    worker = elsewhere(app)
    mail_one(app)
    Sidecar.beside(app.database, worker.home).write(
        Memory(str(app.installation), NOW - timedelta(days=7), places.here(app.database), mailed=True)
    )
    gate = Gate(joins=True)
    assert gate.waits(worker, NOW)  # the daemon was off, too
    assert not Gate().waits(app, NOW)
    assert not gate.waits(worker, NOW + 4 * MINUTE)
    with app.database.read() as session:
        assert installation.find(session).last_tick_at == NOW  # type: ignore[union-attr]


def test_a_worker_that_ran_on_sends_nothing_from_a_backup_of_a_minute_ago(
    shop: Callable[..., App], rewind: Rewind, elsewhere: Callable[[App], App]
) -> None:
    app = shop()
    worker = elsewhere(app)
    mail_one(app)
    guarding.note(app, NOW)
    put_back = rewind(app)
    guarding.note(app, NOW + MINUTE)
    gate = Gate(joins=True)
    assert not gate.waits(worker, NOW + MINUTE)
    put_back()
    in_the_same_place(app)
    assert gate.waits(worker, NOW + 2 * MINUTE)
    guarding.adopt(app, Answer.RESTORED, NOW + 3 * MINUTE)
    assert not gate.waits(worker, NOW + 3 * MINUTE)


def test_a_worker_before_which_no_daemon_has_begun_is_told_what_to_start(
    shop: Callable[..., App], elsewhere: Callable[[App], App]
) -> None:
    worker = elsewhere(shop())
    found = guarding.look(worker, NOW, joins=True)
    assert found.suspicion is Suspicion.UNVOUCHED
    said = "\n".join(telling.guarded(found, worker.config))
    assert "treuepost run" in said
    assert "db adopt" not in said


def test_a_store_that_has_mailed_nobody_is_never_suspected(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    assert one_pass(app).sent == 1
    monkeypatch.setenv(places.VARIABLE, "the freelancer's laptop")
    Sidecar.beside(app.database, app.home).path.unlink()
    assert one_pass(app, 10 * MINUTE).guarded is None
    with app.database.read() as session:
        assert installation.find(session).place == places.here(app.database)  # type: ignore[union-attr]


def test_a_new_store_in_the_place_of_one_that_has_mailed_waits(
    shop: Callable[..., App], make_app: MakeApp, brevo: Served
) -> None:
    app = shop()
    add_birthdays(app, 3)
    one_pass(app)
    if app.database.sqlite:
        begin_anew(app)
        app = shop()
        add_birthdays(app, 3)
    else:
        set_row(app, uuid=str(uuid4()), place="", last_tick_at=None)
    assert one_pass(make_app(campaigns={}), MINUTE).guarded is None  # nor does a rehearsal settle it
    assert one_pass(app, timedelta(hours=1)).guarded is Suspicion.REPLACED
    assert "db adopt moved" in "\n".join(telling.guarded(guarding.look(app, NOW), app.config))
    assert set(mails(brevo).values()) == {1}
    guarding.adopt(app, Answer.MOVED, NOW + timedelta(hours=1))
    assert one_pass(app, timedelta(hours=2)).guarded is None


def test_a_new_store_in_the_place_of_a_rehearsal_just_begins(shop: Callable[..., App], make_app: MakeApp) -> None:
    app = make_app(campaigns={"birthday": BIRTHDAY})
    one_pass(app)
    set_row(app, uuid=str(uuid4()), place="", last_tick_at=None)
    assert look(shop(), MINUTE) is None


def begin_anew(app: App) -> None:
    """Let the store's file be gone, as on a mount that is missing; its sidecar is still there."""
    path = app.database.path
    assert path is not None
    app.database.close()
    for old in path.parent.glob(path.name + "*"):
        if old.suffix != ENDING:
            old.unlink()


def test_a_rehearsal_on_a_copy_goes_on_and_settles_nothing(
    shop: Callable[..., App], make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shop()
    add_birthdays(real, 1)
    one_pass(real)
    monkeypatch.setenv(places.VARIABLE, "the freelancer's laptop")
    rehearsing = make_app(campaigns={}, now=NOW)
    assert one_pass(rehearsing, 10 * MINUTE).guarded is None
    assert look(shop(), 11 * MINUTE) is Suspicion.ELSEWHERE


def test_a_store_from_before_places_were_noted_goes_on(shop: Callable[..., App]) -> None:
    app = shop()
    add_birthdays(app, 1)
    one_pass(app)
    set_row(app, place="")
    Sidecar.beside(app.database, app.home).path.unlink()
    assert one_pass(app, 10 * MINUTE).guarded is None
    assert look(app, 11 * MINUTE) is None


def test_a_verified_backup_that_is_put_back_is_known_even_without_a_later_tick(
    make_app: MakeApp, brevo: Served, tmp_path: Path
) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    if not app.database.sqlite:
        pytest.skip("PostgreSQL is backed up by its own tools")
    add_birthdays(app, 1)
    one_pass(app)
    copy = backups.back_up(app.database, NOW, tmp_path / "copies")
    put_copy_in_place(app, copy)  # neither the file's number nor the last tick has changed
    assert look(app, MINUTE) is Suspicion.RESTORED


@pytest.mark.parametrize("how", ["by another tool", "db backup"])
def test_a_backup_from_before_the_first_mail_is_a_restored_one_too(
    shop: Callable[..., App], brevo: Served, rewind: Rewind, tmp_path: Path, how: str
) -> None:
    app = shop()
    if not app.database.sqlite and how == "db backup":
        pytest.skip("PostgreSQL is backed up by its own tools")
    add_birthdays(app, 3)
    guarding.note(app, NOW - timedelta(hours=12))
    copy = backups.back_up(app.database, NOW, tmp_path / "copies") if how == "db backup" else None
    put_back = rewind(app)
    assert one_pass(app).sent == 3
    if copy:
        put_copy_in_place(app, copy)
    else:
        put_back()
    brevo.double.forgetful = True
    report = one_pass(app, timedelta(hours=1))
    assert (report.guarded, report.sent) == (Suspicion.RESTORED, 0)
    assert set(mails(brevo).values()) == {1}


def test_a_copy_of_a_store_that_only_rehearsed_is_not_asked_about(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(campaigns={"birthday": BIRTHDAY})
    if not app.database.sqlite:
        pytest.skip("PostgreSQL is backed up by its own tools")
    add_birthdays(app, 1)
    assert one_pass(app).sent == 1
    put_copy_in_place(app, backups.back_up(app.database, NOW, tmp_path / "copies"))
    assert look(app, MINUTE) is None


def test_a_clock_that_was_ahead_once_does_not_switch_the_guard_off(
    shop: Callable[..., App], brevo: Served, rewind: Rewind
) -> None:
    app = shop()
    guarding.note(app, NOW + timedelta(days=900))
    restore_old(app, rewind, 3)
    in_the_same_place(app)
    brevo.double.forgetful = True
    assert one_pass(app, timedelta(hours=1)).guarded is Suspicion.RESTORED
    assert set(mails(brevo).values()) == {1}


def test_a_copy_made_while_the_clock_was_ahead_is_an_older_state_all_the_same(
    shop: Callable[..., App], rewind: Rewind
) -> None:
    app = shop()
    mail_one(app)
    guarding.note(app, NOW + timedelta(days=900))
    put_back = rewind(app)
    guarding.note(app, NOW)
    with app.database.read() as session:
        assert installation.find(session).last_tick_at == NOW  # type: ignore[union-attr]
    put_back()
    assert look(app, MINUTE) is Suspicion.RESTORED
    done = guarding.adopt(app, Answer.RESTORED, NOW + 2 * MINUTE)
    assert done.lost_until == NOW + MINUTE
    assert look(app, 3 * MINUTE) is None


def test_a_worker_goes_on_once_a_clock_that_was_ahead_is_set_right(
    shop: Callable[..., App], elsewhere: Callable[[App], App]
) -> None:
    app = shop()
    worker = elsewhere(app)
    guarding.note(app, NOW + timedelta(days=900))
    assert Gate(joins=True).waits(worker, NOW)
    assert not Gate().waits(app, NOW)
    assert not Gate(joins=True).waits(worker, NOW)


def test_a_sidecar_that_does_not_say_whether_anybody_was_mailed_is_taken_at_its_worst(
    shop: Callable[..., App], rewind: Rewind
) -> None:
    app = shop()
    guarding.note(app, NOW - MINUTE)
    put_back = rewind(app)
    guarding.note(app, NOW)
    put_back()
    path = Sidecar.beside(app.database, app.home).path
    old = json.loads(path.read_bytes())
    assert old.pop("mailed") is True
    assert old.pop("ordinal") > 0  # an older program wrote neither
    path.write_text(json.dumps(old), encoding="utf-8")
    assert look(app, MINUTE) is Suspicion.RESTORED


def test_a_rehearsal_that_goes_live_within_the_minute_says_so_before_its_first_mail(
    shop: Callable[..., App], make_app: MakeApp
) -> None:
    rehearsing = make_app(campaigns={"birthday": BIRTHDAY})
    one_pass(rehearsing)
    sidecar = Sidecar.beside(rehearsing.database, rehearsing.home)
    assert [memory.mailed for memory in (sidecar.read(),) if memory] == [False]
    one_pass(shop())
    assert [memory.mailed for memory in (sidecar.read(),) if memory] == [True]


def test_everything_but_sending_goes_on_meanwhile(shop: Callable[..., App], rewind: Rewind) -> None:
    app = shop()
    restore_old(app, rewind, 2)
    assert suppressing.suppress(app, "k1@example.com", "by phone", NOW).new
    assert guarding.begin(app, NOW).waits
    assert one_pass(app, 10 * MINUTE).recovered == 0


def test_objections_are_put_back_before_anything_else(shop: Callable[..., App], rewind: Rewind) -> None:
    app = shop()
    add_birthdays(app, 2)
    put_back = rewind(app)
    suppressing.suppress(app, "k1@example.com", "by phone", NOW)
    put_back()
    guarding.begin(app, NOW + MINUTE)
    with app.database.read() as session:
        assert session.connection().execute(sa.text("SELECT count(*) FROM suppression")).scalar_one() == 1


# -- the owner's answers ---------------------------------------------------------------------------------------------


def test_who_objected_is_heard_where_another_machine_adopts_the_restored_store(
    shop: Callable[..., App], brevo: Served, rewind: Rewind, elsewhere: Callable[[App], App]
) -> None:
    app = shop()
    other = elsewhere(app)
    mail_one(app)
    add_people(app, "k0", "k1")
    guarding.note(app, NOW - 20 * MINUTE)
    put_back = rewind(app)
    suppressing.suppress(app, "k0@example.com", "by phone", NOW - 15 * MINUTE)  # a line on the daemon's machine alone
    uid, known_as = next((row.uid, row.customer_id) for row in rows(app, CUSTOMERS) if row.customer_id == "k1")
    stone = tombstone(app.keyring, uid, known_as, ("k1@example.com",), NOW - 15 * MINUTE)
    ErasureLog.beside(app.database, app.home).append(stone)
    guarding.note(app, NOW - 15 * MINUTE)
    put_back()
    in_the_same_place(app)
    gate = Gate()  # of a daemon that ran on
    assert gate.waits(app, NOW)
    guarding.adopt(other, Answer.RESTORED, NOW + MINUTE)
    late = NOW + timedelta(days=1)
    assert not gate.waits(app, late)
    passing.plan(app, late)
    sending.send_due(app, stopped_at(late))
    assert set(mails(brevo)) == {"old@example.com"}


def test_a_store_that_was_put_back_and_adopted_between_two_looks_is_noticed(shop: Callable[..., App]) -> None:
    app = shop()
    mail_one(app)
    gate = Gate()
    assert not gate.waits(app, NOW)
    SuppressionLog.beside(app.database, app.home).append(
        [NewSuppression(suppressions.address_hashes(app.keyring, "x@example.com"), EVERYTHING, Reason.SUPPRESSED, NOW)]
    )
    set_row(app, lost_until=NOW)
    assert not gate.waits(app, NOW + MINUTE)
    with app.database.read() as session:
        assert session.connection().execute(sa.text("SELECT count(*) FROM suppression")).scalar_one() == 1


def add_people(app: App, *names: str) -> None:
    """Add customers whose birthday is the day after NOW."""
    born = NOW.date().replace(year=1980, day=24)
    with app.database.write() as session:
        installation.bump_data_version(session)
        for name in names:
            add_consent(session, add_customer(session, name, f"{name}@example.com", birthday=born))


def test_moved_goes_on_where_it_is(shop: Callable[..., App], monkeypatch: pytest.MonkeyPatch, brevo: Served) -> None:
    app = shop()
    add_birthdays(app, 2)
    one_pass(app)
    monkeypatch.setenv(places.VARIABLE, "the new server")
    guarding.adopt(app, Answer.MOVED, NOW + MINUTE)
    assert one_pass(app, 2 * MINUTE).guarded is None
    assert set(mails(brevo).values()) == {1}
    monkeypatch.delenv(places.VARIABLE)
    assert look(app, 3 * MINUTE) is Suspicion.ELSEWHERE  # the old place is the copy now


def test_a_move_that_dies_before_the_old_store_is_retired_mails_nobody_twice(
    shop: Callable[..., App], brevo: Served, request: pytest.FixtureRequest
) -> None:
    app = shop()
    if not app.database.sqlite:
        pytest.skip("from SQLite to PostgreSQL is enough")
    new: Database = request.getfixturevalue("postgres_database")
    mail_one(app)
    add_birthdays(app, 3)
    passing.plan(app, NOW - 20 * MINUTE)
    moving.move(app.database, new)
    target = replace(app, database=new)
    brevo.double.forgetful = True
    assert one_pass(app).sent == 3  # the daemon is started again on the old store, which is the one still
    assert one_pass(target, MINUTE).guarded is Suspicion.ELSEWHERE
    moving.hand_over(app.database, new)
    assert one_pass(app, 2 * MINUTE).guarded is Suspicion.ELSEWHERE
    assert guarding.look(target, NOW + 2 * MINUTE).suspicion is None
    assert set(mails(brevo).values()) == {1}


def test_a_copy_stays_silent_for_ever(shop: Callable[..., App], monkeypatch: pytest.MonkeyPatch) -> None:
    app = shop()
    add_birthdays(app, 1)
    one_pass(app)
    monkeypatch.setenv(places.VARIABLE, "the freelancer's laptop")
    guarding.adopt(app, Answer.COPY, NOW + MINUTE)
    for place in ("the freelancer's laptop", "a third place"):
        monkeypatch.setenv(places.VARIABLE, place)
        assert one_pass(app, timedelta(days=1)).guarded is Suspicion.COPY


def test_an_older_state_cannot_be_called_moved(shop: Callable[..., App], rewind: Rewind) -> None:
    app = shop()
    restore_old(app, rewind, 1)
    with pytest.raises(UsageError, match="older state"):
        guarding.adopt(app, Answer.MOVED, NOW + MINUTE)
    assert look(app, MINUTE) is Suspicion.RESTORED


def test_nobody_is_mailed_twice_after_a_backup_was_put_back(
    shop: Callable[..., App], brevo: Served, rewind: Rewind
) -> None:
    app = shop()
    restore_old(app, rewind, 5)
    assert sorted(mails(brevo).values()) == [1] * 6
    done = guarding.adopt(app, Answer.RESTORED, NOW + 10 * MINUTE)
    assert done.lost_until == NOW + MINUTE
    report = one_pass(app, 11 * MINUTE)
    assert (report.guarded, report.planned, report.held, report.sent) == (None, 5, 5, 0)
    assert sorted(mails(brevo).values()) == [1] * 6
    held = [row for row in rows(app) if row.state is State.HELD]
    assert {row.reason for row in held} == {Reason.STORE_RESTORED}


def test_days_that_were_lost_are_not_planned_anew_and_the_days_after_are(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY.replace("from = 2026-11-01", BACKLOG)})
    mail_one(app)
    with app.database.write() as session:
        installation.bump_data_version(session)
        for day in (20, 21, 22, 23, 24):
            born = date(1980, 11, day)
            add_consent(session, add_customer(session, str(day), f"k{day}@example.com", birthday=born))
    set_row(app, last_tick_at=NOW - timedelta(days=10))
    Sidecar.beside(app.database, app.home).write(
        Memory(str(app.installation), NOW - timedelta(days=1), places.here(app.database))
    )
    assert look(app) is Suspicion.RESTORED
    done = guarding.adopt(app, Answer.RESTORED, NOW)
    assert done.lost_until == NOW - timedelta(days=1) + MINUTE
    one_pass(app)
    one_pass(app, timedelta(days=1))
    assert set(mails(brevo)) == {"old@example.com", "k23@example.com", "k24@example.com"}
    held = {row.due for row in rows(app) if row.state is State.HELD}
    assert held == {date(2026, 11, 22)}  # its hour had come before the end of what was lost


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (State.PLANNED, State.HELD),
        (State.RETRYING, State.HELD),
        (State.CLAIMED, State.HELD),
        (State.HELD, State.HELD),
        (State.SENDING, State.UNKNOWN),
        (State.IN_DOUBT, State.UNKNOWN),
    ],
)
def test_what_was_open_in_the_backup_goes_nowhere_by_itself(
    shop: Callable[..., App], state: State, after: State
) -> None:
    app = shop()
    with app.database.write() as session:
        (number,) = add_messages(session, 1, state=state, owner="dead", first_call_at=NOW)
        (ahead,) = add_messages(
            session, 1, add_customer(session, "2", "ben@example.com"), due=TOMORROW, send_after=NOW + timedelta(days=1)
        )
    set_row(app, last_tick_at=NOW - timedelta(hours=1), place=guard.FROM_BACKUP)
    done = guarding.adopt(app, Answer.RESTORED, NOW)
    found = {row.id: row for row in rows(app)}
    assert (found[number].state, found[number].reason) == (after, Reason.STORE_RESTORED)
    assert found[ahead].state is State.PLANNED
    assert (done.held, done.unknown) == ((1, 0) if after is State.HELD else (0, 1))
    assert {event.actor for event in rows(app, EVENTS) if event.message == number} == {"owner"}


def test_what_the_owner_hastened_is_not_sent_again_from_a_backup(
    shop: Callable[..., App], brevo: Served, rewind: Rewind
) -> None:
    app = shop()
    mail_one(app)
    with app.database.write() as session:  # the provider has asked for a day of patience
        (number,) = add_messages(session, 1, state=State.RETRYING, send_after=NOW + timedelta(days=1))
        (name,) = (row.message_id for row in messages.by_ids(session, [number]))
    put_back = rewind(app)
    with app.database.write() as session:
        intervening.act_on(session, [name], intervening.retry, NOW + MINUTE)
    guarding.note(app, NOW + 2 * MINUTE)
    put_back()
    assert guarding.adopt(app, Answer.RESTORED, NOW + timedelta(hours=1)).held == 1
    assert {row.id: row.state for row in rows(app)}[number] is State.HELD


def test_what_falls_due_later_on_the_last_lost_day_waits_too_and_goes_once_it_is_released(
    shop: Callable[..., App], brevo: Served
) -> None:
    app = shop()
    mail_one(app)
    set_row(app, place=guard.FROM_BACKUP)
    guarding.adopt(app, Answer.RESTORED, NOW - 15 * MINUTE)
    add_birthdays(app, 1)
    report = one_pass(app, -10 * MINUTE)
    assert (report.planned, report.held, report.sent) == (1, 1, 0)
    (lot,) = held_lot(app)
    intervening.release_lot(app.database, lot, NOW)
    report = one_pass(app, timedelta(days=1))  # today's budget may be spent
    assert (report.held, report.sent) == (0, 1)


def held_lot(app: App) -> list[holds.Lot]:
    """Return what is held of the birthdays."""
    with app.database.read() as session:
        return intervening.held_lots(session, "birthday")


def test_todays_budget_counts_as_spent_as_far_as_it_can_have_been(make_app: MakeApp, brevo: Served) -> None:
    config = real_config(brevo, max_per_minute=2, max_per_day=30)
    app = make_app(config=config, campaigns={"birthday": BIRTHDAY})
    mail_one(app)
    guarding.note(app, NOW)
    set_row(app, last_tick_at=NOW - 9 * MINUTE, ordinal=0)
    done = guarding.adopt(app, Answer.RESTORED, NOW + 5 * MINUTE)
    assert done.lost_until == NOW + MINUTE
    assert done.budget == 2 * 11
    with app.database.write() as session:
        for number in range(20):
            born = NOW.date().replace(year=1980)
            add_consent(session, add_customer(session, f"n{number}", f"n{number}@example.com", birthday=born))
    set_row(app, lost_until=None)
    later = replace(app, clock=stopped_at(NOW + 6 * MINUTE))
    for _ in range(20):
        passing.one_pass(later)
        later = replace(app, clock=stopped_at(later.clock() + MINUTE))
    assert sum(mails(brevo).values()) == 30 - 22


def test_without_any_knowledge_everything_up_to_now_may_have_been_sent(shop: Callable[..., App]) -> None:
    app = shop()
    mail_one(app)
    guarding.note(app, NOW)
    set_row(app, place=guard.FROM_BACKUP)
    Sidecar.beside(app.database, app.home).path.unlink()
    later = NOW + timedelta(hours=30)
    assert guarding.adopt(app, Answer.RESTORED, later).lost_until == later


def test_the_owner_may_know_of_a_later_mail(shop: Callable[..., App]) -> None:
    app = shop()
    mail_one(app)
    guarding.note(app, NOW)
    said = NOW + timedelta(hours=2)
    assert guarding.adopt(app, Answer.RESTORED, NOW + timedelta(hours=3), said).lost_until == said
    with pytest.raises(UsageError, match="future"):
        guarding.adopt(app, Answer.RESTORED, NOW, NOW + MINUTE)
    with pytest.raises(UsageError, match="--lost-until"):
        guarding.adopt(app, Answer.MOVED, NOW, NOW)


def test_a_store_that_is_at_work_is_not_adopted_under_its_sender(shop: Callable[..., App]) -> None:
    app = shop()
    guarding.note(app, NOW)
    other = Database(app.database.url.render_as_string(hide_password=False))
    with ownership.sole_sender(other), pytest.raises(AlreadyRunning):
        guarding.adopt(app, Answer.RESTORED, NOW)
    other.close()
    assert states(app) == {}


def test_a_store_is_not_adopted_from_a_further_machine_while_it_sends(
    shop: Callable[..., App], elsewhere: Callable[[App], App]
) -> None:
    app = shop()
    other = elsewhere(app)
    mail_one(app)
    assert look(other, MINUTE) is Suspicion.ALONE
    busy = Database(app.database.url.render_as_string(hide_password=False))
    with ownership.one_of_many(busy) as sender:
        with app.database.write() as session:
            (number,) = add_messages(session, 1, state=State.SENDING, owner=sender.name, fence=1, attempts=1)
        with pytest.raises(AlreadyRunning):
            guarding.adopt(other, Answer.RESTORED, NOW)
    busy.close()
    assert {row.id: row.state for row in rows(app)}[number] is State.SENDING


def test_a_daemon_that_waits_runs_on_while_its_store_is_adopted_and_one_that_works_does_not(
    shop: Callable[..., App], elsewhere: Callable[[App], App]
) -> None:
    app = shop()
    other = elsewhere(app)
    mail_one(app)
    guarding.note(app, NOW)
    running = Database(app.database.url.render_as_string(hide_password=False))
    with ownership.sole_sender(running):
        with pytest.raises(AlreadyRunning, match="a moment ago"):
            guarding.adopt(other, Answer.RESTORED, NOW + MINUTE)
        assert guarding.adopt(other, Answer.RESTORED, NOW + 3 * MINUTE).answer is Answer.RESTORED
    running.close()


def test_nothing_is_sent_while_the_sidecar_cannot_be_written(shop: Callable[..., App], brevo: Served) -> None:
    from engine.errors import StoreError

    app = shop()
    add_birthdays(app, 1)
    path = Sidecar.beside(app.database, app.home).path
    path.mkdir()
    with pytest.raises((StoreError, OSError)):
        one_pass(app)
    assert mails(brevo) == {}
    path.rmdir()
    assert one_pass(app, MINUTE).sent == 1


# -- the rule by itself ----------------------------------------------------------------------------------------------

INSTANTS = st.none() | st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
PLACES = st.sampled_from(["", "here", "there", guard.FROM_BACKUP])
STORES = st.builds(Memory, st.just("a"), INSTANTS, PLACES, st.sampled_from(["", "moved", "restored", "copy"]))
SEEN = st.none() | st.builds(Memory, st.sampled_from(["a", "b"]), INSTANTS, PLACES)


@given(store=STORES, seen=SEEN, joins=st.booleans())
def test_only_a_store_that_both_sides_know_sends(store: Memory, seen: Memory | None, joins: bool) -> None:
    found = guard.suspect(store, seen, "here", joins=joins, now=NOW)
    if found is None:
        assert store.adopted != "copy"
        assert store.place in {"", "here"}
        assert seen is None or seen.uuid != "a" or seen.last_tick is None or seen.last_tick <= store.last_tick
        assert not store.place or joins or (seen is not None and seen.uuid == "a")
        assert not joins or (store.place == "here" and abs(NOW - store.last_tick) <= guard.VOUCHED_FOR)


@given(store=STORES, seen=SEEN, said=INSTANTS)
def test_what_was_lost_ends_before_now_and_after_all_that_is_known(
    store: Memory, seen: Memory | None, said: datetime | None
) -> None:
    until = guard.lost_until(store, seen, said, NOW)
    assert until <= NOW
    for known in (guard.known_until(store, seen), said):
        assert known is None or until >= min(known, NOW)


@given(minutes=st.integers(0, 10_000), seconds=st.integers(0, 59), rate=st.integers(1, 1000))
def test_no_more_mails_leave_than_the_bound_says(minutes: int, seconds: int, rate: int) -> None:
    until = NOW + timedelta(minutes=minutes, seconds=seconds)
    assert guard.most_mails(NOW, until, rate) >= rate * (minutes + (seconds > 0))
    assert guard.most_mails(until + MINUTE * 2, NOW, rate) == 0
