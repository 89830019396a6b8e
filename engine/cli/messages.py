"""`treuepost messages`: the mails that wait, and the owner's word on single ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import Translate, opened_store, spoken
from engine.cli.output import print_json, print_json_line, say, shown
from engine.domain.calendar import local_time
from engine.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.domain.words import State
    from engine.steps.intervening import Act, ActOnLot
    from engine.store.database import Database
    from engine.store.holds import Lot
    from engine.store.messages import MessageRow

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Message ids, or their first letters.")]
_Names = Annotated[
    list[str],
    typer.Argument(metavar="ID…", help="Message ids, or their first letters; or a campaign: everything held of it."),
]
_Reason = Annotated[str | None, typer.Option("--reason", help="Of a campaign only what is held for this reason.")]
JSON_KEYS = ("message_id", "campaign", "step", "state", "reason", "due", "send_after", "expires_at", "attempts")


def register(app: typer.Typer) -> None:
    """Add `messages list`, `release`, `cancel` and `retry`."""
    noun = typer.Typer(
        help="Mails that wait, and your word on single ones.", no_args_is_help=True, rich_markup_mode=None
    )
    noun.command("list")(list_messages)
    noun.command("release")(release)
    noun.command("cancel")(cancel)
    noun.command("retry")(retry)
    app.add_typer(noun, name="messages")


def list_messages(
    ctx: typer.Context,
    state: Annotated[
        list[str] | None, typer.Option("--state", help="Only this state (default: all that wait).")
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="Show at most so many.")] = 100,
    show_addresses: Annotated[bool, typer.Option("--show-addresses", help="Show e-mail addresses in full.")] = False,
    as_json: _Json = False,
) -> None:
    """List the messages that wait, the next to go first; what is held together is one line unless --state asks.

    --json prints one object a line, each message on its own.
    """
    from engine.store import addresses, holds

    wanted = _states(state)
    with opened_store(ctx) as (config, database):
        with database.read() as session:
            lots = [] if state or as_json else _whole_lots(holds.lots(session))
            rows = holds.besides(session, wanted, lots, limit)
            emails = addresses.emails_of(session, sorted({row.address_id for row in rows if row.address_id}))
        if as_json:
            for row in rows:
                print_json_line({key: getattr(row, key) for key in JSON_KEYS})
            return
        _ = spoken(config)
        if not rows and not lots:
            say(_("Nothing waits."))
        _show_lots(lots, config.shop.zone, _)
        for row in rows:
            email = shown(emails.get(row.address_id or 0), in_full=show_addresses)
            say(_waiting(row, local_time(row.send_after, config.shop.zone), email, _))


def _waiting(row: MessageRow, when: str, email: str, _: Translate) -> str:
    from engine.cli.sentences import sentence, state_word

    why = sentence(row.reason, _) if row.reason else ""
    line = f"{row.message_id[:8]}  {when:<16}  {email:<24}  {row.campaign:<16}  {state_word(row.state, _):<14}  {why}"
    return line.rstrip()


def _states(words: list[str] | None) -> list[State]:
    """Return the states that are meant: those named, else all in which a message waits."""
    from engine.domain.states import OPEN
    from engine.domain.words import State

    for word in words or ():
        if word not in set(State):
            raise UsageError(f'"{word}" is no state.', f"States: {', '.join(State)}.")
    return [State(word) for word in words or sorted(OPEN)]


def _show_lots(lots: list[Lot], zone: ZoneInfo, _: Translate) -> None:
    for lot in lots:
        say(_lot_line(lot, local_time(lot.first, zone), _))
    if lots:
        say(_("`treuepost messages release CAMPAIGN` lets them go, `… cancel CAMPAIGN` ends them."))


def _whole_lots(lots: list[Lot]) -> list[Lot]:
    """Return the lots that are told in one line: what a rule or a restored store has held, and no single messages."""
    from engine.domain.words import Reason
    from engine.store.holds import FOR_A_WORD

    return [lot for lot in lots if lot.reason in {*FOR_A_WORD, Reason.STORE_RESTORED}]


def _lot_line(lot: Lot, when: str, _: Translate) -> str:
    from engine.cli.sentences import sentence
    from engine.steps.watching.telling import numbers

    mails = _("%(count)s mail" if lot.count == 1 else "%(count)s mails", count=lot.count)
    why = numbers(lot.detail, _)
    line = f"{mails:<10}  {when:<16}  {lot.campaign:<16}  {sentence(lot.reason, _)}"
    return f"{line}: {why}" if why else line


def release(ctx: typer.Context, ids: _Names, reason: _Reason = None, as_json: _Json = False) -> None:
    """Let held messages go on their way, single ones or a whole campaign's; the gates decide as ever."""
    from engine.steps import intervening

    _act(ctx, ids, intervening.release, intervening.release_lot, reason=reason, as_json=as_json)


def cancel(ctx: typer.Context, ids: _Names, reason: _Reason = None, as_json: _Json = False) -> None:
    """End messages that have not begun to go out; of a campaign only what is held."""
    from engine.steps import intervening

    _act(ctx, ids, intervening.cancel, intervening.cancel_lot, reason=reason, as_json=as_json)


def retry(ctx: typer.Context, ids: _Ids, as_json: _Json = False) -> None:
    """Let messages that wait be looked at in the next pass. What may have left is never sent again."""
    from engine.steps import intervening

    _act(ctx, ids, intervening.retry, None, reason=None, as_json=as_json)


def _act(
    ctx: typer.Context, names: list[str], act: Act, on_lot: ActOnLot | None, *, reason: str | None, as_json: bool
) -> None:
    """Do the same with every message named, all or none, and with every lot named; say what came of it."""
    from engine.clock import system_clock
    from engine.steps.intervening import act_on

    now = system_clock()
    with opened_store(ctx) as (config, database):
        lots = {name: _lot_meant(database, name, reason) for name in names} if on_lot else {}
        ids = [name for name in names if lots.get(name) is None]
        with database.write() as session:
            done = act_on(session, ids, act, now)
        changed = {lot: on_lot(database, lot, now) for lot in lots.values() if on_lot and lot is not None}
        if as_json:
            every = [*done, *(one for each in changed.values() for one in each)]
            print_json([{"message_id": row.message_id, "before": row.state, "state": after} for row, after in every])
            return
        _ = spoken(config)
        for row, after in done:
            say(_line(row, after, _))
        for lot, each in changed.items():
            say(_lot_done(lot, each, _))


def _lot_meant(database: Database, name: str, reason: str | None) -> Lot | None:
    """Return what is held of a campaign of this name; None where it is no such campaign."""
    from engine.steps.intervening import held_lots

    with database.read() as session:
        lots = held_lots(session, name)
    wanted = [lot for lot in lots if reason is None or lot.reason == reason]
    there_are = ", ".join(f"{lot.reason} ({lot.count})" for lot in lots)
    if lots and not wanted:
        raise UsageError(f'Nothing of "{name}" is held for the reason "{reason}".', f"There are: {there_are}.")
    if len(wanted) > 1:
        raise UsageError(f'"{name}" is held for several reasons.', f"Say --reason. There are: {there_are}.")
    return wanted[0] if wanted else None


def _lot_done(lot: Lot, done: list[tuple[MessageRow, State]], _: Translate) -> str:
    from engine.cli.sentences import state_word
    from engine.domain.words import State as States

    after = state_word(done[0][1] if done else States.HELD, _)
    return f"{lot.campaign}: {len(done)}  {state_word(States.HELD, _)} → {after}"


def _line(row: MessageRow, after: str, _: Translate) -> str:
    from engine.cli.sentences import state_word

    return f"{row.message_id}  {state_word(row.state, _)} → {state_word(after, _)}"
