"""How much faster than in a shop the program's own waiting goes in here.

These are constants of the program, set before the rest of it is imported. A name that is gone stops the harness: it
must never wait at another pace than it prints.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType

_S = timedelta(seconds=1)
LEASE = 5 * _S
LONGEST_CALL = 1.5
"""Seconds."""

PACE: dict[str, object] = {
    "engine.domain.retry:LONGEST_CALL": LONGEST_CALL * _S,  # first: others read these two while they are imported
    "engine.domain.retry:LEASE": LEASE,
    "engine.domain.retry:FIRST_WAIT": _S / 2,
    "engine.domain.retry:LONGEST_WAIT": 2 * _S,
    "engine.domain.doubts:FIRST_REPEAT": _S / 4,
    "engine.domain.doubts:LONGEST_REPEAT": 2 * _S,
    "engine.domain.breaker:FIRST_PAUSE": _S / 4,
    "engine.domain.breaker:LONGEST_PAUSE": _S,
    "engine.domain.breaker:PROBE_PATIENCE": 4 * _S,
    "engine.daemon.running:PLAN_SECONDS": 2,
    "engine.daemon.running:SEND_SECONDS": 0.5,
    "engine.daemon.running:RECOVER_SECONDS": 0.5,
    "engine.daemon.working:SEND_SECONDS": 0.5,
    "engine.daemon.working:RECOVER_SECONDS": 0.5,
    "engine.steps.sending:LOOKS_AT_DOUBTS": 0.5,
    "engine.steps.recording:PAUSE": _S / 2,
}
"""`module:constant` and its value here."""

LEASED = ("engine.store.ownership", "engine.store.claims", "engine.steps.releasing")
"""Who must have read the lease from where it is set."""

TIMED = ("brevo", "resend", "postmark")
"""The providers whose calls end after `longest_call`: its default there becomes `LONGEST_CALL`."""


def apply() -> None:
    """Set the pace of this process."""
    for name, value in PACE.items():
        module, _, constant = name.partition(":")
        found = importlib.import_module(module)
        if not hasattr(found, constant):
            raise AttributeError(f"the pace names {name}, which is gone")
        setattr(found, constant, value)
    for name in LEASED:
        if importlib.import_module(name).LEASE != LEASE:
            raise AttributeError(f"{name} has a lease of its own")
    for name in TIMED:
        defaults = list(_defaults(importlib.import_module(f"engine.providers.{name}")))
        if not defaults:
            raise AttributeError(f"engine.providers.{name} has no longest call any more")
        for each in defaults:
            each["longest_call"] = LONGEST_CALL


def _defaults(module: ModuleType) -> Iterator[dict[str, object]]:
    """Yield the keyword defaults of a module's functions and constructors that name the longest call."""
    for thing in vars(module).values():
        made = thing.__init__ if isinstance(thing, type) else thing
        defaults = getattr(made, "__kwdefaults__", None)
        if defaults and "longest_call" in defaults and getattr(thing, "__module__", "") == module.__name__:
            yield defaults
