"""What stands against a mail that somebody asked for (law.md §3, rows doi_request and dsr_response).

An objection does not stop a person's own new request; one that came after it does. A dead mailbox stops every mail, a
cease-and-desist letter all but the answer to a person who asks about their data.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session

from engine.domain.addresses import canonical, exact
from engine.domain.permission import EVERYTHING, Block, ConsentState, is_sendable
from engine.domain.words import Reason
from engine.keys import Keyring
from engine.store import addresses, consents, people, replies, suppressions
from engine.store.replies import DATA_LINK

_LASTING = (Reason.LEGAL_BLOCK, Reason.HARD_BOUNCE)
_NOES = (ConsentState.OBJECTED, ConsentState.WITHDRAWN)


def barred(session: Session, keyring: Keyring, email: str, kind: str, asked_at: datetime) -> Reason | None:
    """Return why a mail that was asked for at `asked_at` may not go to this address; None where it may.

    Locks every address whose people have a say in it, and reads in later statements.
    """
    own = people.mailboxes_like(session, [email])
    involved = consents.touching(session, own)
    addresses.lock(session, involved)
    if not suppressions.keys_hold(session, keyring):
        return Reason.KEY_BROKEN  # a "no" could not be recognised
    if not is_sendable(email):
        return Reason.UNSENDABLE_ADDRESS
    blocks = [*_blocks_at(session, keyring, email), *_blocks_of_people(session, keyring, own, involved)]
    if kind == DATA_LINK:
        return Reason.HARD_BOUNCE if any(block.reason is Reason.HARD_BOUNCE for block in blocks) else None
    if lasting := [block for block in blocks if block.scope == EVERYTHING or block.reason in _LASTING]:
        return min(lasting, key=_rank).reason
    if replies.is_restricted(session, own):
        return Reason.RESTRICTED
    return _said_since(session, blocks, involved, asked_at)


def _rank(block: Block) -> int:
    return _LASTING.index(block.reason) if block.reason in _LASTING else len(_LASTING)


def _blocks_at(session: Session, keyring: Keyring, email: str) -> list[Block]:
    marks = suppressions.address_marks(keyring, exact(email), canonical(email))
    return [block for blocks in suppressions.blocks(session, marks).values() for block in blocks]


def _blocks_of_people(session: Session, keyring: Keyring, own: set[int], involved: set[int]) -> Iterator[Block]:
    """Yield every personal "no" of whoever is or was at the mailbox, at whichever of their addresses it was said."""
    marks = {mark for one in people.at_addresses(session, own) for mark in suppressions.person_marks(keyring, one.uid)}
    for email in addresses.emails_of(session, sorted(involved - own)).values():
        marks |= set(suppressions.address_marks(keyring, exact(email), canonical(email)))
    for blocks in suppressions.blocks(session, marks).values():
        yield from (block for block in blocks if suppressions.is_personal(block))


def _said_since(session: Session, blocks: list[Block], involved: set[int], asked_at: datetime) -> Reason | None:
    """Return the "no" that was said after the request: it takes the request back."""
    if any(block.at > asked_at for block in blocks):
        return Reason.OBJECTION
    said = (event for event in consents.timeline(session, involved) if event.state in _NOES)
    return Reason.OBJECTION if any(event.at > asked_at for event in said) else None
