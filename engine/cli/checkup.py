"""Looks at config, secrets, store, clock and campaigns as they are; every look is one line: ok, warn or FAIL.

A look that raises is a FAIL with the error's own sentence: one broken part never hides the others.
"""

from __future__ import annotations

import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from engine.app import KEY_FILE, key_file, open_premises, read_campaigns
from engine.clock import system_clock
from engine.config.loading import Config
from engine.config.providers import PROVIDERS
from engine.domain.calendar import local_day
from engine.domain.guard import Suspicion
from engine.domain.readiness import Standing, examined
from engine.errors import Invalid, StoreError, TreuepostError
from engine.providers.contract import page_fault
from engine.steps import guarding
from engine.steps.importing import blocked
from engine.steps.watching import readying, telling
from engine.steps.watching.worrying import CAUSES
from engine.store import backups, breakers, budgets, clocks, installation, pauses, schema, soundness
from engine.store.database import Database

OK, WARN, FAIL = "ok", "warn", "FAIL"
_SCARCE = 500_000_000
_FIXED = (3, 51, 3)
"""The SQLite version from which a reset of the log can no longer lose a commit when several processes write."""

_PORTS = {"http": 80, "https": 443, "smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Line:
    """One look: what was looked at, how it is, and what to do."""

    verdict: str
    about: str
    text: str
    remedy: str = ""


Say = Callable[..., str]


def examine(config: Config, now: datetime, say: Say, *, online: bool = False) -> Iterator[Line]:
    """Look at everything and yield a line for each look."""
    yield Line(OK, "config", str(config.file))
    yield from _caught("campaigns", lambda: _campaigns(config, say))
    yield from _caught("secrets", lambda: _secrets(config, say))
    yield from _caught("store", lambda: _store(config, now, say))
    yield from _caught("space", lambda: _space(config, say))
    yield from _caught("web", lambda: _web(config, now, say))
    yield from _caught("provider", lambda: _provider(config, say, online=online))
    yield from _caught("brake", lambda: _brakes(config, say))
    yield from _caught("ready", lambda: _ready(config, now, say))


def _caught(about: str, look: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    try:
        yield from look()
    except Invalid as invalid:
        for finding in invalid.findings:
            yield Line(FAIL, about, f"{finding.place}: {finding.message}", finding.help)
    except TreuepostError as error:
        yield Line(FAIL, about, error.message, error.hint)
    except OSError as error:
        yield Line(FAIL, about, str(error))


def _campaigns(config: Config, say: Say) -> Iterator[Line]:
    campaigns, _ = read_campaigns(config)
    if not campaigns:
        yield Line(WARN, "campaigns", say("There is no campaign in %(folder)s.", folder=config.home / "campaigns"))
        return
    on = sum(campaign.enabled for campaign in campaigns)
    yield Line(OK, "campaigns", say("%(count)s campaigns, %(on)s of them on", count=len(campaigns), on=on))


def _secrets(config: Config, say: Say) -> Iterator[Line]:
    for path in _secret_files(config):
        if not path.exists():
            yield Line(WARN, "secrets", say("%(file)s is not there yet.", file=path))
        elif stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Line(FAIL, "secrets", say("Other users can read %(file)s.", file=path), f"chmod 600 {path}")
        else:
            yield Line(OK, "secrets", str(path))


def _secret_files(config: Config) -> Iterator[Path]:
    yield _store_folder(config) / KEY_FILE
    for named in (config.provider.api_key_file, config.provider.webhook_secret_file):
        if named:
            yield config.home / named


def _store_folder(config: Config) -> Path:
    path = config.store.url.removeprefix("sqlite:///")
    return Path(path).parent if path != config.store.url else config.home


def _store(config: Config, now: datetime, say: Say) -> Iterator[Line]:
    database = Database(config.store.url)
    try:
        if database.path and not database.path.exists():
            yield Line(WARN, "store", say("There is no store yet; the first import makes it."))
            return
        yield from _schema(database, say)
        yield from _soundness(database, say)
        yield from _clock(database, now, say)
        yield from _which(config, database, now, say)
        yield from _backup(database, say)
    finally:
        database.close()


def _schema(database: Database, say: Say) -> Iterator[Line]:
    at, needed = schema.present(database), schema.known()
    if at == needed:
        yield Line(OK, "schema", at)
    else:
        yield Line(
            FAIL, "schema", say("at %(at)s, needs %(needed)s", at=at or "–", needed=needed), "treuepost db upgrade"
        )


def _soundness(database: Database, say: Say) -> Iterator[Line]:
    if not database.sqlite:
        yield _server(database)
        return
    state = soundness.of_sqlite(database)
    text = f"SQLite {'.'.join(map(str, state.version))}, {state.journal}, synchronous {state.synchronous}"
    if (state.journal, state.synchronous) != ("wal", "full"):
        yield Line(FAIL, "store", text, say("Expected wal and full: the disk may not support them (a network drive?)."))
    elif state.version < _FIXED:
        yield Line(WARN, "store", text, say("Below 3.51.3 let only this machine and one daemon write to the store."))
    else:
        yield Line(OK, "store", text)


def _server(database: Database) -> Line:
    try:
        soundness.require_sound(database)
    except StoreError as error:
        return Line(FAIL, "store", error.message, error.hint)
    return Line(OK, "store", "PostgreSQL")


def _clock(database: Database, now: datetime, say: Say) -> Iterator[Line]:
    if not schema.present(database):
        return
    if not database.sqlite:
        now = clocks.DatabaseClock(database)()  # the senders go by the server's
    with database.read() as session:
        standing = installation.find(session)
    last = standing.last_tick_at if standing else None
    if last and last > now + timedelta(seconds=5):
        text = say("The clock stands before the last pass (%(last)s).", last=f"{last:%Y-%m-%d %H:%M} UTC")
        yield Line(FAIL, "clock", text, say("Set the machine's clock; nothing is sent twice meanwhile."))
    else:
        yield Line(OK, "clock", f"{now:%Y-%m-%d %H:%M} UTC")


@dataclass(frozen=True, slots=True)
class _Place:
    config: Config
    database: Database
    home: Path


def _which(config: Config, database: Database, now: datetime, say: Say) -> Iterator[Line]:
    """Say when the store may be a restored or a second one, and sends nothing for that reason."""
    if schema.present(database) != schema.known():
        return
    place = _Place(config, database, config.home)
    found = guarding.look(place, now)
    vouched = clocks.of(database, system_clock)() if found.suspicion is Suspicion.ALONE else now
    if found.suspicion is Suspicion.ALONE and not guarding.look(place, vouched, joins=True).waits:
        return  # a worker's machine: the sidecar is the daemon's, and that one is at work
    if found.waits:
        yield Line(FAIL, "store", telling.headline(found, say), "treuepost db adopt moved|restored|copy")


def _backup(database: Database, say: Say) -> Iterator[Line]:
    if database.sqlite:
        latest = backups.latest(database)
        if latest is None:
            yield Line(WARN, "backup", say("There is no backup."), "treuepost db backup")
        else:
            yield Line(OK, "backup", str(latest))


def _space(config: Config, say: Say) -> Iterator[Line]:
    free = shutil.disk_usage(_store_folder(config)).free
    text = say("%(count)s MB free", count=free // 1_000_000)
    yield Line(OK if free >= _SCARCE else WARN, "space", text)


def _web(config: Config, now: datetime, say: Say) -> Iterator[Line]:
    if not config.web.public_url:
        text = say("[web] public_url is empty: unsubscribe links lead nowhere yet.")
        yield Line(OK if config.rehearsal else WARN, "web", text)
        return
    yield Line(OK, "web", config.web.public_url)
    seen = _pages_seen(config)
    if fault := page_fault(config, seen, now):
        yield Line(FAIL, "served", say("Advertising waits, because nobody could unsubscribe."), fault)
    elif seen:
        yield Line(OK, "served", say("answered at %(at)s", at=f"{seen:%Y-%m-%d %H:%M} UTC"))


def _pages_seen(config: Config) -> datetime | None:
    database = Database(config.store.url)
    try:
        if (database.path and not database.path.exists()) or schema.present(database) != schema.known():
            return None
        with database.read() as session:
            return installation.pages_seen(session)
    finally:
        database.close()


def _provider(config: Config, say: Say, *, online: bool) -> Iterator[Line]:
    name = config.provider.use
    if config.rehearsal:
        yield Line(OK, "provider", say("outbox: a rehearsal, nobody is written to"))
        return
    yield from _last_stop(config, say)
    if online:
        yield _reach(config, say)
        yield from _caught("blocklist", lambda: _block_list(config, say))
    else:
        yield Line(OK, "provider", say("%(name)s; --online tries to reach it", name=name))


def _brakes(config: Config, say: Say) -> Iterator[Line]:
    """Say when advertising was stopped without anybody's word (law J9)."""
    database = Database(config.store.url)
    try:
        if schema.present(database) != schema.known():
            return
        with database.read() as session:
            pulled = pauses.brakes(pauses.paused(session))
    finally:
        database.close()
    for brake in pulled:
        text = say("All advertising is stopped: %(why)s.", why=say(CAUSES[brake]))
        yield Line(FAIL, "brake", text, "treuepost resume --all")


def _ready(config: Config, now: datetime, say: Say) -> Iterator[Line]:
    """Say of each thing the law wants before a real mail may leave whether it is there (law P1)."""
    looks = examined(_standing(config), local_day(now, config.shop.zone))
    missing = WARN if readying.exempt(config) else FAIL
    for look in looks:
        if not look.lacks:
            yield Line(OK, look.topic, say(look.text))
        for one in readying.told(config, look.lacks):
            yield Line(missing, look.topic, f"{one.place}: {one.text}", one.remedy)


def _standing(config: Config) -> Standing:
    database = Database(config.store.url)
    try:
        return readying.standing_in(config, database, key_file(config, database))
    finally:
        database.close()


def _block_list(config: Config, say: Say) -> Iterator[Line]:
    """Count the addresses the provider blocks and nobody here knows of (law F3)."""
    if not PROVIDERS[config.provider.use].blocks:
        return
    shop = open_premises(config, system_clock)
    try:
        found = blocked.compared(shop)
    finally:
        shop.database.close()
    if found.fault:
        yield Line(FAIL, "blocklist", say("The provider's block list cannot be read: %(why)s", why=found.fault))
        return
    text = say(
        "%(count)s addresses blocked at the provider, %(unknown)s of them unknown here",
        count=found.blocked,
        unknown=found.unknown,
    )
    yield Line(FAIL if found.unknown else OK, "blocklist", text, "treuepost suppress pull" if found.unknown else "")


def _last_stop(config: Config, say: Say) -> Iterator[Line]:
    database = Database(config.store.url)
    try:
        if schema.present(database) != schema.known():
            return
        with database.read() as session:
            stop = budgets.find_stop(session, config.provider.use)
            silent = breakers.find(session, config.provider.use)
            said = breakers.detail(session, config.provider.use)
    finally:
        database.close()
    if stop:
        remedy = say("Put the right key in, then: treuepost resume --all") if stop.credentials else ""
        text = say("stopped since %(at)s: %(detail)s", at=f"{stop.at:%Y-%m-%d %H:%M} UTC", detail=stop.detail)
        yield Line(FAIL, "provider", text, remedy)
    if silent.is_open:
        text = say("%(count)s mails in a row without a clear answer: %(detail)s", count=silent.failures, detail=said)
        yield Line(
            FAIL, "provider", text, say("It is tried with one mail now and then; treuepost resume --all at once.")
        )


def _reach(config: Config, say: Say) -> Line:
    """Open a connection to the provider's host and close it again; nothing is sent."""
    parts = urlsplit(config.provider.base_url or PROVIDERS[config.provider.use].home)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError as error:
        return Line(FAIL, "provider", say("%(host)s cannot be reached: %(why)s", host=f"{host}:{port}", why=error))
    return Line(
        OK, "provider", say("%(host)s answers; whether the key is right, send-test shows", host=f"{host}:{port}")
    )
