"""What the daemon watches besides its ticks: files, the clock, the log, and a silent day."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
import structlog

from engine.app import App
from engine.daemon import leaping, logging_setup
from engine.daemon.leaping import LEAP, WAIT, Leap
from engine.daemon.reloading import Watch, marks
from engine.daemon.running import Daemon
from engine.steps import planning
from engine.steps.watching import alarming
from engine.store import installation
from engine.store.message_tables import Attempt
from engine.store.tables import ImportRun
from tests.brevo_double import BrevoDouble, serving
from tests.cli.typed import BIRTHDAY
from tests.conftest import CONFIG, MakeApp
from tests.people import NOW, add_consent, add_customer
from tests.steps.sending_shop import states
from tests.store.test_reports import add_message


@pytest.fixture
def app(make_app: MakeApp) -> App:
    return make_app(campaigns={"birthday": BIRTHDAY})


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Catch what is logged, as it would stand in a file."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    logging_setup.set_up(out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_file_still_being_written_is_left_until_two_looks_agree(app: App) -> None:
    watch = Watch(app)
    file = app.home / "campaigns" / "second.toml"
    file.write_text(BIRTHDAY.replace('"birthday"', '"second"', 1)[:40], encoding="utf-8")
    assert watch.look(app) is app
    file.write_text(BIRTHDAY.replace('"birthday"', '"second"', 1), encoding="utf-8")
    assert watch.look(app) is app
    assert len(watch.look(app).campaigns) == 2


def test_what_an_editor_leaves_for_a_moment_is_not_looked_at(app: App) -> None:
    before = marks(app.home)
    for name in (".birthday.toml.swp", "birthday.toml~", "birthday.toml.tmp"):
        (app.home / "campaigns" / name).touch()
    assert marks(app.home) == before


def test_a_broken_file_is_told_once_and_the_old_version_stays(app: App, log: io.StringIO) -> None:
    watch = Watch(app)
    (app.home / "campaigns" / "birthday.toml").write_text("id = ", encoding="utf-8")
    assert [watch.look(app) is app for _ in range(4)] == [True] * 4
    assert log.getvalue().count("reload refused") == 1


def test_a_clock_set_back_a_little_is_waited_for(app: App) -> None:
    daemon = Daemon(app)
    assert not daemon._gate.waits(daemon.app, NOW)
    assert daemon._gate.waits(daemon.app, NOW - timedelta(minutes=3))
    assert not daemon._gate.waits(daemon.app, NOW + timedelta(seconds=1))


def test_a_clock_set_back_far_is_not_waited_for(app: App) -> None:
    daemon = Daemon(app)
    daemon._gate.waits(daemon.app, NOW + timedelta(days=900))
    assert not daemon._gate.waits(daemon.app, NOW)
    with app.database.read() as session:
        standing = installation.find(session)
    assert standing is not None
    assert standing.last_tick_at == NOW


def test_a_clock_that_is_set_is_logged(app: App, log: io.StringIO) -> None:
    daemon = Daemon(app)
    before = daemon._check_clock(0.0)
    log.truncate(0)
    daemon._check_clock(before)
    assert "the clock was set" not in log.getvalue()
    daemon._check_clock(before + timedelta(hours=2).total_seconds())  # since then it was set back by two hours
    assert "the clock was set" in log.getvalue()


class Hands:
    """A clock and a stopwatch, both set by hand."""

    def __init__(self) -> None:
        self.now = NOW
        self.up = 1000.0

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.up += seconds


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(leaping, "stopwatch", lambda: hands.up)
    return hands


def all_ticks(daemon: Daemon) -> None:
    for name, _, work in daemon._duties():
        if name in {"plan", "send", "recover", "reload"}:
            daemon._tick(name, work)


def test_a_clock_that_leaps_ahead_and_is_set_right_again_forgets_nobody(
    app: App, hands: Hands, log: io.StringIO
) -> None:
    with app.database.write() as session:
        for day in (23, 24, 25):
            born = NOW.date().replace(year=1980, day=day)
            add_consent(session, add_customer(session, str(day), f"k{day}@example.com", birthday=born))
    daemon = Daemon(replace(app, clock=lambda: hands.now))
    daemon._scheduler.start(paused=True)
    for name in ("send", "notice"):
        daemon._scheduler.add_job(print, "date", id=name)
    all_ticks(daemon)
    hands.now += timedelta(days=30)
    all_ticks(daemon)
    hands.now -= timedelta(days=30)
    for _ in range(3):
        hands.go_on(timedelta(days=1).total_seconds())
        all_ticks(daemon)
    assert states(app) == {"sent": 3}
    assert log.getvalue().count("the clock leapt ahead") == 1


def test_a_clock_that_stays_ahead_is_believed_after_a_while(hands: Hands) -> None:
    leap = Leap()
    assert not leap.waits(hands.now)
    hands.now += 2 * LEAP
    assert leap.waits(hands.now)
    hands.go_on(WAIT.total_seconds() - 1)
    assert leap.waits(hands.now)
    hands.go_on(1)
    assert not leap.waits(hands.now)


def test_a_run_under_way_ends_when_the_clock_leaps_ahead(hands: Hands) -> None:
    leap = Leap()
    stop = leap.during(lambda: hands.now)
    assert not stop.is_set()
    hands.now += 2 * LEAP
    assert stop.is_set()


def test_a_machine_that_slept_and_a_clock_that_is_set_a_little_are_not_waited_for(hands: Hands) -> None:
    leap = Leap()
    assert not leap.waits(hands.now)
    hands.go_on(timedelta(days=3).total_seconds())
    assert not leap.waits(hands.now)
    hands.now += LEAP
    assert not leap.waits(hands.now)
    hands.now -= 3 * LEAP
    assert not leap.waits(hands.now)


def test_a_tick_that_raises_is_logged_and_masked(app: App, log: io.StringIO) -> None:
    def fail(_now: object) -> None:
        raise ValueError("cannot write to anna.huber+x@example.com")

    Daemon(app)._tick("plan", fail)
    line = json.loads(log.getvalue())
    assert line["event"] == "tick failed"
    assert "a***@example.com" in line["error"]
    assert "Traceback" in line["exception"]
    assert "anna.huber" not in log.getvalue()


def test_addresses_are_masked_wherever_they_stand(log: io.StringIO) -> None:
    structlog.get_logger("x").info("to bernd@gmx.de", extra={"who": ["cleo@web.de"]}, url="/u/dora%40web.de")
    logging.getLogger("library").warning("failed for %s", "<emil@gmx.de>")
    assert [word for word in ("bernd@", "cleo@", "dora", "emil@") if word in log.getvalue()] == []


def add_failures(app: App, since: timedelta) -> None:
    with app.database.write() as session:
        row = add_message(session, add_customer(session), "1")
        attempt: dict[str, object] = {
            "message": row.id,
            "provider": app.provider.name,
            "sha256": "",
            "result": "not_sent",
        }
        for number in (1, 2):
            started = NOW - since / number
            session.add(
                Attempt(number=number, fence=number, started_at=started, detail="connection refused", **attempt)
            )


def owner(app: App) -> App:
    return replace(
        app,
        config=app.config.model_copy(
            update={"owner": app.config.owner.model_copy(update={"email": "chefin@example.com"})}
        ),
    )


def test_the_owner_is_told_once_a_day_that_nothing_could_be_sent(app: App) -> None:
    add_failures(app, timedelta(hours=30))
    assert alarming.tell_owner(owner(app), NOW) == ["sending:outbox"]
    assert alarming.tell_owner(owner(app), NOW + timedelta(hours=1)) == []
    assert alarming.tell_owner(owner(app), NOW + timedelta(days=1)) == ["sending:outbox"]
    (mail, _second) = sorted((app.home / "outbox").glob("*.eml"))
    message = message_from_bytes(mail.read_bytes(), policy=policy.default)
    assert message["To"] == "chefin@example.com"
    body = message.get_body(("plain",))
    assert body is not None
    assert "connection refused" in body.get_content()


def test_a_short_failure_is_not_worth_a_mail(app: App) -> None:
    add_failures(app, timedelta(hours=20))
    assert alarming.tell_owner(owner(app), NOW) == []


def test_without_an_owner_nobody_is_told(app: App) -> None:
    add_failures(app, timedelta(hours=30))
    assert alarming.tell_owner(app, NOW) == []


def test_the_owner_is_told_of_a_source_that_cannot_be_read(make_app: MakeApp, tmp_path: Path) -> None:
    source = '\n[source.kunden]\nfrom = "file"\nfile = "kunden.csv"\nwhat = "customers"\n'
    app = owner(make_app(extra=source))
    with app.database.write() as session:
        session.add(ImportRun(what="customers", source="kunden", at=NOW - timedelta(hours=25), good=True))
    assert alarming.tell_owner(app, NOW) == ["source:kunden"]


def test_a_stop_waits_for_calls_and_not_for_a_long_plan(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.daemon.running.GRACE_SECONDS", 0.05)
    daemon = Daemon(app)
    daemon._scheduler.start()
    begun, end_send, end_plan = threading.Semaphore(0), threading.Event(), threading.Event()

    def hold(until: threading.Event) -> Callable[[object], object]:
        return lambda _now: (begun.release(), until.wait(30))

    threads = [
        threading.Thread(target=daemon._tick, args=("send", hold(end_send))),
        threading.Thread(target=daemon._tick, args=("plan", hold(end_plan))),
    ]
    for thread in threads:
        thread.start()
        begun.acquire()
    threading.Timer(0.2, end_send.set).start()
    assert daemon._finish() == ["plan"]
    assert end_send.is_set()
    end_plan.set()
    for thread in threads:
        thread.join()


def test_refused_credentials_stand_in_the_log_once_with_the_way_out(
    make_app: MakeApp, tmp_path: Path, log: io.StringIO
) -> None:
    double = BrevoDouble(tmp_path / "book.jsonl", "unauthorized")
    with serving(double) as url:
        real = CONFIG.replace('use = "outbox"', f'use = "brevo"\nbase_url = "{url}"')
        shop = make_app(config=real, campaigns={"birthday": BIRTHDAY})
        with shop.database.write() as session:
            add_consent(session, add_customer(session, birthday=NOW.date().replace(year=1980)))
        daemon = Daemon(shop)
        planning.plan(shop, NOW)
        daemon._send(NOW)
        daemon._send(NOW)
    told = [line for line in log.getvalue().splitlines() if "refuses the credentials" in line]
    assert len(told) == 1
    assert json.loads(told[0])["level"] == "error"
    assert "treuepost resume --all" in told[0]
