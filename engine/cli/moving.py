"""`treuepost db move`: take the whole store to another database, and prove that all of it arrived."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.importing import progress_bar
from engine.cli.opening import read_config, spoken
from engine.cli.output import print_json, say
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.config.loading import Config
    from engine.store.database import Database

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Target = Annotated[
    str, typer.Argument(metavar="TARGET_URL", help="postgresql://user@host/name, or sqlite:///file; it must be empty.")
]


def move(ctx: typer.Context, target: _Target, as_json: _Json = False) -> None:
    """Copy the whole store to an empty database and compare every row. The daemon must be stopped."""
    from engine.store import moving, ownership
    from engine.store.database import Database

    config = read_config(ctx)
    source, new = Database(config.store.url), Database(_url(config, target))
    try:
        if source.url == new.url:
            raise UsageError("The store lies there already.", "Name another database: it must be empty.")
        with ownership.nobody_sends(source), ownership.nobody_sends(new), progress_bar(moving.count(source)) as bar:
            rows = moving.move(source, new, bar)
            moving.hand_over(source, new)
        _answer(config, source, new, rows, as_json=as_json)
    finally:
        source.close()
        new.close()


def _url(config: Config, target: str) -> str:
    """Return the target as the config would read it: a file's path counts from the config's folder."""
    from engine.config.sections import Store

    try:
        read = Store(url=target)
    except ValueError as error:
        raise UsageError(
            f'"{target}" is not the URL of a store.', "Write postgresql://user@host/name or sqlite:///file.db."
        ) from error
    return f"sqlite:///{config.home / read.file}" if read.file else read.url


def _answer(config: Config, source: Database, new: Database, rows: dict[str, int], *, as_json: bool) -> None:
    before, after = (database.url.render_as_string(hide_password=True) for database in (source, new))
    if as_json:
        print_json({"from": before, "to": after, "rows": rows, "verified": True})
        return
    _ = spoken(config)
    full = sum(count > 0 for count in rows.values())
    text = "Moved: %(rows)s rows in %(tables)s tables, each compared with its original."
    say(_(text, rows=sum(rows.values()), tables=full))
    say(_("The old store keeps its rows and sends nothing any more: %(store)s.", store=before))
    say(_("Now write this into %(file)s, then start the daemon:", file=config.file))
    say(f'\n[store]\nurl = "{after}"\n')
    here, there = _folder(config, source), _folder(config, new)
    if here != there:
        say(
            _(
                "Copy secret.key, suppressions.log and erasures.log from %(here)s to %(there)s first.",
                here=here,
                there=there,
            )
        )


def _folder(config: Config, database: Database) -> Path:
    """Return where a store's keys and its list of objections lie."""
    from engine.app import key_file

    return key_file(config, database).parent.resolve()
