"""Tells the owner by a plain mail, once a day: nothing could be sent or pulled for a day, or something waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from uuid import uuid5

from engine.domain.calendar import local_day, local_time
from engine.domain.guard import Suspicion
from engine.domain.words import Accepted, Call, Email, Reason
from engine.language import Language
from engine.steps import guarding
from engine.steps.importing.pulling import source_path
from engine.steps.shop import Shop
from engine.steps.watching import checkpointing, telling, worrying
from engine.store import claims, holds, imports, troubles
from engine.store.checkpoints import line

PATIENCE = timedelta(days=1)
CHECKPOINT = "consent_checkpoint"
_WAITS_FOR_A_WORD = frozenset({*holds.FOR_A_WORD, Reason.STORE_RESTORED})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something the owner should know of: a topic for the records, and sentences."""

    topic: str
    subject: str
    text: str


def tell_owner(app: Shop, now: datetime) -> list[str]:
    """Mail the owner about each trouble not told today; return the topics that reached them."""
    if not app.config.owner.email:
        return []
    return [trouble.topic for trouble in _troubles(app, now) if tell(app, trouble, now)]


def _troubles(app: Shop, now: datetime) -> list[Trouble]:
    """Return what has not worked for a day, or waits for the owner's word, and was not told today."""
    today = local_day(now, app.config.shop.zone)
    found = [
        *_guarded(app, now),
        *_held(app),
        *_silence(app, now),
        *_stale_sources(app, now),
        *_worries(app, now),
        *_checkpoint(app),
    ]
    with app.database.read() as session:
        return [trouble for trouble in found if not troubles.was_told(session, trouble.topic, today)]


def _guarded(app: Shop, now: datetime) -> Iterator[Trouble]:
    """Tell of a store that may be a restored or a second one; of a declared copy there is nothing to tell."""
    found = guarding.look(app, now)
    if found.waits and found.suspicion is not Suspicion.COPY:
        _ = Language(app.config.shop.language).gettext
        lines = telling.guarded(found, app.config)
        yield Trouble("guard", _("Treuepost: nothing is sent until you say which store this is"), "\n".join(lines))


def _held(app: Shop) -> Iterator[Trouble]:
    """Tell of mails that are far more than usual, or were due in the time a restored store has lost."""
    say = Language(app.config.shop.language).gettext
    with app.database.read() as session:
        lots = holds.lots(session, rehearsal=app.rehearsal)
    for lot in lots:
        if lot.reason in _WAITS_FOR_A_WORD:
            yield Trouble(
                f"held:{lot.campaign}:{lot.reason}",
                telling.lot_subject(lot, say),
                telling.lot_text(lot, app.config.shop.zone, say),
            )


def _silence(app: Shop, now: datetime) -> Iterator[Trouble]:
    _ = Language(app.config.shop.language).gettext
    with app.database.read() as session:
        failing = troubles.failing_since(session, app.provider.name)
        waiting = claims.count_due(session, now)
    if failing and waiting and now - failing[0] >= PATIENCE:
        since = local_time(failing[0], app.config.shop.zone)
        yield Trouble(
            f"sending:{app.provider.name}",
            _("Treuepost: nothing could be sent since %(since)s", since=since),
            _(
                "%(count)s mails are waiting. The provider %(provider)s last answered: %(detail)s\n\n"
                "Nothing is lost: they go out as soon as it works again. `treuepost doctor --online` says more.",
                count=waiting,
                provider=app.provider.name,
                detail=failing[1] or "–",
            ),
        )


def _worries(app: Shop, now: datetime) -> Iterator[Trouble]:
    """Tell of complaints, of refusals for our sake, and of a brake that has stopped advertising."""
    say = Language(app.config.shop.language).gettext
    for worry in worrying.worries(app, say, now):
        yield Trouble(worry.topic, worry.subject, worry.text)


def _stale_sources(app: Shop, now: datetime) -> Iterator[Trouble]:
    _ = Language(app.config.shop.language).gettext
    for name, source in app.config.source.items():
        since, detail = _unread_since(app, name)
        if since is not None and now - since >= PATIENCE:
            yield Trouble(
                f"source:{name}",
                _(
                    "Treuepost: [source.%(name)s] was not read since %(since)s",
                    name=name,
                    since=local_time(since, app.config.shop.zone),
                ),
                _(
                    "The file is %(file)s. The last attempt said: %(detail)s\n\n"
                    "Until it can be read, Treuepost goes by the older data.",
                    file=source.file,
                    detail=detail or "–",
                ),
            )


def _checkpoint(app: Shop) -> Iterator[Trouble]:
    """Hand over how far the consent log has come, where it has grown: a copy that nobody else can change."""
    _ = Language(app.config.shop.language).gettext
    last = checkpointing.latest(app)
    with app.database.read() as session:
        told = troubles.last_told(session, CHECKPOINT)
    if last and (told is None or last.at > told):
        yield Trouble(
            CHECKPOINT,
            _("Treuepost: the consent log has %(count)s entries", count=last.size),
            _(
                "Please keep this mail: it needs no answer. With the line below it can be shown later that nobody has "
                "changed who agreed to mail and who objected:\n\n%(line)s\n\n"
                "`treuepost consent verify` compares the log with all such lines.",
                line=line(last),
            ),
        )


def _unread_since(app: Shop, name: str) -> tuple[datetime | None, str]:
    """Return since when a source could not be read and why: refused, or its file gone since it was last good."""
    with app.database.read() as session:
        failing = troubles.not_pulled_since(session, name)
        good = imports.last(session, name, good=True)
    if failing:
        return failing
    if good and not source_path(app, name).is_file():
        return good.at, "the file is not there"
    return None, ""


def tell(app: Shop, trouble: Trouble, now: datetime) -> bool:
    """Send one plain mail through the provider, outside all campaigns; note it where it was accepted."""
    mail = _mail(app, trouble, now)
    (result,) = app.provider.send(Call(mail.message_id, (mail,)))
    if not isinstance(result, Accepted):
        return False
    with app.database.write() as session:
        troubles.note_told(session, trouble.topic, local_day(now, app.config.shop.zone), now)
    return True


def _mail(app: Shop, trouble: Trouble, now: datetime) -> Email:
    config = app.config
    day = local_day(now, config.shop.zone)
    return Email(
        message_id=str(uuid5(app.installation, f"owner|{trouble.topic}|{day}")),
        campaign="owner",
        sender=config.sender_address,
        sender_name=config.sender_name,
        reply_to=config.provider.reply_to,
        to=config.owner.email,
        to_name="",
        subject=trouble.subject,
        html=f"<pre>{escape(trouble.text)}</pre>",
        text=trouble.text + "\n",
        headers={"Auto-Submitted": "auto-generated"},
    )
