"""Step 6, the calls: as many at once as the provider has senders, each begun within a second of its release.

No transaction is open here and nothing is decided: what came of a call is a value that the record writes down.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Lock
from types import TracebackType

import structlog

from engine.clock import stopwatch
from engine.domain.words import Call, InDoubt, Result
from engine.providers.contract import Provider
from engine.steps.releasing import Outgoing

LONGEST_GAP = 1.0
"""Seconds from a committed release, or from a call's turn, within which the call must begin."""

MADE_UP = 0.5
"""The part of one mail's time by which a call may begin early after one that was late."""

TOGETHER = 4
"""The part of the senders whose calls are released, and recorded, in one transaction, where there are that many."""

LONGEST_KEPT_BACK = 0.05
"""Seconds for which a result is kept back so that others are recorded with it."""

LINES = Lock()
"""Held by whoever calls outside of a flight, and by whoever closes the provider's lines.

A line that is closed in the middle of a call would leave it in doubt.
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Landed:
    """A call that has ended: one result per mail; None where it began too late after its release to be made."""

    outgoing: Outgoing
    results: Sequence[Result] | None


class Flight:
    """The calls under way, and those that have ended and wait to be recorded."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._pool = ThreadPoolExecutor(provider.senders, "sender")
        self._ended: SimpleQueue[Landed | BaseException] = SimpleQueue()
        self._turns = Event()  # never set: senders wait on it for their turn
        self._line = Lock()
        self._line_free = float("-inf")
        self._handed_over = float("-inf")
        self.under_way = 0

    def __enter__(self) -> Flight:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def free(self) -> int:
        """Return how many more calls may begin now."""
        return self._provider.senders - self.under_way

    @property
    def is_worth_it(self) -> bool:
        """Say whether enough senders are free to be given calls together: each release costs a look and a commit."""
        return self.free >= self._together

    @property
    def _together(self) -> int:
        """Return how many calls are begun, and recorded, in one transaction where there are that many."""
        return max(1, self._provider.senders // TOGETHER)

    def launch(self, calls: Sequence[Outgoing], at: float) -> None:
        """Begin these calls; `at` is when their release was committed, on the stopwatch."""
        self.under_way += len(calls)
        for outgoing in calls:
            self._pool.submit(self._call, outgoing, at)

    def landed(self, wait: float) -> list[Landed]:
        """Return the calls that have ended, once there are enough to be recorded together.

        Wait up to so many seconds for them, or, with none under way, for nothing. With no wait a few are kept back for
        others to join them, but not for long: what is known and not written down would be in doubt after a crash.
        """
        if not self.under_way:
            self._turns.wait(wait)
            return []
        if not wait and not self._is_time_to_record:
            return []
        found = self._taken(stopwatch() + wait)
        self._handed_over = stopwatch()
        return found

    @property
    def _is_time_to_record(self) -> bool:
        enough = self._ended.qsize() >= min(self._together, self.under_way)
        return enough or stopwatch() - self._handed_over >= LONGEST_KEPT_BACK

    def _taken(self, until: float) -> list[Landed]:
        found: list[Landed] = []
        with suppress(Empty):
            while self.under_way:
                enough = len(found) >= self._together
                ended = self._ended.get(timeout=0.0 if enough else max(0.0, until - stopwatch()))
                if isinstance(ended, BaseException) and found:
                    self._ended.put(ended)  # it is raised next: first what is known is written down
                    return found
                self.under_way -= 1
                if isinstance(ended, BaseException):
                    raise ended
                found.append(ended)
        return found

    def _call(self, outgoing: Outgoing, at: float) -> None:
        try:
            turn = at + outgoing.wait
            begins = self._wait_for_turn(turn, outgoing) if outgoing.lasts else stopwatch()
            too_late = begins - turn > LONGEST_GAP
            self._ended.put(Landed(outgoing, None if too_late else self._made(outgoing)))
        except BaseException as error:  # noqa: BLE001  (raised again where the results are read)
            self._ended.put(error)

    def _wait_for_turn(self, turn: float, outgoing: Outgoing) -> float:
        """Wait until a call may begin, and return when that is.

        The line counts from when calls really began: a thread that wakes late does not bunch those after it. It makes
        up for no more than a part of one mail's time, so that no second holds more than the rate and one
        (the generic cell rate algorithm, ITU-T I.371).
        """
        if (early := turn - stopwatch()) > 0:  # not in the line: those there come in no order
            self._turns.wait(early)
        with self._line:
            made_up = MADE_UP * outgoing.lasts / len(outgoing.mails)
            if (early := self._line_free - made_up - stopwatch()) > 0:
                self._turns.wait(early)
            begins = stopwatch()
            self._line_free = max(begins, self._line_free) + outgoing.lasts
        return begins

    def _made(self, outgoing: Outgoing) -> Sequence[Result]:
        emails = tuple(mail.email for mail in outgoing.mails)
        try:
            results = self._provider.send(Call(outgoing.key, emails))
        except Exception as error:
            log.exception("provider failed", provider=self._provider.name)
            return [InDoubt(f"{type(error).__name__}: {error}") for _ in emails]
        if len(results) != len(emails):
            return [InDoubt(f"{len(results)} results for {len(emails)} mails") for _ in emails]
        return results
