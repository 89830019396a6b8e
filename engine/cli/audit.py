"""`treuepost audit`: asks the store whether every promise was kept, and shows the rows where it was not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import Translate, opened_store, spoken
from engine.cli.output import print_json, say
from engine.domain.calendar import local_time
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.campaigns.loading import Campaign
    from engine.config.loading import Config
    from engine.store.audit import Check
    from engine.store.auditing.contract import Violation

_ERASURE = "nothing remains of erased people in the files: erasing looks there itself, and `privacy purge` again"
_NO_CAMPAIGNS = "the campaigns' own hours and limits: a campaign file is not valid, see `treuepost check`"
_EARLIER = "quiet hours and [rules] at_most for mails before %(at)s, when config.toml was last changed"


def register(app: typer.Typer) -> None:
    """Add `audit`."""
    app.command("audit")(audit)


def audit(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False
) -> None:
    """Ask the store whether every promise was kept; end with 1 and the rows where one was not."""
    from engine import providers
    from engine.steps.watching import auditing

    counts: dict[str, int] = {}

    def tell(check: Check, found: int) -> None:
        counts[check.name] = found
        say(f"  {check.name} …", err=True)

    with opened_store(ctx) as (config, database):
        campaigns = _campaigns(config)
        edited = auditing.edited_at(config)
        ground = auditing.ground_of(config, campaigns or (), providers.build(config), edited)
        found = auditing.audit_store(database, ground, tell)
        _ = spoken(config)
        left_out = [_(_ERASURE), _(_EARLIER, at=local_time(edited, config.shop.zone))]
        left_out += [] if campaigns is not None else [_(_NO_CAMPAIGNS)]
        (_print if as_json else _show)(found, counts, left_out, _)
    if found:
        raise typer.Exit(1)


def _campaigns(config: Config) -> tuple[Campaign, ...] | None:
    """Read the campaigns; None where they cannot be read: the store can be asked without them."""
    from engine.campaigns.loading import load_campaigns

    try:
        return load_campaigns(config.home / "campaigns", config)
    except ConfigError:
        return None


def _print(found: list[Violation], counts: dict[str, int], left_out: list[str], _: Translate) -> None:
    from engine.store.audit import CHECKS

    meanings = {check.name: check.meaning for check in CHECKS}
    checked = [{"check": one.name, "promise": one.promise, "found": counts[one.name]} for one in CHECKS]
    rows = [{**asdict(one), "meaning": meanings[one.check]} for one in found]
    print_json({"ok": not found, "checked": checked, "not_checked": left_out, "violations": rows})


def _show(found: list[Violation], counts: dict[str, int], left_out: list[str], _: Translate) -> None:
    from engine.store.audit import CHECKS, MOST

    for check in CHECKS:
        mine = [one for one in found if one.check == check.name]
        say(f" {'ok' if not mine else 'FAIL':<4}  {_(check.promise)}")
        for one in mine:
            say(f"       {one.message_id or '–'}  {one.what}")
        if counts[check.name] >= MOST:
            say(f"       {_('… and perhaps more: no more than %(count)s are listed', count=MOST)}")
        if mine:
            say(f"       → {_(check.meaning)}")
    for what in left_out:
        say(f" –     {_('not checked:')} {what}")
    if not found:
        say(_("Nothing found: every promise the store can be asked about was kept."))
    else:
        text = "%(count)s findings. Nothing was changed. `treuepost log show ID` shows a message's whole way."
        say(_(text, count=len(found)))
