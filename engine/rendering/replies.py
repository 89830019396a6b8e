"""The mails somebody asked for, as bare as they have to be (law.md B6, W9).

A confirmation mail with a logo and a "Welcome" is advertising to somebody who has not agreed (LG Stendal 22 S 87/20).
The words stand here and nowhere else; what a shop puts in between (its name, its legal details, what the text is about)
goes through `faults`, which finds whatever a bare mail does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from markupsafe import escape

from engine.config.loading import Config
from engine.config.sections import split_mailbox
from engine.domain.words import Email
from engine.language import LANGUAGES, Language
from engine.rendering.bareness import faults_of
from engine.rendering.filters import format_day
from engine.rendering.footer import Footer
from engine.rendering.mail import Envelope, headers, public_url

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CONFIRMATION = "doi_request"
DATA_LINK = "dsr_response"


@dataclass(frozen=True, slots=True)
class Asked:
    """One mail to be written: for whom, in which language, with which link, and what was asked for when and where.

    `about` is what the wording is about; `on_page` says that the address was entered on the shop's own page.
    """

    message_id: str
    kind: str
    to: str
    language: str
    token: str
    asked_at: datetime
    expires_at: datetime
    about: str = ""
    on_page: bool = True


def confirm_url(config: Config, token: str) -> str:
    """Return the address of the page that confirms."""
    return f"{public_url(config)}/c/{token}"


def data_url(config: Config, token: str) -> str:
    """Return the address of the page that shows somebody's own data."""
    return f"{public_url(config)}/d/{token}"


def sign_up_url(config: Config, wording: str) -> str:
    """Return the address of the page on which a wording can be agreed to."""
    page = "anmelden" if config.wording[wording].language == "de" else "sign-up"
    return f"{public_url(config)}/{page}/{wording}"


def compose(config: Config, asked: Asked) -> Email:
    """Return the mail, the same bytes at every attempt."""
    letter = _Letter(config, asked)
    envelope = Envelope(asked.message_id, asked.kind, asked.kind, asked.to, date=format_datetime(asked.asked_at))
    head = headers(config, envelope)
    if not config.provider.sender:
        del head["Message-ID"]  # a rehearsal without a sender of its own
    return Email(
        message_id=asked.message_id,
        campaign=asked.kind,
        sender=config.sender_address,
        sender_name=config.sender_name,
        reply_to=split_mailbox(config.provider.reply_to)[1],
        to=asked.to,
        to_name="",
        subject=letter.subject,
        html=letter.html(),
        text=letter.text(),
        headers=head,
    )


def faults(config: Config, asked: Asked, email: Email) -> list[str]:
    """Return what keeps this mail from being bare; nothing for one that may go."""
    letter = _Letter(config, asked)
    locked = (letter.subject, letter.text(), letter.html())
    others = [] if (email.subject, email.text, email.html) == locked else ["other words than the locked ones"]
    return others + faults_of(email, letter.link, (*letter.legal, config.shop.name, letter.where))


def sample_faults(config: Config) -> dict[str, list[str]]:
    """Return what would keep a wording's confirmation mail from being sent, by wording; without those that are well."""
    found = {}
    for name, wording in config.wording.items():
        asked = Asked("sample", CONFIRMATION, "name@example.com", wording.language, "token", _EPOCH, _EPOCH)
        asked = replace(asked, about=wording.product_scope)
        found[name] = faults(config, asked, compose(config, asked))
    return {name: wrong for name, wrong in found.items() if wrong}


class _Letter:
    """The words of one mail."""

    def __init__(self, config: Config, asked: Asked) -> None:
        self._asked, self._shop = asked, config.shop
        self._language = asked.language if asked.language in LANGUAGES else config.shop.language
        self._say = Language(self._language).gettext
        self._form = 0 if config.shop.address_form == "Sie" else 1
        self.where = urlsplit(public_url(config)).hostname or ""
        confirms = asked.kind == CONFIRMATION
        self.link = (confirm_url if confirms else data_url)(config, asked.token)
        self.subject = self._either(_SUBJECT if confirms else _DATA_SUBJECT, firm=self._shop.name)
        self.legal = _legal_details(config, self._language)

    def text(self) -> str:
        """Return the mail as plain text."""
        before, after = self._sentences()
        return "\n\n".join([*before, self.link, *after, "\n".join(self.legal)]) + "\n"

    def html(self) -> str:
        """Return the mail as HTML: paragraphs, and one link that shows where it leads."""
        before, after = self._sentences()
        parts = [
            *(f"<p>{escape(one)}</p>" for one in before),
            f'<p><a href="{escape(self.link)}">{escape(self.link)}</a></p>',
            *(f"<p>{escape(one)}</p>" for one in after),
            f"<p>{'<br>'.join(str(escape(line)) for line in self.legal)}</p>",
        ]
        title = f'<meta charset="utf-8"><title>{escape(self.subject)}</title>'
        body = "\n".join(parts)
        return f'<!doctype html>\n<html lang="{self._language}"><head>{title}</head><body>\n{body}\n</body></html>\n'

    def _sentences(self) -> tuple[list[str], list[str]]:
        """Return what stands before the link and after it."""
        known = {"when": self._moment(self._asked.asked_at), "where": self.where, "firm": self._shop.name}
        until = self._moment(self._asked.expires_at)
        if self._asked.kind != CONFIRMATION:
            before = [self._say(_DATA_ASKED, **known), self._either(_DATA_HERE)]
            return before, [self._say(_ONCE, until=until), self._either(_DATA_NOTHING)]
        asked = _ENTERED if self._asked.on_page else _TOLD
        before = [self._say(asked, about=self._asked.about, **known), self._either(_CONFIRM)]
        return before, [self._say(_VALID, until=until), self._either(_NOTHING)]

    def _either(self, sentences: tuple[str, str], **known: str) -> str:
        return self._say(sentences[self._form], **known)

    def _moment(self, at: datetime) -> str:
        zone: ZoneInfo = self._shop.zone
        local = at.astimezone(zone)
        return self._say(
            "%(day)s, %(time)s", day=format_day(local.date(), "long", self._language), time=f"{local:%H:%M}"
        )


def _legal_details(config: Config, language: str) -> Sequence[str]:
    """Return the sender's identification as the law wants it, as plain text and without the shop's web address."""
    said = Footer(config.shop.model_copy(update={"url": ""}), CONFIRMATION, language).constants()
    return [str(said[part]) for part in ("address", "contact", "register") if said[part]]


# In each pair the first is for Sie, the second for du; English says the same twice, in other words.
_SUBJECT = ("Please confirm your sign-up", "Please confirm that you signed up")
_ENTERED = "On %(when)s this address was entered at %(where)s for e-mails from %(firm)s (%(about)s)."
_TOLD = "On %(when)s this address was given to %(firm)s for e-mails (%(about)s)."
_CONFIRM = ("If that was you, please confirm here:", "If it was you, please confirm here:")
_VALID = "The link is valid until %(until)s."
_NOTHING = (
    "If that was not you, do nothing; the entry will then be deleted.",
    "If it was not you, do nothing; the entry will then be deleted.",
)
_DATA_SUBJECT = ("Your data at %(firm)s", "The data about you at %(firm)s")
_DATA_ASKED = "On %(when)s somebody asked at %(where)s to see the data that %(firm)s keeps about this address."
_DATA_HERE = ("If that was you, see your data here:", "If it was you, see your data here:")
_ONCE = "The link works once, until %(until)s."
_DATA_NOTHING = (
    "If that was not you, do nothing; without the link nobody sees anything.",
    "If it was not you, do nothing; without the link nobody sees anything.",
)
