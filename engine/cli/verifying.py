"""`treuepost consent verify`: whether the consent log is as it was written, and the first place at which it is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import opened_store, spoken
from engine.cli.output import print_json, say
from engine.domain.calendar import local_time

if TYPE_CHECKING:
    from engine.config.loading import Config
    from engine.steps.watching.checkpointing import Verified

_SHOWN = 20


def verify(
    ctx: typer.Context,
    checkpoints: Annotated[
        Path | None, typer.Option("--checkpoints", metavar="FILE", help="Lines kept elsewhere, such as mailed ones.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check every event of the consent log; end with 1 and the number of the first that is not as it was written."""
    from engine.steps.watching.checkpointing import verify as ask

    with opened_store(ctx) as (config, database):
        found = ask(database, config.home, checkpoints)
        if as_json:
            print_json(_document(found))
        else:
            _print(found, config)
    if found.faults:
        raise typer.Exit(1)


def _document(found: Verified) -> dict[str, object]:
    return {
        "ok": not found.faults,
        "events": found.events,
        "head": found.head,
        "erased": found.erased,
        "checkpoints": found.checkpoints,
        "restored": [{"at": one.at, "size": one.size} for one in found.restored],
        "first_bad": found.faults[0].seq if found.faults else None,
        "faults": [{"seq": fault.seq, "what": fault.what % fault.values} for fault in found.faults],
    }


def _print(found: Verified, config: Config) -> None:
    _ = spoken(config)
    for fault in found.faults[:_SHOWN]:
        what = _(fault.what, **fault.values) if fault.values else _(fault.what)
        say(_("Event no. %(seq)s %(what)s.", seq=fault.seq, what=what))
    if len(found.faults) > _SHOWN:
        say(_("… and %(count)s more.", count=len(found.faults) - _SHOWN))
    for one in found.restored:
        at = local_time(one.at, config.shop.zone)
        say(_("On %(at)s a backup was put back that ended with event no. %(size)s.", at=at, size=one.size))
    if found.faults:
        say(_("The first bad entry is no. %(seq)s. Nothing was changed.", seq=found.faults[0].seq))
        say(_("If you have put back a backup, say so: treuepost db adopt restored."))
        return
    say(_("Events: %(count)s. Every one is as it was written.", count=found.events))
    if found.erased:
        say(_("Personal data erased: %(count)s; the log still fits.", count=found.erased))
    if found.checkpoints:
        say(_("Checkpoints outside the store that agree with it: %(count)s.", count=found.checkpoints))
    elif found.events:
        say(_("There is no checkpoint outside the store yet: the daemon writes one a day."))
