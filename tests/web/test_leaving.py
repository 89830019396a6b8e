"""The links in a real mail: looking changes nothing, one click ends it, and it never wears out."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import stopped_at
from engine.domain.permission import Refused, permit
from engine.domain.words import Reason
from engine.steps import planning
from engine.steps.consent import choosing, replying
from engine.steps.subscribing import policy_of
from engine.store.consents import permission_facts
from engine.store.lawful_tables import Reply
from engine.store.message_tables import MessageBody
from engine.store.suppression_log import SuppressionLog
from engine.store.tables import Address, ConsentEvent, Customer, CustomerAddress
from engine.tokens import unsubscribe_token
from engine.web.showing import months_later
from tests.conftest import MakeApp
from tests.people import NOW, add_address, add_consent
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, MESSAGES, add_birthdays, real_config, rows, tick
from tests.web.visiting import HOST, ONE_CLICK, dump, pages_of, served, token_of, visitor

if TYPE_CHECKING:
    from engine.app import App

CONSENTS: sa.Table = ConsentEvent.__table__  # type: ignore[attr-defined]
ADDRESSES: sa.Table = Address.__table__  # type: ignore[attr-defined]
SOON = NOW + timedelta(days=1)


def may(app: App, customer: int = 1, kind: str = "birthday") -> Reason | None:
    with app.database.read() as session:
        box = session.execute(sa.select(Customer.address_id).where(Customer.id == customer)).scalar_one()
        (facts,) = permission_facts(session, app.keyring, [(customer, box, None)])
    said = permit(kind, facts, policy_of(app.config), SOON)
    return said.reason if isinstance(said, Refused) else None


def noes(app: App) -> list[str]:
    return [row.state for row in rows(app, CONSENTS) if row.state in {"objected", "withdrawn"}]


def links_in(text: str) -> set[str]:
    return set(re.findall(rf"https://{re.escape(HOST)}(/[^\s\"'<>)]+)", text))


# -- K1, K2, K3: looking, and the one click ---------------------------------------------------------------------------


def test_a_scanner_that_follows_every_link_of_a_real_mail_changes_nothing(app: App, brevo: Served) -> None:
    bodies = rows(app, MessageBody.__table__)  # type: ignore[attr-defined]
    links = {link for body in bodies for link in links_in(body.html + body.text + body.headers)}
    assert {link[:3] for link in links} == {"/u/", "/p/"}
    before = dump(app)
    with served(pages_of(app)) as client:
        for link in sorted(links):
            for headers in ({}, {"purpose": "prefetch", "sec-purpose": "prefetch;prerender"}):
                page = client.get(link, headers=headers)
                assert page.status_code == 200
                assert "<button" in page.text
                for inner in re.findall(r'(?:href|action)="(/[^"]*)"', page.text):
                    assert client.get(inner).status_code == 200
                    assert client.request("HEAD", inner).status_code == 200
            assert client.request("HEAD", link).content == b""
            assert client.request("OPTIONS", link).status_code == 200
            assert client.get(f"{link}?List-Unsubscribe=One-Click").status_code == 200
    assert dump(app) == before


def test_the_links_of_the_header_and_the_body_lead_here(app: App) -> None:
    body = rows(app, MessageBody.__table__)[0]  # type: ignore[attr-defined]
    token = token_of(app)
    assert f"<https://{HOST}/u/{token}>" in body.headers
    assert "List-Unsubscribe=One-Click" in body.headers
    assert {f"/u/{token}", f"/p/{token}"} <= links_in(body.html)


@pytest.mark.parametrize("way", ["urlencoded", "multipart"])
def test_one_click_ends_it_without_redirect_cookie_or_referer(app: App, way: str) -> None:
    body: dict[str, Any] = {"data": ONE_CLICK}
    if way == "multipart":
        body = {"files": {"List-Unsubscribe": (None, "One-Click")}}
    with served(pages_of(app)) as client:
        client.headers.clear()
        answer = client.post(f"/u/{token_of(app)}", **body)
    assert answer.status_code == 200
    assert not {"set-cookie", "location"} & set(answer.headers)
    assert may(app) is Reason.OBJECTION
    assert may(app, 2) is None
    assert len(list(SuppressionLog.beside(app.database, app.home).read())) == 2


def test_the_same_link_again_answers_the_same_and_adds_nothing(app: App) -> None:
    client, link = visitor(pages_of(app)), f"/u/{token_of(app)}"
    first = client.post(link, data=ONE_CLICK)
    after = dump(app)
    assert [client.post(link, data=ONE_CLICK).status_code for _ in range(3)] == [200] * 3
    assert dump(app) == after
    assert "Erledigt" in first.text
    assert client.get(link).status_code == 200


def test_many_clicks_at_the_same_moment_are_one_objection(app: App) -> None:
    link = f"/u/{token_of(app)}"
    with served(pages_of(app)) as client, ThreadPoolExecutor(6) as many:
        answers = list(many.map(lambda _: client.post(link, data=ONE_CLICK).status_code, range(12)))
    assert answers == [200] * 12
    assert noes(app) == ["objected"]


@pytest.mark.parametrize(
    "body",
    [{}, {"data": {"confirm": "1"}}, {"data": {"List-Unsubscribe": "yes"}}, {"content": b"\xff\xfe"},
     {"content": b"List-Unsubscribe=One-Click", "headers": {"content-type": "text/plain"}},
     {"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=y"}},
     {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
     {"params": {"List-Unsubscribe": "One-Click"}}],
)  # fmt: skip
def test_a_post_without_the_field_shows_the_button_and_changes_nothing(app: App, body: dict[str, Any]) -> None:
    before = dump(app)
    answer = visitor(pages_of(app)).post(f"/u/{token_of(app)}", **body)
    assert answer.status_code == 400
    assert 'value="One-Click"' in answer.text
    assert dump(app) == before


def test_open_mail_is_stopped_before_the_answer(make_app: MakeApp, brevo: Served) -> None:
    app = make_app(config=real_config(brevo), campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    planning.plan(app, NOW)
    visitor(pages_of(app)).post(f"/u/{token_of(app)}", data=ONE_CLICK)
    (row,) = rows(app)
    assert (row.state.value, row.reason) == ("skipped", Reason.OBJECTION)


def test_c8_nobody_gets_a_mail_because_they_unsubscribed(app: App, brevo: Served) -> None:
    calls = len(brevo.double.requests)
    page = visitor(pages_of(app)).post(f"/u/{token_of(app)}", data=ONE_CLICK)
    assert "Erledigt" in page.text
    tick(app, SOON)
    replying.send_replies(app, stopped_at(SOON))
    assert len(brevo.double.requests) == calls
    assert rows(app, Reply.__table__) == []  # type: ignore[attr-defined]


def test_c1_one_link_and_one_button_without_login_address_or_reason(app: App) -> None:
    page = visitor(pages_of(app)).get(f"/u/{token_of(app)}").text
    (form,) = [one for one in re.findall(r"<form.*?</form>", page, re.DOTALL) if 'value="One-Click"' in one]
    inputs = re.findall(r"<(?:input|select|textarea)[^>]*>", form)
    assert all('type="hidden"' in one for one in inputs)
    assert form.count("<button") == 1


# -- C4, G4: whatever became of the person ---------------------------------------------------------------------------


def test_an_old_link_works_for_all_addresses_the_person_has_now(app: App) -> None:
    with app.database.write() as session:
        new = add_address(session, "kim-new@example.org")
        session.execute(sa.update(Customer).where(Customer.id == 1).values(address_id=new.id))
        session.add(CustomerAddress(customer_id=1, address_id=new.id))
        add_consent(session, session.get(Customer, 1), at=NOW - timedelta(hours=1))
    assert may(app) is None
    page = visitor(pages_of(app)).post(f"/u/{token_of(app)}", data=ONE_CLICK)
    assert "k***@e***" in page.text
    assert may(app) is Reason.OBJECTION
    assert noes(app) == ["objected", "objected"]


def test_it_works_after_the_address_was_erased(app: App) -> None:
    token = token_of(app)
    with app.database.write() as session:
        for statement in (
            "DELETE FROM message_body", "UPDATE message SET address_id = NULL", "UPDATE customer SET address_id = NULL",
            "DELETE FROM customer_address",
        ):  # fmt: skip
            session.execute(sa.text(statement))
    client = visitor(pages_of(app))
    answers = [client.get(f"/u/{token}"), client.post(f"/u/{token}", data=ONE_CLICK), client.get(f"/p/{token}")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert all("***" not in answer.text for answer in answers)


def test_a_rehearsed_mail_stops_nobody(make_app: MakeApp) -> None:
    app = make_app(campaigns={"birthday": BIRTHDAY}, extra=f'\n[web]\npublic_url = "https://{HOST}"\n')
    add_birthdays(app, 1)
    tick(app)
    before = dump(app)
    page = visitor(pages_of(app)).post(f"/u/{token_of(app)}", data=ONE_CLICK)
    assert page.status_code == 200
    assert "nur eine Probe" in page.text
    assert "Ab sofort" not in page.text
    assert dump(app) == before


# -- K5: forged links -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["u", "p"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_wrong_token_gets_the_same_answer(app: App, page: str, method: str) -> None:
    token = token_of(app)
    stranger = unsubscribe_token(app.keyring, "0f8a7c1e-9a55-5d7b-8a44-000000000000")
    wrong = [token[:-1], token + "A", token[::-1], "x" * 5000, "%00", "..%2f..%2fetc", "ä", stranger, "."]
    client = visitor(pages_of(app))
    form = ONE_CLICK if page == "u" else {"form": "choices"}
    answers = [client.request(method, f"/{page}/{one}", data=form if method == "POST" else None) for one in wrong]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert dict(answers[0].headers) == dict(answers[-1].headers)


# -- topics and the pause ----------------------------------------------------------------------------------------------


def test_a_topic_without_its_tick_is_withdrawn_and_the_others_stay(app: App) -> None:
    client, link = visitor(pages_of(app)), f"/p/{token_of(app)}"
    kept = [value for value in re.findall(r'name="keep" value="(\w+)"', client.get(link).text) if value != "birthday"]
    assert "newsletter" in kept
    answer = client.post(link, data={"form": "choices", "keep": kept, "pause": "0"})
    assert answer.status_code == 200
    assert (may(app), may(app, kind="newsletter")) == (Reason.WITHDRAWN, None)
    assert 'value="birthday"' not in answer.text
    after = dump(app)
    client.post(link, data={"form": "choices", "keep": [*kept, "birthday"], "pause": "0"})
    assert dump(app) == after  # a tick brings nothing back


@pytest.mark.parametrize(("months", "until"), [("1", "2026-12-23"), ("3", "2027-02-23"), ("6", "2027-05-23")])
def test_a_pause_is_kept_at_every_address_and_ended_again(app: App, months: str, until: str) -> None:
    with app.database.write() as session:
        session.add(CustomerAddress(customer_id=1, address_id=add_address(session, "second@example.org").id))
    client, link = visitor(pages_of(app)), f"/p/{token_of(app)}"
    everything = re.findall(r'name="keep" value="(\w+)"', client.get(link).text)
    client.post(link, data={"form": "choices", "keep": everything, "pause": months})
    paused = {row.email: row.paused_until for row in rows(app, ADDRESSES)}
    assert {email for email, at in paused.items() if at} == {"k0@example.com", "second@example.org"}
    assert {f"{at:%Y-%m-%d}" for at in paused.values() if at} == {until}
    client.post(link, data={"form": "choices", "keep": everything, "pause": "keep"})
    assert {row.email: row.paused_until for row in rows(app, ADDRESSES)} == paused
    client.post(link, data={"form": "choices", "keep": everything, "pause": "0"})
    assert not any(row.paused_until for row in rows(app, ADDRESSES))
    assert noes(app) == []


def test_a_post_of_the_choices_without_their_mark_changes_nothing(app: App) -> None:
    before = dump(app)
    assert visitor(pages_of(app)).post(f"/p/{token_of(app)}", data={"pause": "6"}).status_code == 400
    assert dump(app) == before


def test_where_the_shop_reads_a_click_narrowly_only_that_kind_ends(make_app: MakeApp, brevo: Served) -> None:
    config = real_config(brevo) + '\n[legal]\nunsubscribe_scope = "kind"\n'
    app = make_app(config=config, campaigns={"birthday": BIRTHDAY})
    add_birthdays(app, 1)
    tick(app)
    client = visitor(pages_of(app))
    assert [client.post(f"/u/{token_of(app)}", data=ONE_CLICK).status_code for _ in range(2)] == [200, 200]
    assert noes(app) == ["withdrawn"]
    assert (may(app), may(app, kind="newsletter")) == (Reason.WITHDRAWN, None)


def test_after_a_new_yes_the_old_link_says_no_again(app: App) -> None:
    client, link = visitor(pages_of(app)), f"/u/{token_of(app)}"
    client.post(link, data=ONE_CLICK)
    with app.database.write() as session:
        add_consent(session, session.get(Customer, 1), at=NOW + timedelta(hours=1))
    assert may(app) is None
    assert choosing.unsubscribe(app, _message(app), NOW + timedelta(hours=2), "page") is not None
    assert may(app) is Reason.OBJECTION
    assert noes(app) == ["objected", "objected"]


def _message(app: App) -> str:
    with app.database.read() as session:
        return str(session.execute(sa.select(MESSAGES.c.message_id).order_by(MESSAGES.c.id)).scalars().first())


@pytest.mark.parametrize(
    ("stored", "browser", "said"),
    [("", "", "Ja, abmelden"), ("en", "de", "Yes, unsubscribe"), ("", "en-GB,de;q=0.5", "Yes, unsubscribe"),
     ("", "fr, de;q=0.9, en;q=0.8", "Ja, abmelden"), ("", "en;q=nan,;;,de;q=2", "Ja, abmelden")],
)  # fmt: skip
def test_the_page_speaks_the_customers_language(app: App, stored: str, browser: str, said: str) -> None:
    with app.database.write() as session:
        session.execute(sa.update(Customer).values(language=stored))
        session.execute(sa.update(MESSAGES).values(language=""))
    page = visitor(pages_of(app)).get(f"/u/{token_of(app)}", headers={"accept-language": browser})
    assert said in page.text


@settings(max_examples=200)
@given(st.datetimes(NOW.replace(tzinfo=None), NOW.replace(year=2200, tzinfo=None)), st.sampled_from([1, 3, 6]))
def test_a_pause_ends_in_the_month_it_names(at: Any, months: int) -> None:
    end = months_later(at, months)
    assert (end.year * 12 + end.month) - (at.year * 12 + at.month) == months
    assert end.day == at.day or (end + timedelta(days=1)).day == 1
