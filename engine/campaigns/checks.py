"""What only a whole campaign shows: one mail or several, dates and languages that fit together, the law."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from engine.campaigns.lawful import check_law
from engine.campaigns.model import ANY_LANGUAGE, CampaignFile, MessageTable, StepTable, texts_of
from engine.config.sections import Config
from engine.domain.grammar import When
from engine.errors import Finding
from engine.toml.faults import Loc, Say
from engine.toml.source import TomlSource
from engine.triggers.contract import timings

_ANY_DAY = date(2026, 7, 15)


def check_campaign(file: CampaignFile, config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Yield what is wrong or doubtful about a campaign whose values are all right one by one."""
    yield from _mails(file, source, say)
    yield from _dates(file, source, say)
    yield from _order(file, source, say)
    yield from check_law(file, config, source, say)


def _mails(file: CampaignFile, source: TomlSource, say: Say) -> Iterator[Finding]:
    if file.message is not None and file.step:
        message = say("a campaign has either one [message] or several [[step]], not both")
        yield source.finding("E109", message, ("message",), key=True)
    if file.message is None and not file.step:
        yield source.finding("E102", say("there is nothing to say: [message] is missing"))
    if file.message is not None:
        yield from _texts(file.message, ("message",), source, say)
    for index, step in enumerate(file.step):
        yield from _texts(step, ("step", index), source, say)
        earlier = [other.id for other in file.step[:index]]
        if step.id in earlier:
            message = say('two steps have the id "%(id)s"', id=step.id)
            yield source.finding("E107", message, ("step", index, "id"))


def _texts(message: MessageTable, loc: Loc, source: TomlSource, say: Say) -> Iterator[Finding]:
    if message.body and message.template:
        told = say("a mail has either a body or a template, not both")
        yield source.finding("E109", told, (*loc, "template"), key=True)
    if not message.body and not message.template:
        yield source.finding("E102", say("`body` (or `template`) is missing"), loc, key=True)
    yield from _languages(message, loc, source, say)


def _languages(message: MessageTable, loc: Loc, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse a mail of which one part exists in English and another does not."""
    texts = texts_of(message)
    languages = {code for text in texts.values() for code in text} - {ANY_LANGUAGE}
    for key, text in texts.items():
        lacking = ", ".join(sorted(languages - set(text)))
        if lacking and ANY_LANGUAGE not in text:
            told = say("`%(key)s` has no text in: %(languages)s", key=key, languages=lacking)
            yield source.finding("E109", told, (*loc, key))


def _dates(file: CampaignFile, source: TomlSource, say: Say) -> Iterator[Finding]:
    yield from _date(file, file.trigger.own, ("trigger", "when"), source, say)
    for index, step in enumerate(file.step):
        loc: Loc = ("step", index)
        if step.when and step.wait:
            told = say("a step has either `when` (around the date) or `wait` (after the step before), not both")
            yield source.finding("E109", told, (*loc, "wait"), key=True)
        if index and not step.when and not step.wait:
            told = say("`wait` (after the step before) or `when` (around the date) is missing")
            yield source.finding("E102", told, loc, key=True)
        yield from _date(file, step.when, (*loc, "when"), source, say)
        if step.wait and step.wait.is_hours and not _has_instant(file):
            yield _no_hours(source, (*loc, "wait"), say)


def _date(file: CampaignFile, when: When | None, loc: Loc, source: TomlSource, say: Say) -> Iterator[Finding]:
    if when and when.is_hours and not _has_instant(file):
        yield _no_hours(source, loc, say)
    if when and when.direction == "before" and file.trigger.on == "purchase":
        told = say("nobody knows of a purchase beforehand; write for example %(example)s", example='"2 days after"')
        yield source.finding("E109", told, loc)


def _has_instant(file: CampaignFile) -> bool:
    return file.trigger.on == "purchase"


def _no_hours(source: TomlSource, loc: Loc, say: Say) -> Finding:
    told = say("only a purchase has an hour; here days are counted")
    return source.finding("E109", told, loc, help=say("write for example %(example)s", example='"1 day after"'))


def _order(file: CampaignFile, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse steps that would come before the step above them: the later one would overtake it."""
    own = file.trigger.own
    dues = [timing.due(_ANY_DAY, own) for timing in timings(file.step)]
    for (earlier, later), (index, step) in zip(pairwise(dues), list(enumerate(file.step))[1:], strict=True):
        if later < earlier:
            told = say('step "%(id)s" comes before the step above it', id=step.id)
            yield source.finding("E109", told, ("step", index, _dated_by(step)), help=say("put the steps in order"))


def _dated_by(step: StepTable) -> str:
    return "when" if step.when else "wait"
