"""Everything that can happen to a store, in any order, and what must hold whatever happened.

The model is small: whose "no" stands, and the provider's book of what was really delivered. The store is asked by its
own audit. Only doors are used that the daemon and the commands use: plan, send, recover, say "no", pause, edit, import.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import tests
from engine.app import App, assemble
from engine.clock import stopped_at
from engine.config.loading import load_config
from engine.domain.states import OPEN
from engine.domain.words import Call, State
from engine.steps import planning, recovering, sending, subscribing, suppressing
from engine.store import installation, pauses
from engine.store.database import Database
from engine.store.message_tables import Enrolment, Message
from engine.store.tables import Customer
from tests.conftest import WORDING
from tests.people import NOW, add_address, add_consent, add_customer, add_service_item
from tests.steps.mortal import Died, Mortal
from tests.steps.pocket_provider import REPLAYS, PocketProvider
from tests.steps.pocket_shop import REAL, RULES
from tests.steps.sending_shop import BIRTHDAY, SERVICE
from tests.steps.soundness import violations

MESSAGES: sa.Table = Message.__table__  # type: ignore[attr-defined]
ENROLMENTS: sa.Table = Enrolment.__table__  # type: ignore[attr-defined]
CUSTOMERS: sa.Table = Customer.__table__  # type: ignore[attr-defined]
NAMES = ("anna", "ben", "cleo", "dora")
"""Anna and Ben share an address."""
EMAILS = {name: f"{name}@example.com" for name in NAMES} | dict.fromkeys(("anna", "ben"), "familie@example.com")
OUTCOMES = ("lose_answer", "lose_call", "throttle", "accept", "refuse")
SPANS = (timedelta(minutes=1), timedelta(minutes=12), timedelta(hours=5), timedelta(hours=13), timedelta(days=1))
VERSIONS = {
    "as it was": str,
    "other words": lambda text: text.replace("{{ greeting }},", "{{ greeting }}, herzlich:"),
    "narrower": lambda text: text + '\n[send]\nbetween = "10:00-12:00"\n',
    "off": lambda text: "enabled = false\n" + text,
}
MAY_STAND = {State.SENDING, State.IN_DOUBT, State.SENT, State.UNKNOWN}


@cache
def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="treuepost-machine-"))
    shutil.copytree(Path(tests.__file__).parents[1] / "templates", home / "templates")
    (home / "wording.txt").write_text(WORDING, encoding="utf-8")
    (home / "campaigns").mkdir()
    (home / "config.toml").write_text((REAL + RULES).replace("{store}", f"sqlite:///{home}/first.db"), encoding="utf-8")
    return home


@cache
def app_with(version: str, doubt: str) -> App:
    """Assemble the program with one version of its files; its store is put in later."""
    for name, text in (("birthday", BIRTHDAY), ("service", SERVICE)):
        words = f'on_doubt = "{doubt}"\n' + VERSIONS[version](text)
        (_home() / "campaigns" / f"{name}.toml").write_text(words, encoding="utf-8")
    config = load_config(_home() / "config.toml", {"TREUEPOST_PROVIDER__API_KEY": "key"})
    app = assemble(config, stopped_at(NOW))
    app.database.close()
    return app


def settle(database: Database) -> None:
    """Put the people in, and let the store be the one all versions of the program belong to."""
    app = app_with("as it was", "hold")
    with app.database.read() as session:
        first = session.connection().exec_driver_sql("SELECT uuid, canary FROM installation").one()
    with database.write() as session:
        installation.ensure(session, NOW)
        both = {"uuid": first.uuid, "canary": first.canary}
        session.connection().execute(sa.text("UPDATE installation SET uuid = :uuid, canary = :canary"), both)
        for number, name in enumerate(NAMES):
            person = add_customer(session, name, EMAILS[name], birthday=date(1980, 11, 23 + number // 2))
            if name != "ben":
                add_consent(session, person)
            add_service_item(session, person, f"S{name}", date(2026, 11, 24))
    app.database.close()


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is about: how the provider ends doubts, how many mails a call has, what is done in doubt."""

    style: str
    batch: int
    doubt: str


settings_of_a_run = st.builds(
    Setting,
    st.sampled_from(["key", "look_up", "neither"]),
    st.sampled_from([1, 3]),
    st.sampled_from(["hold", "resend"]),
)
deaths = st.none() | st.integers(0, 25)
outcomes = st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4)


class StoreMachine(RuleBasedStateMachine):
    """The machine. A subclass says which store it runs on."""

    new_store: Callable[[], Database]

    @initialize(setting=settings_of_a_run)
    def begin(self, setting: Setting) -> None:
        self.setting = setting
        self.store = type(self).new_store()
        self.now = NOW
        self.version = "as it was"
        self.said_no: set[str] = set()
        self.provider = PocketProvider(setting.style, batch=setting.batch)
        self.written_after_a_no: list[str] = []
        self.began: dict[str, datetime] = {}
        self.changed = 0

    # -- what happens ------------------------------------------------------------------------------------------------

    @rule(dies=deaths)
    def plan(self, dies: int | None) -> None:
        """Plan, and perhaps die of it."""
        self._live(dies, lambda app: planning.plan(app, self.now))

    @rule(outcomes=outcomes, dies=deaths, span=st.sampled_from(SPANS))
    def send(self, outcomes: list[str], dies: int | None, span: timedelta) -> None:
        """Send what is due: claim, gate, release, call, record; and perhaps die at any of them."""
        self.provider.plan.clear()
        self.provider.plan.extend(outcomes)
        self._live(dies, lambda app: sending.send_due(app, stopped_at(self.now)))
        self._hold()
        self.now += span

    @rule(outcomes=outcomes, dies=deaths, span=st.sampled_from(SPANS))
    def tick(self, outcomes: list[str], dies: int | None, span: timedelta) -> None:
        """Plan, then send."""
        self.plan(None)
        self.send(outcomes, dies, span)

    @rule()
    def recover(self) -> None:
        """Pick up what the dead have left."""
        self._live(None, lambda app: recovering.recover(app, self.now))

    @rule(name=st.sampled_from(NAMES), way=st.sampled_from(["object", "withdraw", "suppress"]))
    def say_no(self, name: str, way: str) -> None:
        """Say "no", in one of three ways; from now on nothing may be released to this person's addresses."""
        app = self._app(self.store)
        emails = {EMAILS[name]} | self._addresses_of(name)
        if way == "object":
            subscribing.object_from_any_channel(app, name, "Anruf", self.now)
        elif way == "withdraw":
            subscribing.withdraw(app, name, "Anruf", self.now)
        else:
            emails = {EMAILS[name]}
            suppressing.suppress(app, EMAILS[name], "Wunsch", self.now)
        self.said_no |= emails

    @rule(version=st.sampled_from(sorted(VERSIONS)))
    def edit(self, version: str) -> None:
        """Edit the campaigns' files."""
        self.version = version

    @rule(campaign=st.sampled_from(["birthday", "service", pauses.ALL]), on=st.booleans())
    def pause(self, campaign: str, on: bool) -> None:
        """Pause a campaign or let it go on."""
        with self.store.write() as session:
            if on:
                pauses.resume(session, campaign)
            else:
                pauses.pause(session, campaign, self.now)

    @rule(span=st.sampled_from(SPANS))
    def forward(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span

    @rule(name=st.sampled_from(NAMES), what=st.sampled_from(["address", "birthday", "service", "newcomer"]))
    def import_changes(self, name: str, what: str) -> None:
        """Change the data as an import would."""
        self.changed += 1
        with self.store.write() as session:
            person = session.execute(sa.select(Customer).where(CUSTOMERS.c.customer_id == name)).scalar_one()
            if what == "address":
                person.address_id = add_address(session, f"{name}.{self.changed}@example.com").id
                link = {"customer": person.id, "address": person.address_id}
                known = "INSERT INTO customer_address (customer_id, address_id) VALUES (:customer, :address)"
                session.connection().execute(sa.text(known), link)
            elif what == "birthday":
                person.birth_md = 1125
            elif what == "service":
                add_service_item(session, person, f"S{name}{self.changed}", self.now.date() + timedelta(days=1))
            else:
                newcomer = add_customer(session, f"{name}-{self.changed}", EMAILS[name], birth_md=_md(self.now))
                if EMAILS[name] not in self.said_no:
                    add_consent(session, newcomer)
            session.add(person)
            session.flush()
            installation.bump_data_version(session)

    # -- how it happens ----------------------------------------------------------------------------------------------

    def _app(self, database: Database) -> App:
        return replace(
            app_with(self.version, self.setting.doubt),
            database=database,
            provider=self.provider,
            clock=stopped_at(self.now),
        )

    def _live(self, dies: int | None, work: Callable[[App], object]) -> None:
        """Do something as a process of its own, which may die after so many boundaries."""
        life = Mortal(self.store, dies)
        self.provider.before = lambda call: (life.boundary(), self._note(call))[1]
        self.provider.after = life.boundary
        with suppress(Died):
            work(self._app(life))

    def _note(self, call: Call) -> None:
        self.began.setdefault(call.key, self.now)
        self.written_after_a_no += [email.to for email in call.emails if email.to in self.said_no]

    def _addresses_of(self, name: str) -> set[str]:
        with self.store.read() as session:
            known = sa.text(
                "SELECT a.email FROM customer_address k JOIN address a ON a.id = k.address_id "
                "JOIN customer c ON c.id = k.customer_id WHERE c.customer_id = :name"
            )
            return set(session.connection().execute(known, {"name": name}).scalars())

    def _rows(self) -> list[Any]:
        with self.store.read() as session:
            return list(session.connection().execute(sa.select(MESSAGES)))

    # -- what must hold ----------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        self.nobody_is_written_to_after_a_no()
        self.nobody_is_mailed_twice()
        self.the_log_agrees_with_the_book()
        assert violations(self._app(self.store)) == []

    def nobody_is_written_to_after_a_no(self) -> None:
        assert self.written_after_a_no == []

    def nobody_is_mailed_twice(self) -> None:
        if self.setting.style == "neither" and self.setting.doubt == "resend":
            return  # there the owner has chosen "perhaps twice" over "perhaps not at all"
        twice = {mail: times for mail, times in self.provider.delivered().items() if times > 1}
        assert {mail for mail in twice if not self._may_be_twice(mail)} == set()

    def _may_be_twice(self, mail: str) -> bool:
        """Say whether the owner's "resend" allows it: no key can be repeated any more, for its life was over.

        A call of several mails cannot be repeated either once one of them may not go.
        """
        if self.setting.style != "key" or self.setting.doubt != "resend":
            return False
        calls = {call.key: len(call.emails) for call in self.provider.calls}
        began = sorted((self.began[key], calls[key]) for key in self.provider.keys_of(mail))
        return all(mails > 1 or other >= at + REPLAYS for (at, mails), (other, _) in itertools.pairwise(began))

    def the_log_agrees_with_the_book(self) -> None:
        """Whatever was delivered may have left by our own log, and what the log calls sent was delivered."""
        booked = self.provider.delivered()
        rows = self._rows()
        sent = {row.message_id for row in rows if row.state is State.SENT}
        assert sent - set(booked) == set()
        if self.setting.doubt != "resend":  # there a mail in doubt goes back to the queue once no key can tell
            denied = {
                row.message_id: row.state for row in rows if row.message_id in booked and row.state not in MAY_STAND
            }
            assert denied == {}

    def teardown(self) -> None:
        """Let the faults stop: then everything comes to an end, and nobody is forgotten."""
        if not hasattr(self, "store"):
            return
        self.version = "as it was"
        with self.store.write() as session:
            pauses.resume_all(session)
        for _ in range(40):
            self.now += timedelta(hours=5)
            self.send([], None, timedelta(0))
            if not any(row.state in OPEN for row in self._rows()):
                break
        assert [(row.message_id, row.state) for row in self._rows() if row.state in OPEN] == []
        self._hold()
        self.store.close()


def _md(instant: datetime) -> int:
    return instant.month * 100 + instant.day
