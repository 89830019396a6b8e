"""What the owner is told, in the shop's language, about a store that waits for a word and about mails that do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from engine.config.loading import Config
from engine.domain.calendar import local_time
from engine.domain.guard import Answer, Suspicion
from engine.domain.words import Reason
from engine.language import Language
from engine.steps.guarding import Guard
from engine.store.holds import Lot

Say = Callable[..., str]

SUSPICIONS: Mapping[Suspicion, str] = {
    Suspicion.RESTORED: "This store is an older state of itself: a backup was put back.",
    Suspicion.ELSEWHERE: "This store was last used in another place: it was moved, copied or put back.",
    Suspicion.ALONE: "This store has mailed customers, but the file beside it that says when is missing.",
    Suspicion.COPY: "This store was declared a copy for looking: it sends nothing.",
    Suspicion.REPLACED: "Beside this store lies the sidecar of another one that mailed customers: this one is new.",
    Suspicion.UNVOUCHED: "For five minutes no daemon has noted that it works on this store.",
}
ANSWERS: Mapping[Answer, str] = {
    Answer.MOVED: "it is the only one now",
    Answer.RESTORED: "a backup was put back: what may have been sent since then waits for your word",
    Answer.COPY: "it is a copy for looking and never sends",
}
_BESIDE = (
    "A worker sends only beside the daemon: start `treuepost run`, or see there (`treuepost doctor`) why it waits."
)
_NUMBERS = re.compile(r"(?P<count>\d+) for (?P<day>[\d-]+), (?:above (?P<limit>\d+)|usually (?P<usual>[\d.]+))")


def headline(found: Guard, say: Say) -> str:
    """Return in one sentence why a store waits."""
    return say(SUSPICIONS[found.suspicion]) if found.suspicion else ""


def guarded(found: Guard, config: Config) -> list[str]:
    """Return why a store waits, what both sides remember, and the answers there are, as lines."""
    say: Say = Language(config.shop.language).gettext
    lines = [headline(found, say)]
    if found.suspicion is Suspicion.UNVOUCHED:
        return [*lines, say(_BESIDE), say("This worker then goes on by itself; nothing is to be adopted here.")]
    if found.stored and found.seen and found.seen > found.stored:
        zone = config.shop.zone
        when = {"stored": local_time(found.stored, zone), "seen": local_time(found.seen, zone)}
        lines.append(say("It last worked on %(stored)s; the file beside it has seen %(seen)s.", **when))
    if found.suspicion is Suspicion.REPLACED:
        lines.append(
            say("If the other one was lost, put back its backup. If you begin anew on purpose, this one has moved.")
        )
    lines.append(say("Nothing is planned and sent until you say which one it is:"))
    return [*lines, *(f"  treuepost db adopt {answer.value:<8}  {say(text)}" for answer, text in ANSWERS.items())]


def numbers(detail: str, say: Say) -> str:
    """Return why so many wait, with the numbers; empty where there are none."""
    found = _NUMBERS.fullmatch(detail)
    if found is None:
        return ""
    facts = found.groupdict()
    if facts["limit"]:
        return say("%(count)s on %(day)s, more than the %(limit)s that go unasked", **facts)
    return say("%(count)s on %(day)s, usually about %(usual)s a day", **facts)


def lot_subject(lot: Lot, say: Say) -> str:
    """Return the subject of the mail that tells the owner of a lot."""
    return say("Treuepost: %(count)s mails of %(campaign)s wait for your word", count=lot.count, campaign=lot.campaign)


def lot_text(lot: Lot, zone: ZoneInfo, say: Say) -> str:
    """Return what the owner is told of a lot: the numbers, and how to let it go or end it."""
    why = numbers(lot.detail, say) if lot.reason in {Reason.CONFIRM_ABOVE, Reason.UNUSUALLY_MANY} else ""
    return say(
        "The first was to go on %(first)s. %(why)s\n\n"
        "Look at them:  treuepost messages list\n"
        "Let them go:   treuepost messages release %(campaign)s\n"
        "End them:      treuepost messages cancel %(campaign)s\n\n"
        "Until then they wait, and expire when they are too late.",
        first=local_time(lot.first, zone),
        why=why,
        campaign=lot.campaign,
    )
