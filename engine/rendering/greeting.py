"""The first line of a letter: right with and without a name, in Sie and du, and never a guess at who somebody is.

Herr and Frau are said only where the shop's own data say so; a first name never decides.
"""

from __future__ import annotations

from functools import lru_cache

from engine.rendering.context import CustomerView, clean

_MEN = frozenset({"herr", "herrn", "hr", "mr", "mister", "monsieur"})
_WOMEN = frozenset({"frau", "fr", "mrs", "ms", "miss", "mme", "madame"})
_TITLES = {"dr": "Dr.", "prof": "Prof."}
_WORDS = {"de": ("Herr", "Frau"), "en": ("Mr", "Ms")}
_LONGEST_NAME = 80


def greet(customer: CustomerView, form: str, language: str) -> str:
    """Return the greeting without its comma: `Guten Tag Frau Müller`, `Hallo Jon`, `Dear Ms Müller`, `Hello`."""
    first, last = _name(customer.first_name), _name(customer.last_name)
    if form == "du":
        return " ".join(filter(None, ("Hallo" if language == "de" else "Hello", first)))
    address, titles = _salutation(customer.salutation, language)
    if last and (address or titles):
        opening = "Guten Tag" if language == "de" else "Dear"
        return " ".join(filter(None, (opening, *_spoken(address, titles, language), last)))
    opening = "Guten Tag" if language == "de" else "Hello"
    return f"{opening} {first} {last}" if first and last else opening


def _name(text: str) -> str:
    name = clean(text).strip()
    return name if len(name) <= _LONGEST_NAME else ""


@lru_cache(maxsize=256)
def _salutation(text: str, language: str) -> tuple[str, tuple[str, ...]]:
    """Return Herr/Frau (or Mr/Ms) and the titles in a salutation; nothing for a word that is not known."""
    address, titles = "", []
    for word in clean(text).replace(".", ". ").lower().split():
        bare = word.rstrip(".")
        if bare in _MEN or bare in _WOMEN:
            address = _WORDS[language][bare in _WOMEN]
        elif bare in _TITLES:
            titles.append(_TITLES[bare])
        elif bare not in ("med", "jur", "phil", "rer", "nat", "ing", "dipl"):
            return "", ()
    return address, tuple(titles)


def _spoken(address: str, titles: tuple[str, ...], language: str) -> tuple[str, ...]:
    """German says Frau Dr., English either the title or Ms."""
    if language == "en" and titles:
        return (titles[0],)
    return (address, *titles)
