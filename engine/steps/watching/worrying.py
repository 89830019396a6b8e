"""What the owner is told about complaints, refusals for our sake, and a brake that has stopped advertising."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.domain import complaints
from engine.domain.complaints import Brake, Mood
from engine.steps import braking
from engine.steps.braking import Figures
from engine.steps.shop import Premises
from engine.store import pauses

Say = Callable[..., str]
_LATELY = timedelta(days=1)

CAUSES: Mapping[Brake, str] = {
    Brake.COMPLAINTS: "too many people have reported your mails as spam",
    Brake.FLOOD: "far more bounces, complaints and unsubscriptions came within an hour than can be true",
    Brake.POLICY: "mailbox providers refuse your mails for your sake, not for the recipients'",
}


@dataclass(frozen=True, slots=True)
class Worry:
    """Something to be told: a topic for the records, a subject and sentences."""

    topic: str
    subject: str
    text: str


def worries(shop: Premises, say: Say, now: datetime) -> Iterator[Worry]:
    """Yield what is to be told today."""
    found = braking.figures(shop.database, now)
    pulled = brakes(shop)
    for brake in pulled:
        yield Worry(f"brake:{brake}", say("Treuepost: all advertising is stopped"), _stopped(brake, found, say))
    if Brake.COMPLAINTS not in pulled and _is_worth_a_word(found, now):
        yield Worry("complaints", say("Treuepost: people report your mails as spam"), _warned(found, say))
    if Brake.POLICY not in pulled and found.refused:
        yield Worry("policy", say("Treuepost: a mailbox provider refuses your mails"), _refused(found, say))


def brakes(shop: Premises) -> list[Brake]:
    """Return which brakes have stopped advertising."""
    with shop.database.read() as session:
        return pauses.brakes(pauses.paused(session))


def _is_worth_a_word(found: Figures, now: datetime) -> bool:
    mood = complaints.mood(found.complaints, found.sent_in_week)
    return mood is not Mood.CALM and found.complained_at is not None and found.complained_at > now - _LATELY


def _stopped(brake: Brake, found: Figures, say: Say) -> str:
    return "\n\n".join(
        [
            say("All advertising is stopped: %(why)s.", why=say(CAUSES[brake])),
            _numbers(found, say),
            say(
                "Mails that are owed go on. Look into the cause first: whom you wrote to, and how often. Then: "
                "treuepost resume --all"
            ),
        ]
    )


def _warned(found: Figures, say: Say) -> str:
    share = say(
        "Google asks for less than 0.1 % and never 0.3 %: from there on, and from three complaints in seven days, "
        "Treuepost stops all advertising by itself."
    )
    return f"{_numbers(found, say)}\n\n{share}"


def _refused(found: Figures, say: Say) -> str:
    return say(
        "%(count)s mails of the last day came back with a code 5.7: the provider on the other side does not trust the "
        "sender. Nobody was blocked for it. SPF, DKIM and DMARC are the usual cause; send yourself a test mail, save "
        "it and look at it with: treuepost doctor --eml FILE",
        count=found.refused,
    )


def _numbers(found: Figures, say: Say) -> str:
    return say(
        "Within seven days %(complaints)s of %(sent)s mails were reported as spam; within a day %(refused)s of %(day)s "
        "came back with a code 5.7.",
        complaints=found.complaints,
        sent=found.sent_in_week,
        refused=found.refused,
        day=found.sent_in_day,
    )
