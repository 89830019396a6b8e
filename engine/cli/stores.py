"""`treuepost db`: bring the store's schema up to date, copy it, say how it stands and which one it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.moving import move
from engine.cli.opening import Translate, clock_at, opened_premises, read_config, spoken
from engine.cli.output import print_json, say
from engine.domain.calendar import local_time
from engine.domain.guard import Answer

if TYPE_CHECKING:
    from engine.config.loading import Config
    from engine.steps.guarding import Adoption
    from engine.store.database import Database

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the commands about the store."""
    about = "The store: upgrade, backup, status, adopt, move."
    noun = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    noun.command("upgrade")(upgrade)
    noun.command("backup")(backup)
    noun.command("status")(status)
    noun.command("move")(move)
    noun.command("adopt")(adopt)
    app.add_typer(noun, name="db")


def upgrade(ctx: typer.Context, as_json: _Json = False) -> None:
    """Bring the store's schema to this version; a backup is made first."""
    from engine.clock import system_clock
    from engine.store import backups, schema

    config, database = _store(ctx)
    _ = spoken(config)
    copy = None
    if database.sqlite and schema.present(database) not in {"", schema.known()}:
        copy = backups.back_up(database, system_clock())
    before, after = schema.upgrade(database)
    if as_json:
        print_json({"before": before, "after": after, "backup": copy.path if copy else None})
        return
    if copy:
        say(_("Backup made first: %(file)s", file=copy.path))
    if before == after:
        say(_("The store is up to date (%(schema)s).", schema=after))
    else:
        say(_("The store's schema was %(before)s and is %(after)s now.", before=before or "–", after=after))


def backup(
    ctx: typer.Context,
    to: Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="Where (default: backups/).")] = None,
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many copies to keep.")] = 14,
    as_json: _Json = False,
) -> None:
    """Copy the store while it is in use, and prove the copy."""
    from engine.clock import system_clock
    from engine.store import backups

    config, database = _store(ctx)
    _ = spoken(config)
    copy = backups.back_up(database, system_clock(), to, keep)
    if as_json:
        print_json({"file": copy.path, "bytes": copy.bytes, "rows": copy.rows, "verified": True})
        return
    text = "Backup %(file)s: %(rows)s rows, %(size)s; opened, checked and counted."
    say(_(text, file=copy.path, rows=sum(copy.rows.values()), size=_size(copy.bytes)))
    say(_("secret.key is not part of it. Keep a copy of that file elsewhere: old unsubscribe links need it."))


def status(ctx: typer.Context, as_json: _Json = False) -> None:
    """Say which schema the store has, how big it is, and when it was last copied."""
    from engine.store import backups, schema, workers

    config, database = _store(ctx)
    _ = spoken(config)
    latest = backups.latest(database)
    facts: dict[str, object] = {
        "store": database.url.render_as_string(hide_password=True),
        "kind": "sqlite" if database.sqlite else "postgresql",
        "schema": schema.present(database),
        "needed": schema.known(),
        "bytes": database.path.stat().st_size if database.path and database.path.exists() else None,
        "last_backup": latest,
        "senders": workers.living(database),
    }
    if as_json:
        print_json(facts)
        return
    _show_status(facts, _)


def _show_status(facts: dict[str, object], _: Translate) -> None:
    size, senders = facts["bytes"], facts["senders"]
    lines = {
        _("store"): facts["store"],
        _("schema"): facts["schema"] or _("empty"),
        _("size"): _size(size) if isinstance(size, int) else "–",
        _("last backup"): facts["last_backup"] or _("none"),
        _("sending now"): ", ".join(senders) if isinstance(senders, list) and senders else _("nobody"),
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        say(f"{name:<{width}}  {value}")
    if facts["schema"] != facts["needed"]:
        say(_("This program needs schema %(schema)s: run `treuepost db upgrade`.", schema=facts["needed"]))


def adopt(
    ctx: typer.Context,
    answer: Annotated[Answer, typer.Argument(help="Which store this is: moved, restored or copy.")],
    lost_until: Annotated[
        str | None,
        typer.Option("--lost-until", metavar="TIME", help="With restored: until when mails may have left since."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Say which store this is, after it was moved, put back from a backup, or copied; until then it sends nothing."""
    from engine.clock import system_clock
    from engine.steps import guarding
    from engine.store import clocks

    with opened_premises(ctx) as shop:
        zone = shop.config.shop.zone
        said = clock_at(lost_until, zone)() if lost_until else None
        done = guarding.adopt(shop, answer, clocks.of(shop.database, system_clock)(), said)
        if as_json:
            facts = {"lost_until": done.lost_until, "held": done.held, "unknown": done.unknown, "budget": done.budget}
            print_json({"answer": done.answer, **facts})
            return
        until = local_time(done.lost_until, zone) if done.lost_until else ""
        for line in _adopted(done, until, spoken(shop.config)):
            say(line)


def _adopted(done: Adoption, until: str, _: Translate) -> list[str]:
    if done.answer is Answer.MOVED:
        return [_("This store is the only one now. It goes on.")]
    if done.answer is Answer.COPY:
        return [_("This store is a copy for looking now. It sends nothing until you say something else of it.")]
    lines = [_("Whatever may have been sent up to %(until)s is not sent again by itself.", until=until)]
    if done.held:
        lines.append(_("%(count)s mails wait for your word: treuepost messages list", count=done.held))
    if done.unknown:
        lines.append(_("%(count)s mails were being sent when the backup was made: unknown.", count=done.unknown))
    if done.budget:
        lines.append(_("%(count)s mails of today's budget count as spent.", count=done.budget))
    return lines


def _store(ctx: typer.Context) -> tuple[Config, Database]:
    """Open the store as it is: these commands are for the very stores the others refuse."""
    from engine.store.database import Database

    config = read_config(ctx)
    return config, Database(config.store.url)


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
