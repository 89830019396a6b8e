"""What is right value by value and makes no sense as a whole; and what the law leaves of a campaign."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.sections import Legal
from engine.errors import Finding
from tests.campaigns.files import BIRTHDAY, MESSAGE, SERVICE, examine

PURCHASE = f'id = "danke"\nkind = "thank_you"\nadvertises = ["a"]\n[trigger]\non = "purchase"\n{MESSAGE}'


def _found(folder: Path, text: str) -> list[Finding]:
    return examine(folder, text)[1]


def test_a_message_and_steps_together_are_refused(folder: Path) -> None:
    (finding,) = _found(folder, SERVICE + MESSAGE)
    assert finding.code == "E109"
    assert "either one [message] or several [[step]]" in finding.message
    assert finding.line == 18


def test_a_campaign_without_words_is_refused(folder: Path) -> None:
    (finding,) = _found(folder, BIRTHDAY.replace(MESSAGE, ""))
    assert (finding.code, finding.message) == ("E102", "there is nothing to say: [message] is missing")


def test_a_mail_has_a_body_or_a_template(folder: Path) -> None:
    (both,) = _found(folder, BIRTHDAY + 'template = "x"\n')
    assert (both.code, both.line) == ("E109", 8)
    (none,) = _found(folder, BIRTHDAY.replace('body = "Guten Tag"\n', ""))
    assert (none.code, none.message, none.line) == ("E102", "`body` (or `template`) is missing", 5)


@pytest.mark.parametrize("line", ['subject = ""', 'subject = "  "', "subject = {}", 'subject = { de = "" }'])
def test_an_empty_subject_is_refused(folder: Path, line: str) -> None:
    (finding,) = _found(folder, BIRTHDAY.replace('subject = "Hallo"', line))
    assert finding.message == "`message.subject`: this is empty"


def test_every_part_of_a_mail_exists_in_the_same_languages(folder: Path) -> None:
    (finding,) = _found(
        folder, BIRTHDAY.replace('body = "Guten Tag"', 'body = { de = "a" }\npreview = { de = "a", en = "b" }')
    )
    assert finding.code == "E109"
    assert finding.message == "`body` has no text in: en"
    assert finding.line == 7


def test_two_steps_of_one_name_are_refused(folder: Path) -> None:
    (finding,) = _found(folder, SERVICE.replace('"danach"', '"vorher"'))
    assert (finding.code, finding.line) == ("E107", 14)


def test_steps_out_of_order_are_refused(folder: Path) -> None:
    (finding,) = _found(folder, SERVICE.replace("14 days after", "31 days before"))
    assert finding.message == 'step "danach" comes before the step above it'
    assert finding.help == "put the steps in order"
    assert finding.line == 15


def test_a_later_step_says_when(folder: Path) -> None:
    (finding,) = _found(folder, SERVICE.replace('when = "14 days after"\n', ""))
    assert finding.code == "E102"
    assert finding.line == 13


def test_a_step_says_when_in_one_way(folder: Path) -> None:
    (finding,) = _found(folder, SERVICE.replace('"14 days after"', '"14 days after"\nwait = "3 days"'))
    assert finding.code == "E109"
    assert "either `when` (around the date) or `wait`" in finding.message


def test_the_first_step_may_leave_its_day_to_the_trigger(folder: Path) -> None:
    assert _found(folder, SERVICE.replace('when = "30 days before"\n', "")) == []


def test_only_a_purchase_has_an_hour(folder: Path) -> None:
    steps = SERVICE.replace("14 days after", "2 hours after")
    assert [finding.message for finding in _found(folder, steps)] == [
        "only a purchase has an hour; here days are counted"
    ]
    wait = SERVICE.replace('when = "14 days after"', 'wait = "2 hours"')
    assert [finding.line for finding in _found(folder, wait)] == [15]
    assert _found(folder, PURCHASE.replace('"purchase"\n', '"purchase"\nwhen = "2 hours after"\n')) == []


def test_nobody_can_write_before_a_purchase(folder: Path) -> None:
    (finding,) = _found(folder, PURCHASE.replace('"purchase"\n', '"purchase"\nwhen = "2 days before"\n'))
    assert "nobody knows of a purchase beforehand" in finding.message
    assert (finding.line, finding.column) == (6, 8)


def test_a_lapse_is_not_counted_in_hours(folder: Path) -> None:
    text = PURCHASE.replace('on = "purchase"', 'on = "lapsed"\nafter = "2 hours"')
    assert [finding.code for finding in _found(folder, text)] == ["E105"]


def test_advertising_without_a_category_is_only_a_warning(folder: Path) -> None:
    campaigns, findings = examine(folder, PURCHASE.replace('advertises = ["a"]\n', "").replace("thank_you", "coupon"))
    assert [(finding.code, finding.level) for finding in findings] == [("L202", "warning")]
    assert len(campaigns) == 1


def test_a_mail_about_the_purchase_it_follows_need_not_say_what_it_advertises(folder: Path) -> None:
    text = PURCHASE.replace('advertises = ["a"]\n', "")
    assert _found(folder, text) == []
    without_a_purchase = text.replace('on = "purchase"', 'on = "birthday"')
    assert [finding.code for finding in _found(folder, without_a_purchase)] == ["L202"]


def test_a1_the_legal_class_cannot_be_set(folder: Path) -> None:
    (finding,) = _found(folder, PURCHASE.replace('kind = "thank_you"', 'kind = "thank_you"\nclass = "transactional"'))
    assert (finding.code, finding.level) == ("E101", "error")


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        ("Ihr Gutschein: 5 Euro", [("L301", "error")]),
        ("Jetzt 15 % auf alles", [("L301", "error")]),
        ("Mit Rabattcode SOMMER", [("L301", "error")]),
        ("Mehr: https://shop.example.net/neu", [("L301", "warning")]),
        ("Ihr Termin ist am Montag.", []),
    ],
)
def test_a4_a_mail_that_is_owed_must_not_advertise(folder: Path, words: str, codes: list[tuple[str, str]]) -> None:
    text = PURCHASE.replace("thank_you", "contract_appointment").replace('on = "purchase"', 'on = "service_due"')
    text = text.replace("body = ", f'preview = "{words}"\nbody = ')
    assert [(finding.code, finding.level) for finding in _found(folder, text)] == codes
    assert _found(folder, text.replace("contract_appointment", "service_reminder")) == []


OWED = PURCHASE.replace("thank_you", "contract_appointment").replace('on = "purchase"', 'on = "service_due"')


def test_a4_a_campaign_that_is_owed_and_advertises_cannot_be_used(folder: Path) -> None:
    assert [campaign.kind for campaign in examine(folder, OWED)[0]] == ["contract_appointment"]
    assert examine(folder, OWED.replace("Guten Tag", "Guten Tag, 15 % auf alles"))[0] == ()


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        ("<p>Jetzt mit <b>Gutschein</b></p>", [("L301", "error")]),
        ('<p>Ihr Termin.</p><a href="https://social.example.net/us">Wir</a>', [("L301", "warning")]),
        ('{% include "strip.html" %}', [("L301", "error")]),
        ('<style>p { width: 50%; }</style><p style="margin: 5%">Ihr Termin.</p>', []),
    ],
)
def test_a4_a5_the_templates_of_a_mail_that_is_owed_are_read_as_well(
    folder: Path, words: str, codes: list[tuple[str, str]]
) -> None:
    templates = folder.parent / "templates"
    templates.mkdir()
    (templates / "strip.html").write_text("<p>Nur heute: 20 % Rabatt</p>", encoding="utf-8")
    (templates / "termin.de.html").write_text(words, encoding="utf-8")
    text = OWED.replace('body = "Guten Tag"', 'template = "termin"')
    found = _found(folder, text)
    assert [(finding.code, finding.level) for finding in found] == codes
    assert all(finding.help.startswith("templates/") for finding in found)
    assert _found(folder, text.replace("contract_appointment", "service_reminder")) == []
    (templates / "layout.html").write_text(words, encoding="utf-8")
    assert [finding.code for finding in _found(folder, OWED)] == [code for code, _ in codes]


@pytest.mark.parametrize(
    ("subject", "codes"),
    [("Re: Ihr Termin", ["L302"]), ("AW: Angebot", ["L302"]), (" fwd : Neues", ["L302"]), ("Reisen: nur heute", [])],
)
def test_i2_a_subject_must_not_pretend_to_be_an_answer(folder: Path, subject: str, codes: list[str]) -> None:
    for text in (PURCHASE, OWED):
        found = _found(folder, text.replace('subject = "Hallo"', f'subject = "{subject}"'))
        assert [finding.code for finding in found] == codes
        assert all(finding.level == "error" for finding in found)


def test_d3_a_category_outside_every_group_is_warned_about(folder: Path) -> None:
    legal = Legal(similarity={"heizung": ("heizung.wartung", "a")})
    assert examine(folder, PURCHASE.replace('["a"]', '["a.b", "heizung.wartung"]'), legal=legal)[1] == []
    findings = examine(folder, PURCHASE.replace('["a"]', '["bad.umbau"]'), legal=legal)[1]
    assert [(finding.code, finding.level) for finding in findings] == [("L204", "warning")]
    assert '"bad.umbau"' in findings[0].message
    everything = examine(folder, PURCHASE.replace('["a"]', '["*"]'), legal=legal)[1]
    assert [finding.code for finding in everything] == ["L203"]
    assert 'advertises = ["heizung.wartung", "a"]' in everything[0].help


def test_a_greeting_is_not_asked_what_it_advertises(folder: Path) -> None:
    assert _found(folder, BIRTHDAY) == []


def test_contract_mail_is_not_asked_what_it_advertises(folder: Path) -> None:
    text = SERVICE.replace('advertises = ["Heizung.Wartung"]\n', "").replace("service_reminder", "contract_appointment")
    assert _found(folder, text) == []


def test_advertising_everything_is_warned_about(folder: Path) -> None:
    campaigns, findings = examine(folder, PURCHASE.replace('["a"]', '["*"]'))
    assert [(finding.code, finding.level) for finding in findings] == [("L203", "warning")]
    assert len(campaigns) == 1
