"""`treuepost doctor`: looks at everything that is not a campaign's wording, one line each: ok, warn or FAIL."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.opening import read_config, spoken
from engine.cli.output import print_json, say


def register(app: typer.Typer) -> None:
    """Add `doctor`."""
    app.command("doctor")(doctor)


def doctor(
    ctx: typer.Context,
    online: Annotated[bool, typer.Option("--online", help="Try to reach the provider too.")] = False,
    eml: Annotated[
        Path | None, typer.Option("--eml", metavar="FILE", help="Look at a mail as it arrived, and at nothing else.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look at config, secrets, store, clock, space and provider; end with 1 where something has failed."""
    from engine.cli import checkup, received
    from engine.clock import system_clock

    config = read_config(ctx)
    _ = spoken(config)
    found = received.examine(eml, _) if eml else checkup.examine(config, system_clock(), _, online=online)
    lines = list(found)
    failed = any(line.verdict == checkup.FAIL for line in lines)
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(line) for line in lines]})
    else:
        for line in lines:
            say(
                f" {line.verdict:<4}  {line.about:<9}  {line.text}"
                + (f"\n{'':17}→ {line.remedy}" if line.remedy else "")
            )
    if failed:
        raise typer.Exit(1)
