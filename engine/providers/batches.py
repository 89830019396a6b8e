"""How many mails go in one call: one by one for a while, after a provider refused a batch because of one of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from engine.clock import stopwatch
from engine.domain.words import Call, NotSent, Result

WAITS_SECONDS = 2 * 3600.0
"""So long is waited for a mail to come back; it may have been cancelled, or gone to another process."""


class Batches:
    """Whose batch was refused whole is remembered until it was tried alone; until then nothing goes in batches.

    Otherwise the one bad mail would meet the same others at every try, and sink them again.
    """

    def __init__(self, most: int, *, waits_seconds: float = WAITS_SECONDS) -> None:
        self._most = most
        self._waits = waits_seconds
        self._alone: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Return how many mails the next call may carry."""
        with self._lock:
            now = stopwatch()
            for message_id in [one for one, until in self._alone.items() if until <= now]:
                del self._alone[message_id]
            return 1 if self._alone else self._most

    def learned(self, call: Call, results: list[Result]) -> list[Result]:
        """Return the results, having learned from them whose mails are to be tried alone."""
        with self._lock:
            if len(call.emails) == 1:
                self._alone.pop(call.emails[0].message_id, None)
            elif _is_refused_whole(results):
                until = stopwatch() + self._waits
                self._alone.update({email.message_id: until for email in call.emails})
        return results


def _is_refused_whole(results: Sequence[Result]) -> bool:
    return all(isinstance(result, NotSent) and not result.account for result in results)
