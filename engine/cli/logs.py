"""`treuepost log`: who got what, when, why and on which legal basis; `log show ID`: one mail, byte for byte."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from engine.cli.opening import Translate, opened_store, spoken
from engine.cli.output import print_json, print_json_line, say, shown
from engine.domain.calendar import local_time
from engine.domain.words import Basis
from engine.errors import NothingFound, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from engine.config.loading import Config
    from engine.domain.log_query import LogQuery
    from engine.domain.words import Email
    from engine.store.database import Database
    from engine.store.reports import Entry

_Json = Annotated[bool, typer.Option("--json", help="Print JSON: one object a line, or one document for `show`.")]
_InFull = Annotated[bool, typer.Option("--show-addresses", help="Show e-mail addresses in full.")]
JSON_KEYS = (
    "message_id",
    "campaign",
    "step",
    "customer",
    "email",
    "occasion",
    "state",
    "reason",
    "planned_at",
    "send_after",
    "sent_at",
    "provider",
    "provider_id",
    "attempts",
    "basis",
    "evidence",
    "subject",
    "rehearsal",
    "events",
)


class _Log(TyperGroup):
    """`log QUERY` and `log show ID` under one word: what does not begin with a command's name is a query."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Send everything that names no command to the list."""
        known = args and args[0] in self.commands
        return super().parse_args(ctx, args if known else ["list", *args])


def register(app: typer.Typer) -> None:
    """Add `log` and `log show`."""
    noun = typer.Typer(cls=_Log, rich_markup_mode=None, help="The sent log: who got what, when and why.")
    noun.command("list")(list_messages)
    noun.command("show")(show)
    app.add_typer(noun, name="log")


def list_messages(
    ctx: typer.Context,
    query: Annotated[list[str] | None, typer.Argument(help="Words like campaign:birthday state:sent since:7d.")] = None,
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="Show the rehearsed mails instead.")] = False,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=1, help="Show at most so many.")] = None,
    show_addresses: _InFull = False,
    as_json: _Json = False,
) -> None:
    """Show the log, newest first. QUERY: campaign: state: reason: customer: email: since: until:, or any text.

    `treuepost log show ID` shows one mail (--html, --text and --eml print exactly what was sent).
    """
    from engine.clock import system_clock
    from engine.domain.log_query import LogQuery

    with opened_store(ctx) as (config, database):
        asked = LogQuery.parse(tuple(query or ()), system_clock(), config.shop.zone, rehearsal=rehearsal)
        entries = _pages(database, asked, limit)
        if as_json:
            for entry in entries:
                print_json_line(as_line(entry))
            return
        _print_lines(entries, config, in_full=show_addresses)
        _print_tally(database, asked, config)


def show_log(config: Config, database: Database, now: datetime) -> None:
    """Print the whole log of the present mode, as `treuepost log` does."""
    from engine.domain.log_query import LogQuery

    asked = LogQuery.parse((), now, config.shop.zone, rehearsal=config.rehearsal)
    _print_lines(_pages(database, asked, None), config, in_full=False)
    _print_tally(database, asked, config, err=False)


def _pages(database: Database, query: LogQuery, limit: int | None) -> Iterator[Entry]:
    """Yield every entry, a page at a time: the log of years fits in the memory of one page."""
    from engine.store import reports

    before, left = None, limit
    while left is None or left > 0:
        with database.read() as session:
            found = reports.page(session, query, before, min(reports.PAGE, left or reports.PAGE))
        if not found:
            return
        yield from found
        before = found[-1].number
        left = None if left is None else left - len(found)


def as_line(entry: Entry) -> dict[str, object]:
    """Return the entry with exactly the keys of the public interface.

    `events` is the message's own way, then what the provider told later: it comes from no state and leads to none.
    """
    whole = asdict(entry)
    told = [
        {"at": one.at, "before": "", "after": one.kind, "actor": one.provider, "reason": "", "detail": one.detail}
        for one in entry.news
    ]
    return {key: whole[key] for key in JSON_KEYS} | {"events": [*whole["events"], *told]}


def _print_lines(entries: Iterator[Entry], config: Config, *, in_full: bool) -> None:
    from engine.cli.sentences import sentence, state_word

    _ = spoken(config)
    for count, entry in enumerate(entries):
        if count == 0:
            say(f"{_('when'):<16}  {_('to'):<24}  {_('campaign'):<16}  {_('state'):<14}  {_('reason / subject')}")
        when = local_time(entry.sent_at or entry.send_after, config.shop.zone)
        to = shown(entry.email, in_full=in_full)
        why = sentence(entry.reason, _) if entry.reason else entry.subject
        say(f"{when:<16}  {to:<24}  {entry.campaign:<16}  {state_word(entry.state, _):<14}  {why}")


def _print_tally(database: Database, query: LogQuery, config: Config, *, err: bool = True) -> None:
    from engine.cli.sentences import state_word
    from engine.store import reports

    _ = spoken(config)
    with database.read() as session:
        tally = reports.tally(session, query)
    states = [
        f"{count} {state_word(state, _)}" for state, count in sorted(tally.states.items(), key=lambda pair: -pair[1])
    ]
    say(
        " · ".join([_("%(count)s message" if tally.total == 1 else "%(count)s messages", count=tally.total), *states]),
        err=err,
    )
    if config.rehearsal and not query.rehearsal:
        say(_("This shop is rehearsing: `treuepost log --rehearsal` shows the mails nobody got."), err=err)


def show(
    ctx: typer.Context,
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The message's id; its first characters are enough.")],
    html: Annotated[bool, typer.Option("--html", help="Print the HTML that was sent, byte for byte.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Print the text that was sent, byte for byte.")] = False,
    eml: Annotated[bool, typer.Option("--eml", help="Print the whole mail with its headers.")] = False,
    show_addresses: _InFull = False,
    as_json: _Json = False,
) -> None:
    """Show one mail: its way, its reasons, its evidence and what was sent."""
    if html + text + eml + as_json > 1:
        raise UsageError("--html, --text, --eml and --json exclude each other.", "Ask for one of them.")
    from engine.store import attempts, reports

    with opened_store(ctx) as (config, database), database.read() as session:
        entry = _the_one(reports.find(session, message_id), message_id)
        mail = attempts.frozen(session, [entry.number]).get(entry.number)
        if html or text or eml:
            _write(_wanted(mail, entry, html=html, text=text))
            return
        calls = reports.calls(session, entry.number)
        if as_json:
            print_json({**as_line(entry), "detail": entry.detail, "calls": [asdict(call) for call in calls]})
            return
        _print_entry(entry, mail, config, in_full=show_addresses)


def _the_one(found: list[Entry], message_id: str) -> Entry:
    if not found:
        raise NothingFound(f'No message begins with "{message_id}".', "`treuepost log --json` names every message_id.")
    if len(found) > 1:
        raise UsageError(f'More than one message begins with "{message_id}".', "Give more of its characters.")
    return found[0]


def _wanted(mail: Email | None, entry: Entry, *, html: bool, text: bool) -> bytes:
    """Return the frozen bytes asked for; nothing is rendered anew."""
    if mail is None:
        raise NothingFound(f"This message is {entry.state}: nothing was ever sent, so there is nothing to show.")
    if html or text:
        return (mail.html if html else mail.text).encode()
    from engine.providers import mime

    return mime.build(mail, utf8_headers=not mail.to.isascii())


def _write(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _print_entry(entry: Entry, mail: Email | None, config: Config, *, in_full: bool) -> None:
    from engine.cli.sentences import sentence, state_word

    _ = spoken(config)
    facts = _facts(entry, _, shown(entry.email, in_full=in_full))
    width = max(map(len, facts))
    for name, value in facts.items():
        if value:
            say(f"{name:<{width}}  {value}")
    say()
    for step in entry.events:
        when = local_time(step.at, config.shop.zone, seconds=True)
        before = state_word(step.before, _) if step.before else "·"
        why = sentence(step.reason, _) if step.reason else ""
        say(f"  {when}  {before} → {state_word(step.after, _)}  {why}  {step.detail}".rstrip())
    for news in entry.news:
        when = local_time(news.at, config.shop.zone, seconds=True)
        say(f"  {when}  {news.provider}: {news.kind}  {news.detail}".rstrip())
    if mail:
        say(f"\n{mail.text}")


def _facts(entry: Entry, _: Translate, to: str) -> dict[str, str]:
    from engine.cli.reasons import BASES
    from engine.cli.sentences import sentence, state_word

    why = f": {sentence(entry.reason, _)}{': ' + entry.detail if entry.detail else ''}" if entry.reason else ""
    basis = _(BASES[Basis(entry.basis)]) if entry.basis else ""
    return {
        _("message"): entry.message_id + (f"  ({_('rehearsal')})" if entry.rehearsal else ""),
        _("to"): f"{to}  {entry.name}",
        _("customer"): entry.customer,
        _("campaign"): f"{entry.campaign} / {entry.step}  ({entry.occasion})",
        _("subject"): entry.subject,
        _("state"): f"{state_word(entry.state, _)} ({entry.state}){why}",
        _("basis"): " · ".join(part for part in (basis, entry.evidence) if part),
        _("provider"): " · ".join(part for part in (entry.provider, entry.provider_id) if part),
    }
