"""Which way a message may go from each state; everything else is refused here and by the database."""

from __future__ import annotations

from engine.domain.words import State

_S = State

EDGES: dict[State, frozenset[State]] = {
    _S.PLANNED: frozenset({_S.CLAIMED, _S.SKIPPED, _S.EXPIRED, _S.CANCELLED, _S.FAILED, _S.HELD}),
    _S.RETRYING: frozenset({_S.CLAIMED, _S.SKIPPED, _S.EXPIRED, _S.CANCELLED, _S.FAILED, _S.HELD}),
    _S.CLAIMED: frozenset(
        {
            _S.SENDING,
            _S.PLANNED,
            _S.RETRYING,
            _S.SKIPPED,
            _S.EXPIRED,
            _S.CANCELLED,
            _S.FAILED,
            _S.HELD,
        }
    ),
    _S.SENDING: frozenset({_S.SENT, _S.REJECTED, _S.RETRYING, _S.IN_DOUBT}),
    _S.IN_DOUBT: frozenset({_S.SENT, _S.SENDING, _S.RETRYING, _S.UNKNOWN}),
    _S.HELD: frozenset({_S.PLANNED, _S.SKIPPED, _S.EXPIRED, _S.CANCELLED, _S.FAILED}),
    _S.UNKNOWN: frozenset({_S.SENT}),
    _S.SENT: frozenset(),
    _S.REJECTED: frozenset(),
    _S.SKIPPED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.FAILED: frozenset(),
}

OPEN = frozenset({_S.PLANNED, _S.CLAIMED, _S.SENDING, _S.RETRYING, _S.IN_DOUBT, _S.HELD})
AT_REST = frozenset({_S.PLANNED, _S.RETRYING, _S.HELD})
"""Open, and in no sender's hand: a "no" or the owner ends these at once."""
UNDER_WAY = OPEN - AT_REST
FINAL = frozenset(State) - OPEN
CLAIMABLE = frozenset({_S.PLANNED, _S.RETRYING})
MAY_HAVE_LEFT = frozenset({_S.SENDING, _S.IN_DOUBT, _S.SENT, _S.UNKNOWN})
"""States in which a mail counts as written to its address: for frequency caps and for once a day."""


def may_go(before: State, after: State) -> bool:
    """Say whether a message may go from `before` to `after`."""
    return after in EDGES[before]
