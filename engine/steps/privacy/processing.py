"""What the shop does with people's data, from its config: purposes, recipients, terms, measures (Art. 13, 15, 30 GDPR).

The same sentences stand in the answer to a person and in the record of processing (law P2), so that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.campaigns.loading import load_campaigns
from engine.config.loading import Config
from engine.domain.existing_customer import CONSENT_REFRESH, KINDS
from engine.domain.permission import is_advertising
from engine.errors import TreuepostError
from engine.language import Language

Say = Any
Document = dict[str, Any]

GERMANY = "DE"


def controller(config: Config) -> Document:
    """Return who is responsible (Art. 13(1)(a), (b) GDPR)."""
    shop = config.shop
    facts = {
        "name": shop.name,
        "address": shop.address,
        "represented_by": shop.represented_by,
        "email": shop.email,
        "phone": shop.phone,
        "url": shop.url,
        "privacy": shop.privacy,
        "officer": config.privacy.officer,
    }
    return {name: value for name, value in facts.items() if value}


def purposes(config: Config, say: Say) -> list[Document]:
    """Return, per campaign, what it is for and on which legal ground; where its file is broken, what always holds."""
    try:
        campaigns = load_campaigns(config.home / "campaigns", config)
    except TreuepostError:
        campaigns = ()
    rows = [
        {"campaign": one.id, "name": one.name, "kind": one.kind, **_purpose(one.kind, say)}
        for one in campaigns
        if one.enabled
    ]
    proof = {
        "purpose": say("proof that mails were allowed, and that nobody is written to against their will"),
        "basis": say("Art. 6(1)(c) and (f), Art. 7(1), Art. 17(3)(e) GDPR"),
    }
    return [*rows, {"campaign": "", "name": "", "kind": "", **proof}]


def _purpose(kind: str, say: Say) -> Document:
    if not is_advertising(kind):
        return {"purpose": say("mails a contract calls for"), "basis": say("contract (Art. 6(1)(b) GDPR)")}
    return {
        "purpose": say("advertising by e-mail to people who are customers already"),
        "basis": say("consent (Art. 6(1)(a) GDPR), or a purchase with a notice (§ 7(3) UWG, Art. 6(1)(f) GDPR)")
        if kind in KINDS or kind == CONSENT_REFRESH
        else say("consent (Art. 6(1)(a) GDPR)"),
    }


def recipients(config: Config, say: Say) -> list[Document]:
    """Return who else gets the data, by name (Art. 15(1)(c) GDPR; CJEU C-154/21)."""
    provider = config.provider
    if provider.use == "outbox":
        return [{"recipient": say("nobody: this shop is rehearsing, no mail leaves it"), "purpose": ""}]
    return [
        {
            "recipient": {"smtp": provider.base_url or "SMTP"}.get(provider.use, provider.use.capitalize()),
            "purpose": say("sends the mails on our behalf (Art. 28 GDPR)"),
            "agreement_of": provider.dpa_signed_at,
            "country": provider.country,
            "transfer": provider.transfer
            or (say("no transfer to a third country") if provider.country == GERMANY else ""),
        }
    ]


def terms(config: Config, language: str) -> list[Document]:
    """Return how long what is kept (law H)."""
    say = Language(language).gettext
    kept, legal = config.privacy, config.legal
    bodies, unused = kept.bodies.words(language), legal.stale_consent.words(language)
    evidence = say("to the end of year %(years)s after it was last used or withdrawn", years=kept.evidence_years)
    rows = {
        say("customer, purchases, service items, visits"): say("as long as somebody is a customer of the shop"),
        say("evidence of consents and of notices"): evidence,
        say("what was sent to whom, when and why (without the text)"): evidence,
        say("the text of mails"): bodies,
        say("what the provider told of a mail, in words"): bodies,
        say("why somebody got no mail"): say("%(span)s, then only counts", span=kept.refusals.words(language)),
        say("a sign-up that was never confirmed"): kept.requests.words(language),
        say("a consent that was never used"): say("it counts for nothing after %(span)s", span=unused),
        say("the check value of an address that must not be written to"): say("until the person agrees anew"),
        say("backups"): kept.backups.words(language),
    }
    return [{"data": data, "kept": span} for data, span in rows.items()]


def measures(config: Config, language: str) -> list[str]:
    """Return the technical and organisational measures the program itself takes (Art. 30(1)(g), 32 GDPR)."""
    say, backups = Language(language).gettext, config.privacy.backups.words(language)
    return [
        say("Addresses are masked at the terminal and in the daemon's log."),
        say("Suppressions are keyed hashes; the key lies outside the database, readable by its owner only."),
        say("What is deleted is overwritten in the database file and in its log."),
        say("Mails leave only on a ground that is checked in the transaction that releases them."),
        say("The history of mails and consents cannot be changed; an audit checks it every night."),
        say("Nothing measures who opens a mail or follows a link."),
        say("Links in mails carry a signed token, never an address."),
        say("The database is copied regularly; backups are kept for %(span)s.", span=backups),
    ]


def rights(config: Config, say: Say) -> list[str]:
    """Return the rights a person is to be told of (Art. 15(1)(e), (f) GDPR)."""
    authority = config.privacy.authority or say("the data protection authority where you live or where we are")
    return [
        say("You may object to advertising at any time, informally, without a reason (Art. 21 GDPR)."),
        say("You may withdraw a consent at any time, for the future (Art. 7(3) GDPR)."),
        say("You may have wrong data corrected, data erased, or their use restricted (Art. 16 to 18 GDPR)."),
        say("You may get the data you gave us in a common format (Art. 20 GDPR)."),
        say("You may complain to: %(authority)s (Art. 77 GDPR).", authority=authority),
        say("No decision with legal effect is made by a program alone (Art. 22 GDPR)."),
    ]


def record(config: Config) -> Document:
    """Return the record of processing activities (Art. 30(1) GDPR; law P2)."""
    say = Language(config.shop.language).gettext
    return {
        "controller": controller(config),
        "purposes": purposes(config, say),
        "persons": [say("customers of the shop"), say("people who asked for mail on a page of the shop")],
        "data_kinds": _data_kinds(say),
        "recipients": recipients(config, say),
        "terms": terms(config, config.shop.language),
        "measures": measures(config, config.shop.language),
    }


def _data_kinds(say: Say) -> list[str]:
    kinds: Iterable[str] = (
        say("name, form of address, e-mail address, language, time zone, country, tags"),
        say("day and month of birth, the year where it was given"),
        say("purchases: day, amount, status, categories, articles, the notice that was shown"),
        say("service items, contracts and visits"),
        say("consents, withdrawals and objections with their evidence"),
        say("mails: occasion, time, ground, evidence, text, what the provider told"),
        say("figures: last purchase, number of purchases, usual days between purchases"),
        say("keyed hashes of addresses that must not be written to"),
    )
    return list(kinds)
