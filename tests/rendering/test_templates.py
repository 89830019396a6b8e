"""What an author writes, where mistakes are told, and how files may be called."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.words import Basis
from engine.errors import Invalid, TemplateError
from engine.rendering import samples
from engine.rendering.assembling import Folder
from engine.rendering.context import Because, CustomerView, PurchaseView
from engine.rendering.footer import Footer
from engine.rendering.loading import mark_of
from tests.rendering.premises import FIRST_LINE, TEMPLATES, body, letter, open_shop

PAGE = """{% extends "layout.html" %}
{% from "parts.html" import button %}
{% block body %}
<h1>{{ greeting }}</h1>
{{ button("Zum Laden", shop.url) }}
{% endblock %}
"""


@pytest.mark.parametrize(
    ("text", "below", "said"),
    [
        ("Hallo\n\n{{ customer.firstname }}", 2, 'meinten Sie "first_name"'),
        ("{{ custmer.first_name }}", 0, 'meinten Sie "customer"'),
        ("a\n{{ coupon.code }}", 1, "in dieser Version noch nicht"),
        ("{{ purchase.amount | money }}", 0, "nur in Kampagnen mit dem Auslöser"),
        ("a\n\nb {{ greeting | dte }}", 2, 'meinten Sie "date"'),
        ("a\n{{ greeting ", 1, "unexpected"),
        ("{% if greeting %}\nx", 0, "Unexpected end"),
        ("a\n\n{{ greeting | date }}", 2, "needs a date"),
        ("[x](javascript:alert(1))\n\n[y](termin.html)", 2, "ein Link muss mit"),
    ],
)
def test_a_mistake_is_told_at_its_own_line(tmp_path: Path, text: str, below: int, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        open_shop(tmp_path, letter(body(text)))
    finding = refused.value.findings[0]
    assert said.lower() in (finding.message + finding.help).lower()
    assert Path(finding.file).name == "one.toml"
    assert finding.line == FIRST_LINE + below


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        open_shop(tmp_path, letter(body("{{ one }}\n\n{{ two }}")))
    assert [finding.line for finding in refused.value.findings] == [FIRST_LINE, FIRST_LINE + 2]


def test_an_absent_value_refuses_to_be_printed_and_names_its_line(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("Hallo\n\n{{ customer.company }}!")))
    nobody = replace(samples.full("birthday", "de"), customer=CustomerView())
    with pytest.raises(TemplateError, match=r"one\.toml:13: customer\.company fehlt"):
        shop.render(nobody)
    assert any("customer.company fehlt" in warning.message for warning in shop.renderer.warnings)
    assert all(warning.level == "warning" for warning in shop.renderer.warnings)


def test_a_fallback_stands_in_for_an_absent_value(tmp_path: Path) -> None:
    text = (
        "{{ customer.company or 'Sie' }}|{{ customer.company | default('du') }}|{% if customer.company %}x{% endif %}|"
    )
    shop = open_shop(tmp_path, letter(body(text)))
    mail = shop.render(replace(samples.full("birthday", "de"), customer=CustomerView()))
    assert "Sie|du||" in mail.text
    assert "None" not in mail.html + mail.text


def test_filters_speak_the_mails_language(tmp_path: Path) -> None:
    text = "{{ purchase.amount | money }} {{ occasion.due | date }} {{ today | month }} {{ purchase.items | list }}"
    message = f'subject = {{ de = "x", en = "x" }}\nbody.de = """{text}"""\nbody.en = """{text}"""\n'
    shop = open_shop(tmp_path, letter(message, "purchase"))
    assert "1.249,90\xa0€ 23. November 2026 November 2026 Trekkingrad und Korb" in shop.render().text
    english = shop.render(samples.full("purchase", "en"), "en").text
    assert "€1,249.90 23 November 2026 November 2026 Trekkingrad and Korb" in english


def test_dates_come_in_several_styles(tmp_path: Path) -> None:
    styles = "|".join(f"{{{{ today | date('{style}') }}}}" for style in ("short", "long", "full", "day", "weekday"))
    text = open_shop(tmp_path, letter(body(styles + "|{{ today | date(style='short') }}"))).render().text
    assert "23.11.2026|23. November 2026|Montag, 23. November 2026|23. November|Montag|23.11.2026" in text


def test_money_is_in_the_purchases_own_currency(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("{{ purchase.amount | money }}"), "purchase"))
    known = samples.full("purchase", "de")
    mail = shop.render(replace(known, purchase=PurchaseView("1", date(2026, 1, 1), Decimal(5), "CHF")))
    assert "5,00\xa0CHF" in mail.text


def test_markdown_and_text_say_the_same(tmp_path: Path) -> None:
    text = (
        "# Titel\n\nErste Zeile\nzweite **fett**\n\n{% for item in items %}\n- {{ item.name }}\n{% endfor %}\n\n"
        "1. eins\n2. zwei\n\n[Termin]({{ shop.url }}/termin)\n\nMehr [hier](https://x.example/a)."
    )
    mail = open_shop(tmp_path, letter(body(text), "service_due")).render()
    assert mail.text.startswith(
        "Titel\n\nErste Zeile\nzweite fett\n\n- Gastherme Vaillant\n- Wasserfilter\n\n1. eins\n2. zwei\n\n"
        "Termin: https://radhaus-sommer.example.com/termin\n\nMehr hier (https://x.example/a).\n"
    )
    assert mail.html.count("<ul") == 1
    assert mail.html.count("<li") == 4
    assert "Erste Zeile<br>" in mail.html


def test_a_button_leads_somewhere_in_both_parts(tmp_path: Path) -> None:
    message = body("Hallo") + 'button = { text = "Zum Laden & mehr", url = "{{ shop.url }}/a?b=1&c=2" }\n'
    mail = open_shop(tmp_path, letter(message)).render()
    assert 'href="https://radhaus-sommer.example.com/a?b=1&amp;c=2"' in mail.html
    assert "Zum Laden &amp; mehr" in mail.html
    assert "Zum Laden & mehr: https://radhaus-sommer.example.com/a?b=1&c=2" in mail.text


def test_a_mail_goes_in_the_customers_language_or_in_the_one_there_is(tmp_path: Path) -> None:
    message = 'subject = { de = "Hallo", en = "Hello" }\nbody = { de = "Guten Tag", en = "Good day" }\n'
    shop = open_shop(tmp_path, letter(message))
    known = samples.full("birthday", "de")
    assert shop.render(known, "en").subject == "Hello"
    assert shop.render(known, "fr").subject == "Hallo"
    assert shop.render(known, "").language == "de"
    only = open_shop(tmp_path / "b", letter('subject = { en = "Hello" }\nbody = { en = "Good day" }\n'))
    assert only.render(known, "de").language == "en"


def test_a_developers_template_extends_the_layout_and_uses_its_parts(tmp_path: Path) -> None:
    shop = open_shop(
        tmp_path,
        letter('subject = "Hallo"\ntemplate = "own"\n'),
        templates={"own.html": PAGE, "own.txt": "{{ greeting }},\n\nZum Laden: {{ shop.url }}\n"},
    )
    mail = shop.render()
    assert '<h1 style="' in mail.html
    assert 'href="https://radhaus-sommer.example.com"' in mail.html
    assert "https://shop.example/u/sample" in mail.html
    assert mail.text.startswith("Guten Tag Frau Müller,\n\nZum Laden")
    assert "https://shop.example/u/sample" in mail.text


def test_a_page_without_the_layout_still_gets_the_footer(tmp_path: Path) -> None:
    page = "<!doctype html><html><head><style>p{color:#333333}</style></head><body><p>{{ greeting }}</p></body></html>"
    shop = open_shop(
        tmp_path, letter('subject = "x"\ntemplate = "own"\n'), templates={"own.html": page, "own.txt": "{{ greeting }}"}
    )
    mail = shop.render()
    assert "Lindenallee 4" in mail.html
    assert "https://shop.example/u/sample" in mail.html
    assert 'style="color:#333333"' in mail.html


@pytest.mark.parametrize(
    ("footer", "said"),
    [
        ("{{ mail.reason }}", "name its sender"),
        ("{{ mail.reason }}{{ mail.address }}{{ mail.contact }}", "unsubscribe"),
    ],
)
def test_a_template_that_drops_what_the_law_asks_for_is_refused(tmp_path: Path, footer: str, said: str) -> None:
    page = f'{{% extends "layout.html" %}}{{% block footer %}}{footer}{{% endblock %}}'
    own = letter('subject = "x"\ntemplate = "own"\n')
    with pytest.raises(Invalid, match=said):
        open_shop(tmp_path, own, templates={"own.html": page, "own.txt": "x"})


@pytest.mark.parametrize(
    "templates", [{"own.html": "{{ nothing }}", "own.txt": "x"}, {"own.html": "<p>x</p>", "own.txt": "\n{{ nothing }}"}]
)
def test_a_mistake_in_a_template_is_told_in_that_file(tmp_path: Path, templates: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        open_shop(tmp_path, letter('subject = "x"\ntemplate = "own"\n'), templates=templates)
    finding = refused.value.findings[0]
    assert Path(finding.file).name in templates
    assert finding.line == 1 + templates[Path(finding.file).name].count("\n")


def test_the_text_part_of_a_template_is_required(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"own\.txt"):
        open_shop(tmp_path, letter('subject = "x"\ntemplate = "own"\n'), templates={"own.html": PAGE})


@pytest.mark.parametrize(
    "name",
    ["../config.html", "/etc/passwd.html", "a\0.html", "C:\\a.html", "..\\a.html", "a//b.html", "A.html", "a.html.j2"],
)
def test_a_template_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TemplateError, match="inside templates/"):
        Folder(tmp_path).read(name)


def test_a_symlink_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.html").write_text("geheim", encoding="utf-8")
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    with pytest.raises(TemplateError, match="inside templates/"):
        Folder(folder).read("link.html")


def test_a_subject_is_one_line_and_never_too_long(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("x", "Für {{ customer.first_name }}!")))
    known = samples.full("birthday", "de")
    named = replace(known, customer=replace(known.customer, first_name="A\r\nBcc: x@y.example\u2028" + "b" * 300))
    subject = shop.render(named).subject
    assert subject.startswith("Für A Bcc: x@y.example b")
    assert len(subject) <= 255


def test_an_empty_subject_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="subject"):
        open_shop(tmp_path, letter(body("x", "{% if false %}x{% endif %}")))


def test_the_template_mark_changes_with_the_words(tmp_path: Path) -> None:
    one = open_shop(tmp_path / "a", letter(body("eins")))
    two = open_shop(tmp_path / "b", letter(body("zwei")))
    same = open_shop(tmp_path / "c", letter(body("eins")))
    marks = [shop.renderer.template_hash(shop.campaign, shop.campaign.steps[0]) for shop in (one, two, same)]
    assert marks[0] == marks[2] != marks[1]


def test_d7_the_mark_covers_the_words_of_the_footer(tmp_path: Path) -> None:
    footer = Footer(open_shop(tmp_path / "a", letter(body("eins"))).config.shop, "coupon", "de")
    words = footer.words()
    assert len(words) == 14
    assert mark_of(["a"], {}, words) != mark_of(["a"], {}, [*words[:-1], "Sie können widersprechen."])
    plain = {word for word in words if "%(" not in word}
    for basis in Basis:
        for form in ("Sie", "du"):
            assert set(footer.sentences(Because(basis), form)) <= plain


def test_d7_the_mark_changes_with_the_identification_in_the_footer(tmp_path: Path) -> None:
    one = open_shop(tmp_path / "a", letter(body("eins")))
    two = open_shop(tmp_path / "b", letter(body("eins")), shop='register_entry = "HRB 1"\n')
    marks = {shop.renderer.template_hash(shop.campaign, shop.campaign.steps[0]) for shop in (one, two)}
    assert len(marks) == 2


def test_the_shipped_templates_are_part_of_the_package() -> None:
    packed = tomllib.loads((TEMPLATES.parent / "pyproject.toml").read_text(encoding="utf-8"))
    included = packed["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["templates"] == "engine/shipped/templates"
