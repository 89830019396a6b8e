"""Step 5, the release: one transaction looks again at everything and writes down what is about to be done.

The addresses are locked first; permission, caps and the occasion are read in later statements. When this transaction
has committed, the intent is on the disk, and the call may begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from engine.domain.gates import reason_detail
from engine.domain.identity import call_key
from engine.domain.retry import LEASE
from engine.domain.words import Decision, Email, Reason, State
from engine.rendering.renderer import Rendered
from engine.steps.accounts import account
from engine.steps.gating import Inspected, inspect
from engine.steps.shop import Shop
from engine.store import addresses, attempts, calls, messages
from engine.store.calls import CallRow, Doubted
from engine.store.messages import MessageRow, Move
from engine.store.upsert import chunks

_SOON = timedelta(seconds=1)
_ENDS = {"skip": State.SKIPPED, "expire": State.EXPIRED, "cancel": State.CANCELLED, "hold": State.HELD}


@dataclass(frozen=True, slots=True)
class Letter:
    """A message with its mail and the mail's digest: made before the release, which holds up every other writer.

    The mail is rendered just now, or frozen at an earlier release (`rendered` is None). It goes `alone` once a call it
    was in was refused whole: one bad mail would meet the same others again, and sink them again.
    """

    one: Inspected
    email: Email
    sha256: str
    rendered: Rendered | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """A mail whose intent is written: its row as it stands now, and what is skipped if it may have left."""

    row: MessageRow
    email: Email
    sha256: str
    carried: tuple[MessageRow, ...] = ()
    alone: bool = False

    @property
    def goes_along(self) -> bool:
        """Say whether the mail was proved before, and is here only so that its call is the identical one."""
        return self.row.state is State.SENT


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One call whose intent is on the disk; `repeated` says that it may have been made before.

    `wait` is how many seconds after its release its turn comes, `lasts` how many until the next call's.
    """

    key: str
    mails: tuple[Released, ...]
    repeated: bool = False
    wait: float = 0.0
    lasts: float = 0.0


def settle(
    session: Session, decided: Sequence[tuple[MessageRow, Decision]], *, now: datetime, actor: str
) -> list[Move]:
    """Carry out every decision but "send": end the message, or let it wait."""
    return messages.transition(session, [_move(row, decision, now) for row, decision in decided], now=now, actor=actor)


def _move(row: MessageRow, decision: Decision, now: datetime) -> Move:
    detail = reason_detail(decision)
    if decision.action == "wait":
        values = {"send_after": max(decision.until or now, now + _SOON), "owner": ""}
        return Move(row, resting(row), decision.reason, detail, values)
    return Move(row, _ENDS[decision.action], decision.reason, detail, {"owner": ""})


def give_back(
    session: Session, rows: Sequence[MessageRow], *, now: datetime, actor: str, why: str, wait: timedelta = _SOON
) -> list[Move]:
    """Return claimed messages to the queue, to be taken again after `wait`: nothing was done with them."""
    values = {"owner": "", "send_after": now + wait}
    moves = [Move(row, resting(row), Reason.GIVEN_BACK, why, values) for row in rows]
    return messages.transition(session, moves, now=now, actor=actor)


def resting(row: MessageRow) -> State:
    """Return the state in which a message waits: once a call was made for it, it is `retrying`."""
    return State.PLANNED if row.first_call_at is None else State.RETRYING


def release(
    session: Session, app: Shop, letters: Sequence[Letter], *, size: int, now: datetime, owner: str
) -> list[Outgoing]:
    """Look again and write the intents of those that may still go, in calls of `size`; those that may not are settled.

    What goes alone has a call of its own, before the others.
    Whoever was to be carried by a mail that does not go stays claimed, for the caller to give back.
    """
    may_go, refused = _look_again(session, app, letters, now, owner)
    settle(session, refused, now=now, actor=owner)
    released = _write_intents(session, app, may_go, now, owner)
    apart = [[mail] for mail in released if mail.alone]
    together = [mail for mail in released if not mail.alone] if apart else released
    return _begin(session, app, [*apart, *chunks(together, size)], now)


def _look_again(
    session: Session, app: Shop, letters: Sequence[Letter], now: datetime, owner: str
) -> tuple[list[tuple[Letter, Inspected]], list[tuple[MessageRow, Decision]]]:
    people = [letter.one.person for letter in letters]
    addresses.lock(session, {person.address_id for person in people if person.address_id is not None})
    ids = [row.id for letter in letters for row in (letter.one.row, *letter.one.carried)]
    mine = [row for row in messages.by_ids(session, ids) if row.state is State.CLAIMED and row.owner == owner]
    again = {one.row.id: one for one in inspect(session, app, mine, now).messages}
    may_go = [
        (letter, one)
        for letter in letters
        if (one := again.get(letter.one.row.id)) is not None and one.decision.action == "send" and _is_same(letter, one)
    ]
    carried = {row.id for one in again.values() for row in one.carried}
    refused = [
        (one.row, one.decision) for one in again.values() if one.decision.action != "send" and one.row.id not in carried
    ]
    return may_go, refused


def _is_same(letter: Letter, now_seen: Inspected) -> bool:
    """Say whether what was rendered is still what would be rendered."""
    before = letter.one
    carried = {row.id for row in before.carried} == {row.id for row in now_seen.carried}
    same_data = letter.rendered is None or before.person == now_seen.person
    same_basis = letter.rendered is None or before.decision.evidence == now_seen.decision.evidence
    return carried and same_data and same_basis and letter.email.to == now_seen.person.email


def _write_intents(
    session: Session, app: Shop, may_go: Sequence[tuple[Letter, Inspected]], now: datetime, owner: str
) -> list[Released]:
    name = app.provider.name
    moves = [_intent(letter, one, now, name) for letter, one in may_go]
    made = {move.message.id: move for move in messages.transition(session, moves, now=now, actor=owner)}
    released: list[Released] = []
    for letter, one in may_go:
        if one.row.id not in made:
            continue
        carried = messages.bind(session, one.carried, one.row.id, now=now, actor=owner) if one.carried else []
        row = messages.moved(made[one.row.id])
        released.append(Released(row, letter.email, letter.sha256, tuple(carried), letter.alone))
    return released


def _begin(session: Session, app: Shop, parts: Sequence[Sequence[Released]], now: datetime) -> list[Outgoing]:
    """Write down the calls with their members and bytes."""
    outgoing = [
        Outgoing(call_key([(mail.row.message_id, mail.row.fence) for mail in part]), tuple(part)) for part in parts
    ]
    digests = {call.key: [mail.sha256 for mail in call.mails] for call in outgoing}
    numbers = calls.begin(session, app.provider.name, digests, now, account=account(app))
    _write_down(session, [(call, numbers[call.key]) for call in outgoing], app.provider.name, now)
    return outgoing


def _write_down(session: Session, begun: Sequence[tuple[Outgoing, int]], provider: str, now: datetime) -> None:
    parts = [
        (mail.email, attempts.Part(mail.row, number, position, mail.sha256))
        for call, number in begun
        for position, mail in enumerate(call.mails)
    ]
    attempts.freeze(session, [(part.row.id, email, part.sha256) for email, part in parts], now)
    attempts.begin(session, [part for _, part in parts], provider, now)


def release_again(
    session: Session, app: Shop, call: CallRow, members: Sequence[Doubted], *, now: datetime, owner: str
) -> Outgoing | Decision:
    """Release the identical call a second time, if every member may still be written to; the caller holds them all.

    Otherwise return the first decision against it: nothing of the call is repeated then. That is so for a member that
    was proved since as well, and where the bytes of one are gone: another call would be no repeat.
    """
    rows = [one.row for one in members]
    against = [one for one in inspect(session, app, rows, now).messages if one.decision.action != "send"]
    if against:
        return against[0].decision
    frozen = attempts.frozen(session, [row.id for row in rows])
    digests = [attempts.digest(frozen[row.id]) for row in rows if row.id in frozen]
    if calls.digest(digests) != call.sha256:
        return Decision("skip", Reason.ERASED)
    released = {row.id: row for row in _write_again(session, rows, now, owner)}
    calls.repeat(session, call, now)
    mails = tuple(Released(released[row.id], frozen[row.id], digest) for row, digest in zip(rows, digests, strict=True))
    outgoing = Outgoing(call.key, mails, repeated=True)
    _write_down(session, [(outgoing, call.id)], call.provider, now)
    return outgoing


def _write_again(session: Session, rows: Sequence[MessageRow], now: datetime, owner: str) -> list[MessageRow]:
    """Write the intents of a repeat; return the rows as they stand then."""
    values = {"owner": owner, "lease_until": now + LEASE, "check_at": None}
    # No attempt is burnt: whether the first call went is still open, and only what did not go is tried again.
    moves = [
        Move(row, State.SENDING, Reason.REPEATED, values=values | {"fence": row.fence + 1})
        for row in rows
        if row.state is State.IN_DOUBT
    ]
    made = messages.transition(session, moves, now=now, actor=owner)
    along = calls.go_along(session, [row for row in rows if row.state is State.SENT], now, owner)
    return [messages.moved(move) for move in made] + along


def _intent(letter: Letter, one: Inspected, now: datetime, provider: str) -> Move:
    row, decision = one.row, one.decision
    values: dict[str, object] = {
        "fence": row.fence + 1,
        "attempts": row.attempts + 1,
        "kind": row.kind,
        "on_doubt": row.on_doubt,
        "first_call_at": row.first_call_at or now,
        "address_id": one.person.address_id,
        "basis": decision.basis,
        "evidence": decision.evidence,
        "provider": provider,
        "lease_until": now + LEASE,
        "check_at": None,
        "look_ups": 0,
        "subject": letter.email.subject,
    }
    if letter.rendered is not None:
        values |= {"language": letter.rendered.language, "template_hash": letter.rendered.template_hash}
        if one.campaign is not None:
            values["campaign_hash"] = one.campaign.hash
    return Move(row, State.SENDING, values=values)


def skip_carried(mail: Released) -> list[Move]:
    """End what a mail has carried that may have left."""
    told = mail.row.message_id
    return [Move(row, State.SKIPPED, Reason.SAME_ADDRESS, told, {"owner": ""}) for row in mail.carried]


def let_go(mail: Released, send_after: datetime) -> list[Move]:
    """Return what a mail was to carry that did not leave to the queue, to be looked at together with it."""
    values = {"owner": "", "carried_by": None, "send_after": send_after}
    return [
        Move(row, resting(row), Reason.GIVEN_BACK, "the mail that carried it did not go", values)
        for row in mail.carried
    ]
