"""`treuepost demo`: a small invented shop, one pass, and a look at everything, in the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import spoken
from engine.cli.output import print_json, say
from engine.domain.calendar import local_time
from engine.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from engine.app import App
    from engine.steps.passing import PassReport

MARK = ".treuepost-demo"


def register(app: typer.Typer) -> None:
    """Add `demo`."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to lay it out.")] = Path("demo-shop"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw an earlier demo in DIR away.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the main job on an invented shop: import, one pass, reach, plan, log. Nobody is written to."""
    from dataclasses import asdict

    from engine.cli import demo_shop
    from engine.clock import system_clock
    from engine.steps import passing

    instant = demo_shop.instant_before(system_clock())
    _clear(folder, fresh=fresh)
    app = _open_shop(folder, instant)
    try:
        imported = _import(app, instant)
        report = passing.one_pass(app, imagined=True)
        if as_json:
            print_json({"folder": folder, "at": instant, "imported": imported, "tick": asdict(report)})
            return
        _show(app, folder, imported, report)
    finally:
        app.database.close()


def _clear(folder: Path, *, fresh: bool) -> None:
    """Throw away an earlier demo and nothing else."""
    if fresh and (folder / MARK).is_file():
        shutil.rmtree(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty.", "Name another folder; --fresh throws away an earlier demo only.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def _open_shop(folder: Path, instant: datetime) -> App:
    """Lay the shop out and assemble it, with its clock at an hour at which mails may go."""
    from engine.app import assemble
    from engine.cli import demo_shop, starter
    from engine.clock import stopped_at
    from engine.config.loading import load_config

    demo_shop.write(folder, instant.date())
    shutil.copytree(starter.shipped("templates"), folder / "templates")
    (folder / "campaigns").mkdir()
    for file in sorted(starter.shipped("campaigns").glob("*.toml")):
        text = file.read_text(encoding="utf-8").replace("enabled = false", "enabled = true")
        (folder / "campaigns" / file.name).write_text(text, encoding="utf-8")
        if starter.trigger_of(file) == "service_due":
            contract = folder / "campaigns" / f"{file.stem}-contract.toml"
            contract.write_text(starter.for_contracts(text), encoding="utf-8")
    return assemble(load_config(folder / "config.toml", os.environ), stopped_at(instant))


def _import(app: App, instant: datetime) -> dict[str, int]:
    """Pull the shop's lists through the same step that `treuepost pull` runs."""
    from engine.steps.importing import pulling

    results = pulling.pull(app, None, instant)
    for result in results:
        if result.error:
            raise UsageError(f"{result.file}: {result.error}", result.hint)
    return {result.what: result.report.created for result in results if result.report}


def _show(app: App, folder: Path, imported: dict[str, int], report: PassReport) -> None:
    from engine.cli import reach
    from engine.cli.logs import show_log
    from engine.cli.planning import show_forecast
    from engine.steps.foresight import foreseeing

    _ = spoken(app.config)
    when = local_time(app.clock(), app.config.shop.zone)
    _head(1, _("An invented bicycle shop, as of %(when)s", when=when))
    say("  " + ", ".join(f"{count} {_(what)}" for what, count in imported.items()))
    _head(2, _("Whom may it write to? (treuepost reach)"))
    reach.tell(app, app.clock())
    _head(3, _("One pass (treuepost tick)"))
    counts = "Planned %(planned)s, sent %(sent)s, skipped %(skipped)s, still waiting %(waiting)s."
    say("  " + _(counts, planned=report.planned, sent=report.sent, skipped=report.skipped, waiting=report.waiting))
    _head(4, _("The coming week (treuepost plan --days 7)"))
    show_forecast(app, foreseeing.foresee(app, app.clock(), 7))
    _head(5, _("Who got what, and why others did not (treuepost log --rehearsal)"))
    show_log(app.config, app.database, app.clock())
    _head(6, _("Where to look"))
    _show_where(app, folder)


def _head(number: int, text: str) -> None:
    from rich.text import Text

    from engine.cli.output import console

    console().print(Text(f"\n{number}. {text}", style="bold cyan"))


def _show_where(app: App, folder: Path) -> None:
    _ = spoken(app.config)
    mails = sorted((app.home / "outbox").glob("*.eml"))
    say(f"  {folder}/outbox/  " + _("%(count)s mails; a mail program opens them", count=len(mails)))
    program = "treuepost" if shutil.which("treuepost") else sys.argv[0]  # `make demo`: .venv is not on the path
    if mails:
        say(f"  {program} --config {folder}/config.toml log show {mails[0].stem[:8]} --text")
    say(f"  {program} --config {folder}/config.toml explain 1003 birthday")
    say(f"  {folder}/campaigns/  " + _("four campaigns to read and change"))
