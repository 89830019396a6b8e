"""What a shop must have before a real mail may leave (law P1): who writes, under which contract, and a way to say no.

Sources: § 5 DDG and § 35a GmbHG (who writes), Art. 28(3) and 44 GDPR (the provider), Art. 13 GDPR (the privacy notice),
RFC 8058 (https), and the shop's own promise that whoever objected is recognised (the keys, the provider's block list).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

EEA = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()  # noqa: SIM905
)
"""Where personal data may go without a further basis: the European Union, Iceland, Liechtenstein and Norway."""

_REPRESENTED = frozenset({"gmbh", "ggmbh", "ug", "ag", "se", "kgaa", "gmbh & co. kg", "ug & co. kg", "eg", "e.v."})
_REGISTERED = _REPRESENTED | {"kg", "ohg", "e.k.", "e. k.", "e.kfr.", "egbr"}


@dataclass(frozen=True, slots=True)
class Standing:
    """What config and store say of a shop that wants to write to real people.

    `examples` are the keys that still hold the example's value; `list_unread` says that the provider keeps a list of
    addresses it no longer writes to, and that nobody has read it yet.
    """

    name: str = ""
    address: str = ""
    legal_form: str = ""
    represented_by: str = ""
    register_entry: str = ""
    email: str = ""
    phone: str = ""
    url: str = ""
    privacy: str = ""
    public_url: str = ""
    sender: str = ""
    dpa_signed_at: date | None = None
    country: str = ""
    transfer: str = ""
    keys_hold: bool = True
    examples: tuple[str, ...] = ()
    list_unread: bool = False


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that is missing: the key it belongs to, what is wrong, and how to mend it (both to be translated)."""

    key: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Look:
    """One of the things that are looked at, in a word and a sentence, and what it lacks."""

    topic: str
    text: str
    lacks: tuple[Lack, ...]


def examined(standing: Standing, today: date) -> tuple[Look, ...]:
    """Look at each thing in turn; a shop without any lack may send."""
    return tuple(Look(topic, text, tuple(rule(standing, today))) for topic, text, rule in RULES)


def lacking(standing: Standing, today: date) -> tuple[Lack, ...]:
    """Return everything that keeps a shop from sending."""
    return tuple(lack for look in examined(standing, today) for lack in look.lacks)


def form_lacks(legal_form: str, *, represented_by: str, register_entry: str) -> list[str]:
    """Return the keys of [shop] that this legal form must name below every mail (§ 35a GmbHG, § 37a HGB)."""
    form = legal_form.strip().lower().removesuffix("(haftungsbeschränkt)").strip()
    wanted = {
        "register_entry": form in _REGISTERED and not register_entry.strip(),
        "represented_by": form in _REPRESENTED and not represented_by.strip(),
    }
    return [key for key, lacks in wanted.items() if lacks]


def _imprint(standing: Standing, _today: date) -> Iterator[Lack]:
    blank = [key for key in ("name", "address", "email") if not str(getattr(standing, key)).strip()]
    if not standing.phone.strip() and not standing.url.strip():
        blank.append("phone")  # § 5 DDG: besides e-mail a second quick way, a telephone or a page to write from
    blank += form_lacks(
        standing.legal_form, represented_by=standing.represented_by, register_entry=standing.register_entry
    )
    for key in blank:
        yield Lack(f"shop.{key}", "the law wants it below every mail", "fill it in: it stands below every mail")


def _examples(standing: Standing, _today: date) -> Iterator[Lack]:
    for key in standing.examples:
        yield Lack(key, "still holds the example's value", "put your own in")


def _sender(standing: Standing, _today: date) -> Iterator[Lack]:
    if not standing.sender:
        yield Lack("provider.from", "nobody is named as the sender", 'from = "Name <post@…>", a mailbox of your own')


def _contract(standing: Standing, today: date) -> Iterator[Lack]:
    key, day = "provider.dpa_signed_at", standing.dpa_signed_at
    if day is None:
        yield Lack(
            key,
            "nobody has said when the data-processing agreement with the provider was signed (Art. 28 GDPR)",
            "sign it (most providers offer it in their settings), then write its day down",
        )
    elif day > today:
        yield Lack(key, "the data-processing agreement begins only later", "wait for that day, or correct it")


def _transfer(standing: Standing, _today: date) -> Iterator[Lack]:
    if not standing.country:
        yield Lack("provider.country", "nobody has said where the provider is at home", 'country = "DE", two letters')
    elif standing.country not in EEA and not standing.transfer.strip():
        yield Lack(
            "provider.transfer",
            "the provider is outside the EU, and no basis for the transfer is named (Art. 44 GDPR)",
            'transfer = "…": the adequacy decision, or the standard contractual clauses you have agreed on',
        )


def _pages(standing: Standing, _today: date) -> Iterator[Lack]:
    if not standing.public_url.startswith("https://"):
        yield Lack(
            "web.public_url",
            "the page to unsubscribe on has no https address (RFC 8058)",
            'public_url = "https://…": where your web server passes requests on to Treuepost',
        )


def _notice(standing: Standing, _today: date) -> Iterator[Lack]:
    if not standing.privacy:
        yield Lack("shop.privacy", "the privacy notice has no address (Art. 13 GDPR)", 'privacy = "https://…"')


def _keys(standing: Standing, _today: date) -> Iterator[Lack]:
    if not standing.keys_hold:
        yield Lack(
            "secret.key",
            "the keys are not those of this store: whoever objected would not be recognised",
            "put back the secret.key that belongs to the store",
        )


def _block_list(standing: Standing, _today: date) -> Iterator[Lack]:
    if standing.list_unread:
        yield Lack(
            "provider.use",
            "the provider's list of blocked addresses was never read: somebody on it may have objected",
            "treuepost suppress pull",
        )


RULES: tuple[tuple[str, str, Callable[[Standing, date], Iterator[Lack]]], ...] = (
    ("imprint", "who writes stands below every mail", _imprint),
    ("examples", "no value of the example is left", _examples),
    ("sender", "a sender is named", _sender),
    ("contract", "the agreement with the provider is dated", _contract),
    ("transfer", "the provider's country is named", _transfer),
    ("pages", "people can unsubscribe over https", _pages),
    ("notice", "the privacy notice has an address", _notice),
    ("keys", "the keys are this store's own", _keys),
    ("blocklist", "the provider's blocked addresses are known here", _block_list),
)
"""What is looked at, in the order in which it is told."""
