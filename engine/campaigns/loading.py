"""campaigns/*.toml -> Campaign. Every mistake is named at file:line:column, with the key and the remedy.

`load_campaigns` raises Invalid with all of them; `examine_campaigns` returns them, with the warnings and whatever
campaigns are right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from engine.campaigns.checks import check_campaign
from engine.campaigns.model import (
    ANY_LANGUAGE,
    ONLY_STEP,
    Button,
    Campaign,
    CampaignFile,
    MessageTable,
    MessageText,
    Sending,
    Step,
    texts_of,
)
from engine.config.loading import Config
from engine.domain.words import OnDoubt
from engine.errors import Finding, Invalid, NothingFound
from engine.language import Language
from engine.toml.faults import Say
from engine.toml.findings import Reader, find_mistakes
from engine.toml.source import TomlSource, shown_path, suggest

__all__ = ["Campaign", "campaign_files", "examine_campaigns", "find_campaign", "load_campaigns"]

RESERVED: dict[tuple[str, ...], str] = {
    **{(table,): f"[{table}]" for table in ("coupon", "measure", "survey")},
    ("send", "not_on"): "send.not_on",
    ("step", "coupon"): "coupon",
}
"""Keys that are spoken for, and answered with "not in this version"."""
RESERVED_TRIGGERS = ("nth_purchase", "anniversary", "date", "consent_confirmed", "survey_answer", "visit_done")
RESERVED_VALUES: dict[tuple[str, ...], tuple[str, ...]] = {("trigger", "on"): RESERVED_TRIGGERS}


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One campaign file that could be read as TOML, with what it came to."""

    source: TomlSource
    campaign: Campaign | None
    findings: tuple[Finding, ...]


def load_campaigns(folder: Path, config: Config) -> tuple[Campaign, ...]:
    """Read every campaign in a folder; raise Invalid with every mistake in any of them."""
    campaigns, findings = examine_campaigns(folder, config)
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        raise Invalid(errors)
    return campaigns


def find_campaign(campaigns: Sequence[Campaign], campaign_id: str) -> Campaign:
    """Return the campaign somebody names by its id; if there is none, say what they may have meant."""
    found = next((campaign for campaign in campaigns if campaign.id == campaign_id), None)
    if found is None:
        names = [campaign.id for campaign in campaigns]
        hint = suggest(campaign_id, names) or f"There are: {', '.join(names) or 'none'}."
        raise NothingFound(f'There is no campaign "{campaign_id}".', hint)
    return found


def examine_campaigns(folder: Path, config: Config) -> tuple[tuple[Campaign, ...], list[Finding]]:
    """Read every campaign in a folder; return the right ones, and every error and warning in all of them."""
    say = Language(config.shop.language).gettext
    findings: list[Finding] = []
    read: list[ReadFile] = []
    for path in campaign_files(folder):
        try:
            file = read_campaign(TomlSource.read(path, say), config, say)
        except Invalid as invalid:
            findings += invalid.findings
            continue
        read.append(file)
        findings += file.findings
    findings += _ids_twice(read, say)
    return tuple(file.campaign for file in read if file.campaign), findings


def campaign_files(folder: Path) -> list[Path]:
    """Return the campaign files of a folder by name; hidden files and editors' copies are none."""
    found = folder.glob("*.toml") if folder.is_dir() else ()
    return sorted(path for path in found if not path.name.startswith((".", "#")))


def read_campaign(source: TomlSource, config: Config, say: Say) -> ReadFile:
    """Make a campaign of one file, or say what is wrong with it."""
    if not source.data:
        return ReadFile(source, None, (source.finding("E102", say("this file is empty")),))
    try:
        file = CampaignFile.model_validate(source.data)
    except ValidationError as error:
        reader = Reader(source, source.data, CampaignFile, say, RESERVED, RESERVED_VALUES)
        return ReadFile(source, None, tuple(find_mistakes(reader, error)))
    findings = tuple(check_campaign(file, config, source, say))
    wrong = any(finding.level == "error" for finding in findings)
    return ReadFile(source, None if wrong else _campaign(file, source.file, config.shop.language), findings)


def _campaign(file: CampaignFile, name: str, language: str) -> Campaign:
    trigger = file.trigger.for_kind(file.kind)
    return Campaign(
        id=file.id,
        name=file.name or file.id,
        enabled=file.enabled,
        kind=file.kind,
        advertises=file.advertises,
        on_doubt=OnDoubt(file.on_doubt),
        trigger=trigger,
        audience=file.audience,
        start=file.start,
        send=Sending(file.send.between, file.send.days, file.send.max_late or trigger.default_max_late),
        limit=file.limit,
        steps=tuple(_steps(file, language)),
        stop=frozenset(file.stop.on),
        file=name,
        hash=_digest(file.model_dump(mode="json")),
        trigger_hash=_digest(
            {
                "trigger": trigger.model_dump(mode="json"),
                "steps": [_text(step.when or step.wait) for step in file.step],
            }
        ),
    )


def _steps(file: CampaignFile, language: str) -> Iterable[Step]:
    if file.message is not None:
        yield Step(ONLY_STEP, 0, None, None, _worded(file.message, language))
    for index, step in enumerate(file.step):
        yield Step(step.id, index, step.when, step.wait, _worded(step, language))


def _worded(message: MessageTable, language: str) -> MessageText:
    """Return the message with every text by language; a single text counts for each language the mail exists in."""
    given = {code for texts in texts_of(message).values() for code in texts} - {ANY_LANGUAGE}
    languages = sorted(given) or [language]
    button = message.button
    return MessageText(
        subject=_spread(message.subject, languages),
        preview=_spread(message.preview, languages),
        body=_spread(message.body, languages) if message.body else None,
        template=message.template,
        button=Button(_spread(button.text, languages), button.url) if button else None,
    )


def _spread(text: dict[str, str], languages: list[str]) -> dict[str, str]:
    return dict.fromkeys(languages, text[ANY_LANGUAGE]) if ANY_LANGUAGE in text else text


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _digest(content: object) -> str:
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()


def _ids_twice(read: list[ReadFile], say: Say) -> Iterable[Finding]:
    """Say of every id that stands in two files where it stands, also of files with other mistakes."""
    first: dict[object, TomlSource] = {}
    for file in read:
        name = file.source.data.get("id")
        other = first.setdefault(name, file.source) if isinstance(name, str) else file.source
        if other is not file.source:
            yield _id_twice(file.source, other, str(name), say)


def _id_twice(source: TomlSource, other: TomlSource, name: str, say: Say) -> Finding:
    here, there = (f"{shown_path(Path(file.file))}:{file.position(('id',))[0]}" for file in (source, other))
    message = say('id = "%(id)s" stands in %(there)s and in %(here)s', id=name, there=there, here=here)
    return source.finding("E107", message, ("id",), help=say("every file needs an id of its own"))
