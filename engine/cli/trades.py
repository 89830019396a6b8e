"""What `init` knows of a trade: its occasions, what it sells, what may pass for similar, and texts to agree to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from engine.cli.opening import Translate

ORDER_FORM = "auftragsschein"
"""The id of the notice for the order form."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One kind of business: its triggers, what it sells in words, and groups of categories that are alike.

    The groups are a proposal: whether goods are similar is the owner's judgement (§ 7(3) Nr. 2 UWG). `service` is the
    category of the service that a reminder advertises.
    """

    triggers: tuple[str, ...]
    scope: str
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    service: str = ""

    def advertised(self, trigger: str) -> tuple[str, ...]:
        """Return the categories a campaign with this trigger advertises; nothing where the owner has to say."""
        if trigger == "service_due":
            return (self.service,) if self.service else ()
        return next(iter(self.groups.values()), ()) if trigger == "lapsed" else ()


TRADES: Mapping[str, Trade] = {
    "plumbing": Trade(
        ("birthday", "lapsed", "service_due", "purchase"),
        "heating, plumbing and service",
        {
            "heizung": ("heizung.geraet", "heizung.wartung", "heizung.ersatzteil"),
            "bad": ("bad.umbau", "bad.armaturen", "bad.reparatur"),
        },
        service="heizung.wartung",
    ),
    "bikes": Trade(
        ("birthday", "lapsed", "service_due", "purchase"),
        "bicycles, accessories and workshop",
        {"fahrrad": ("fahrraeder", "zubehoer", "werkstatt")},
        service="werkstatt",
    ),
    "bakery": Trade(
        ("birthday", "lapsed", "purchase"), "bread, cakes and coffee", {"backwaren": ("brot", "kuchen", "cafe")}
    ),
    "fashion": Trade(
        ("birthday", "lapsed", "purchase"),
        "clothes, shoes and accessories",
        {"mode": ("kleidung", "schuhe", "taschen")},
    ),
    "practice": Trade(("birthday", "lapsed"), "appointments and care"),
    "other": Trade(("birthday", "lapsed", "service_due", "purchase"), "our goods and services"),
}


@dataclass(frozen=True, slots=True)
class Text:
    """A text to agree to, ready for a box of its own: its id, what the topic is called, the kinds it names."""

    id: str
    title: str
    kinds: tuple[str, ...]
    sentence: str
    trigger: str = ""


TEXTS = (
    Text(
        "newsletter",
        "News and offers",
        ("newsletter", "winback", "coupon", "product_recommendation"),
        "Yes, %(shop)s may send me news and offers about %(scope)s by e-mail. I can stop this at any time for the "
        "future, by the link in every e-mail or by a short note to %(email)s. See the privacy notice.",
    ),
    Text(
        "geburtstag",
        "Birthday greeting",
        ("birthday",),
        "Yes, %(shop)s may use my birthday (day and month) to send me a greeting with an offer by e-mail. I can stop "
        "this at any time for the future, by the link in every e-mail or by a short note to %(email)s.",
    ),
    Text(
        "wartung",
        "Service reminder",
        ("service_reminder",),
        "Yes, %(shop)s may remind me by e-mail when a service falls due and offer me an appointment. I can stop this "
        "at any time for the future, by the link in every e-mail or by a short note to %(email)s.",
        trigger="service_due",
    ),
    Text(
        "meinung",
        "Asking for an opinion",
        ("thank_you", "feedback_request", "review_request"),
        "Yes, %(shop)s may thank me by e-mail after a purchase and ask for my opinion. I can stop this at any time for "
        "the future, by the link in every e-mail or by a short note to %(email)s.",
        trigger="purchase",
    ),
)


def texts_for(trade: str, *, own: bool) -> list[Text]:
    """Return the texts a trade has a use for; with a text of the owner's own, without the newsletter's."""
    triggers = TRADES[trade].triggers
    return [
        text
        for text in TEXTS
        if (not text.trigger or text.trigger in triggers) and not (own and text.id == "newsletter")
    ]


def similarity(trade: str, _: Translate) -> str:
    """Return [legal.similarity] as a proposal; nothing where a trade has none."""
    groups = TRADES[trade].groups
    if not groups:
        return ""
    lines = [f"{name} = {json.dumps(categories, ensure_ascii=False)}" for name, categories in groups.items()]
    judgement = _("What counts as similar to what somebody bought is your judgement; in doubt ask your lawyer.")
    return "\n".join(["[legal.similarity]", f"# {judgement}", *lines])


def wordings(trade: str, _: Translate, *, own: bool) -> Iterator[str]:
    """Yield a [wording.ID] for each prepared text."""
    scope = json.dumps(_(TRADES[trade].scope), ensure_ascii=False)
    for text in texts_for(trade, own=own):
        kinds, title = json.dumps(text.kinds), json.dumps(_(text.title), ensure_ascii=False)
        yield (
            f'[wording.{text.id}]\nfile = "wordings/{text.id}.txt"\nkinds = {kinds}\n'
            f"product_scope = {scope}\ntitle = {title}"
        )


def notice(email: str, _: Translate) -> str:
    """Return [notice.ID] for the order form, not in use yet."""
    contact = json.dumps(email, ensure_ascii=False)
    lines = (
        f"[notice.{ORDER_FORM}]",
        "# " + _("The sentence that makes new orders count. Print it: treuepost wording print %(id)s", id=ORDER_FORM),
        f'file = "wordings/{ORDER_FORM}.txt"',
        f"contact = {contact}",
        "# shown_from = 2026-12-01   # " + _("the first day on which the printed form is used"),
        '# proof = "wordings/foto.jpg"   # ' + _("a photo or scan of it"),
        '# declared_by = ""   # ' + _("who declares this, by name"),
    )
    return "\n".join(lines)
