"""A campaign file as it is written (CampaignFile), and a campaign as the rest of the program knows it (Campaign)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from engine.domain.grammar import EVERY_DAY, GrammarError, Span, Weekdays, When, Window, quoted
from engine.domain.permission import KINDS
from engine.domain.words import OnDoubt
from engine.fields import FROZEN, CapField, SpanField, Tags, WeekdaysField, WhenField, WindowField
from engine.language import LANGUAGES
from engine.triggers import Birthday, Lapsed, PurchaseTrigger, ServiceDue, Trigger

ONLY_STEP = "message"
"""The id of the one step of a campaign that has a [message]."""
ANY_LANGUAGE = ""
"""Under this key stands a text that is not given per language, until the campaign is put together."""

AnyTrigger = Birthday | Lapsed | ServiceDue | PurchaseTrigger


def _name(text: str, *, kind: str, letters: str) -> str:
    if not text or len(text) > 64 or set(text) - set(letters):
        raise PydanticCustomError(kind, "not a name", {"word": text})
    return text


_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_"


def _id(text: str) -> str:
    return _name(text, kind="no_id", letters=_LETTERS)


def _template(text: str) -> str:
    if text.startswith("/") or text.endswith("/") or "//" in text:
        raise PydanticCustomError("no_template", "not a template name", {"word": text})
    return _name(text, kind="no_template", letters=_LETTERS + "/")


def _kind(text: str) -> str:
    if text not in KINDS:
        raise PydanticCustomError("unknown_kind", "unknown kind", {"word": text})
    return text


def _in_days(span: Span) -> Span:
    if span.is_hours:
        raise GrammarError("%(text)s: this counts whole days, not hours", text=quoted(str(span)))
    return span


def _per_language(value: object) -> object:
    if isinstance(value, str):
        return {ANY_LANGUAGE: value}
    unknown = [key for key in value if key not in LANGUAGES] if isinstance(value, dict) else []
    if unknown:
        raise PydanticCustomError("unknown_language", "unknown language", {"word": str(unknown[0])})
    return value


def _not_empty(texts: dict[str, str]) -> dict[str, str]:
    if not texts or not all(text.strip() for text in texts.values()):
        raise PydanticCustomError("string_too_short", "empty")
    return texts


Id = Annotated[str, AfterValidator(_id)]
Days = Annotated[SpanField, AfterValidator(_in_days)]
ByLanguage = Annotated[dict[str, str], BeforeValidator(_per_language), AfterValidator(_not_empty)]
"""A text, or one per language."""


class Table(BaseModel):
    """One table of a campaign file."""

    model_config = FROZEN


class Audience(Table):
    """Who is meant at all; tags are compared in lower case."""

    tags_any: Tags = ()
    tags_all: Tags = ()
    tags_none: Tags = ()
    min_purchases: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Start(Table):
    """From which day on, with how old a backlog, and how many of it a day."""

    from_: Annotated[date | None, Field(alias="from")] = None
    backlog: Days = Span(0, "days")
    per_day: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class Send(Table):
    """At which hours, on which days, and how late at most."""

    between: WindowField = Window.parse("09:00-18:00")
    days: WeekdaysField = EVERY_DAY
    max_late: Days | None = None


class Limit(Table):
    """How often one address may hear from this campaign."""

    at_most: CapField | None = None


class Stop(Table):
    """What ends the remaining steps."""

    on: Annotated[tuple[Literal["purchase", "visit", "booked", "objection"], ...], Field(strict=False)] = ()


class ButtonTable(Table):
    """The one thing to click."""

    text: ByLanguage
    url: Annotated[str, Field(min_length=1, max_length=2000)]


class MessageTable(Table):
    """What a mail says."""

    subject: ByLanguage
    preview: ByLanguage = Field(default_factory=dict)
    body: ByLanguage | None = None
    template: Annotated[str, AfterValidator(_template)] | None = None
    button: ButtonTable | None = None


def texts_of(message: MessageTable) -> dict[str, dict[str, str]]:
    """Return the texts of a message that may be given by language."""
    texts = {"subject": message.subject, "preview": message.preview, "body": message.body or {}}
    if message.button:
        texts["button"] = message.button.text
    return {key: text for key, text in texts.items() if text}


class StepTable(MessageTable):
    """One of several mails: `when` is around the date, `wait` after the step before."""

    id: Id
    when: WhenField | None = None
    wait: SpanField | None = None


class CampaignFile(Table):
    """One file in campaigns/."""

    id: Id
    name: Annotated[str, Field(max_length=200)] = ""
    enabled: bool = True
    kind: Annotated[str, AfterValidator(_kind)]
    advertises: Tags = ()
    on_doubt: Literal["hold", "resend"] = "hold"
    trigger: Trigger
    audience: Audience = Audience()
    start: Start = Start()
    send: Send = Send()
    limit: Limit = Limit()
    step: Annotated[tuple[StepTable, ...], Field(strict=False, max_length=20)] = ()
    stop: Stop = Stop()
    message: MessageTable | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """The one thing to click: its text by language."""

    text: dict[str, str]
    url: str


@dataclass(frozen=True, slots=True)
class MessageText:
    """What a mail says, each text by language; a body in Markdown or the name of a template."""

    subject: dict[str, str]
    preview: dict[str, str]
    body: dict[str, str] | None
    template: str | None
    button: Button | None


@dataclass(frozen=True, slots=True)
class Step:
    """One mail of a campaign. `index` counts from 0; neither `when` nor `wait` means the trigger's own date."""

    id: str
    index: int
    when: When | None
    wait: Span | None
    message: MessageText


@dataclass(frozen=True, slots=True)
class Sending:
    """At which hours, on which days, and how late at most."""

    between: Window
    days: Weekdays
    max_late: Span


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. `hash` changes with anything in the file, `trigger_hash` only with whom and when it means."""

    id: str
    name: str
    enabled: bool
    kind: str
    advertises: tuple[str, ...]
    on_doubt: OnDoubt
    trigger: AnyTrigger
    audience: Audience
    start: Start
    send: Sending
    limit: Limit
    steps: tuple[Step, ...]
    stop: frozenset[str]
    file: str
    hash: str
    trigger_hash: str

    def step(self, step_id: str) -> Step | None:
        """Return the step with this id, if the file still has it."""
        return next((step for step in self.steps if step.id == step_id), None)
