"""Nobody is mailed twice: not for one occasion, and not on one day by one campaign."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlmodel import Session

from engine.domain.calendar import local_day
from engine.domain.states import MAY_HAVE_LEFT
from engine.store.auditing.contract import ENROLMENTS, LEFT_AT, MESSAGES, STATE, Ground, Violation, asked
from engine.store.tables import Customer

_CUSTOMERS: sa.Table = Customer.__table__  # type: ignore[attr-defined]
_LEFT = STATE.in_(sorted(MAY_HAVE_LEFT))


def twice_for_one_occasion(session: Session, _ground: Ground) -> Iterator[Violation]:
    """Find steps of one occasion with several mails that left or may have left."""
    occasion = [ENROLMENTS.c[name] for name in ("campaign", "customer_uid", "occasion", "rehearsal")]
    many = (
        sa.select(
            sa.func.min(MESSAGES.c.message_id), sa.func.max(MESSAGES.c.message_id), sa.func.count(), *occasion[:3]
        )
        .join(ENROLMENTS, ENROLMENTS.c.id == MESSAGES.c.enrolment_id)
        .where(_LEFT)
        .group_by(*occasion, MESSAGES.c.step)
        .having(sa.func.count() > 1)
    )
    for first, last, count, campaign, _, occasion_key in asked(session, many):
        yield Violation("once", first, f"{count} mails for {campaign} {occasion_key}, another is {last}")


def twice_on_one_day(session: Session, ground: Ground) -> Iterator[Violation]:
    """Find mails of one campaign that went to one address on one local day."""
    place = (MESSAGES.c.address_id, MESSAGES.c.campaign, MESSAGES.c.rehearsal)
    at = sa.func.coalesce(LEFT_AT, MESSAGES.c.sent_at, MESSAGES.c.first_call_at).label("at")
    mails = (
        sa.select(*place, MESSAGES.c.message_id, _CUSTOMERS.c.timezone, at)
        .join(_CUSTOMERS, _CUSTOMERS.c.id == MESSAGES.c.customer_id)
        .where(_LEFT, MESSAGES.c.address_id.is_not(None))
        .order_by(*place, at, MESSAGES.c.id)
    )
    before = None
    for mail in asked(session, mails):
        if before is not None and before[:3] == mail[:3] and mail.at is not None and before.at is not None:
            zone = ground.place(mail.timezone)
            day = local_day(mail.at, zone)
            if local_day(before.at, zone) == day:
                yield Violation("once_a_day", mail.message_id, f"{mail.campaign} on {day}, as {before.message_id}")
        before = mail
