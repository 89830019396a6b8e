"""What the provider tells later of a mail somebody asked for counts as it does for any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.domain.news import DeliveryNews, NewsKind
from engine.domain.words import Accepted, InDoubt, Result
from engine.steps import receiving
from engine.steps.consent import asking
from engine.steps.consent.asking import SignUp
from tests.conftest import MakeApp
from tests.people import NOW
from tests.steps.test_replying import VISITOR, Scripted, ask, rows, send

if TYPE_CHECKING:
    from engine.app import App

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def sent(make_app: MakeApp, result: Result) -> App:
    """Send one reply through a provider that Brevo's news are about."""
    provider = Scripted(result)
    provider.name = "brevo"
    app = replace(make_app(), provider=provider)
    ask(app)
    send(app)
    return app


def tell(app: App, kind: NewsKind, **changes: str) -> receiving.Received:
    named = {"message_id": str(rows(app)[0].message_id)} | changes
    return receiving.take(app, "brevo", [DeliveryNews(kind, "e1", at=NOW, **named)], NOW + HOUR)


def blocks(app: App) -> list[tuple[str, str]]:
    with app.database.read() as session:
        found = session.connection().exec_driver_sql("SELECT reason, scope FROM suppression").all()
    return [(reason, scope) for reason, scope in found]


@pytest.mark.parametrize(
    ("kind", "block"),
    [
        (NewsKind.BOUNCED, ("hard_bounce", "all")),
        (NewsKind.COMPLAINED, ("complaint", "advertising")),
        (NewsKind.UNSUBSCRIBED, ("objection", "advertising")),
    ],
)
def test_c9_a_no_told_of_a_reply_counts_for_its_address(
    make_app: MakeApp, kind: NewsKind, block: tuple[str, str]
) -> None:
    app = sent(make_app, Accepted("77"))
    told, again = tell(app, kind), tell(app, kind)
    assert (told.noes, told.foreign, again.noes, again.repeated) == (1, 0, 0, 1)
    assert blocks(app) == [block]


@pytest.mark.parametrize("detail", ["550 5.7.26 unauthenticated", "552 5.2.2 mailbox full", "554 5.6.0 content"])
def test_o1_a_bounce_that_is_not_about_a_dead_mailbox_blocks_nobody(make_app: MakeApp, detail: str) -> None:
    app = sent(make_app, Accepted("77"))
    assert tell(app, NewsKind.BOUNCED, detail=detail).noes == 0
    assert blocks(app) == []


def test_c9_a_no_is_found_by_the_providers_own_id(make_app: MakeApp) -> None:
    app = sent(make_app, Accepted("77"))
    assert tell(app, NewsKind.BOUNCED, message_id="", provider_id="77").noes == 1
    assert blocks(app) == [("hard_bounce", "all")]


def test_what_is_told_of_nobodys_mail_blocks_nobody(make_app: MakeApp) -> None:
    app = sent(make_app, Accepted("77"))
    told = tell(app, NewsKind.BOUNCED, message_id="0f8a7c1e-9a55-5d7b-8a44-5a1b1c2d3e4f", provider_id="99")
    assert (told.foreign, told.noes) == (1, 0)
    assert blocks(app) == []


def test_news_end_the_doubt_about_a_reply(make_app: MakeApp) -> None:
    app = sent(make_app, InDoubt("silence"))
    assert rows(app)[0].state == "unknown"
    assert tell(app, NewsKind.DELIVERED, provider_id="78").proved == 1
    assert (rows(app)[0].state, rows(app)[0].provider_id) == ("sent", "78")


def test_a_complaint_about_the_confirmation_mail_ends_in_no_consent_unless_clicked_later(make_app: MakeApp) -> None:
    app = sent(make_app, Accepted("77"))
    tell(app, NewsKind.COMPLAINED)
    assert asking.enter(app, SignUp("anna@example.com", "newsletter-2015"), VISITOR, NOW + 2 * DAY) == "queued"
