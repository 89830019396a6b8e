"""What stands below every mail, added by the engine and never by an author: who writes, why, and how to stop it.

The sentences are the law's: the provider's identification in the mail itself, the basis of this very mail, and for
advertising the way out with its cost. They are said in the customer's language and form of address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import escape

from engine.config.sections import Shop
from engine.domain.permission import is_advertising
from engine.domain.words import Basis
from engine.language import Language
from engine.rendering.context import Because
from engine.rendering.filters import format_day

_MOST_KEPT = 5000
_UNNAMED = ("", "einzelunternehmen", "einzelunternehmer", "sole trader", "freiberufler", "kleingewerbe")
"""Legal forms that do not stand in a firm's name."""
_SOLE_TRADERS = (*_UNNAMED, "e.k.", "e. k.", "e.kfm.", "e.kfr.")


class Footer:
    """The footer of one campaign's mails in one language."""

    def __init__(self, shop: Shop, kind: str, language: str) -> None:
        self._shop = shop
        self._language = language
        self._say = Language(language).gettext
        self.advertises = is_advertising(kind)
        named = (self._address().split(" · ")[0], shop.phone, shop.email)
        self.proofs = tuple((proof, str(escape(proof))) for proof in named if proof)
        """What must be found in a mail for its sender to be named: plain, and as HTML has it."""
        self._said: dict[tuple[Because, str], tuple[str, str]] = {}

    def constants(self) -> dict[str, object]:
        """Return what is the same in every mail: the identification, and the words on the links."""
        return {
            "address": self._address(),
            "contact": self._contact(),
            "register": self._register(),
            "stop": self._say("Unsubscribe") if self.advertises else "",
            "choose": self._say("Topics and breaks") if self.advertises else "",
            "privacy": self._say("Privacy notice") if self._shop.privacy else "",
            "language": self._language,
        }

    def words(self) -> tuple[str, ...]:
        """Return every sentence this footer can say: what the mail's mark must cover (law D7)."""
        return tuple(self._say(one) for pair in _EVERY for one in pair)

    def sentences(self, because: Because, form: str) -> tuple[str, str]:
        """Return why this mail comes and how to stop it; people who agreed on the same day read the same."""
        found = self._said.get((because, form))
        if found is None:
            if len(self._said) > _MOST_KEPT:
                self._said.clear()
            found = self._said[because, form] = (self._reason(because, form), self._rights(because, form))
        return found

    def _address(self) -> str:
        name, form = self._shop.name, self._shop.legal_form
        if form and form.lower() not in _UNNAMED and form.lower() not in name.lower():
            name = f"{name} {form}"
        return _line([name, *re.split(r"\s*\n\s*", self._shop.address.strip())])

    def _contact(self) -> str:
        phone = self._say("Phone %(number)s", number=self._shop.phone) if self._shop.phone else ""
        return _line([phone, self._shop.email, self._shop.url.removeprefix("https://").rstrip("/")])

    def _register(self) -> str:
        shop = self._shop
        sole = shop.legal_form.lower() in _SOLE_TRADERS
        who = self._say("Owner: %(names)s" if sole else "Represented by %(names)s", names=shop.represented_by)
        vat = self._say("VAT ID %(number)s", number=shop.vat_id)
        named, taxed = (who if shop.represented_by else ""), (vat if shop.vat_id else "")
        return _line([named, shop.register_entry, taxed, shop.chamber])

    def _reason(self, because: Because, form: str) -> str:
        """Return the sentence that says why this mail comes."""
        known = {"date": format_day(because.since, "long", self._language) if because.since else ""}
        known["product"] = because.product
        formal = form != "du"
        if not self.advertises or because.basis is Basis.CONTRACT:
            return self._either(formal, _CONTRACT)
        if because.basis is Basis.EXISTING_CUSTOMER:
            return self._either(formal, _BOUGHT if because.product else _CUSTOMER, **known)
        return self._either(formal, _AGREED_ON if because.since else _AGREED, **known)

    def _rights(self, because: Because, form: str) -> str:
        """Return the sentence on how to stop it; owed mails have none."""
        if not self.advertises:
            return ""
        objects = because.basis is Basis.EXISTING_CUSTOMER
        return self._either(form != "du", _OBJECT if objects else _WITHDRAW)

    def _either(self, formal: bool, sentences: tuple[str, str], **known: str) -> str:
        return self._say(sentences[0 if formal else 1], **known)


def _line(parts: Iterable[str]) -> str:
    return " · ".join(part for part in parts if part)


# In each pair the first is for Sie, the second for du; English says the same twice, in other words.
_AGREED_ON = (
    "You receive this e-mail because you agreed to it on %(date)s.",
    "You get this e-mail because you agreed to it on %(date)s.",
)
_AGREED = ("You receive this e-mail because you agreed to it.", "You get this e-mail because you agreed to it.")
_BOUGHT = (
    "You receive this e-mail because you bought from us: %(product)s.",
    "You get this e-mail because you bought from us: %(product)s.",
)
_CUSTOMER = (
    "You receive this e-mail because you are our customer.",
    "You get this e-mail because you are our customer.",
)
_CONTRACT = (
    "You receive this e-mail because of your contract with us.",
    "You get this e-mail because of your contract with us.",
)
_WITHDRAW = (
    "You can stop these e-mails at any time: by the link, or simply by replying. "
    "This costs no more than the basic rate of transmission.",
    "You can stop these e-mails whenever you like: by the link, or simply by replying. "
    "This costs no more than the basic rate of transmission.",
)
_OBJECT = (
    "You may object to the use of your address for advertising at any time: by the link, or by replying. "
    "This costs no more than the basic rate of transmission.",
    "You may object to the use of your address for advertising whenever you like: by the link, or by replying. "
    "This costs no more than the basic rate of transmission.",
)
_EVERY = (_AGREED_ON, _AGREED, _BOUGHT, _CUSTOMER, _CONTRACT, _WITHDRAW, _OBJECT)
