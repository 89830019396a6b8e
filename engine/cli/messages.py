"""`treuepost messages`: the mails that wait, and the owner's word on single ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import Translate, opened_store, spoken
from engine.cli.output import print_json, print_json_line, say, shown
from engine.domain.calendar import local_time
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.steps.intervening import Act
    from engine.store.messages import MessageRow

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Message ids, or their first letters.")]
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
    """List the messages that wait, the next to go first; --json prints one object a line."""
    from engine.domain.states import OPEN
    from engine.domain.words import State
    from engine.store import addresses, messages

    for word in state or ():
        if word not in set(State):
            raise UsageError(f'"{word}" is no state.', f"States: {', '.join(State)}.")
    wanted = [State(word) for word in state or sorted(OPEN)]
    with opened_store(ctx) as (config, database):
        with database.read() as session:
            rows = messages.listing(session, wanted, limit)
            emails = addresses.emails_of(session, sorted({row.address_id for row in rows if row.address_id}))
        if as_json:
            for row in rows:
                print_json_line({key: getattr(row, key) for key in JSON_KEYS})
            return
        _ = spoken(config)
        if not rows:
            say(_("Nothing waits."))
        for row in rows:
            email = shown(emails.get(row.address_id or 0), in_full=show_addresses)
            say(_waiting(row, local_time(row.send_after, config.shop.zone), email, _))


def _waiting(row: MessageRow, when: str, email: str, _: Translate) -> str:
    from engine.cli.sentences import sentence, state_word

    why = sentence(row.reason, _) if row.reason else ""
    line = f"{row.message_id[:8]}  {when:<16}  {email:<24}  {row.campaign:<16}  {state_word(row.state, _):<14}  {why}"
    return line.rstrip()


def release(ctx: typer.Context, ids: _Ids, as_json: _Json = False) -> None:
    """Let held messages go on their way; the gates decide as ever."""
    from engine.steps import intervening

    _act(ctx, ids, intervening.release, as_json=as_json)


def cancel(ctx: typer.Context, ids: _Ids, as_json: _Json = False) -> None:
    """End messages that have not begun to go out."""
    from engine.steps import intervening

    _act(ctx, ids, intervening.cancel, as_json=as_json)


def retry(ctx: typer.Context, ids: _Ids, as_json: _Json = False) -> None:
    """Let messages that wait be looked at in the next pass. What may have left is never sent again."""
    from engine.steps import intervening

    _act(ctx, ids, intervening.retry, as_json=as_json)


def _act(ctx: typer.Context, ids: list[str], act: Act, *, as_json: bool) -> None:
    """Do the same with every message named, all or none, and say what came of it."""
    from engine.clock import system_clock
    from engine.steps.intervening import act_on

    with opened_store(ctx) as (config, database):
        with database.write() as session:
            done = act_on(session, ids, act, system_clock())
        if as_json:
            print_json([{"message_id": row.message_id, "before": row.state, "state": after} for row, after in done])
            return
        for row, after in done:
            say(_line(row, after, spoken(config)))


def _line(row: MessageRow, after: str, _: Translate) -> str:
    from engine.cli.sentences import state_word

    return f"{row.message_id}  {state_word(row.state, _)} → {state_word(after, _)}"
