"""A shop that really mails, through the provider in the test's pocket."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from engine.app import App
from engine.clock import stopped_at
from engine.steps import planning, sending
from engine.steps.sending import SendReport
from tests.conftest import CONFIG, MakeApp
from tests.people import NOW
from tests.steps.pocket_provider import PocketProvider

RULES = '\n[rules]\nquiet_hours = "21:00-08:00"\nat_most = "3 per 30 days"\n'
_FAST = 'use = "brevo"\nbase_url = "http://127.0.0.1:9"\nmax_per_minute = 100000\nmax_per_day = 1000000'
REAL = (
    re.sub(r"(?m)^max_per_\w+ = .*\n", "", CONFIG)
    .replace('use = "outbox"', _FAST)
    .replace("[wording.", '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.', 1)
)
"""No mail ever goes to that address: the provider is put in its place."""


def open_pocket_shop(
    make_app: MakeApp, provider: PocketProvider, campaigns: dict[str, str], *, rules: str = RULES
) -> App:
    """Assemble the program around this provider."""
    return replace(make_app(config=REAL + rules, campaigns=campaigns), provider=provider)


def tick(app: App, now: datetime = NOW) -> SendReport:
    """Plan and send once."""
    planning.plan(app, now)
    return sending.send_due(app, stopped_at(now))
