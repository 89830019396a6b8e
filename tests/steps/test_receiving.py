"""News from the provider: any order, any number of times, kept once; only the provider is believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cli.logs import as_line
from engine.clock import stopped_at
from engine.domain.news import NewsKind
from engine.domain.permission import EVERYTHING
from engine.domain.words import Reason, State
from engine.errors import NothingFound
from engine.providers.incoming import Forged, Unreadable
from engine.steps import planning, receiving
from engine.store import delivery_events, reports
from engine.store.message_tables import DeliveryEvent
from engine.store.tables import Address, ConsentEvent, Customer, CustomerAddress, Suppression
from tests.conftest import CONFIG, MakeApp
from tests.doubles.book import Line
from tests.doubles.http import Double, serving
from tests.doubles.webhooks import SECRETS, Courier, Hook, hook
from tests.people import NOW, add_consent, add_customer
from tests.steps.sending_shop import BIRTHDAY, MESSAGES, add_birthdays, put_state, rows, states, tick

if TYPE_CHECKING:
    from engine.app import App

NEWS: sa.Table = DeliveryEvent.__table__  # type: ignore[attr-defined]
BLOCKS: sa.Table = Suppression.__table__  # type: ignore[attr-defined]
CONSENTS: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
ADDRESSES: sa.Table = Address.__table__  # type: ignore[attr-defined]
CUSTOMERS: sa.Table = Customer.__table__  # type: ignore[attr-defined]
SOON = NOW + timedelta(minutes=2)
PROVIDERS = ["brevo", "resend", "postmark"]


@dataclass
class Heard:
    """A shop whose mails a double has taken, and the way its news take."""

    app: App
    provider: str
    double: Double

    def mails(self) -> list[Line]:
        return self.double.mails()

    def hook(self, kind: str, mail: Line, at: datetime = NOW, secret: str = "") -> Hook:
        return hook(self.provider, kind, mail, at, secret or SECRETS[self.provider], SOON)

    def receive(self, one: Hook, now: datetime = SOON) -> receiving.Received:
        return receiving.receive(self.app, self.provider, one.headers, one.raw, now, secret=SECRETS[self.provider])

    def tell(self, kind: str, mail: Line, at: datetime = NOW) -> receiving.Received:
        return self.receive(self.hook(kind, mail, at))


def _config(folder: Path, url: str, provider: str) -> str:
    key = folder / "api.key"
    key.write_text("a-key", encoding="utf-8")
    key.chmod(0o600)
    lines = f'use = "{provider}"\nbase_url = "{url}"\napi_key_file = "{key}"'
    web = '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.'
    return CONFIG.replace('use = "outbox"', lines).replace("[wording.", web, 1)


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> str:
    """Give Brevo, unless a test is about every provider."""
    return str(getattr(request, "param", "brevo"))


every_provider = pytest.mark.parametrize("provider", PROVIDERS, indirect=True)


@pytest.fixture
def double(tmp_path: Path, provider: str) -> Iterator[tuple[Double, str]]:
    made = Double(tmp_path / "book.jsonl", provider, sync=False, clock=stopped_at(NOW))
    with serving(made) as url:
        yield made, url


@pytest.fixture
def heard(make_app: MakeApp, double: tuple[Double, str], provider: str, tmp_path: Path) -> Heard:
    """Give a shop with nothing sent yet."""
    app = make_app(config=_config(tmp_path, double[1], provider), campaigns={"birthday": BIRTHDAY})
    return Heard(app, provider, double[0])


def _sent(heard: Heard, count: int = 1, mode: str = "accept") -> list[Line]:
    """Send birthday mails and return what the double has of them."""
    heard.double.switch(mode)
    add_birthdays(heard.app, count)
    tick(heard.app)
    heard.double.switch("accept")
    return heard.mails()


def _blocked(app: App) -> list[tuple[str, str]]:
    return sorted({(row.reason.value, row.scope) for row in rows(app, BLOCKS)})


# -- events are kept once --------------------------------------------------------------------------------------------


@every_provider
def test_an_event_is_kept_once_however_often_it_is_told(heard: Heard) -> None:
    (mail,) = _sent(heard)
    first, again = heard.tell("delivered", mail), heard.tell("delivered", mail)
    assert (first.kept, again.kept, again.repeated) == (1, 0, 1)
    (row,) = rows(heard.app, NEWS)
    assert (row.provider, row.kind, row.provider_id, row.at) == (heard.provider, "delivered", mail["id"], NOW)
    assert row.message == rows(heard.app)[0].id
    assert states(heard.app) == {"sent": 1}


@every_provider
def test_different_events_of_one_mail_are_all_kept(heard: Heard) -> None:
    (mail,) = _sent(heard)
    for kind in ("deferred", "delivered", "opened", "clicked"):
        heard.tell(kind, mail)
    heard.tell("opened", mail, NOW + timedelta(minutes=1))
    assert sorted(row.kind for row in rows(heard.app, NEWS)) == ["clicked", "deferred", "delivered", "opened", "opened"]


def test_an_event_of_a_stranger_is_kept_without_an_address_and_changes_nothing(heard: Heard) -> None:
    (mail,) = _sent(heard)
    stranger = mail | {"mid": "00000000-0000-4000-8000-000000000001", "id": "unknown", "to": "k0@example.com"}
    done = heard.tell("bounced", stranger)
    assert (done.kept, done.foreign, done.noes) == (1, 1, 0)
    (row,) = rows(heard.app, NEWS)
    assert (row.message, "example.com" in repr(row)) == (None, False)
    assert _blocked(heard.app) == []


def test_an_event_from_the_future_is_dated_now(heard: Heard) -> None:
    (mail,) = _sent(heard)
    heard.tell("delivered", mail, SOON + timedelta(days=400))
    assert rows(heard.app, NEWS)[0].at == SOON


def test_the_log_shows_what_was_told(heard: Heard) -> None:
    (mail,) = _sent(heard)
    heard.tell("opened", mail, NOW + timedelta(minutes=1))
    heard.tell("delivered", mail)
    with heard.app.database.read() as session:
        (entry,) = reports.find(session, mail["mid"])
    line: Any = as_line(entry)
    assert [step["after"] for step in line["events"]][-3:] == ["sent", "delivered", "opened"]
    assert {step["actor"] for step in line["events"][-2:]} == {heard.provider}


# -- proof -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["delivered", "opened", "bounced", "complained"])
def test_an_event_ends_a_doubt(heard: Heard, kind: str) -> None:
    (mail,) = _sent(heard, mode="accept_then_500")
    assert states(heard.app) == {"in_doubt": 1}
    assert heard.tell(kind, mail).proved == 1
    (row,) = rows(heard.app)
    assert (row.state, row.reason, row.provider_id, row.sent_at) == (State.SENT, Reason.PROVED, mail["id"], NOW)


def test_a_late_event_ends_what_was_given_up_as_unknown(heard: Heard) -> None:
    (mail,) = _sent(heard, mode="accept_then_cut")
    put_state(heard.app, [rows(heard.app)[0].id], [State.UNKNOWN])
    late = NOW + timedelta(days=3)
    told = hook(heard.provider, "delivered", mail, NOW, SECRETS[heard.provider], late)
    assert heard.receive(told, late).proved == 1
    assert states(heard.app) == {"sent": 1}


def test_an_event_amid_the_call_is_kept_for_whoever_asks_for_it(heard: Heard) -> None:
    (mail,) = _sent(heard, mode="accept_then_500")
    number = rows(heard.app)[0].id
    put_state(heard.app, [number], [State.SENDING])
    assert heard.tell("delivered", mail).proved == 0
    assert states(heard.app) == {"sending": 1}
    with heard.app.database.read() as session:
        assert delivery_events.proof(session, [number, number + 1]) == {number}


@pytest.mark.parametrize("state", [State.RETRYING, State.CLAIMED])
def test_what_was_to_be_sent_again_is_not_when_it_had_arrived(heard: Heard, state: State) -> None:
    (mail,) = _sent(heard, mode="accept_then_500")
    way = [State.RETRYING, State.CLAIMED][: 1 + (state is State.CLAIMED)]
    put_state(heard.app, [rows(heard.app)[0].id], way, send_after=SOON)
    assert heard.tell("delivered", mail).proved == 1
    tick(heard.app, NOW + timedelta(minutes=30))
    assert len(heard.mails()) == 1
    (row,) = rows(heard.app)
    assert (row.state, row.reason) == (State.SKIPPED, Reason.PROVED)


def test_an_event_nobody_knows_proves_nothing(heard: Heard) -> None:
    (mail,) = _sent(heard, mode="accept_then_500")
    heard.tell("reincarnated", mail)
    assert states(heard.app) == {"in_doubt": 1}
    assert [row.kind for row in rows(heard.app, NEWS)] == ["other"]


def test_an_event_of_another_provider_is_not_about_our_mail(heard: Heard) -> None:
    (mail,) = _sent(heard, mode="accept_then_500")
    other = next(name for name in PROVIDERS if name != heard.provider)
    told = hook(other, "bounced", mail, NOW, SECRETS[other], SOON)
    receiving.receive(heard.app, other, told.headers, told.raw, SOON, secret=SECRETS[other])
    assert states(heard.app) == {"in_doubt": 1}
    assert _blocked(heard.app) == []


# -- a "no" ----------------------------------------------------------------------------------------------------------


@every_provider
def test_a_hard_bounce_stops_every_mail_to_the_address(heard: Heard) -> None:
    mail = _sent(heard, 2)[0]
    assert heard.tell("bounced", mail).noes == 1
    (block,) = rows(heard.app, BLOCKS)
    assert (block.reason, block.scope) == (Reason.HARD_BOUNCE, EVERYTHING)


def test_a_complaint_is_a_no_to_advertising(heard: Heard) -> None:
    (mail,) = _sent(heard)
    heard.tell("complained", mail)
    assert [reason for reason, _ in _blocked(heard.app)] == ["complaint"]


def test_a_no_stops_the_mail_that_waits_for_this_address_and_no_other(heard: Heard) -> None:
    mail = _sent(heard, 2, mode="500")
    assert mail == []
    first, second = rows(heard.app)
    put_state(heard.app, [first.id, second.id], [State.RETRYING], send_after=SOON)
    line = {"mid": first.message_id, "id": "x-1", "to": "k1@example.com"}  # whoever the payload names is not asked
    heard.tell("complained", line)
    done = {row.id: (row.state, row.reason) for row in rows(heard.app)}
    assert done[first.id] == (State.SKIPPED, Reason.COMPLAINT)
    assert done[second.id][0] is State.RETRYING


@pytest.mark.parametrize("provider", ["brevo", "postmark"], indirect=True)  # Resend has no such event
def test_an_unsubscription_is_an_objection_of_the_person(heard: Heard) -> None:
    (mail,) = _sent(heard)
    heard.tell("unsubscribed", mail)
    assert {row.state for row in rows(heard.app, CONSENTS)} >= {"objected"}
    assert {reason for reason, _ in _blocked(heard.app)} == {"objection"}
    (event,) = [row for row in rows(heard.app, CONSENTS) if row.state == "objected"]
    assert event.actor == "webhook"


def test_everybody_at_a_shared_address_is_left_alone_after_a_complaint(heard: Heard) -> None:
    with heard.app.database.write() as session:
        for name in ("a", "b"):
            born = NOW.date().replace(year=1990)
            add_consent(session, add_customer(session, name, "familie@example.com", birthday=born, first_name=name))
    tick(heard.app)
    (mail,) = heard.mails()
    heard.tell("complained", mail)
    tick(heard.app, NOW + timedelta(days=366))
    assert len(heard.mails()) == 1


@every_provider
def test_a_bounce_is_recognised_by_the_providers_own_number(heard: Heard) -> None:
    (mail,) = _sent(heard)
    assert heard.tell("bounced", mail | {"mid": "", "tags": []}).noes == 1
    assert len(rows(heard.app, BLOCKS)) == 1


# -- who may speak ---------------------------------------------------------------------------------------------------


def _forgeries(heard: Heard, mail: Line) -> list[Hook]:
    true = heard.hook("bounced", mail)
    wrong = {"brevo": "a-guess", "postmark": "treuepost:guess", "resend": "whsec_Z3Vlc3Nlcw=="}[heard.provider]
    nameless = {name: value for name, value in true.headers.items() if name not in {"authorization", "svix-signature"}}
    forged = [heard.hook("bounced", mail, secret=wrong), Hook(nameless, true.raw), Hook({}, true.raw)]
    if heard.provider == "resend":
        late = str(int((SOON - timedelta(seconds=301)).timestamp()))
        early = str(int((SOON + timedelta(seconds=301)).timestamp()))
        forged += [Hook(true.headers, true.raw + b" "), Hook(true.headers | {"svix-id": "msg_other"}, true.raw)]
        forged += [Hook(_resigned(true, seconds), true.raw) for seconds in (late, early, "9" * 400, "-5", "1e9", "²")]
    return forged


def _resigned(one: Hook, seconds: str) -> dict[str, str]:
    """Return headers rightly signed for another time."""
    key = base64.b64decode(SECRETS["resend"].removeprefix("whsec_"))
    signed = f"{one.headers['svix-id']}.{seconds}.".encode() + one.raw
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return one.headers | {"svix-timestamp": seconds, "svix-signature": f"v1,{signature}"}


@every_provider
def test_whatever_is_forged_changes_nothing(heard: Heard) -> None:
    (mail,) = _sent(heard, mode="accept_then_500")
    for forged in _forgeries(heard, mail):
        with pytest.raises(Forged):
            heard.receive(forged)
    assert (rows(heard.app, NEWS), _blocked(heard.app), states(heard.app)) == ([], [], {"in_doubt": 1})


@every_provider
def test_without_a_secret_nobody_is_let_in(heard: Heard) -> None:
    (mail,) = _sent(heard)
    empty = heard.hook("delivered", mail)
    for secret in ("", " ", "whsec_"):
        with pytest.raises(Forged):
            receiving.receive(heard.app, heard.provider, empty.headers, empty.raw, SOON, secret=secret)
    assert rows(heard.app, NEWS) == []


@every_provider
def test_while_a_secret_is_replaced_both_are_good(heard: Heard) -> None:
    (mail,) = _sent(heard)
    one = heard.hook("delivered", mail)
    both = f"whsec_bmV3LW9uZQ== {SECRETS[heard.provider]}"
    assert receiving.receive(heard.app, heard.provider, one.headers, one.raw, SOON, secret=both).kept == 1


def test_nothing_is_read_before_it_is_proved(heard: Heard) -> None:
    with pytest.raises(Forged):
        heard.receive(Hook({}, b"{not json"))
    with pytest.raises(Unreadable):
        heard.receive(Hook({}, b"x" * (1024 * 1024 + 1)))


def test_a_provider_that_tells_no_news_is_not_found(heard: Heard) -> None:
    with pytest.raises(NothingFound):
        receiving.receive(heard.app, "smtp", {}, b"{}", SOON, secret="x")


# -- from the wire ---------------------------------------------------------------------------------------------------


def _door(heard: Heard) -> type[BaseHTTPRequestHandler]:
    """Return a door as the web will have one: raw bytes in, 200 for what is proved, 401 for what is not."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            try:
                secret = SECRETS[heard.provider]
                receiving.receive(heard.app, heard.provider, dict(self.headers), raw, NOW, secret=secret)
                self.send_response(200)
            except Forged:
                self.send_response(401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    return Door


@every_provider
def test_news_that_comes_before_the_answer_doubled_shuffled_and_forged_ends_well(heard: Heard) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _door(heard))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hooks = f"http://127.0.0.1:{server.server_address[1]}/"
    heard.double.courier = Courier(heard.provider, hooks, "early+doubled+shuffled+forged")
    try:
        _sent(heard, 3)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    statuses = {(kind.startswith("forged"), status) for kind, _, status in heard.double.courier.told}
    assert statuses == {(False, 200), (True, 401)}
    assert states(heard.app) == {"sent": 3}
    assert sorted(row.kind for row in rows(heard.app, NEWS)) == ["delivered"] * 3
    assert _blocked(heard.app) == []


def test_the_same_news_told_by_many_at_once_is_kept_once(heard: Heard) -> None:
    mails = _doubtful(heard, 6)
    told = [(kind, mail) for mail in mails for kind in ("complained", "unsubscribed", "delivered", "bounced")]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda one: heard.tell(*one), told * 3))
    assert sum(one.kept for one in done) == len(told) == len(rows(heard.app, NEWS))
    assert sum(one.proved for one in done) == 6
    assert states(heard.app) == {"sent": 6}
    assert (
        sorted(row.reason for row in rows(heard.app, BLOCKS) if row.reason is Reason.HARD_BOUNCE) == ["hard_bounce"] * 6
    )


def test_two_people_who_share_addresses_may_say_no_at_once(heard: Heard) -> None:
    mails = _doubtful(heard, 12)
    with heard.app.database.write() as session:
        known = CustomerAddress.__table__  # type: ignore[attr-defined]
        for row in rows(heard.app, CUSTOMERS):  # everybody has once been at the next one's address
            other = mails[(row.id + 1) % len(mails)]["address"]
            session.connection().execute(sa.insert(known).values(customer_id=row.id, address_id=other))
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda mail: heard.tell("unsubscribed", mail), mails * 2))
    assert sum(one.noes for one in done) == 12
    assert {row.address_id for row in rows(heard.app, CONSENTS) if row.state == "objected"} == {
        mail["address"] for mail in mails
    }


# -- any order, any number of times ----------------------------------------------------------------------------------

_KINDS = ["accepted", "delivered", "deferred", "bounced", "complained", "opened", "clicked"]


def _told(provider: str) -> st.SearchStrategy[list[tuple[int, str, int, bool]]]:
    """Return news as (mail, kind, minute, forged)."""
    kinds = _KINDS if provider == "resend" else [*_KINDS, "unsubscribed"]
    one = st.tuples(st.integers(0, 2), st.sampled_from(kinds), st.integers(-3, 1), st.booleans())
    return st.lists(one, min_size=1, max_size=6)


def _doubtful(heard: Heard, count: int) -> list[Line]:
    """Return mails whose calls brought no answer, as the double would have booked them."""
    add_birthdays(heard.app, count)
    planning.plan(heard.app, NOW)
    ids = [row.id for row in rows(heard.app)]
    with heard.app.database.read() as session:
        emails = dict(session.connection().execute(sa.select(ADDRESSES.c.id, ADDRESSES.c.email)).all())
        known = dict(session.connection().execute(sa.select(CUSTOMERS.c.id, CUSTOMERS.c.address_id)).all())
    put_state(
        heard.app, ids, [State.CLAIMED, State.SENDING, State.IN_DOUBT], provider=heard.provider, first_call_at=NOW
    )
    with heard.app.database.write() as session:
        for customer, address in known.items():
            mine = MESSAGES.c.customer_id == customer
            session.connection().execute(sa.update(MESSAGES).where(mine).values(address_id=address))
    return [
        {"mid": row.message_id, "id": f"number-{row.id}", "to": emails[row.address_id], "address": row.address_id}
        for row in rows(heard.app)
    ]


def _outcome(heard: Heard, mails: list[Line]) -> list[Any]:
    """Return everything that may hang on the news of these mails, without numbers that count arrivals."""
    found = []
    everything = [rows(heard.app, table) for table in (MESSAGES, NEWS, BLOCKS, CONSENTS)]
    for mail in mails:
        (message,) = [row for row in everything[0] if row.message_id == mail["mid"]]
        news = sorted((row.kind, row.at, row.detail) for row in everything[1] if row.message == message.id)
        noes = sorted((row.reason, row.scope, row.at) for row in everything[2] if row.address_id == mail["address"])
        said = sorted((row.state, row.at) for row in everything[3] if row.address_id == mail["address"])
        end = (message.state, message.reason, message.sent_at, message.provider_id == mail["id"])
        found.append((end, news, noes, said))
    return found


def _shuffled(news: list[tuple[int, str, int, bool]], data: st.DataObject) -> list[tuple[int, str, int, bool]]:
    again = data.draw(st.lists(st.sampled_from(news), max_size=4), label="told again")
    return list(data.draw(st.permutations([*news, *again]), label="order"))


def _tell(heard: Heard, order: list[tuple[int, str, int, bool]], mails: list[Line]) -> None:
    for mail, kind, minute, forged in order:
        at = NOW + timedelta(minutes=minute)
        if forged:
            with pytest.raises(Forged):
                heard.receive(heard.hook(kind, mails[mail], at, secret="whsec_Z3Vlc3Nlcw=="))
        else:
            heard.tell(kind, mails[mail], at)


@every_provider
def test_any_order_and_any_repetition_of_the_same_news_come_to_the_same(heard: Heard) -> None:
    mails = iter(_doubtful(heard, 150))

    @settings(max_examples=10, deadline=None, database=None)
    @given(data=st.data())
    def same(data: st.DataObject) -> None:
        news = data.draw(_told(heard.provider), label="news")
        outcomes = []
        for order in (news, _shuffled(news, data)):
            mine = [next(mails) for _ in range(3)]
            _tell(heard, order, mine)
            outcomes.append(_outcome(heard, mine))
        assert outcomes[0] == outcomes[1]
        told = {(mail, kind, minute) for mail, kind, minute, forged in news if not forged}
        assert sum(len(kept) for _, kept, _, _ in outcomes[0]) == len(told)
        proved = {mail for mail, kind, _ in told if kind != "accepted" or heard.provider != "postmark"}
        assert {place for place, (end, *_) in enumerate(outcomes[0]) if end[0] is State.SENT} == proved

    same()


@every_provider
def test_every_kind_of_news_has_a_word(heard: Heard) -> None:
    (mail,) = _sent(heard)
    minute = 0
    for kind in _KINDS:
        minute -= 1
        heard.tell(kind, mail, NOW + timedelta(minutes=minute))
    told = {row.kind for row in rows(heard.app, NEWS)}
    missing = {"accepted"} if heard.provider == "postmark" else set()
    assert set(_KINDS) - told == missing
    assert told <= {kind.value for kind in NewsKind}
