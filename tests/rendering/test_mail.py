"""Envelopes, headers, footers and signed links."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from engine.domain.words import Basis
from engine.errors import TemplateError
from engine.keys import Keyring
from engine.rendering import samples
from engine.rendering.context import Because
from engine.rendering.mail import Envelope, compose, links
from engine.rendering.renderer import Rendered
from engine.tokens import read_unsubscribe_token, unsubscribe_token
from tests.rendering.premises import Premises, body, letter, open_shop

ID = "7e0e9d1c-5a57-4a61-9f7e-0f4d3f3c2b1a"
OLD, NEW = b"o" * 64, b"n" * 64
KEYS = Keyring((NEW, OLD))
UNSAFE = ["\r\n", "\n", "\r", "\0", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"]


def _envelope(shop: Premises, **changes: str) -> Envelope:
    link = links(shop.config, KEYS, ID).unsubscribe
    plain = Envelope(ID, "one", "birthday", "anna@example.com", "Anna Müller", link)
    return replace(plain, **changes)


@pytest.fixture
def shop(tmp_path: Path) -> Premises:
    return open_shop(tmp_path, letter(body("Hallo")))


def test_advertising_carries_both_headers_of_rfc_8058(shop: Premises) -> None:
    mail = compose(shop.config, shop.render(), _envelope(shop))
    token = unsubscribe_token(KEYS, ID)
    assert mail.headers["List-Unsubscribe"] == f"<https://mail.radhaus-sommer.example.com/u/{token}>"
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.headers["Message-ID"] == f"<{ID}@radhaus-sommer.example.com>"
    assert mail.headers["Auto-Submitted"] == "auto-generated"
    assert mail.headers["List-Id"] == '"Radhaus Sommer" <birthday.radhaus-sommer.example.com>'
    assert (mail.sender, mail.sender_name) == ("post@radhaus-sommer.example.com", "Radhaus Sommer")
    assert (mail.reply_to, mail.to, mail.to_name) == (
        "laden@radhaus-sommer.example.com",
        "anna@example.com",
        "Anna Müller",
    )


def test_an_owed_mail_has_no_way_out_and_says_so_nowhere(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("Hallo"), "service_due", "contract_appointment"))
    known = replace(samples.full("service_due", "de"), because=Because(Basis.CONTRACT))
    mail = compose(shop.config, shop.render(known), _envelope(shop, kind="contract_appointment", unsubscribe=""))
    assert not [name for name in mail.headers if name.startswith("List-")]
    assert "Abmelden" not in mail.html + mail.text
    assert "aufgrund Ihres Vertrags mit uns" in mail.text
    assert "Lindenallee 4" in mail.html


def test_advertising_without_a_link_is_refused(shop: Premises) -> None:
    with pytest.raises(TemplateError, match="unsubscribe link"):
        compose(shop.config, shop.render(), _envelope(shop, unsubscribe=""))
    with pytest.raises(TemplateError, match=r"links\.unsubscribe fehlt"):
        shop.render(replace(samples.full("birthday", "de"), links=samples.Links()))


@pytest.mark.parametrize("sign", UNSAFE)
def test_a_header_never_holds_a_control_character(shop: Premises, sign: str) -> None:
    named = compose(shop.config, shop.render(), _envelope(shop, name=f"Anna{sign}Bcc: x@y.example"))
    assert named.to_name == "Anna Bcc: x@y.example"
    with pytest.raises(TemplateError, match="control character"):
        compose(shop.config, shop.render(), _envelope(shop, to=f"anna@example.com{sign}Bcc: x@y.example"))
    with pytest.raises(TemplateError, match="control character"):
        compose(shop.config, replace(shop.render(), subject=f"a{sign}b"), _envelope(shop))


@pytest.mark.parametrize("sign", UNSAFE)
def test_a_name_in_the_subject_cannot_break_the_line(tmp_path: Path, sign: str) -> None:
    shop = open_shop(tmp_path, letter(body("x", "Für {{ customer.first_name }}")))
    known = samples.full("birthday", "de")
    named = replace(known, customer=replace(known.customer, first_name=f"Anna{sign}Bcc: x"))
    assert shop.render(named).subject == "Für Anna Bcc: x"


def test_headers_are_ascii_even_for_a_shop_called_mueller(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("x")), shop="")
    config = shop.config.model_copy(update={"shop": shop.config.shop.model_copy(update={"name": "Müller & Söhne"})})
    mail = compose(config, shop.render(), _envelope(shop))
    assert all(value.isascii() for value in mail.headers.values())
    phrase = mail.headers["List-Id"].split(" <")[0]
    assert str(make_header(decode_header(phrase))) == "Müller & Söhne"


@pytest.mark.parametrize(
    ("basis", "form", "sentence"),
    [
        (Because(Basis.CONSENT, date(2026, 1, 5)), "", "weil Sie am 5. Januar 2026 zugestimmt haben."),
        (Because(Basis.CONSENT, date(2026, 1, 5)), "du", "weil du am 5. Januar 2026 zugestimmt hast."),
        (Because(), "", "weil Sie zugestimmt haben."),
        (Because(Basis.EXISTING_CUSTOMER, product="Fahrräder"), "", "weil Sie bei uns gekauft haben: Fahrräder."),
        (Because(Basis.EXISTING_CUSTOMER), "du", "weil du bei uns Kundin oder Kunde bist."),
    ],
)
def test_the_footer_says_why_and_what_it_costs_to_stop(
    shop: Premises, basis: Because, form: str, sentence: str
) -> None:
    known = samples.full("birthday", "de")
    mail = shop.render(replace(known, because=basis, customer=replace(known.customer, address_form=form)))
    for part in (mail.html, mail.text):
        assert sentence in part
        assert "keine anderen als die Übermittlungskosten nach den Basistarifen" in part
        assert "https://shop.example/u/sample" in part


def test_the_impressum_follows_the_legal_form(tmp_path: Path) -> None:
    company = 'legal_form = "GmbH"\nregister_entry = "Amtsgericht München, HRB 12345"\nvat_id = "DE123456789"\n'
    text = open_shop(tmp_path, letter(body("x")), shop=company).render().text
    assert "Radhaus Sommer GmbH · Lindenallee 4, 80331 München" in text
    assert "Vertreten durch Petra Sommer · Amtsgericht München, HRB 12345 · USt-IdNr. DE123456789" in text
    merchant = 'legal_form = "e.K."\n'
    assert "Radhaus Sommer e.K. · " in (
        said := open_shop(tmp_path / "c", letter(body("x")), shop=merchant).render().text
    )
    assert "Inh. Petra Sommer" in said
    alone = open_shop(tmp_path / "b", letter(body("x"))).render().text
    assert "Inh. Petra Sommer" in alone
    assert "Telefon +49 89 1234567 · laden@radhaus-sommer.example.com" in alone


def test_a_link_works_as_long_as_its_key_is_kept() -> None:
    old = unsubscribe_token(Keyring((OLD,)), ID)
    assert read_unsubscribe_token(KEYS, old) == ID
    assert read_unsubscribe_token(KEYS, unsubscribe_token(KEYS, ID)) == ID
    assert read_unsubscribe_token(Keyring((OLD,)), unsubscribe_token(KEYS, ID)) is None


def test_no_changed_token_is_ours() -> None:
    token = unsubscribe_token(KEYS, ID)
    other = token[::-1]
    flips = [token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in range(len(token))]
    # The last letter of a signature carries two spare bits; what decodes to the same bytes is the same token.
    assert [flip for flip in flips[:-1] if read_unsubscribe_token(KEYS, flip)] == []
    for wrong in (other, "", token[:-1], token + "x", "ä", "../" + token, "x" * 1_000_000):
        assert read_unsubscribe_token(KEYS, wrong) is None


def test_the_mails_words_are_frozen_as_they_were_rendered(shop: Premises) -> None:
    rendered: Rendered = shop.render()
    mail = compose(shop.config, rendered, _envelope(shop))
    assert (mail.html, mail.text, mail.subject) == (rendered.html, rendered.text, rendered.subject)
