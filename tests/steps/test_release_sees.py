"""What is said between the gates and the release counts: the release reads it again, under the addresses' locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from engine.app import App
from engine.clock import stopped_at
from engine.domain.words import State
from engine.steps import planning, sending, subscribing, suppressing
from engine.steps.consent import choosing
from engine.steps.privacy import correcting, forgetting, subjects
from engine.store.database import Database
from engine.store.tables import Customer
from tests.conftest import MakeApp
from tests.people import NOW, add_consent, add_customer
from tests.steps.pocket_provider import PocketProvider
from tests.steps.pocket_shop import open_pocket_shop
from tests.steps.sending_shop import BIRTHDAY, rows

MONTH = timedelta(days=30)
BOUNDARIES = 6
"""So many commits one pass has at least."""

Deed = Callable[[App, str], object]


def _pause(app: App, who: str) -> object:
    return choosing.choose(app, _mail_of(app, who).message_id, (), NOW + MONTH, NOW)


def _erase(app: App, who: str) -> object:
    return forgetting.erase(app, subjects.find(app, who), forgetting.Order("petra", patience=0), NOW)


DEEDS: dict[str, Deed] = {
    "restrict": lambda app, who: correcting.restrict(app, who, "letter", "petra", NOW),
    "hold": lambda app, who: correcting.hold(app, who, "case 7", "petra", NOW),
    "pause": _pause,
    "erase": _erase,
    "object": lambda app, who: subscribing.object_from_any_channel(app, who, "call", NOW),
    "unsubscribe": lambda app, who: choosing.unsubscribe(app, _mail_of(app, who).message_id, NOW, "page"),
    "suppress": lambda app, who: suppressing.suppress(app, f"{who}@example.com", "wish", NOW),
}


class Interrupted(Database):
    """The store of a pass amid which something else happens: after so many commits of the pass."""

    def __init__(self, store: Database, after: int, happens: Callable[[], None]) -> None:
        self.__dict__.update(store.__dict__)
        self._left = after
        self._happens = happens

    @contextmanager
    def write(self) -> Iterator[Session]:
        if self._left == 0:
            self._happens()
        self._left -= 1
        with super().write() as session:
            yield session


def _mail_of(app: App, who: str) -> Any:
    with app.database.read() as session:
        number = session.execute(sa.select(Customer.id).where(Customer.customer_id == who)).scalar_one()  # type: ignore[call-overload, arg-type]
    return next(row for row in rows(app) if row.customer_id == number)


def _add(app: App, who: str) -> None:
    with app.database.write() as session:
        add_consent(session, add_customer(session, who, f"{who}@example.com", birthday=date(1980, 11, 23)))


@pytest.mark.parametrize("deed", DEEDS)
def test_whatever_is_said_before_the_release_stops_the_mail(make_app: MakeApp, deed: str) -> None:
    provider = PocketProvider()
    app = open_pocket_shop(make_app, provider, {"birthday": BIRTHDAY})
    met: list[State] = []
    for place in range(BOUNDARIES):
        who = f"k{place}"
        _add(app, who)
        planning.plan(app, NOW)
        number, before = _mail_of(app, who).id, len(provider.book)
        seen: list[State] = []

        def happen(who: str = who, number: int = number, seen: list[State] = seen) -> None:
            seen.append(next(row.state for row in rows(app) if row.id == number))
            DEEDS[deed](app, who)

        sending.send_due(replace(app, database=Interrupted(app.database, place, happen)), stopped_at(NOW))
        met += seen
        if seen and seen[0] in (State.PLANNED, State.CLAIMED):
            assert len(provider.book) == before, (deed, place, seen)
            assert next(row.state for row in rows(app) if row.id == number) is not State.SENT
    assert State.CLAIMED in met  # else nothing was said between the gates and the release


class Watched:
    """What is asked of a PostgreSQL store, a list of statements for each transaction that changed something."""

    def __init__(self, database: Database) -> None:
        self._now: list[tuple[str, set[Any]]] = []
        self.transactions: list[list[tuple[str, set[Any]]]] = []
        sa.event.listen(database._engine, "before_cursor_execute", self._note)
        sa.event.listen(database._engine, "commit", self._end)
        sa.event.listen(database._engine, "rollback", self._end)

    def _note(self, _c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        said = " ".join(statement.split())
        self._now.append((said, set(values.values()) if _locks(said) else set()))

    def _end(self, _c: Any) -> None:
        if any(_writes(said) for said, _ in self._now):
            self.transactions.append(self._now)
        self._now = []


def _writes(said: str) -> bool:
    return said.startswith(("INSERT", "UPDATE", "DELETE"))


def _locks(said: str) -> bool:
    return said.startswith("SELECT address.id") and said.endswith("FOR UPDATE")


@pytest.mark.parametrize("deed", DEEDS)
def test_who_says_something_holds_the_addresses_first_and_none_after_the_consent_log(
    make_app: MakeApp, deed: str
) -> None:
    """What did not wait for them could come between a release's reading and its commit (design: Locks)."""
    app = open_pocket_shop(make_app, PocketProvider(), {"birthday": BIRTHDAY})
    if app.database.sqlite:
        pytest.skip("SQLite has one writer at a time")
    _add(app, "k1")
    planning.plan(app, NOW)
    watched = Watched(app.database)
    DEEDS[deed](app, "k1")
    first = [said for said, _ in watched.transactions[0]]
    assert _locks(next(said for said in first if _locks(said) or _writes(said)))
    for said in watched.transactions:
        held: set[Any] = set()
        appended = False
        for statement, values in said:
            appended |= "INTO chain_head" in statement
            if _locks(statement):
                assert not appended or values <= held, statement
                held |= values
