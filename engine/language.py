"""What the owner and the customer read, in their language: one gettext catalogue, English sentences as its keys.

A sentence without a translation is said in English: a missing word must never stop a mail or a command.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

_LOCALES = Path(__file__).parent / "locales"

LANGUAGES = ("de", "en")


class Language:
    """The sentences in one language: `Language("de").gettext("Hello %(name)s", name="Anna")`."""

    def __init__(self, code: str) -> None:
        self.code = code

    def gettext(self, sentence: str, **values: object) -> str:
        """Return the sentence in this language, with the values put in where any are given."""
        said = _catalogue(self.code).get((sentence, 0), sentence)
        return said % values if values else said

    def ngettext(self, one: str, many: str, number: int, **values: object) -> str:
        """Return the singular for 1 and the plural else; `%(number)s` is the number."""
        form = 0 if number == 1 else 1
        said = _catalogue(self.code).get((one, form), many if form else one)
        return said % {"number": number, **values}


@cache
def _catalogue(code: str) -> dict[tuple[str, int], str]:
    """Read a language's catalogue once; a language without one (English) is an empty catalogue."""
    file = _LOCALES / f"{code}.po"
    if code not in LANGUAGES or not file.exists():
        return {}
    with file.open("rb") as lines:
        messages = read_po(lines, locale=code, abort_invalid=True)
    said: dict[tuple[str, int], str] = {}
    for message in messages:
        if not message.id or message.fuzzy:
            continue
        key = message.id if isinstance(message.id, str) else message.id[0]
        forms = (message.string,) if isinstance(message.string, str) else message.string or ()
        said.update({(key, form): text for form, text in enumerate(forms) if text})
    return said
