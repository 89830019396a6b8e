"""The bare mails: nothing in them but what somebody asked for, and a lint that lets nothing else through."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.config.loading import Config, load_config
from engine.domain.words import Email
from engine.providers import mime
from engine.rendering import replies
from engine.rendering.bareness import faults_of
from engine.rendering.replies import Asked
from tests.conftest import CONFIG

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
TOKEN = "A" * 43
ASKED = Asked(
    message_id="0f8a7c1e-9a55-5d7b-8a44-5a1b1c2d3e4f",
    kind="doi_request",
    to="anna@example.com",
    language="de",
    token=TOKEN,
    asked_at=NOW,
    expires_at=NOW + timedelta(days=7),
    about="Fahrräder und Zubehör",
)


def config_with(tmp_path: Path, *changes: tuple[str, str]) -> Config:
    text = CONFIG.replace("{store}", "sqlite:///store.db") + '\n[web]\npublic_url = "https://post.radhaus.example"\n'
    for old, new in changes:
        text = text.replace(old, new, 1)
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    return load_config(tmp_path / "config.toml", {})


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_with(tmp_path)


def test_w9_the_mail_in_german(config: Config) -> None:
    mail = replies.compose(config, ASKED)
    assert mail.subject == "Bitte bestätigen Sie Ihre Anmeldung"
    assert mail.text == (
        "Am 23. November 2026, 09:30 Uhr, wurde diese Adresse auf post.radhaus.example für E-Mails von Radhaus Sommer "
        "eingetragen (Fahrräder und Zubehör).\n\n"
        "Waren Sie das, bestätigen Sie bitte hier:\n\n"
        f"https://post.radhaus.example/c/{TOKEN}\n\n"
        "Der Link gilt bis 30. November 2026, 09:30 Uhr.\n\n"
        "Waren Sie es nicht, tun Sie nichts; die Eintragung wird dann gelöscht.\n\n"
        "Radhaus Sommer · Lindenallee 4, 80331 München\n"
        "Telefon +49 89 1234567 · laden@radhaus-sommer.example.com\n"
        "Inh. Petra Sommer\n"
    )


def test_w9_the_mail_in_english(config: Config) -> None:
    mail = replies.compose(config, replace(ASKED, language="en"))
    assert mail.subject == "Please confirm your sign-up"
    assert mail.text.startswith(
        "On 23 November 2026, 09:30 this address was entered at post.radhaus.example for e-mails from Radhaus Sommer "
        "(Fahrräder und Zubehör).\n\nIf that was you, please confirm here:\n\n"
    )


def test_w9_the_mail_says_du_where_the_shop_does(tmp_path: Path) -> None:
    config = config_with(tmp_path, ('name = "Radhaus Sommer"', 'name = "Radhaus Sommer"\naddress_form = "du"'))
    mail = replies.compose(config, ASKED)
    assert mail.subject == "Bitte bestätige deine Anmeldung"
    assert "Warst du das, bestätige bitte hier:" in mail.text
    assert "Sie" not in mail.text


VARIANTS = list(
    itertools.product(("doi_request", "dsr_response"), ("de", "en", "xx", ""), ("Sie", "du"), (True, False))
)


@pytest.mark.parametrize(("kind", "language", "form", "on_page"), VARIANTS)
def test_b6_every_mail_is_bare(tmp_path: Path, kind: str, language: str, form: str, on_page: bool) -> None:
    config = config_with(tmp_path, ('name = "Radhaus Sommer"', f'name = "Radhaus Sommer"\naddress_form = "{form}"'))
    asked = replace(ASKED, kind=kind, language=language, on_page=on_page)
    mail = replies.compose(config, asked)
    assert replies.faults(config, asked, mail) == []
    assert mail.html.count("<a ") == 1
    assert not {name.lower() for name in mail.headers} & {"list-unsubscribe", "list-unsubscribe-post", "list-id"}
    assert mail.headers["Auto-Submitted"] == "auto-generated"
    assert mail.text.isprintable() or set(mail.text) >= {"\n"}
    raw = mime.build(mail)
    assert raw.count(b"Subject:") == 1
    assert b"anna@example.com" in raw


def test_b6_a_firm_may_be_called_anything(tmp_path: Path) -> None:
    config = config_with(tmp_path, ('name = "Radhaus Sommer"', 'name = "Willkommen & Sale <b> 24 %"'))
    mail = replies.compose(config, ASKED)
    assert replies.faults(config, ASKED, mail) == []
    assert "<b>" not in mail.html


def test_the_same_request_makes_the_same_bytes(config: Config) -> None:
    assert mime.build(replies.compose(config, ASKED)) == mime.build(replies.compose(config, ASKED))


def test_a_rehearsal_without_a_sender_still_makes_a_mail(tmp_path: Path) -> None:
    config = config_with(tmp_path, ('from = "Radhaus Sommer <post@radhaus-sommer.example.com>"\n', ""))
    mail = replies.compose(config, ASKED)
    assert b"Message-ID: <0f8a7c1e" in mime.build(mail)


LINK = f"https://post.radhaus.example/c/{TOKEN}"
HTML = "</body></html>"


def spoilt_html(mail: Email, more: str) -> Email:
    return replace(mail, html=mail.html.replace(HTML, more + HTML))


def spoilt(mail: Email, more: str) -> Email:
    return replace(mail, text=f"{mail.text}\n{more}\n", html=mail.html.replace(HTML, f"<p>{more}</p>{HTML}"))


HTML_CORPUS = [
    '<img src="https://shop.example/logo.png">',
    '<img src="cid:logo" alt="">',
    "<style>p { color: red }</style>",
    '<p style="color:red"></p>',
    '<p class="hero"></p>',
    '<a href="https://shop.example"></a>',
    '<a href="mailto:hilfe@shop.example"></a>',
    '<a href="javascript:alert(1)"></a>',
    "<script>1</script>",
    "<iframe></iframe>",
    '<link rel="stylesheet" href="https://shop.example/a.css">',
    "<table></table>",
    '<body background="https://shop.example/a.gif">',
    "<h1></h1>",
    "<svg></svg>",
    '<form action="https://shop.example"></form>',
    "<!-- [if mso] -->",
    '<p onclick="x()"></p>',
    "<b></b>",
    '<base href="https://evil.example">',
    '<meta http-equiv="refresh" content="0">',
    "<p>noch etwas</p>",
]
TEXT_CORPUS = [
    "Willkommen bei Radhaus Sommer",
    "Welcome to Radhaus Sommer",
    "Herzlich grüßt Ihr Team",
    "Fragen zum Newsletter",
    "Bei Fragen kontaktieren Sie uns",
    "Questions about the newsletter? Contact us",
    "15 % auf alles",
    "Ihr Gutschein wartet",
    "Use this voucher",
    "10 Rabatt",
    "Nur 5 €",
    "Jetzt kaufen",
    "Folgen Sie uns auf Instagram",
    "Facebook: radhaus",
    "Wir freuen uns auf Sie!",
    "🎉",
    "★ Bester Laden ★",
    "https://shop.example/angebote",
    "www.shop.example",
    "mailto:laden@shop.example",
    "ftp://shop.example",
    "HTTPS://SHOP.EXAMPLE",
    "P.S. Besuchen Sie uns",
    "gratis dazu",
]


def _bare(config: Config, mail: Email) -> list[str]:
    """Return what is found without knowing the words."""
    return faults_of(mail, LINK, (*replies._legal_details(config, "de"), config.shop.name, "post.radhaus.example"))


def test_b6_the_words_are_locked(config: Config) -> None:
    mail = replies.compose(config, ASKED)
    assert replies.faults(config, ASKED, spoilt(mail, "ein harmloser Satz")) == ["other words than the locked ones"]


@pytest.mark.parametrize("more", HTML_CORPUS)
def test_b6_nothing_else_gets_into_the_html_part(config: Config, more: str) -> None:
    mail = replies.compose(config, ASKED)
    assert _bare(config, mail) == []
    assert _bare(config, spoilt_html(mail, more))


@pytest.mark.parametrize("more", TEXT_CORPUS)
def test_b6_nothing_that_sells_gets_into_the_words(config: Config, more: str) -> None:
    mail = replies.compose(config, ASKED)
    assert _bare(config, spoilt(mail, more))


@pytest.mark.parametrize("about", TEXT_CORPUS)
def test_b6_what_a_wording_is_about_cannot_smuggle_it_in(config: Config, about: str) -> None:
    asked = replace(ASKED, about=about)
    assert replies.faults(config, asked, replies.compose(config, asked))


@pytest.mark.parametrize("about", ["<img src=x>", '"><script>alert(1)</script>', "{{ 7*7 }}", "&amp;"])
def test_template_and_html_injection_stay_letters(config: Config, about: str) -> None:
    asked = replace(ASKED, about=about)
    mail = replies.compose(config, asked)
    assert about in mail.text
    assert "<img" not in mail.html
    assert "<script" not in mail.html
    assert replies.faults(config, asked, mail) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"List-Unsubscribe": "<https://x.example>"},
        {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
        {"List-Id": "x"},
        {"Feedback-ID": "a:b:c"},
    ],
)
def test_b6_there_is_nothing_to_unsubscribe_from(config: Config, headers: dict[str, str]) -> None:
    mail = replies.compose(config, ASKED)
    assert replies.faults(config, ASKED, replace(mail, headers=mail.headers | headers))


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {}},
        {"subject": "Willkommen"},
        {"subject": "Bitte bestätigen 🎉"},
        {"subject": LINK},
        {"to_name": "Anna"},
        {"html": ""},
        {"text": ""},
    ],
)
def test_b6_every_part_is_looked_at(config: Config, change: dict[str, object]) -> None:
    mail = replace(replies.compose(config, ASKED), **change)  # type: ignore[arg-type]
    assert replies.faults(config, ASKED, mail)


def test_b6_the_one_link_is_the_one_to_confirm(config: Config) -> None:
    mail = replies.compose(config, ASKED)
    assert faults_of(mail, f"{LINK}x", ()) != []
    elsewhere = replace(mail, text=mail.text.replace(LINK, LINK + "x"), html=mail.html.replace(LINK, LINK + "x"))
    assert replies.faults(config, ASKED, elsewhere)
