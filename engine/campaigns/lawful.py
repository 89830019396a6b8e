"""What the law will say of a campaign, as far as its file and the config show it: before anybody has been counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from engine.campaigns.model import CampaignFile, MessageTable, texts_of
from engine.config.sections import Config
from engine.domain.existing_customer import ABOUT_THE_PURCHASE, EVERYTHING, KINDS, is_similar
from engine.domain.permission import is_advertising
from engine.errors import Finding
from engine.toml.faults import Loc, Say
from engine.toml.source import TomlSource

_WITH_A_PURCHASE = frozenset({"purchase", "lapsed"})
"""Triggers whose occasion is a purchase: a mail about it need not say what it advertises."""
_ADVERTISES = re.compile(
    r"(?i)\b(?:gutschein|rabatt|coupon|voucher|discount|sonderangebot|special offer)\w*|\b\d{1,2}\s?%(?!})"
)
"""What has no place in a mail that is owed (BGH VI ZR 225/17, VI ZR 134/15)."""
_LINK = re.compile(r"https?://[^\s)\"'<>{}]+")
_MOST_NAMED = 6


def check_law(file: CampaignFile, config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Yield what will leave hardly anybody to write to, and advertising in a mail that must not advertise."""
    if not is_advertising(file.kind):
        yield from _owed(file, config, source, say)
    elif file.kind in KINDS:
        yield from _advertised(file, config, source, say)


def _advertised(file: CampaignFile, config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    known = list(dict.fromkeys(word for group in config.legal.similarity.values() for word in group))
    if EVERYTHING in file.advertises and not config.legal.single_assortment:
        told = say('"everything" is not similar to what somebody bought (LG Frankfurt 2-03 O 372/17)')
        remedy = say("without consent nobody gets this; name the categories it advertises") + _for_example(known)
        yield source.finding("L203", told, ("advertises",), help=remedy, level="warning")
    if not file.advertises and not (file.kind in ABOUT_THE_PURCHASE and file.trigger.on in _WITH_A_PURCHASE):
        told = say("`advertises` is missing: what does this mail advertise?")
        remedy = say("without this line only customers who have consented may get it") + _for_example(known)
        yield source.finding("L202", told, ("kind",), help=remedy, level="warning")
    for category in file.advertises if known else ():
        if category != EVERYTHING and not is_similar(category, known, {}):
            told = say('"%(category)s" stands in no group of [legal.similarity]', category=category)
            remedy = say("without consent only those who bought just that may get it; what is similar, you decide")
            yield source.finding("L204", told, ("advertises",), help=remedy, level="warning")


def _for_example(known: list[str]) -> str:
    if not known:
        return ""
    named = ", ".join(f'"{word}"' for word in known[:_MOST_NAMED])
    return f": advertises = [{named}]"


def _owed(file: CampaignFile, config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse vouchers and the like in a mail that is owed, and warn of links that lead elsewhere."""
    remedy = say('strike it out, or write kind = "service_reminder" (advertising)')
    host = urlsplit(config.shop.url).hostname
    for loc, text in _written(file):
        if found := _ADVERTISES.search(text):
            told = say('this mail is owed and must not advertise: "%(word)s"', word=found[0])
            yield source.finding("L301", told, loc, help=remedy)
        for link in _LINK.findall(text):
            if urlsplit(link).hostname != host:
                told = say("this mail is owed and must not advertise: it links to %(link)s", link=link)
                yield source.finding("L301", told, loc, help=remedy, level="warning")


def _written(file: CampaignFile) -> Iterator[tuple[Loc, str]]:
    messages: list[tuple[Loc, MessageTable]] = [(("step", index), step) for index, step in enumerate(file.step)]
    if file.message is not None:
        messages.append((("message",), file.message))
    for loc, message in messages:
        for key, texts in texts_of(message).items():
            yield (*loc, key), "\n".join(texts.values())
        if message.button:
            yield (*loc, "button"), message.button.url
