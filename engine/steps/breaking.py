"""Leaves a provider alone that gives no clear answer, so that it cannot turn a whole queue into doubts.

A stop (store/budgets.py) is the provider's own word about the account; the breaker is what we make of its silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from engine.domain import breaker
from engine.domain.breaker import CLOSED
from engine.domain.words import Accepted, NotSent, Refused, Result
from engine.store import breakers

_LONGEST_DETAIL = 300


def note(session: Session, provider: str, results: Sequence[Result], now: datetime) -> None:
    """Write down what these results say of the provider, in the transaction that records them.

    A clear answer (accepted, refused, if only as a whole batch) closes the breaker. A fault of the account says
    nothing: it stops the provider by itself. Results are taken in order; while all is well nothing is written.
    """
    telling = [result for result in results if not (isinstance(result, NotSent) and result.account)]
    if not telling:
        return
    if _is_clear(telling[-1]):
        breakers.close(session, provider)
        return
    standing = breakers.find(session, provider, lock=True)
    for result in telling:
        standing = breaker.note(standing, clear=_is_clear(result), now=now)
    breakers.keep(session, provider, standing, telling[-1].detail[:_LONGEST_DETAIL])


def _is_clear(result: Result) -> bool:
    return isinstance(result, Accepted | Refused) or (isinstance(result, NotSent) and result.whole)


def lets_go(session: Session, provider: str, now: datetime) -> bool:
    """Say whether letters that are ready may go to a provider: they were claimed before it fell silent."""
    return breaker.lets_go(breakers.find(session, provider), now)


def allowed(session: Session, provider: str, now: datetime) -> int | None:
    """Return how many mails may be claimed now; None where nothing limits them.

    Ask it in the transaction that claims. A probe that is granted is noted there: nobody else gets one until it has a
    result, or has taken too long. While all is well nobody waits for anybody.
    """
    if breakers.find(session, provider) == CLOSED:
        return None
    standing = breakers.find(session, provider, lock=True)
    count = breaker.allowed(standing, now)
    if count and standing.is_open:
        breakers.keep(session, provider, breaker.probing(standing, now), breakers.detail(session, provider))
    return count
