"""Asking for mail, confirming it, and seeing one's own data: on the page's side of the step that does it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.steps.consent.asking import Pending
from engine.web.limiting import Limits
from tests.web.visiting import Asked, dump, pages_of, served, visitor

if TYPE_CHECKING:
    from engine.app import App

WORDING = "newsletter-2015"
JSON = {"email": "neu@example.org", "wording": WORDING, "action": "click"}


def pending(**changes: Any) -> Pending:
    known = {"email_masked": "n***@e***", "wording": WORDING, "text": "Ja, gern.", "title": "", "expired": False}
    return Pending(**(known | {"used": False} | changes))


def fields_of(page: str) -> dict[str, str]:
    return {"version": re.findall(r'name="version" value="(\w+)"', page)[0], "agree": "yes", "email": "neu@example.org"}


@pytest.mark.parametrize("path", ["/sign-up", "/anmelden"])
def test_the_form_shows_the_whole_text_beside_a_box_nobody_ticked(app: App, path: str) -> None:
    page = visitor(pages_of(app)).get(f"{path}/{WORDING}").text
    assert "Ja, Radhaus Sommer darf mir per E-Mail schreiben. Ich kann das jederzeit beenden." in page
    assert '<input type="checkbox" name="agree"' in page
    assert "checked" not in page


@pytest.mark.parametrize("path", ["/sign-up", "/anmelden"])
def test_a_ticked_form_asks_with_its_evidence(app: App, path: str) -> None:
    asked = Asked()
    client = visitor(pages_of(app, asked))
    form = fields_of(client.get(f"{path}/{WORDING}").text)
    assert client.post(f"{path}/{WORDING}", data=form, headers={"user-agent": "Moz\x7filla"}).status_code == 200
    ((ask, who),) = asked.sign_ups
    assert (ask.email, ask.wording, len(ask.form_hash)) == ("neu@example.org", WORDING, 64)
    assert ask.form_url.endswith(f"{path}/{WORDING}")
    assert (ask.evidence, ask.action, ask.checked_by_default) == ("", "click", False)
    assert (who.language, who.user_agent) == ("de", "Moz illa")


@pytest.mark.parametrize(
    "changes", [{"agree": ""}, {"agree": "no"}, {"version": "0" * 64}, {"email": ""}, {"email": "x" * 400}]
)
def test_a_form_that_is_not_complete_asks_nobody(app: App, changes: dict[str, str]) -> None:
    asked = Asked()
    client = visitor(pages_of(app, asked))
    form = fields_of(client.get(f"/sign-up/{WORDING}").text) | changes
    answer = client.post(f"/sign-up/{WORDING}", data=form)
    assert answer.status_code == 400
    assert "neu@example.org" not in answer.text
    assert asked.sign_ups == []


def test_the_interface_takes_a_click(app: App) -> None:
    asked = Asked()
    answer = visitor(pages_of(app, asked)).post("/api/sign-up", json=JSON | {"form_url": "https://laden.example/"})
    assert (answer.status_code, answer.json()) == (202, {"status": "asked"})
    assert [ask.form_url for ask, _ in asked.sign_ups] == ["https://laden.example/"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"checked_by_default": True}, "checked_by_default"),
        ({"checked_by_default": "no"}, "checked_by_default"),
        ({"action": None}, "action"),
        ({"action": "buy"}, "action"),
        ({"email": 7}, "email"),
        ({"email": "neu@example.org" * 50}, "email"),
        ({"email": "no address"}, "email"),
        ({"wording": "unknown"}, "wording"),
        ({"form_hash": "zz"}, "form_hash"),
        ({"neu@example.org": 1}, "body"),
        ({"email": "\ud800@example.org"}, "email"),
    ],
)
def test_the_interface_names_what_is_wrong_and_never_what_was_sent(
    app: App, changes: dict[str, Any], field: str
) -> None:
    import json

    asked = Asked()
    client = visitor(pages_of(app, asked))
    raw = json.dumps({**JSON, **changes}).encode()
    answer = client.post("/api/sign-up", content=raw, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()) == (422, {"error": "invalid", "fields": [field]})
    assert asked.sign_ups == []


def test_a_missing_action_is_no_consent(app: App) -> None:
    asked = Asked()
    answer = visitor(pages_of(app, asked)).post("/api/sign-up", json={"email": "a@example.org", "wording": WORDING})
    assert answer.status_code == 422
    assert asked.sign_ups == []


@pytest.mark.parametrize("raw", [b"[" * 20_000, b'{"a":' * 9_000, b"\xff", b"{", b"", b"null", b"NaN", b"[]", b'"x"'])
def test_what_is_no_request_is_refused_without_a_fault(app: App, raw: bytes) -> None:
    client = visitor(pages_of(app))
    for kind in ("application/json", "application/json; charset=utf-16", "text/plain", ""):
        answer = client.post("/api/sign-up", content=raw, headers={"content-type": kind} if kind else {})
        assert answer.status_code in {400, 422}, (raw[:20], kind)


@pytest.mark.parametrize(
    "tied",
    [{"purchase": "A-17"}, {"terms_accepted": True}, {"coupon": "WILLKOMMEN"}, {"loyalty_program": True}, {"price": 1}],
)
def test_b13_no_purchase_terms_or_reward_can_be_tied_to_a_consent(app: App, tied: dict[str, Any]) -> None:
    asked = Asked()
    client = visitor(pages_of(app, asked))
    assert client.post("/api/sign-up", json=JSON | tied).status_code == 422
    assert asked.sign_ups == []
    assert client.post("/api/sign-up", json=JSON).json() == {"status": "asked"}
    form = client.get(f"/sign-up/{WORDING}").text
    assert set(re.findall(r'<(?:input|select|textarea|button)[^>]* name="(\w+)"', form)) == {
        "version",
        "agree",
        "email",
    }


@pytest.mark.parametrize(("kept", "network"), [("full", "198.51.100.77"), ("truncated", "198.51.100.0"), ("none", "")])
def test_b12_of_a_network_address_only_what_the_shop_wants_is_kept(app: App, kept: str, network: str) -> None:
    privacy = app.config.privacy.model_copy(update={"network": kept})
    web = app.config.web.model_copy(update={"trusted_proxies": ("127.0.0.1",)})
    shop = replace(app, config=app.config.model_copy(update={"privacy": privacy, "web": web}))
    asked = Asked()
    with served(pages_of(shop, asked)) as client:
        assert client.post("/api/sign-up", json=JSON, headers={"x-forwarded-for": "198.51.100.77"}).status_code == 202
    assert [who.network for _, who in asked.sign_ups] == [network]


# -- B8: only the POST behind the link agrees ------------------------------------------------------------------------


def test_looking_confirms_nothing_and_the_button_does(app: App) -> None:
    asked = Asked({"t": pending()})
    client = visitor(pages_of(app, asked))
    before = dump(app)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert client.request(method, "/c/t?confirm=yes").status_code == 200
    assert client.post("/c/t?confirm=yes").status_code == 400
    assert client.post("/c/t", data={"confirm": "no"}).status_code == 400
    assert asked.confirmed == []
    assert "Bestätigt" in client.post("/c/t", data={"confirm": "yes"}).text
    assert asked.confirmed == ["t"]
    assert dump(app) == before


def test_a_used_an_expired_and_an_unknown_link_are_told_calmly(app: App) -> None:
    asked = Asked({"used": pending(used=True), "late": pending(expired=True)})
    client = visitor(pages_of(app, asked))
    assert "Bestätigt" in client.get("/c/used").text
    assert "abgelaufen" in client.get("/c/late").text
    assert "abgelaufen" in client.post("/c/late", data={"confirm": "yes"}).text
    assert client.get("/c/x").text == client.get("/u/x").text
    assert client.get("/c/x").status_code == client.post("/c/x", data={"confirm": "yes"}).status_code == 404


# -- my data ----------------------------------------------------------------------------------------------------


def test_asking_for_ones_data_is_answered_alike_for_everybody(app: App) -> None:
    asked = Asked()
    client = visitor(pages_of(app, asked))
    answers = [client.post("/meine-daten", data={"email": one}) for one in ("k0@example.com", "nobody@example.org")]
    assert answers[0].text == answers[1].text
    assert asked.data_asked == ["k0@example.com", "nobody@example.org"]
    assert [client.post("/my-data", data={"email": one}).status_code for one in ("", "x", "no address")] == [400] * 3


def test_the_data_are_opened_by_the_button_alone(app: App) -> None:
    asked = Asked({"t": pending(), "used": pending(used=True)})
    client = visitor(pages_of(app, asked))
    assert client.get("/d/t").status_code == 200
    assert client.post("/d/t").status_code == 400
    assert asked.opened == []
    page = client.post("/d/t", data={"show": "page"}).text
    assert "&lt;b&gt;Anna" in page
    assert "49,00 €" in page
    assert "<h2>Einkäufe</h2>" in page
    assert "purchases" not in page
    file = client.post("/d/t", data={"show": "file"})
    assert file.json()["name"] == "<b>Anna</b>"
    assert "attachment" in file.headers["content-disposition"]
    assert "gilt nicht mehr" in client.post("/d/used", data={"show": "page"}).text
    assert client.get("/d/x").status_code == 404


def test_one_address_is_not_asked_for_without_end(app: App) -> None:
    asked = Asked()
    client = visitor(pages_of(app, asked, Limits()))
    body = [JSON | {"email": spelled} for spelled in ("neu@example.org", "NEU@example.org ") for _ in range(4)]
    answers = [client.post("/api/sign-up", json=one) for one in body]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429] * 3
    assert int(answers[-1].headers["retry-after"]) > 3600
    assert len(asked.sign_ups) == 5
