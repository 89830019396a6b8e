"""A campaign is said back in German and English, and nothing in its file is left out."""

from __future__ import annotations

from pathlib import Path

from engine.campaigns.words import describe
from tests.campaigns.files import MESSAGE, SERVICE, examine
from tests.campaigns.test_campaigns import FULL


def _words(folder: Path, text: str, language: str) -> dict[str, str]:
    campaigns, findings = examine(folder, text, language=language)
    assert [finding for finding in findings if finding.level == "error"] == []
    return dict(describe(campaigns[0], language))


def test_a_birthday_campaign_is_said_in_german(folder: Path) -> None:
    assert _words(folder, FULL, "de") == {
        "Art": "birthday: Werbung für bikes.service",
        "Anlass": "Geburtstag: 3 Tage vorher; am 29. Februar Geborene: sonst am 1. März",
        "Für": "Kunden mit einem der Merkmale vip, mit allen Merkmalen a, ohne die Merkmale b, ab 2 Einkäufen",
        "Beginn": "01.12.2026, auch Anlässe, die bis 2 Wochen älter sind, höchstens 50 am Tag",
        "Versand": "Montag bis Samstag, von 10:00 bis 12:30 Uhr; höchstens 1 Tag zu spät",
        "Grenze": "höchstens 1 Mail in 30 Tagen",
        "Endet durch": "ein Widerspruch, ein Einkauf",
        "Im Zweifel": "eine Mail, die vielleicht schon ging, geht noch einmal",
    }


def test_a_birthday_campaign_is_said_in_english(folder: Path) -> None:
    assert _words(folder, FULL, "en") == {
        "What it is": "birthday: advertising for bikes.service",
        "Occasion": "the birthday: 3 days before; people born on 29 February: 1 March in common years",
        "Meant for": "customers with one of the tags vip, with all the tags a, without the tags b, from 2 purchases on",
        "Starting": "1 December 2026, with occasions up to 2 weeks older, at most 50 a day",
        "Sent": "Monday to Saturday, from 10:00 to 12:30; at most 1 day late",
        "Limit": "at most 1 mail in 30 days",
        "Stops on": "an objection, a purchase",
        "In doubt": "a mail that may have been sent is sent again",
    }


def test_every_step_of_a_service_campaign_is_said(folder: Path) -> None:
    words = _words(folder, SERVICE + '[[step]]\nid = "ende"\nwait = "2 weeks"\nsubject = "x"\nbody = "y"\n', "de")
    assert words["Anlass"] == "eine Wartung wird fällig (heating); Kunden ohne Vertrag"
    assert words["Mail 1"] == "vorher: 30 Tage vorher"
    assert words["Mail 2"] == "danach: 14 Tage danach"
    assert words["Mail 3"] == "ende: 2 Wochen nach der Mail davor"
    assert words["Beginn"] == "ab dem Tag, an dem sie eingeschaltet ist"


def test_a_lapse_and_a_purchase_are_said(folder: Path) -> None:
    start = 'id = "x"\nkind = "winback"\n[trigger]\n'
    lapsed = (
        f'{start}on = "lapsed"\nafter = "2.5 x usual interval"\nnot_before = "60 days"\nmin_purchases = 3\n{MESSAGE}'
    )
    assert _words(folder, lapsed, "de")["Anlass"] == (
        "das 2,5-fache des üblichen Abstands lang kein Einkauf, mindestens aber 60 Tage, ab 3 Einkäufen"
    )
    bought = f'{start}on = "purchase"\nwhen = "2 hours after"\ncategories = ["Brot"]\nfirst_only = true\n{MESSAGE}'
    assert _words(folder, bought, "de")["Anlass"] == "der erste Einkauf: 2 Stunden danach; Kategorien: brot"


def test_contract_mail_is_said_not_to_advertise(folder: Path) -> None:
    text = SERVICE.replace("service_reminder", "contract_appointment")
    assert _words(folder, text, "de")["Art"] == "contract_appointment: gehört zum Vertrag, darf nicht werben"
