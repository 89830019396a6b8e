"""`import` and `pull`: a file comes in, after a look at how it will be read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.asking import confirmed
from engine.cli.opening import Translate, opened, spoken
from engine.cli.output import console, print_json, say
from engine.errors import NothingFound, TreuepostError, UsageError

if TYPE_CHECKING:  # heavy: only a command that needs them pays for them
    from engine.app import App
    from engine.sources.options import ReadOptions
    from engine.sources.preview import Preview
    from engine.steps.importing.files import ImportReport
    from engine.steps.importing.pulling import PullResult

PARTLY_DONE = 3

Maps = Annotated[
    list[str] | None, typer.Option("--map", metavar="HEADER=FIELD", help="Say which field a column is; repeat it.")
]
Values = Annotated[
    list[str] | None,
    typer.Option("--values", metavar="FIELD:THEIRS=OURS", help="Say what a word in a column means here; repeat it."),
]
Dates = Annotated[
    str | None,
    typer.Option("--date-format", metavar="FORMAT", help="How dates are written: D/M/YYYY, TT.MM.JJ, excel."),
]
Tidy = Annotated[
    bool | None,
    typer.Option("--tidy-names/--no-tidy-names", help="Write names that stand in CAPITALS as usual: JON is Jon."),
]
Complete = Annotated[
    bool, typer.Option("--complete", help="The file names every customer; the others are marked not_in_source.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; everything else on stderr.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_file)
    app.command("pull")(pull)


def import_file(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="customers, purchases, service-items, visits, consents or suppressions.")],
    file: Annotated[Path, typer.Argument(help="A CSV, XLSX or ODS file.")],
    maps: Maps = None,
    values: Values = None,
    date_format: Dates = None,
    encoding: Annotated[str | None, typer.Option("--encoding", help="For instance utf-8 or cp1252.")] = None,
    delimiter: Annotated[str | None, typer.Option("--delimiter", help="; or , or | or tab.")] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", help="The sheet of a workbook.")] = None,
    tidy_names: Tidy = None,
    complete: Complete = False,
    refused: Annotated[
        Path | None, typer.Option("--refused", metavar="FILE", help="Where refused rows go (default: beside FILE).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Import as the preview proposes, without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the preview and write nothing.")] = False,
    json: AsJson = False,
) -> None:
    """Import a file, after a preview of how it is read."""
    from engine.sources.options import ReadOptions, columns_from_flags, values_from_flags

    options = ReadOptions(
        columns=columns_from_flags(maps or []),
        values=values_from_flags(values or []),
        date_format=date_format,
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        tidy_names=tidy_names,
    )
    with opened(ctx) as app:
        preview = _looked_at(app, _known(what), file, options)
        show_preview(preview, app.home, err=json)
        if dry_run:
            _end_dry_run(preview, json=json)
            return
        chosen = _agreed(preview, spoken(app.config), yes=yes)
        report = _imported(app, preview, chosen, refused, complete=complete, yes=yes)
    _show(report, json=json)


def pull(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The NAME of [source.NAME]; all of them without one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take a file that has lost many rows as whole.")] = False,
    json: AsJson = False,
) -> None:
    """Import the files of the configured sources that have changed."""
    from engine.steps.importing.pulling import pull as pull_sources

    with opened(ctx) as app:
        if not app.config.source:
            raise NothingFound("config.toml names no source.", "`treuepost import` prints one ready to be kept.")
        with progress_bar(0) as progress:
            results = pull_sources(app, name, app.clock(), yes=yes, progress=progress)
    for result in results:
        _say_pulled(result, err=json)
    if json:
        print_json([_pulled_document(result) for result in results])
    if any(result.error for result in results):
        raise typer.Exit(TreuepostError.exit_code)
    if any(result.report and result.report.refused for result in results):
        raise typer.Exit(PARTLY_DONE)


def _say_pulled(result: PullResult, *, err: bool) -> None:
    if result.error:
        say(f"{result.source}: error: {result.error}", err=True)
        if result.hint:
            say(f"  {result.hint}", err=True)
    elif result.report:
        _say_report(result.report, f"{result.source}: ", err=err)
    else:
        say(f"{result.source}: nothing new in {result.file.name}", err=err)


def _pulled_document(result: PullResult) -> dict[str, object]:
    about: dict[str, object] = {"source": result.source, "what": result.what, "file": str(result.file)}
    report = _document(result.report) if result.report else {}
    return about | {"new": result.report is not None, "error": result.error or None} | report


def _known(what: str) -> str:
    from difflib import get_close_matches

    from engine.sources.rows import ROWS

    if what in ROWS:
        return what
    near = get_close_matches(what, ROWS, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"One of: {', '.join(ROWS)}."
    raise UsageError(f'"{what}" cannot be imported.', hint)


def _looked_at(app: App, what: str, file: Path, options: ReadOptions) -> Preview:
    from engine.sources.files import read
    from engine.sources.mapping import Surroundings
    from engine.sources.preview import propose

    shop = app.config.shop
    return propose(read(file, options), what, options, Surroundings(shop.zone, shop.currency, app.clock()))


def show_preview(preview: Preview, home: Path, *, err: bool) -> None:
    """Print which column is which field, what is proposed, and how to keep it."""
    table = preview.table
    details = [
        table.encoding,
        repr(table.delimiter) if table.delimiter else "",
        table.sheet and f'sheet "{table.sheet}"',
    ]
    say(f"{table.path.name} · about {table.size:,} rows · {' · '.join(word for word in details if word)}", err=err)
    for note in table.notes:
        say(f"  {note}", err=err)
    _print_columns(preview, err=err)
    for group in preview.missing:
        say(f"  missing: a column {' or '.join(group)}", err=err)
    if preview.dates and not preview.dates.format:
        say(f"  dates: {preview.dates.because}", err=err)
    if preview.added or preview.dates or preview.propose_tidy:
        say("\nIn full:\n  " + preview.command(), err=err)
        say("\nTo keep it for `treuepost pull`, in config.toml:\n" + preview.source(home) + "\n", err=err)


def _print_columns(preview: Preview, *, err: bool) -> None:
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("column", "field", "sample", "note"):
        grid.add_column(heading, overflow="fold")
    for column in preview.columns:
        grid.add_row(column.header, f"-> {column.field or '(ignored)'}", column.sample, column.note)
    console(err=err).print(grid)


def _end_dry_run(preview: Preview, *, json: bool) -> None:
    say("Nothing was written.", err=json)
    if json:
        print_json(
            {
                "columns": preview.mapping.columns,
                "missing": [list(group) for group in preview.missing],
                "settled": preview.settled,
                "command": preview.command(),
            }
        )
    if preview.missing:
        raise typer.Exit(UsageError.exit_code)


def _agreed(preview: Preview, _: Translate, *, yes: bool) -> ReadOptions:
    """Return the options to import with: the proposal where somebody agrees, else what was told if that is enough."""
    from engine.sources.mapping import missing_sentence

    if preview.missing:
        raise UsageError(
            missing_sentence(preview.table, list(preview.missing)),
            'Say which column it is, like --map "Kundennr.=customer_id".',
        )
    if yes:
        return preview.options
    if sys.stdin.isatty() and sys.stderr.isatty():
        if not confirmed(_("Write it?"), _, err=True):
            say(_("Nothing was written."), err=True)
            raise typer.Exit
        return preview.options
    if not preview.settled:
        because = preview.dates.because if preview.dates and not preview.dates.format else ""
        raise UsageError(
            f"{preview.table.path.name} can only be read by guessing{': ' + because if because else ''}.",
            f"Nothing was written. If the preview is right, run:\n{preview.command()}",
        )
    for header, name in preview.added.items():
        say(f'warning: the column "{header}" was left out; --map "{header}={name}" takes it', err=True)
    return preview.told


def _imported(
    app: App, preview: Preview, chosen: ReadOptions, refused: Path | None, *, complete: bool, yes: bool
) -> ImportReport:
    from engine.sources.mapping import settle
    from engine.sources.refused import RefusedRows, refused_file
    from engine.steps.importing.files import import_table

    table = preview.table
    mapping = settle(table, preview.what, chosen, preview.mapping.surroundings)
    with RefusedRows(refused or refused_file(table.path), table) as rows, progress_bar(2 * table.size) as progress:
        return import_table(app, table, mapping, refused=rows, complete=complete, yes=yes, progress=progress)


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[int], None]]:
    """Draw a bar on stderr where somebody is looking; lend the function that moves it on."""
    if not sys.stderr.isatty():
        yield lambda _rows: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TimeElapsedColumn

    columns = (BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(err=True), transient=False) as bar:
        task = bar.add_task("import", total=total or None)
        yield lambda rows: bar.advance(task, rows)


def _show(report: ImportReport, *, json: bool) -> None:
    """Print what came of it; end with "partly done" where rows were refused."""
    _say_report(report, err=json)
    if json:
        print_json(_document(report))
    if report.refused:
        raise typer.Exit(PARTLY_DONE)


def _say_report(report: ImportReport, before: str = "", *, err: bool) -> None:
    for warning in report.warnings:
        say(f"warning: {before}{warning}", err=True)
    where = f" -> {report.refused_file}" if report.refused_file else ""
    say(
        f"{before}{report.read:,} read · {report.created:,} new · {report.updated:,} updated · "
        f"{report.unchanged:,} unchanged · {report.refused:,} refused{where}",
        err=err,
    )


def _document(report: ImportReport) -> dict[str, object]:
    return {
        "read": report.read,
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "refused": report.refused,
        "refused_file": str(report.refused_file) if report.refused_file else None,
        "warnings": list(report.warnings),
    }
