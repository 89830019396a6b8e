"""What every fault test ends with: the store's own audit."""

from __future__ import annotations

from engine.app import App
from engine.steps.watching.auditing import audit_store, ground_of
from engine.store.auditing.contract import Violation


def violations(app: App, *but: str) -> list[Violation]:
    """Return what an audit finds, without the checks named."""
    ground = ground_of(app.config, app.campaigns, app.provider)
    return [one for one in audit_store(app.database, ground) if one.check not in but]


def assert_sound(app: App, *but: str) -> None:
    """Fail with the offending rows if any promise is broken in the store of `app`."""
    assert violations(app, *but) == []
