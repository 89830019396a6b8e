"""A campaign file becomes a campaign: its defaults, its steps, its languages and its hashes."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import pytest

from engine.campaigns.loading import load_campaigns
from engine.campaigns.model import Campaign
from engine.domain.grammar import EVERY_DAY, Cap, Span, Weekdays, When
from engine.domain.words import OnDoubt
from engine.errors import Invalid
from engine.triggers import Birthday, Lapsed, PurchaseTrigger, ServiceDue
from tests.campaigns.files import BIRTHDAY, MESSAGE, SERVICE, config, examine

FULL = """
id = "geburtstag"
name = "Geburtstag"
enabled = false
kind = "birthday"
advertises = ["Bikes.Service", "bikes.service"]
on_doubt = "resend"

[trigger]
on = "birthday"
when = "3 days before"
leap_day = "Mar 1"

[audience]
tags_any = ["VIP", " vip "]
tags_all = ["a"]
tags_none = ["b"]
min_purchases = 2

[start]
from = 2026-12-01
backlog = "2 weeks"
per_day = 50

[send]
between = "10:00-12:30"
days = "Mon-Sat"
max_late = "1 day"

[limit]
at_most = "1 per 30 days"

[stop]
on = ["purchase", "objection"]

[message]
subject = { de = "Alles Gute", en = "Happy birthday" }
preview = "Ein Gruß"
body = "…"
button = { text = "Zum Laden", url = "{{ shop.url }}" }
"""


def _one(folder: Path, text: str, language: str = "de") -> Campaign:
    campaigns, findings = examine(folder, text, language=language)
    assert [finding for finding in findings if finding.level == "error"] == []
    return campaigns[0]


def test_a_file_says_everything_a_campaign_is(folder: Path) -> None:
    campaign = _one(folder, FULL)
    assert (campaign.id, campaign.name, campaign.enabled, campaign.kind) == (
        "geburtstag",
        "Geburtstag",
        False,
        "birthday",
    )
    assert campaign.advertises == ("bikes.service",)
    assert campaign.on_doubt is OnDoubt.RESEND
    assert campaign.trigger == Birthday(on="birthday", when=When(Span(3, "days"), "before"), leap_day="Mar 1")
    assert campaign.audience.tags_any == ("vip",)
    assert campaign.audience.min_purchases == 2
    assert (campaign.start.from_, campaign.start.backlog) == (date(2026, 12, 1), Span(2, "weeks"))
    assert campaign.start.per_day == 50
    assert (campaign.send.between.start, campaign.send.between.end) == (time(10), time(12, 30))
    assert campaign.send.days == Weekdays.parse("Mon-Sat")
    assert campaign.send.max_late == Span(1, "days")
    assert campaign.limit.at_most == Cap(1, Span(30, "days"))
    assert campaign.stop == {"purchase", "objection"}
    assert campaign.file == "campaigns/a.toml"


def test_what_a_file_leaves_out_has_its_default(folder: Path) -> None:
    campaign = _one(folder, BIRTHDAY)
    assert campaign.name == "gruss"
    assert campaign.enabled
    assert campaign.on_doubt is OnDoubt.HOLD
    assert campaign.trigger == Birthday(on="birthday", when=When(None, "on"), leap_day="Feb 28")
    assert str(campaign.send.between) == "09:00-18:00"
    assert campaign.send.days == EVERY_DAY
    assert campaign.send.max_late == Span(3, "days")
    assert campaign.start.from_ is None
    assert campaign.start.backlog == Span(0, "days")
    assert campaign.start.per_day is None
    assert campaign.limit.at_most is None
    assert campaign.stop == frozenset()


@pytest.mark.parametrize(
    ("trigger", "kind"),
    [
        ('on = "lapsed"\nafter = "90 days"', Lapsed),
        ('on = "purchase"', PurchaseTrigger),
        ('on = "service_due"', ServiceDue),
    ],
)
def test_only_birthday_mail_is_too_late_after_three_days(folder: Path, trigger: str, kind: type) -> None:
    campaign = _one(folder, f'id = "x"\nkind = "winback"\n[trigger]\n{trigger}\n{MESSAGE}')
    assert isinstance(campaign.trigger, kind)
    assert campaign.send.max_late == Span(7, "days")


def test_one_message_is_one_step(folder: Path) -> None:
    (step,) = _one(folder, BIRTHDAY).steps
    assert (step.id, step.index, step.when, step.wait) == ("message", 0, None, None)
    assert step.message.body == {"de": "Guten Tag"}


def test_several_steps_keep_their_order_and_names(folder: Path) -> None:
    campaign = _one(folder, SERVICE)
    assert [(step.id, step.index, str(step.when)) for step in campaign.steps] == [
        ("vorher", 0, "30 days before"),
        ("danach", 1, "14 days after"),
    ]
    assert campaign.step("danach") == campaign.steps[1]
    assert campaign.step("weg") is None


def test_a_plain_text_counts_for_every_language_the_mail_exists_in(folder: Path) -> None:
    message = _one(folder, FULL).steps[0].message
    assert message.subject == {"de": "Alles Gute", "en": "Happy birthday"}
    assert message.preview == {"de": "Ein Gruß", "en": "Ein Gruß"}
    assert message.button is not None
    assert message.button.text == {"de": "Zum Laden", "en": "Zum Laden"}


def test_a_mail_without_languages_is_in_the_shops(folder: Path) -> None:
    assert _one(folder, BIRTHDAY, "de").steps[0].message.subject == {"de": "Hallo"}
    assert _one(folder, BIRTHDAY, "en").steps[0].message.subject == {"en": "Hallo"}


def test_dotted_keys_are_languages_too(folder: Path) -> None:
    text = BIRTHDAY.replace('subject = "Hallo"', 'subject.de = "Hallo"\nsubject.en = "Hello"')
    assert _one(folder, text).steps[0].message.subject == {"de": "Hallo", "en": "Hello"}


@pytest.mark.parametrize(
    ("kind", "contract"), [("contract_appointment", "with"), ("service_reminder", "without"), ("recall", "any")]
)
def test_whose_service_is_meant_follows_from_the_kind(folder: Path, kind: str, contract: str) -> None:
    trigger = _one(folder, SERVICE.replace("service_reminder", kind)).trigger
    assert isinstance(trigger, ServiceDue)
    assert trigger.contract == contract


def test_the_hash_follows_the_content_and_not_its_looks(folder: Path) -> None:
    first = _one(folder, BIRTHDAY)
    assert _one(folder, "# a comment\n" + BIRTHDAY.replace("on =", "on   =")).hash == first.hash
    assert _one(folder, BIRTHDAY + '[send]\nbetween = "09:00-18:00"\n').hash == first.hash
    assert _one(folder, BIRTHDAY.replace("Hallo", "Servus")).hash != first.hash


def test_the_trigger_hash_follows_only_whom_and_when_a_campaign_means(folder: Path) -> None:
    first = _one(folder, SERVICE)
    assert _one(folder, SERVICE.replace("Bald", "Demnächst")).trigger_hash == first.trigger_hash
    assert _one(folder, SERVICE + '[send]\ndays = "Mon"\n').trigger_hash == first.trigger_hash
    assert _one(folder, SERVICE.replace("30 days", "31 days")).trigger_hash != first.trigger_hash
    assert _one(folder, SERVICE.replace('"heating"', '"bath"')).trigger_hash != first.trigger_hash
    assert len(first.trigger_hash) == 64


def test_campaigns_come_in_the_order_of_their_files(folder: Path) -> None:
    campaigns, _ = examine(folder, SERVICE, BIRTHDAY)
    assert [campaign.id for campaign in campaigns] == ["wartung", "gruss"]


def test_loading_raises_every_mistake_of_every_file(folder: Path) -> None:
    examine(folder, SERVICE + "foo = 1\n", BIRTHDAY.replace("subject", "subjekt"))
    with pytest.raises(Invalid) as invalid:
        load_campaigns(folder, config())
    assert [finding.place for finding in invalid.value.findings] == ["campaigns/a.toml:18:1", "campaigns/b.toml:6:1"]
    assert invalid.value.exit_code == 4


def test_a_shop_without_campaigns_has_none(folder: Path) -> None:
    assert load_campaigns(folder, config()) == ()
    assert load_campaigns(folder / "nowhere", config()) == ()


def test_the_shipped_campaigns_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    campaigns = load_campaigns(root / "campaigns", config("de"))
    assert {campaign.trigger.on for campaign in campaigns} == {"birthday", "lapsed", "service_due", "purchase"}
