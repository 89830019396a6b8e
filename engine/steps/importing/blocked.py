"""The provider's own block list on its way in: whoever said "no" there is left alone here as well (law F3).

Before that list was read once, nothing may leave through the provider: see `readying`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from email_validator import EmailNotValidError, validate_email
from sqlmodel import Session

from engine.config.providers import PROVIDERS
from engine.domain.addresses import canonical, exact
from engine.domain.blocked import Blocked, BlockedPage
from engine.domain.words import InDoubt, NotSent
from engine.errors import ProviderRefused, TreuepostError, UsageError
from engine.providers import blocking
from engine.steps.importing.contract import Progress
from engine.steps.importing.files import ignore
from engine.steps.importing.permission import Named, keep_named
from engine.steps.shop import Premises
from engine.steps.suppressing import ledger_of
from engine.steps.watching.readying import source_name
from engine.store import imports, suppressions

_WHAT = "suppressions"


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of reading a provider's list."""

    provider: str
    read: int = 0
    created: int = 0
    unchanged: int = 0
    refused: int = 0


def pull(shop: Premises, now: datetime, progress: Progress = ignore) -> Pulled:
    """Read the provider's block list to its end and keep each "no"; reading it again changes nothing."""
    use = shop.config.provider.use
    if not PROVIDERS[use].blocks:
        names = ", ".join(name for name, needs in PROVIDERS.items() if needs.blocks)
        raise UsageError(
            f'The block list of "{use}" cannot be read by this program.',
            f"It can for: {names}. For others export the list there, then: treuepost import suppressions FILE",
        )
    total = Pulled(use)
    for page in blocking.pages(shop.config):
        if not isinstance(page, BlockedPage):
            raise _failed(shop, page, now)
        total = _kept(shop, page, total, now)
        progress(len(page.entries))
    with shop.database.write() as session:
        counts = imports.Counts(total.read, total.created, 0, total.unchanged, total.refused)
        imports.end(session, imports.begin(session, _WHAT, source_name(use), "", now), counts)
    return total


def _kept(shop: Premises, page: BlockedPage, before: Pulled, now: datetime) -> Pulled:
    named = list(_named(page.entries))
    with shop.database.write() as session:
        counts = keep_named(session, ledger_of(shop), named, now)
    return Pulled(
        before.provider,
        before.read + len(page.entries),
        before.created + counts.created,
        before.unchanged + counts.unchanged,
        before.refused + len(page.entries) - len(named),
    )


def _named(entries: tuple[Blocked, ...]) -> Iterator[Named]:
    """Yield the entries whose address can exist; the same one may be blocked for several senders."""
    for one in entries:
        try:
            email = validate_email(one.email, check_deliverability=False).normalized
        except EmailNotValidError:
            continue
        yield email, one.reason, one.at, one.detail


def _failed(shop: Premises, fault: NotSent | InDoubt, now: datetime) -> TreuepostError:
    """Note that the list was not read to its end, and return what is to be raised."""
    with shop.database.write() as session:
        source = source_name(shop.config.provider.use)
        imports.fail(session, _WHAT, source, "", now, ("", fault.detail[:200]))
    if isinstance(fault, NotSent) and fault.credentials:
        return ProviderRefused(f"The provider refused the credentials: {fault.detail}", "Check the key.")
    return TreuepostError(
        f"The block list was not read to its end: {fault.detail}",
        "What was read is kept. Try again: reading it twice changes nothing.",
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many addresses the provider blocks, how many of them are unknown here, and what went wrong in asking."""

    blocked: int
    unknown: int
    fault: str = ""


def compared(shop: Premises) -> Comparison:
    """Compare the provider's list with what is known here; nothing is changed."""
    blocked = unknown = 0
    for page in blocking.pages(shop.config):
        if not isinstance(page, BlockedPage):
            return Comparison(blocked, unknown, page.detail)
        with shop.database.read() as session:
            unknown += _unknown(session, shop, page.entries)
        blocked += len(page.entries)
    return Comparison(blocked, unknown)


def _unknown(session: Session, shop: Premises, entries: tuple[Blocked, ...]) -> int:
    """Return how many of these addresses nothing stands against here."""
    emails = {email for email, *_ in _named(entries)}
    marks = {one: suppressions.address_marks(shop.keyring, exact(one), canonical(one)) for one in emails}
    standing = suppressions.blocks(session, {mark for each in marks.values() for mark in each})
    return sum(not any(standing.get(mark) for mark in each) for each in marks.values())
