"""`treuepost suppress`: addresses nobody may write to, whatever was agreed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import Translate, opened_premises, spoken
from engine.cli.output import print_json, say, shown
from engine.cli.reasons import REASONS
from engine.domain.calendar import local_time
from engine.domain.words import Reason
from engine.errors import NothingFound, TreuepostError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.store.suppressions import Listed

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The address.")]


def register(app: typer.Typer) -> None:
    """Add `suppress add`, `remove` and `list`."""
    noun = typer.Typer(help="Addresses nobody may write to.", no_args_is_help=True, rich_markup_mode=None)
    noun.command("add")(add)
    noun.command("remove")(remove)
    noun.command("list")(show)
    noun.command("pull")(pull)
    app.add_typer(noun, name="suppress")


def add(
    ctx: typer.Context,
    email: _Email,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is kept.")],
    legal: Annotated[
        bool, typer.Option("--legal", help="For good, for the person and all their addresses (a cease-and-desist).")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Block an address for every mail, contract mail too. For an objection to advertising use `stop`."""
    from engine.clock import system_clock
    from engine.steps.suppressing import forbid, suppress

    with opened_premises(ctx) as shop:
        done = (forbid if legal else suppress)(shop, email, because, system_clock())
        if as_json:
            counts = {"skipped": done.skipped, "under_way": done.under_way}
            print_json({"email": done.email, "new": done.new, "known": bool(done.people)} | counts)
            return
        _ = spoken(shop.config)
        text = "%(email)s is blocked now: no mail goes there." if done.new else "%(email)s was blocked already."
        say(_(text, email=shown(done.email)))
        if done.skipped:
            say(_("%(count)s waiting mails were struck out.", count=done.skipped))
        if done.under_way:
            say(_("%(count)s mails may be on their way already.", count=done.under_way))


def remove(ctx: typer.Context, email: _Email, as_json: _Json = False) -> None:
    """Lift your own entry, or a bounce that was mended. An objection only the customer can lift."""
    from engine.clock import system_clock
    from engine.steps.suppressing import unsuppress

    with opened_premises(ctx) as shop:
        done = unsuppress(shop, email, system_clock())
        _ = spoken(shop.config)
        stays = sorted({one.reason for one in done.stays}, key=lambda one: (one is not Reason.LEGAL_BLOCK, one))
        if not done.lifted and not stays:
            raise NothingFound(_("%(email)s is not blocked.", email=shown(email)))
        if not done.lifted:
            raise TreuepostError(
                _("%(email)s stays blocked: %(reason)s.", email=shown(email), reason=_(REASONS[stays[0]])),
                _(_FOR_GOOD if stays[0] is Reason.LEGAL_BLOCK else _LIFTED_BY_THE_CUSTOMER),
            )
        if as_json:
            print_json({"email": email, "lifted": [one.reason for one in done.lifted], "stays": stays})
            return
        say(_("%(email)s is no longer blocked.", email=shown(email)))
        for reason in stays:
            say(_("This stays: %(reason)s.", reason=_(REASONS[reason])))


_FOR_GOOD = "This stands for good: nothing lifts it."
_LIFTED_BY_THE_CUSTOMER = "Only the customer can lift this, by agreeing anew and confirming it."


def show(
    ctx: typer.Context,
    show_addresses: Annotated[bool, typer.Option("--show-addresses", help="Show addresses in full.")] = False,
    as_json: _Json = False,
) -> None:
    """List who is blocked, since when and why. Where only a hash is known, its first letters are shown."""
    from engine.store import suppressions

    with opened_premises(ctx) as shop:
        with shop.database.read() as session:
            listed = suppressions.listing(session)
        if as_json:
            print_json([_document(one) for one in listed])
            return
        _ = spoken(shop.config)
        # One objection is kept for the person and for each address: the same line is told once.
        lines = dict.fromkeys(_line(one, _, shop.config.shop.zone, in_full=show_addresses) for one in listed)
        for line in lines:
            say(line)
        say(_("%(count)s entries", count=len(lines)), err=True)


def pull(ctx: typer.Context, as_json: _Json = False) -> None:
    """Read the provider's own block list: whoever unsubscribed or complained there is left alone here too."""
    from engine.cli.importing import progress_bar
    from engine.clock import system_clock
    from engine.steps.importing import blocked

    with opened_premises(ctx) as shop, progress_bar(0) as progress:
        done = blocked.pull(shop, system_clock(), progress)
        if as_json:
            print_json(asdict(done))
            return
        _ = spoken(shop.config)
        text = "%(read)s read from %(provider)s: %(created)s new, %(unchanged)s known already, %(refused)s unreadable"
        say(_(text, **asdict(done)))


def _line(one: Listed, _: Translate, zone: ZoneInfo, *, in_full: bool) -> str:
    address = shown(one.email, in_full=in_full) if one.email else f"#{one.exact_hash[:8]}"
    return f"{local_time(one.at, zone):<16}  {address:<28}  {_(REASONS[one.reason])}  {one.source}".rstrip()


def _document(one: Listed) -> dict[str, object]:
    return {
        "email": one.email or None,
        "hash": one.exact_hash,
        "scope": one.scope,
        "reason": one.reason,
        "at": one.at,
        "because": one.source,
    }
