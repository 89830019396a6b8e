"""What people choose behind the links in their mails: to stop everything, some topics, or all of it for a while.

The link names a mail and the mail its person, so it works whatever became of the address since. Every "no" is in
force, in the log beside the store and against all open mails before the person is answered; a page never brings a
"yes" back: that takes a new sign-up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from engine.config.loading import Config
from engine.domain.addresses import exact, veiled
from engine.domain.permission import ADVERTISING, Block, ConsentFact, ConsentState, is_advertising, withdrawal_scope
from engine.domain.words import Reason
from engine.steps import subscribing, suppressing
from engine.steps.shop import Premises
from engine.store import addresses, consents, people, recipients
from engine.store.recipients import Recipient

_SAID_NO = {ConsentState.OBJECTED: Reason.OBJECTION, ConsentState.WITHDRAWN: Reason.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Topic:
    """Some kinds of mail under one name: the title of the wording that was agreed to (else empty: the kind's name).

    `wording` is the text by which one can sign up for it again, empty if there is none.
    """

    id: str
    title: str
    kinds: frozenset[str]
    is_on: bool
    wording: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What one mail's person can choose, and how it stands now. `rehearsal`: the mail was only rehearsed."""

    email: str
    language: str
    kind: str
    topics: tuple[Topic, ...]
    all_off: bool
    paused_until: datetime | None = None
    rehearsal: bool = False
    only_kind: bool = False


def choices(shop: Premises, message_id: str, now: datetime) -> Choices | None:
    """Return what stands to be chosen by the person one mail went to; None if there is no such mail."""
    with shop.database.read() as session:
        found = recipients.of_message(session, message_id)
        return None if found is None else _choices(session, shop, found, now)


def unsubscribe(shop: Premises, message_id: str, now: datetime, via: str) -> Choices | None:
    """Take the "no" of whoever one mail went to: to all advertising, or by [legal] unsubscribe_scope to its kind.

    It counts for the person and all their addresses. Saying it twice adds nothing. None if there is no such mail.
    """
    with shop.database.write() as session:
        found = recipients.of_message(session, message_id)
        if found is None:
            return None
        if not found.message.rehearsal:
            kinds = {found.message.kind} if _only_kind(shop.config, found) else set()
            _hold(session, found)
            _refuse(session, shop, found, kinds, f"link in {message_id} ({via})", now)
        return _choices(session, shop, found, now)


def choose(
    shop: Premises, message_id: str, kinds_off: Collection[str], pause_until: datetime | None, now: datetime
) -> Choices | None:
    """Switch kinds of mail off, and set or end a pause; kinds that are off stay off whatever is chosen here."""
    with shop.database.write() as session:
        found = recipients.of_message(session, message_id)
        if found is None:
            return None
        if not found.message.rehearsal:
            kinds = {kind for kind in kinds_off if is_advertising(kind)}
            mailboxes = _hold(session, found)
            if kinds:
                _refuse(session, shop, found, kinds, f"link in {message_id} (topics)", now)
            recipients.pause(session, mailboxes, pause_until)
        return _choices(session, shop, found, now)


def _only_kind(config: Config, found: Recipient) -> bool:
    return config.legal.unsubscribe_scope == "kind" and is_advertising(found.message.kind)


def _hold(session: Session, found: Recipient) -> set[int]:
    """Hold every address a "no" can reach, all at once and before the consent log; return those of these people."""
    mailboxes = _mailboxes(session, found)
    like = people.mailboxes_like(session, [found.email]) if found.email else set()
    addresses.lock(session, like | consents.touching(session, mailboxes))
    return mailboxes


def _refuse(
    session: Session, shop: Premises, found: Recipient, kinds: Collection[str], because: str, now: datetime
) -> None:
    """Take a "no" that does not stand yet; the caller holds the addresses, so nobody else says anything meanwhile."""
    said = _said(session, shop, found)
    if kinds:
        fresh = {kind for kind in kinds if not said.refuses(kind)}
        if fresh:
            subscribing.withdraw_on_page(session, shop, found.people, fresh, because, now)
    elif not said.refuses_all:
        stopped = subscribing.object_on_page(session, shop, found.people, because, now)
        if found.email and exact(found.email) not in {exact(email) for email in stopped.emails}:
            suppressing.block(session, suppressing.ledger_of(shop), [found.email], Reason.OBJECTION, because, now)


@dataclass(frozen=True, slots=True)
class _Said:
    """Everything people said of themselves at their mailboxes: one entry for each person."""

    noes: tuple[tuple[Block, ...], ...]
    yeses: tuple[tuple[ConsentFact, ...], ...]

    @property
    def refuses_all(self) -> bool:
        """Say whether an objection of each of them stands, with no "yes" after it."""
        return all(
            any(no.scope == ADVERTISING and no.reason is Reason.OBJECTION and _outlives(no, yeses) for no in noes)
            for noes, yeses in zip(self.noes, self.yeses, strict=True)
        )

    def refuses(self, kind: str) -> bool:
        """Say whether each of them said "no" to this kind, with no "yes" to it after that."""
        return all(
            any(no.covers(kind) and _outlives(no, [yes for yes in yeses if kind in yes.kinds]) for no in noes)
            for noes, yeses in zip(self.noes, self.yeses, strict=True)
        )

    @property
    def agreed(self) -> set[str]:
        """Return the wordings any of them agreed to."""
        return {yes.wording for yeses in self.yeses for yes in yeses}


def _outlives(no: Block, yeses: Iterable[ConsentFact]) -> bool:
    return all(no.at >= yes.at for yes in yeses)


def _said(session: Session, shop: Premises, found: Recipient) -> _Said:
    """Read what each person said. The keyed "no" of a person is what an erased address leaves."""
    noes, yeses = [], []
    for person in found.people:
        boxes: Sequence[int | None] = sorted(people.addresses_of(session, [person.id])) or [None]
        facts = consents.permission_facts(session, shop.keyring, [(person.id, box, None) for box in boxes])
        events = [event for one in facts for event in one.events if event.own]
        noes.append((*(block for one in facts for block in one.blocks), *_blocks(events)))
        yeses.append(tuple(event for event in events if event.state == ConsentState.CONFIRMED))
    return _Said(tuple(noes), tuple(yeses))


def _blocks(events: Iterable[ConsentFact]) -> list[Block]:
    return [
        Block(_SAID_NO[ConsentState(event.state)], withdrawal_scope(event.kinds), event.at)
        for event in events
        if event.state in _SAID_NO
    ]


def _mailboxes(session: Session, found: Recipient) -> set[int]:
    return people.addresses_of(session, found.numbers)


def _choices(session: Session, shop: Premises, found: Recipient, now: datetime) -> Choices:
    said = _said(session, shop, found)
    until = recipients.paused_until(session, _mailboxes(session, found))
    gets = {found.message.kind} | recipients.kinds_sent(session, found.numbers)
    return Choices(
        email=veiled(found.email) if found.email else "",
        language=found.language,
        kind=found.message.kind,
        topics=tuple(_topics(shop.config, said, {kind for kind in gets if is_advertising(kind)})),
        all_off=said.refuses_all,
        paused_until=until if until and until > now else None,
        rehearsal=found.message.rehearsal,
        only_kind=_only_kind(shop.config, found),
    )


def _topics(config: Config, said: _Said, kinds: set[str]) -> Iterable[Topic]:
    """Yield a topic for each titled wording agreed to, and for each other kind that was sent or agreed to."""
    agreed = {name: config.wording[name] for name in config.wording if name in said.agreed}
    taken: set[str] = set()
    for name, wording in agreed.items():
        mine = frozenset(kind for kind in wording.kinds if is_advertising(kind) and kind not in taken)
        if wording.title and mine:
            taken |= mine
            yield Topic(name, wording.title, mine, any(not said.refuses(kind) for kind in mine), name)
    untitled = {kind for wording in agreed.values() for kind in wording.kinds if is_advertising(kind)}
    for kind in sorted((kinds | untitled) - taken):
        yield Topic(kind, "", frozenset({kind}), not said.refuses(kind), _wording_for(config, kind))


def _wording_for(config: Config, kind: str) -> str:
    return next((name for name, wording in config.wording.items() if kind in wording.kinds), "")
