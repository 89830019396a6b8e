"""Cells that are words: text, yes and no, lists, and codes from closed lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale

from engine.domain.grammar import GrammarError, Span
from engine.sources.faults import Unfit
from engine.sources.tables import shortened

LONGEST_NAME = 200
LONGEST_TEXT = 2000
_YES = frozenset({"yes", "ja", "true", "wahr", "1", "y", "j", "x"})
_NO = frozenset({"no", "nein", "false", "falsch", "0", "n"})
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LANGUAGE = re.compile(r"([A-Za-z]{2})(?:[-_][A-Za-z]{2})?\Z")
_STATES = ("claimed", "confirmed", "requested", "withdrawn", "objected")
_STATUS = ("concluded", "open", "cancelled", "returned", "revoked")


def read_text(cell: str, longest: int = LONGEST_TEXT) -> str:
    """Return text as one line; what would break a mail's header becomes a blank."""
    text = (cell if cell.isprintable() else _BREAKS.sub(" ", cell)).strip()
    if len(text) > longest:
        raise Unfit(f"{len(text):,} characters; at most {longest} are allowed")
    return text


def has_breaks(cell: str) -> bool:
    """Say whether a cell holds characters that read_text turns into blanks."""
    return not cell.isprintable() and bool(_BREAKS.search(cell))


def read_flag(cell: str) -> bool | None:
    """Return yes or no; None for an empty cell."""
    word = cell.strip().lower()
    if not word:
        return None
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise Unfit(f'"{shortened(cell, 30)}" is neither yes nor no')


@lru_cache(maxsize=50_000)
def read_list(cell: str) -> tuple[str, ...]:
    """Return the members of a list within a cell, divided by `;`, each once."""
    members = (read_text(member) for member in cell.split(";"))
    return tuple(dict.fromkeys(member for member in members if member))


def read_id(cell: str) -> str | None:
    """Return a shop's own id; an empty cell and `0` are none."""
    bare = cell.strip()
    if bare in {"", "0"}:
        return None
    return read_text(bare, LONGEST_NAME)


def one_of(field: str, allowed: Sequence[str], synonyms: Mapping[str, str] | None = None) -> Callable[[str], str]:
    """Return a reader for a closed list of words; what is not in it is refused with the option that maps it."""

    @lru_cache(maxsize=10_000)
    def read(cell: str) -> str:
        word = cell.strip()
        lowered = word.lower()
        if not word:
            return ""
        for member in allowed:
            if member.lower() == lowered:
                return member
        if synonyms and lowered in synonyms:
            return synonyms[lowered]
        raise Unfit(_not_among(field, word, allowed))

    return read


def _not_among(field: str, word: str, allowed: Sequence[str]) -> str:
    near = get_close_matches(word.lower(), allowed, n=1, cutoff=0.5)
    ours = near[0] if near else allowed[0]
    listed = ", ".join(allowed)
    return f'"{shortened(word, 30)}" is not one of {listed}; say --values "{field}:{shortened(word, 30)}={ours}"'


read_status = one_of("status", _STATUS)
read_consent_state = one_of("state", _STATES, dict.fromkeys(_YES, "claimed"))
read_address_form = one_of("address_form", ("Sie", "du"))


@lru_cache(maxsize=1_000)
def read_language(cell: str) -> str:
    """Return a language's two letters."""
    bare = cell.strip()
    match = _LANGUAGE.match(bare)
    if bare and not match:
        raise Unfit(f'"{shortened(bare, 30)}" is not a language; write two letters like de or en')
    return match[1].lower() if match else ""


@lru_cache(maxsize=1_000)
def read_country(cell: str) -> str:
    """Return a country's two letters (ISO 3166)."""
    code = cell.strip().upper()
    if code and (len(code) != 2 or code not in Locale("en").territories):
        raise Unfit(
            f'"{shortened(cell, 30)}" is not a country code; write two letters like DE, '
            f'or say --values "country:{shortened(cell.strip(), 30)}=DE"'
        )
    return code


@lru_cache(maxsize=1_000)
def read_zone(cell: str) -> str:
    """Return the name of a time zone."""
    name = cell.strip()
    if not name or name in available_timezones():
        return name
    near = get_close_matches(name, sorted(available_timezones()), n=3, cutoff=0.5)
    raise Unfit(f'"{shortened(name, 30)}" is not a time zone; for instance {", ".join(near or ["Europe/Berlin"])}')


@lru_cache(maxsize=10_000)
def read_interval(cell: str) -> str:
    """Return a span in the words it is kept in, like `12 months`."""
    text = cell.strip()
    if not text:
        return ""
    try:
        span = Span.parse(text)
    except GrammarError as error:
        raise Unfit(str(error)) from error
    if span.is_hours:
        raise Unfit(f'"{shortened(text, 30)}": a service interval is days, weeks, months or years')
    return f"{span.amount} {span.unit}"
