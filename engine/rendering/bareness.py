"""Finds whatever a bare mail must not have: pictures, further links, styles, slogans, a way to unsubscribe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser

from engine.domain.words import Email

_ATTRIBUTES: dict[str, frozenset[str]] = {
    **dict.fromkeys(("head", "title", "body", "p", "br"), frozenset()),
    "html": frozenset({"lang"}),
    "meta": frozenset({"charset"}),
    "a": frozenset({"href"}),
}
"""All that a bare mail is made of."""

_LINK = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*:(?=//)\S+|\bmailto:\S+|\bwww\.\S+")
_SELLS = re.compile(
    r"(?i)\b(willkommen|welcome|herzlich\w*|gutschein\w*|voucher\w*|coupon\w*|rabatt\w*|discount\w*|sale|deals?|gratis"
    r"|kostenlos\w*|umsonst|free|spar(en|t)|save|jetzt|now|kaufen|buy"
    r"|folgen|follow|facebook|instagram|youtube|tiktok|whatsapp|linkedin|pinterest|fragen|questions|kontaktier\w*"
    r"|contact us)\b|\bp\.\s?s\.|\bps:|[%!€$£]"
)
_WANTED = {"auto-submitted": "auto-generated"}


def faults_of(email: Email, link: str, known: Sequence[str]) -> list[str]:
    """Return what is wrong with a mail that may have one link and nothing else; `known` is what has to be in it."""
    page = _Page()
    page.feed(email.html)
    page.close()
    plain = _without(email.text, (link, *known))
    return [
        *page.faults,
        *_links(email, page, link),
        *_words(f"{_without(email.subject, known)}\n{plain}"),
        *_headers(email),
        *(["the two parts do not say the same"] if _said(email.text) != _said(page.text) else []),
    ]


def _links(email: Email, page: _Page, link: str) -> Iterator[str]:
    if page.links != [link]:
        yield f"{len(page.links)} links in the HTML part, or another than the one to confirm"
    if [found[0] for found in _LINK.finditer(email.text)] != [link]:
        yield "another link in the text part than the one to confirm"
    if _LINK.search(email.subject):
        yield "a link in the subject"


def _words(text: str) -> Iterator[str]:
    for found in dict.fromkeys(one[0].lower() for one in _SELLS.finditer(text)):
        yield f'"{found}" advertises'
    if picture := next((sign for sign in text if unicodedata.category(sign) in {"So", "Sk", "Cs"}), None):
        yield f"a picture among the letters: {picture!r}"


def _headers(email: Email) -> Iterator[str]:
    present = {name.lower(): value for name, value in email.headers.items()}
    yield from (f"the header {name}" for name in present if name.startswith("list-") or name == "feedback-id")
    for name, value in _WANTED.items():
        if present.get(name) != value:
            yield f"no header {name}: {value}"
    if email.to_name:
        yield "a name in the head: only the address was given"


def _without(text: str, known: Sequence[str]) -> str:
    for part in sorted((one for one in known if one), key=len, reverse=True):
        text = text.replace(part, " ")
    return text


def _said(text: str) -> str:
    return " ".join(text.split())


class _Page(HTMLParser):
    """Reads an HTML part and notes everything that does not belong in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.faults: list[str] = []
        self._text: list[str] = []
        self._in_title = False

    @property
    def text(self) -> str:
        """Return what a reader sees."""
        return "".join(self._text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Refuse every element and attribute that is not on the list."""
        self._in_title = tag == "title"
        if tag not in _ATTRIBUTES:
            self.faults.append(f"<{tag}> in the HTML part")
        for name, value in attrs:
            if name not in _ATTRIBUTES.get(tag, frozenset()):
                self.faults.append(f"{name}= in the HTML part")
            if name in {"href", "src"}:
                self.links.append(value or "")
        if tag in {"p", "br"}:
            self._text.append("\n")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  (only one of them matters)
        """Note that the title is over."""
        self._in_title = False

    def handle_data(self, data: str) -> None:
        """Keep what a reader sees."""
        if not self._in_title:
            self._text.append(data)

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        """Refuse comments: mail programs execute some of them."""
        self.faults.append("a comment in the HTML part")
