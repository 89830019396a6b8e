"""The right to advertise to one's own customers without their consent: § 7(3) UWG, the same in § 174 TKG (Austria).

Four conditions, and every purchase has to meet them by itself: it was concluded and the address came with it (Nr. 1);
what the mail advertises is similar to what was bought (Nr. 2); nobody has objected (Nr. 3, asked by the caller); and
the hint that one may object, and where, stood at the address field then (Nr. 4). What is not on record is not so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine.domain.calendar import local_day, may_be_younger, start_of_span
from engine.domain.grammar import Span
from engine.domain.words import Reason

KINDS = frozenset(
    {
        "newsletter",
        "product_recommendation",
        "winback",
        "coupon",
        "service_reminder",
        "thank_you",
        "feedback_request",
        "feedback_result",
        "review_request",
        "vip_offer",
        "loyalty_promo",
    }
)
"""The kinds a purchase can carry. A greeting advertises nothing similar, and a cart that was left is no sale."""

ABOUT_THE_PURCHASE = frozenset({"thank_you", "feedback_request", "feedback_result", "review_request"})
"""Kinds that speak of the purchase they follow; unless the file says more, they advertise what was bought then."""

CONSENT_REFRESH = "consent_refresh"
"""Goes to whoever may be mailed at all; it advertises no goods."""

EVERYTHING = "*"
OF_AGE = 18
TWO_YEARS = Span(24, "months")
CONCLUDED = "concluded"
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Sale:
    """One purchase with a notice on record. `version` is the hash of the notice as it was declared or shown."""

    purchase_id: str
    status: str
    at: datetime
    categories: tuple[str, ...] = ()
    email_from_sale: bool = False
    notice: str = ""
    version: str = ""
    shown_at: datetime | None = None
    is_free: bool = False

    @property
    def evidence(self) -> str:
        """Return the ids that prove it; what divides them is written in another way where an id holds it."""
        return f"purchase:{_quoted(self.purchase_id)};notice:{_quoted(self.notice)}"


def _quoted(number: str) -> str:
    return number.replace("%", "%25").replace(";", "%3B")


def _unquoted(number: str) -> str:
    return number.replace("%3B", ";").replace("%25", "%")


def evidence_of(text: str) -> list[tuple[str, str]]:
    """Read evidence back: the purchases that are named, each with its notice; empty where it is something else."""
    parts = [part.partition(":") for part in text.split(";")]
    words, numbers = [word for word, _, _ in parts], [_unquoted(number) for _, _, number in parts]
    if words != ["purchase", "notice"] * (len(parts) // 2) or not all(numbers):
        return []
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Buyer:
    """What somebody has bought: `concluded` counts all such purchases, `last` is the latest, `sales` have a notice.

    `born` is the year and the month*100+day, as far as they are known.
    """

    sales: tuple[Sale, ...] = ()
    concluded: int = 0
    last: str = ""
    born: tuple[int | None, int | None] = (None, None)


NOBODY = Buyer()


@dataclass(frozen=True, slots=True)
class Shown:
    """The local days on which a notice stood at the address field; the last one is open where it still does."""

    first: date
    last: date | None = None

    def __contains__(self, day: date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class About:
    """What one mail is about: the categories its campaign advertises, and the purchase that was its occasion."""

    advertises: tuple[str, ...] = ()
    purchase: str = ""
    bought: tuple[str, ...] = ()

    def advertised(self, kind: str) -> tuple[str, ...]:
        """Return what the mail advertises before the law; nothing where nobody has said."""
        return self.advertises or (self.bought if kind in ABOUT_THE_PURCHASE else ())

    def touched(self, kind: str, special: Iterable[str]) -> tuple[str, ...]:
        """Return the special categories the mail has to do with: as its goods or as its occasion (Art. 9 GDPR)."""
        about = (*self.advertised(kind), *self.bought)
        return tuple(one for one in special if any(_overlap(one, word) for word in about))


@dataclass(frozen=True, slots=True)
class SalesRules:
    """What the shop's config says about this basis: the notices that count, and the owner's word on what is similar."""

    notices: Mapping[str, Shown] = field(default_factory=dict)
    similarity: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    special_categories: tuple[str, ...] = ()
    single_assortment: bool = False
    strict_sale: bool = True
    stale_customer: Span = TWO_YEARS


class Miss(NamedTuple):
    """Why no purchase carries the mail; the detail names those that came nearest, by their ids."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The frame every purchase is looked at in."""

    rules: SalesRules
    now: datetime
    zone: ZoneInfo

    def day(self, instant: datetime) -> date:
        return local_day(instant, self.zone)


def rely_on(buyer: Buyer, kind: str, about: About, rules: SalesRules, now: datetime, zone: ZoneInfo) -> str | Miss:
    """Return the evidence for this basis, or the first condition that is not met, with the purchases that came so far.

    Whoever has bought nothing is told so where a purchase could help at all.
    """
    can_carry = kind in KINDS or kind == CONSENT_REFRESH
    if not buyer.concluded and not buyer.sales:
        return Miss(Reason.NO_PURCHASE if can_carry and rules.notices else Reason.NO_CONSENT)
    asked = _Asked(rules, now, zone)
    if may_be_younger(OF_AGE, buyer.born, asked.day(now)):
        return Miss(Reason.MINOR, f"under {OF_AGE}, a purchase is not enough")
    if special := about.touched(kind, rules.special_categories):
        return Miss(Reason.SPECIAL_CATEGORY, ", ".join(special))
    if not can_carry:
        return Miss(Reason.KIND_NEEDS_CONSENT, f"{kind} advertises nothing similar to a purchase")
    return _carried(buyer, kind, about, asked)


def _carried(buyer: Buyer, kind: str, about: About, asked: _Asked) -> str | Miss:
    left = sorted(buyer.sales, key=lambda sale: (sale.at, sale.purchase_id), reverse=True)
    for reason, holds in _CONDITIONS:
        kept = [sale for sale in left if holds(sale, asked)]
        if not kept and reason is Reason.PURCHASE_NOT_CONCLUDED and buyer.concluded:
            return Miss(Reason.NOTICE_MISSING, f"purchase:{_quoted(buyer.last)}")
        if not kept:
            return Miss(reason, _named(left))
        left = kept
    return _similar(left, kind, about, asked.rules)


def _was_concluded(sale: Sale, asked: _Asked) -> bool:
    """Only money that was paid makes a sale, unless the shop takes the wider reading of CJEU C-654/23."""
    return sale.status == CONCLUDED and sale.at <= asked.now and not (sale.is_free and asked.rules.strict_sale)


def _gave_the_address(sale: Sale, _asked: _Asked) -> bool:
    return sale.email_from_sale


def _showed_the_notice(sale: Sale, asked: _Asked) -> bool:
    """Ask for a text that is registered, that stood there on that day, and was shown before the purchase was made."""
    shown = asked.rules.notices.get(sale.notice)
    if shown is None or not sale.version or sale.shown_at is None:
        return False
    return sale.shown_at <= sale.at and asked.day(sale.at) in shown


def _is_no_special_category(sale: Sale, asked: _Asked) -> bool:
    return not any(_overlap(one, word) for one in asked.rules.special_categories for word in sale.categories)


def _is_fresh(sale: Sale, asked: _Asked) -> bool:
    return sale.at >= start_of_span(asked.rules.stale_customer, asked.now, asked.zone)


_CONDITIONS: tuple[tuple[Reason, Callable[[Sale, _Asked], bool]], ...] = (
    (Reason.PURCHASE_NOT_CONCLUDED, _was_concluded),
    (Reason.ADDRESS_NOT_FROM_SALE, _gave_the_address),
    (Reason.NOTICE_MISSING, _showed_the_notice),
    (Reason.SPECIAL_CATEGORY, _is_no_special_category),
    (Reason.STALE_CUSTOMER, _is_fresh),
)
"""What each purchase is asked, in the order of law.md §4a."""


def _similar(sales: Sequence[Sale], kind: str, about: About, rules: SalesRules) -> str | Miss:
    """Look for purchases, the newest first, to which everything the mail advertises is similar."""
    advertised = about.advertised(kind)
    if kind == CONSENT_REFRESH or (EVERYTHING in advertised and rules.single_assortment):
        return sales[0].evidence
    if not advertised:
        return Miss(Reason.ADVERTISES_MISSING, _named(sales))
    if EVERYTHING in advertised:
        return Miss(Reason.ADVERTISES_EVERYTHING, _named(sales))
    like = {
        word: [sale for sale in sales if is_similar(word, sale.categories, rules.similarity)] for word in advertised
    }
    if unlike := [word for word in advertised if not like[word]]:
        bought = dict.fromkeys(word for sale in sales for word in sale.categories)
        return Miss(Reason.CATEGORY_NOT_SIMILAR, f"{', '.join(unlike)} <> {', '.join(bought) or '?'} ({_named(sales)})")
    alone = [sale for sale in sales if all(sale in like[word] for word in advertised)]
    relied = alone[:1] or dict.fromkeys(like[word][0] for word in advertised)
    return ";".join(sale.evidence for sale in relied)


def is_similar(advertised: str, bought: Collection[str], groups: Mapping[str, tuple[str, ...]]) -> bool:
    """Say whether something is similar to one of the things bought: the same, a part of it, or in a group with it."""
    if any(_within(advertised, word) for word in bought):
        return True
    around = [group for group in groups.values() if any(_within(advertised, word) for word in group)]
    return any(_within(word, member) for group in around for member in group for word in bought)


def _within(category: str, wider: str) -> bool:
    """Say whether a category is another one or a part of it, as `heizung.wartung` is of `heizung`."""
    return category == wider or category.startswith(f"{wider}.")


def _overlap(one: str, other: str) -> bool:
    return other == EVERYTHING or _within(one, other) or _within(other, one)


def _named(sales: Sequence[Sale]) -> str:
    named = [sale.evidence for sale in sales[:_MOST_NAMED]]
    return ", ".join([*named, *(["…"] if len(sales) > _MOST_NAMED else [])])
