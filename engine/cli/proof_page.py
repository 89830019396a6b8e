"""The words of a proof: what was gathered about one person, told so that a lawyer needs no explanation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from engine.cli.consents import STATES
from engine.cli.opening import Translate
from engine.cli.reasons import BASES, KINDS, PURCHASES
from engine.cli.sentences import sentence, state_word
from engine.domain.calendar import local_time
from engine.domain.words import Basis
from engine.rendering.document import Document, Section, Table
from engine.steps.privacy.proving import Finding, content_of

if TYPE_CHECKING:
    from engine.config.loading import Config
    from engine.steps.privacy.proving import Mail, Proof
    from engine.store.consents import ConsentEntry
    from engine.store.proofs import Hinted, Replied, Text

_PREFIX = 16
_LONGEST = 40
_VERSION = "wording_version"
_NAMES = {
    "email": "e-mail address",
    "name": "name",
    "note": "note",
    "form_url": "page of the form",
    "message_id": "number of the mail",
    "token_sha256": "hash of the link",
    "ip": "network address",
    "user_agent": "browser",
    "channel": "channel",
    "form_hash": "hash of the form",
    "locale": "language",
    "migrated": "taken over from an earlier version",
}


def page(proof: Proof, config: Config, translate: Translate) -> Document:
    """Return the whole document in the shop's language."""
    words = _Words(config, translate)
    _ = translate
    shop = config.shop
    named = ", ".join(one.name for one in proof.people)
    sender = [shop.name, *shop.address.split(", "), shop.phone, shop.email]
    return Document(
        language=shop.language,
        sender=[line for line in sender if line],
        title=_("Proof of consent and mails"),
        facts=[
            (_("about"), ", ".join(part for part in (named, *proof.emails) if part) or proof.asked_for),
            (_("made on"), words.instant(proof.made_at)),
            (_("made by"), proof.made_by),
        ],
        result=_result(proof, translate),
        sections=list(_sections(proof, words)),
        footer=_(
            "Made from the store by Treuepost. The same content for machines is in proof.json; mails lie beside it as "
            "they were sent. All times are those of %(zone)s.",
            zone=shop.timezone,
        ),
    )


class _Words:
    """Says values the way the shop reads them."""

    def __init__(self, config: Config, translate: Translate) -> None:
        self.gettext, self._zone = translate, config.shop.zone

    def instant(self, at: datetime | None) -> str:
        """Return an instant, to the second, with how far the shop's clock is from UTC."""
        if at is None:
            return "–"
        return f"{local_time(at, self._zone, seconds=True)} {at.astimezone(self._zone):%z}"

    def kinds(self, kinds: Iterable[str]) -> str:
        """Return kinds of mail by name."""
        return ", ".join(self.gettext(KINDS.get(kind, kind)) for kind in sorted(kinds)) or "–"

    def flag(self, value: bool | None) -> str:
        """Return yes, no or not known."""
        _ = self.gettext
        return "–" if value is None else _("yes") if value else _("no")


def _result(proof: Proof, _: Translate) -> str:
    if proof.finding is Finding.UNKNOWN_ADDRESS:
        return _("%(who)s is not known here, and nothing was ever sent there.", who=proof.asked_for)
    if proof.finding is Finding.NEVER_WRITTEN_TO:
        return _("No mail was ever sent to %(who)s.", who=", ".join(proof.emails) or proof.asked_for)
    if proof.finding is Finding.ERASED:
        return _("The data of %(who)s was erased; no mail there is on record any more.", who=proof.asked_for)
    asked = [one for one in proof.replies if one.called_at]
    text = "Mails to this person: %(mails)s; asked for on a page: %(replies)s. Each is listed below."
    return _(text, mails=len(proof.mails), replies=len(asked))


def _sections(proof: Proof, words: _Words) -> Iterable[Section]:
    yield _consents(proof, words)
    if proof.hints:
        yield _hints(proof, words)
    if proof.contracts:
        yield _contracts(proof, words)
    yield _mails(proof, words)
    if proof.replies:
        yield _replies(proof, words)
    yield _suppressions(proof, words)
    yield _log(proof, words)


def _consents(proof: Proof, words: _Words) -> Section:
    _ = words.gettext
    if not proof.events:
        return Section(_("Consents and objections"), [_("Nothing is recorded.")])
    headings = [_("no."), _("when"), _("what"), _("for"), _("evidence")]
    rows = [_consent_row(event, words) for event in proof.events]
    quotes = [_quote(text, words) for text in proof.wordings]
    known = {text.name for text in proof.wordings}
    unknown = sorted({event.wording for event in proof.events} - known - {""})
    sentences = [_('Of the text "%(name)s" no copy is kept.', name=name) for name in unknown]
    return Section(_("Consents and objections"), sentences, quotes=quotes, tables=[Table(headings, rows)])


def _consent_row(event: ConsentEntry, words: _Words) -> list[str]:
    _ = words.gettext
    facts = {
        _("text"): event.wording,
        _("text version"): _short(event.details.get(_VERSION)),
        _("asked on"): words.instant(event.requested_at) if event.requested_at else "",
        _("source"): event.source,
        _("proof"): event.proof,
        **{_(_NAMES.get(name, name)): value for name, value in event.personal.items()},
        **{_(_NAMES.get(name, name)): _short(value) for name, value in event.details.items() if name != _VERSION},
        _("recorded by"): f"{event.actor}, {words.instant(event.recorded_at)}",
    }
    lines = [f"{name}: {value}" for name, value in facts.items() if value]
    if event.erased:
        lines.append(_("its personal data was erased"))
    if event.state == "confirmed" and not event.proven:
        lines.append(_("consent without proof"))
    what = f"{_(STATES[event.state])}\n{event.email}"
    return [f"{event.seq}", words.instant(event.at), what, words.kinds(event.kinds), "\n".join(lines)]


def _short(value: object) -> str:
    """Return a value as it stands on paper: of a long hash its beginning, which is enough to compare it."""
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_PREFIX]}…"


def _quote(text: Text, words: _Words) -> tuple[str, str]:
    _ = words.gettext
    source = _("Text \"%(name)s\", known since %(at)s, SHA-256 %(hash)s", name=text.name,
               at=words.instant(text.seen_at), hash=text.sha256[:_PREFIX])  # fmt: skip
    content = content_of(text)
    said = content.get("text", text.content) if isinstance(content, dict) else content
    return source, str(said)


def _hints(proof: Proof, words: _Words) -> Section:
    _ = words.gettext
    headings = [_("purchase"), _("on"), _("state"), _("goods"), _("address from this sale"), _("notice"), _("shown on")]
    rows = [_hint_row(hint, words) for hint in proof.hints]
    said = [_("At these purchases the person was told that the address is used for advertising (§ 7 (3) UWG).")]
    quotes = [_quote(text, words) for text in proof.notices]
    return Section(_("Notices shown at purchases"), said, quotes=quotes, tables=[Table(headings, rows)])


def _hint_row(hint: Hinted, words: _Words) -> list[str]:
    version = f"{hint.notice} {hint.notice_version[:_PREFIX]}".strip()
    goods = ", ".join(part for part in hint.categories.split(";") if part) or "–"
    from_sale, shown = words.flag(hint.email_from_sale), words.instant(hint.shown_at)
    status = words.gettext(PURCHASES.get(hint.status, hint.status))
    return [hint.purchase_id, f"{hint.on}", status, goods, from_sale, version, shown]


def _contracts(proof: Proof, words: _Words) -> Section:
    _ = words.gettext
    rows = [
        [one.ref, one.name or one.service_item_id, f"{one.since or '–'}", f"{one.until or '–'}"]
        for one in proof.contracts
    ]
    table = Table([_("contract"), _("about"), _("from"), _("until")], rows)
    return Section(_("Contracts"), tables=[table])


def _mails(proof: Proof, words: _Words) -> Section:
    _ = words.gettext
    headings = [_("when"), _("mail"), _("basis"), _("result"), _("file")]
    rows = [_mail_row(mail, words) for mail in proof.mails]
    said = []
    if not rows:
        said.append(_("None is on record any more.") if proof.finding is Finding.ERASED else _("None was ever sent."))
    if proof.unsent:
        said.append(_("%(count)s more were planned and did not leave; proof.json lists them.", count=len(proof.unsent)))
    return Section(_("Mails"), said, tables=[Table(headings, rows)] if rows else [])


def _mail_row(mail: Mail, words: _Words) -> list[str]:
    _ = words.gettext
    entry = mail.entry
    what = f"{entry.subject or '–'}\n{entry.email}\n{entry.campaign} / {entry.step}\n{entry.message_id}"
    basis = "\n".join(part for part in (_(BASES[Basis(entry.basis)]) if entry.basis else "", entry.evidence) if part)
    result = [state_word(entry.state, _), f"{entry.provider} {entry.provider_id}".strip()]
    if entry.reason:
        result.append(sentence(entry.reason, _))
    result += [f"{call.number}. {words.instant(call.started_at)} {call.result or '–'}" for call in mail.calls]
    result += [f"{news.kind} {words.instant(news.at)}" for news in entry.news]
    kept = mail.file or _("its content was purged; what is kept is its hash")
    file = f"{kept}\nSHA-256 {mail.kept.sha256[:_PREFIX] or '–'}"
    return [words.instant(entry.sent_at or entry.planned_at), what, basis or "–", "\n".join(result), file]


def _replies(proof: Proof, words: _Words) -> Section:
    _ = words.gettext
    headings = [_("asked on"), _("mail"), _("sent on"), _("used on"), _("evidence")]
    said = [_("These mails hold a link and nothing else; of their content the hash is kept.")]
    table = Table(headings, [_reply_row(reply, words) for reply in proof.replies])
    return Section(_("Mails the person asked for on a page"), said, tables=[table])


def _reply_row(reply: Replied, words: _Words) -> list[str]:
    _ = words.gettext
    what = f"{_(KINDS.get(reply.kind, reply.kind))}\n{reply.email or '–'}\n{reply.message_id}"
    version = reply.wording_version[:_PREFIX]
    facts = {_("text"): reply.wording, _("text version"): version, _("evidence"): reply.evidence}
    lines = [f"{name}: {value}" for name, value in facts.items() if value]
    lines += [f"SHA-256 {reply.body_sha256[:_PREFIX] or '–'}", f"{reply.provider} {reply.provider_id}".strip()]
    sent = words.instant(reply.ended_at) if reply.state == "sent" else reply.state
    return [words.instant(reply.asked_at), what, sent, words.instant(reply.used_at), "\n".join(lines)]


def _suppressions(proof: Proof, words: _Words) -> Section:
    _ = words.gettext
    if not proof.suppressions:
        return Section(_("Blocks"), [_("No block stands against this address or person.")])
    rows = [
        (words.instant(one.at), sentence(one.reason, _), _(_SCOPES.get(one.scope, one.scope)), one.source or "–")
        for one in proof.suppressions
    ]
    once = list(dict.fromkeys(rows))  # kept for the address and for the person
    table = Table([_("since"), _("why"), _("reaches"), _("how it was said")], once)
    text = _("Addresses are kept for this as a keyed hash, which cannot be turned back into the address.")
    return Section(_("Blocks"), [text], tables=[table])


_SCOPES = {"all": "every mail", "advertising": "all advertising"}


def _log(proof: Proof, words: _Words) -> Section:
    _ = words.gettext
    said = [
        _(
            "Every event is chained to the one before it by SHA-256: none can be changed, removed or inserted without "
            "every later hash becoming another."
        ),
        _("When this was made, the whole log was checked: it is as it was written.")
        if not proof.log.faults
        else _("When this was made, the log did not fit from event no. %(seq)s on.", seq=proof.log.faults[0].seq),
    ]
    facts = [(_("events in the log"), f"{proof.log.size}"), (_("hash of the last event"), proof.log.hash)]
    if proof.checkpoint:
        last = proof.checkpoint
        facts.append((_("last checkpoint"), f"{words.instant(last.at)}: {last.size} / {last.hash}"))
    table = Table(
        [_("no."), _("hash of the event")], [[f"{one.seq}", one.hash] for one in proof.events], frozenset({1})
    )
    return Section(_("How this can be checked"), said, facts, tables=[table] if proof.events else [])
