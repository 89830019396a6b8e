"""What the law will say of a campaign, as far as its file and the config show it: before anybody has been counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from engine.campaigns.model import CampaignFile, MessageTable, texts_of
from engine.config.sections import Config
from engine.domain.existing_customer import ABOUT_THE_PURCHASE, EVERYTHING, KINDS, is_similar
from engine.domain.permission import is_advertising
from engine.errors import Finding, TemplateError
from engine.language import LANGUAGES
from engine.rendering.assembling import Folder
from engine.toml.faults import Loc, Say
from engine.toml.source import TomlSource

_WITH_A_PURCHASE = frozenset({"purchase", "lapsed"})
"""Triggers whose occasion is a purchase: a mail about it need not say what it advertises."""
_ADVERTISES = re.compile(
    r"(?i)\b(?:gutschein|rabatt|coupon|voucher|discount|sonderangebot|special offer)\w*|\b\d{1,2}\s?%(?!})"
)
"""What has no place in a mail that is owed (BGH VI ZR 225/17, VI ZR 134/15)."""
_LINK = re.compile(r"https?://[^\s)\"'<>{}]+")
_REPLY = re.compile(r"(?i)\s*(?:re|aw|antw|fwd?|wg)\s*:")
"""How the subject begins of a mail that pretends to answer one, or to be passed on (§ 6(2) DDG)."""
_TARGET = re.compile(r"""(?is)<a\b[^>]*?href\s*=\s*["']([^"']*)["'][^>]*>""")
_UNSEEN = re.compile(r"(?is)<style\b.*?</style>|<!--.*?-->|\{#.*?#\}|<[^>]*>")
_NAMED = re.compile(r"""["']([a-z0-9/_-]+(?:\.(?:de|en))?\.(?:html|txt))["']""")
_MOST_NAMED = 6


def check_law(file: CampaignFile, config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Yield what will leave hardly anybody to write to, and what deceives: advertising in a mail that is owed."""
    yield from _pretending(file, source, say)
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


def _pretending(file: CampaignFile, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse subjects that hide what a mail is (law I2)."""
    for loc, message in _messages(file):
        if found := next(filter(None, map(_REPLY.match, message.subject.values())), None):
            told = say('the subject pretends that this mail is an answer: "%(word)s"', word=found[0].strip())
            remedy = say("say what the mail is; hiding that is forbidden (§ 6 (2) DDG)")
            yield source.finding("L302", told, (*loc, "subject"), help=remedy)


def _owed(file: CampaignFile, config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse vouchers and the like in a mail that is owed, and warn of links that lead elsewhere (law A4, A5)."""
    remedy = say('strike it out, or write kind = "service_reminder" (advertising)')
    host = urlsplit(config.shop.url).hostname
    for loc, place, text in _written(file, config):
        where = f"{place}: {remedy}" if place else remedy
        if found := _ADVERTISES.search(text):
            told = say('this mail is owed and must not advertise: "%(word)s"', word=found[0])
            yield source.finding("L301", told, loc, help=where)
        for link in _LINK.findall(text):
            if urlsplit(link).hostname != host:
                told = say("this mail is owed and must not advertise: it links to %(link)s", link=link)
                yield source.finding("L301", told, loc, help=where, level="warning")


def _messages(file: CampaignFile) -> list[tuple[Loc, MessageTable]]:
    messages: list[tuple[Loc, MessageTable]] = [(("step", index), step) for index, step in enumerate(file.step)]
    return messages if file.message is None else [*messages, (("message",), file.message)]


def _written(file: CampaignFile, config: Config) -> Iterator[tuple[Loc, str, str]]:
    """Yield everything a mail will say: where in the campaign file, in which template, and the words."""
    for loc, message in _messages(file):
        for key, texts in texts_of(message).items():
            yield (*loc, key), "", "\n".join(texts.values())
        if message.button:
            yield (*loc, "button"), "", message.button.url
        for name, text in _in_templates(message.template, config):
            yield (*loc, "template" if message.template else "subject"), f"templates/{name}", text


def _in_templates(template: str | None, config: Config) -> Iterator[tuple[str, str]]:
    """Yield what a reader sees of the templates: the layout or the mail's own, with all that they take in."""
    folder = Folder(config.home / "templates")
    endings = [
        f"{language}{kind}" for language in ("", *(f".{one}" for one in LANGUAGES)) for kind in (".html", ".txt")
    ]
    wanted = [f"{template}{ending}" for ending in endings] if template else ["layout.html", "layout.txt"]
    seen: set[str] = set()
    while wanted:
        name = wanted.pop(0)
        if name in seen or not folder.has(name):
            continue
        seen.add(name)
        try:
            text = folder.read(name)[1]
        except TemplateError:
            continue  # the templates' own check tells of it
        wanted += _NAMED.findall(text)
        yield name, _UNSEEN.sub(" ", _TARGET.sub(r" \1 ", text))
