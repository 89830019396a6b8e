"""When advertising must stop because people complain, or because mailbox providers do not want it (law J9, O1).

Google asks senders to stay below 0.1 % and never to reach 0.3 %. Of few mails one complaint is a large share: below
three complaints in seven days nothing is stopped, only told.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

WITHIN = timedelta(days=7)
LEAST = 3
_WARN, _STOP = 1, 3
"""In thousandths of the mails sent."""

HOUR = timedelta(hours=1)
SENT_WITHIN = timedelta(days=1)
MOST_NOES = 1000
LEAST_NOES = 20
_NOES = 5
"""In hundredths of the mails sent within a day."""

LEAST_POLICY = 3
"""So many mails refused for our sake within a day, and a twentieth of all: it is us, and not one strict recipient."""


class Brake(StrEnum):
    """What has stopped all advertising until the owner says otherwise."""

    COMPLAINTS = "complaints"
    FLOOD = "flood"
    POLICY = "policy"


class Mood(StrEnum):
    """What complaints come to."""

    CALM = "calm"
    WARN = "warn"
    STOP = "stop"


def mood(complaints: int, sent: int) -> Mood:
    """Judge the complaints of seven days by the mails sent in them."""
    if complaints >= LEAST and complaints * 1000 >= _STOP * sent:
        return Mood.STOP
    if complaints >= 1 and complaints * 1000 >= _WARN * sent:
        return Mood.WARN
    return Mood.CALM


def is_flood(noes: int, sent: int) -> bool:
    """Say whether more bounces, complaints and unsubscriptions come within an hour than can be true of one's mail."""
    return noes > MOST_NOES or (noes >= LEAST_NOES and noes * 100 > _NOES * sent)


def is_unwanted(refused: int, sent: int) -> bool:
    """Say whether mailbox providers refuse us, and not single mails, by the mails of a day."""
    return refused >= LEAST_POLICY and refused * 20 >= sent
