"""The four campaigns that come with the program, on the worst customers a shop can have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from engine.campaigns.loading import load_campaigns
from engine.campaigns.model import Campaign, Step
from engine.config.loading import Config, load_config
from engine.rendering import samples
from engine.rendering.context import CustomerView, ItemView, MailContext, OccasionView, PurchaseView
from engine.rendering.renderer import Rendered, Renderer
from tests.rendering.premises import CONFIG, TEMPLATES

CAMPAIGNS = TEMPLATES.parent / "campaigns"
FORMAL = re.compile(r"\b(Sie|Ihnen|Ihre?[mnrs]?)\b")
CASUAL = re.compile(r"\b(du|dir|dich|dein|deine[mnrs]?)\b", re.IGNORECASE)
PEOPLE = {
    "no first name": CustomerView("", "Müller", "Frau"),
    "nothing at all": CustomerView(),
    "a long name": CustomerView(
        "Karl-Theodor-" * 4 + "Maximili", "von und zu Hohenschwangau-Neuschwanstein-Lichtenfels"
    ),
    "sharp s": CustomerView("Jörß", "Großmann-Weiß", "Herr"),
    "right to left": CustomerView("محمد", "עברית", ""),
    "emoji": CustomerView("👩‍🔧🎂", "🚲", ""),
    "a template for a name": CustomerView("{{7*7}}", "{% raw %}", ""),
    "a script for a name": CustomerView("<script>alert(1)</script>", '"><img src=x onerror=y>', ""),
    "a line break in a name": CustomerView("Anna\r\nBcc: x@y.example", "\u2028B", ""),
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    file = tmp_path_factory.mktemp("shop") / "config.toml"
    file.write_text(CONFIG.format(shop=""), encoding="utf-8")
    return load_config(file, {})


@pytest.fixture(scope="module")
def campaigns(config: Config) -> tuple[Campaign, ...]:
    return load_campaigns(CAMPAIGNS, config)


@pytest.fixture(scope="module")
def renderer(config: Config, campaigns: tuple[Campaign, ...]) -> Renderer:
    return Renderer(config, TEMPLATES, campaigns)


def _mails(campaigns: tuple[Campaign, ...]) -> Iterator[tuple[Campaign, Step]]:
    return ((campaign, step) for campaign in campaigns for step in campaign.steps)


def _everything(
    renderer: Renderer, campaigns: tuple[Campaign, ...], person: CustomerView | None = None, **changes: object
) -> Iterator[tuple[MailContext, Rendered, str]]:
    """Render every mail in both languages and both forms of address."""
    for campaign, step in _mails(campaigns):
        for language in ("de", "en"):
            for form in ("Sie", "du"):
                known = samples.full(campaign.trigger.on, language)
                known = replace(known, customer=replace(person or known.customer, address_form=form))
                known = replace(known, **changes)  # type: ignore[arg-type]
                yield known, renderer.render(campaign, step, known, language), f"{language} {form}"


def test_there_is_one_campaign_for_each_trigger(campaigns: tuple[Campaign, ...]) -> None:
    assert {(one.id, one.kind, one.trigger.on) for one in campaigns} == {
        ("birthday", "birthday", "birthday"),
        ("winback", "winback", "lapsed"),
        ("service", "service_reminder", "service_due"),
        ("thanks", "thank_you", "purchase"),
    }
    assert not any(one.enabled for one in campaigns)


def test_the_service_reminders_come_at_their_three_times(campaigns: tuple[Campaign, ...]) -> None:
    service = next(one for one in campaigns if one.id == "service")
    assert [str(step.when) for step in service.steps] == ["30 days before", "7 days before", "14 days after"]


def test_no_shipped_mail_fails_for_want_of_data(renderer: Renderer) -> None:
    assert renderer.warnings == []


@pytest.mark.parametrize("person", PEOPLE.values(), ids=PEOPLE)
def test_every_mail_is_right_for_everybody(
    renderer: Renderer, campaigns: tuple[Campaign, ...], person: CustomerView
) -> None:
    for _, mail, _ in _everything(renderer, campaigns, person):
        whole = mail.subject + mail.html + mail.text
        assert not re.search(r"\bNone\b|Absent|undefined", whole)
        assert "<script>" not in mail.html
        assert "<img src=x" not in mail.html
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]", whole)
        assert "\n" not in mail.subject
        assert not re.search(r" ,|,,|  \S|\n{3}", mail.text.split("-----")[0])
        assert mail.text.splitlines()[0].endswith(",")


def test_a_template_for_a_name_is_just_a_name(renderer: Renderer, campaigns: tuple[Campaign, ...]) -> None:
    person = PEOPLE["a template for a name"]
    casual = [mail for _, mail, how in _everything(renderer, campaigns, person) if how == "de du"]
    assert casual
    assert all("Hallo {{7*7}}," in mail.html and "Hallo {{7*7}}," in mail.text for mail in casual)


def test_a_script_for_a_name_is_escaped_in_html_and_plain_in_text(
    renderer: Renderer, campaigns: tuple[Campaign, ...]
) -> None:
    person = PEOPLE["a script for a name"]
    casual = [mail for _, mail, how in _everything(renderer, campaigns, person) if how == "de du"]
    assert casual
    assert all("Hallo &lt;script&gt;alert(1)&lt;/script&gt;," in mail.html for mail in casual)
    assert all("Hallo <script>alert(1)</script>," in mail.text for mail in casual)


def test_nobody_is_addressed_in_two_ways(renderer: Renderer, campaigns: tuple[Campaign, ...]) -> None:
    for _, mail, how in _everything(renderer, campaigns):
        words = mail.subject + "\n" + mail.text
        if how == "de du":
            assert not FORMAL.search(words), words
        elif how == "de Sie":
            assert not CASUAL.search(words), words
        else:
            assert not re.search(r"\b(und|Herzliche|Abmelden|Datenschutz|Telefon)\b", words), words


def test_a_sie_mail_never_uses_the_first_name(renderer: Renderer, campaigns: tuple[Campaign, ...]) -> None:
    formal = [mail for _, mail, how in _everything(renderer, campaigns) if how == "de Sie"]
    assert formal
    assert not [mail.subject for mail in formal if "Anna" in mail.subject + mail.text]


def test_a_late_greeting_says_that_it_is_late(renderer: Renderer, campaigns: tuple[Campaign, ...]) -> None:
    birthday = tuple(one for one in campaigns if one.id == "birthday")
    late = OccasionView(samples.full("birthday", "de").today, 2)
    subjects = [mail.subject for _, mail, how in _everything(renderer, birthday, occasion=late) if how[:2] == "de"]
    assert subjects
    assert all(subject.startswith("Nachträglich alles Gute") for subject in subjects)


def test_many_things_due_together_share_one_mail(renderer: Renderer, campaigns: tuple[Campaign, ...]) -> None:
    service = tuple(one for one in campaigns if one.id == "service")
    due = samples.full("service_due", "de").today
    items = tuple(ItemView(str(number), f"Therme {number}", "heating", due) for number in range(40))
    for _, mail, _ in _everything(renderer, service, item=items[0], items=items):
        assert mail.html.count("<li ") == 40
        assert mail.html.count("<ul ") == 1
        assert mail.text.count("\n- Therme") == 40


def test_a_purchase_without_a_list_of_items_is_thanked_for_too(
    renderer: Renderer, campaigns: tuple[Campaign, ...]
) -> None:
    thanks = tuple(one for one in campaigns if one.id == "thanks")
    for _, mail, _ in _everything(renderer, thanks, purchase=PurchaseView("1")):
        assert ": ." not in mail.text


def test_every_advertising_mail_names_its_sender_and_the_way_out(
    renderer: Renderer, campaigns: tuple[Campaign, ...]
) -> None:
    for known, mail, _ in _everything(renderer, campaigns):
        for part in (mail.html, mail.text):
            assert known.links.unsubscribe in part
            assert "Radhaus Sommer" in part
            assert "Lindenallee 4, 80331 München" in part
            assert "+49 89 1234567" in part
            assert "laden@radhaus-sommer.example.com" in part


def test_a_mail_is_small_and_its_subject_short(renderer: Renderer, campaigns: tuple[Campaign, ...]) -> None:
    for _, mail, _ in _everything(renderer, campaigns):
        assert len(mail.html.encode()) < 40_000
        assert len(mail.subject) <= 60
        assert 0 < len(mail.preview) <= 110


class _Reader(HTMLParser):
    """Collects what the layout uses: tags, attributes, inline properties, and the words on the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.styles: list[tuple[str, str]] = []
        self.tables: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "img", "hr"):
            self.open.append(tag)
        known = dict(attrs)
        if tag == "table":
            self.tables.append(known)
        for rule in (known.get("style") or "").split(";"):
            name, _, value = rule.partition(":")
            if name.strip():
                self.styles.append((name.strip(), value.strip()))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def test_the_markup_is_well_formed_and_accessible(renderer: Renderer, campaigns: tuple[Campaign, ...]) -> None:
    for _, mail, how in _everything(renderer, campaigns):
        reader = _read(mail.html)
        assert reader.open == []
        assert all(table.get("role") == "presentation" for table in reader.tables)
        assert f'<html lang="{how[:2]}"' in mail.html
        assert "<title>" in mail.html
        sizes = [int(value.removesuffix("px")) for name, value in reader.styles if name == "font-size"]
        assert min(size for size in sizes if size > 1) >= 14


def test_nothing_essential_stands_in_a_style_element(renderer: Renderer, campaigns: tuple[Campaign, ...]) -> None:
    _, mail, _ = next(_everything(renderer, campaigns))
    for sheet in re.findall(r"<style[^>]*>(.*?)</style>", mail.html, re.DOTALL):
        outside = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", sheet)
        assert outside.strip() == ""


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("#2b2a27", "#fffefb"),
        ("#23221f", "#fffefb"),
        ("#2c5b4d", "#fffefb"),
        ("#fffefb", "#2c5b4d"),
        ("#615b50", "#f3efe7"),
        ("#4c473e", "#f3efe7"),
        ("#e9e6de", "#262825"),
        ("#9ccdb9", "#262825"),
        ("#b5afa2", "#1c1d1b"),
        ("#d6d0c3", "#1c1d1b"),
    ],
)
def test_every_ink_can_be_read_on_its_paper(ink: str, paper: str) -> None:
    layout = (TEMPLATES / "layout.html").read_text(encoding="utf-8")
    parts = (TEMPLATES / "parts.html").read_text(encoding="utf-8")
    assert ink in layout + parts
    assert paper in layout + parts
    light, dark = sorted((_luminance(ink), _luminance(paper)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


COSMETIC = {"border-radius", "letter-spacing", "mso-padding-alt", "mso-hide", "mso-line-height-rule", "max-height"}
"""Properties whose loss costs nothing but a round corner or some air."""


def test_the_layout_uses_nothing_that_gmx_or_webde_would_miss(
    renderer: Renderer, campaigns: tuple[Campaign, ...], shared_data: Path
) -> None:
    import json

    path = shared_data / "caniemail" / "caniemail.json"
    if not path.is_file():
        pytest.skip(f"caniemail's table is not at {path}")
    table = json.loads(path.read_text(encoding="utf-8"))["data"]
    missing = {
        feature["slug"].removeprefix("css-"): client
        for feature in table
        if feature["slug"].startswith("css-")
        for client in ("gmx", "web-de")
        if _newest(feature["stats"].get(client, {}).get("desktop-webmail", {})).startswith("n")
    }
    assert "border-radius" in missing
    used = {name for _, mail, _ in _everything(renderer, campaigns) for name, _ in _read(mail.html).styles}
    assert {"padding", "font-family", "background-color"} <= used
    assert {name: missing[name] for name in used - COSMETIC if name in missing} == {}


def _newest(by_version: dict[str, str]) -> str:
    return by_version[max(by_version)] if by_version else ""
