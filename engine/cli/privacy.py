"""`treuepost privacy`: what people may ask for, and how long what is kept. Every command notes who did it, and when."""

from __future__ import annotations

import getpass
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.opening import opened_premises, read_config, spoken
from engine.cli.output import print_json, say, shown
from engine.errors import UsageError

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Who = Annotated[str, typer.Argument(metavar="WHO", help="A customer number, an address, or a name in quotes.")]
_Operator = Annotated[
    str, typer.Option("--operator", metavar="NAME", help="Who does this (default: your account on this machine).")
]
_Lift = Annotated[bool, typer.Option("--lift", help="End it again.")]
_STOPPED = 130


def register(app: typer.Typer) -> None:
    """Add the commands under `privacy`."""
    noun = typer.Typer(help="The rights of a person, and how long what is kept.", no_args_is_help=True)
    for command in (export, erase, restrict, correct, hold, purge, record, breach):
        noun.command(command.__name__)(command)
    app.add_typer(noun, name="privacy")


def operator_of(given: str) -> str:
    """Return who acts: the name given, else the account's."""
    with suppress(OSError, KeyError):
        return given.strip() or getpass.getuser()
    return "unknown"


def export(
    ctx: typer.Context,
    who: _Who,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")] = Path(),
    portable: Annotated[bool, typer.Option("--portable", help="Only what the person gave, as JSON and CSV.")] = False,
    operator: _Operator = "",
    as_json: _Json = False,
) -> None:
    """Write down what is known of a person, as one page and as JSON (access, portability)."""
    from engine.cli.privacy_files import write_access, write_portable
    from engine.clock import system_clock
    from engine.steps.privacy import rights, subjects

    with opened_premises(ctx) as shop:
        now, subject = system_clock(), subjects.find(shop, who)
        document = (rights.portable if portable else rights.access)(shop, subject, now)
        rights.note_export(shop, subject, operator_of(operator), "portable" if portable else "export", now)
        if as_json:
            print_json(document)
            return
        files = write_portable(out, document) if portable else write_access(out, document, shop.config.shop.zone)
        _ = spoken(shop.config)
        say(_("Written for %(who)s:", who=subject.name or shown(who)))
        for file in files:
            say(f"  {file}")
        say(_("Give it to nobody but the person, at the address you have on file."))


def erase(
    ctx: typer.Context,
    who: _Who,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; name nobody in it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    operator: _Operator = "",
    as_json: _Json = False,
) -> None:
    """Forget a person: says what goes and what stays, asks, and prints the answer to send."""
    from engine.cli.asking import confirmed
    from engine.cli.privacy_answers import say_beforehand, say_erased
    from engine.clock import system_clock
    from engine.rendering.filters import format_day
    from engine.steps.privacy import forgetting, subjects

    with opened_premises(ctx) as shop:
        _ = spoken(shop.config)
        subject = subjects.find(shop, who)
        until = forgetting.evidence_until(shop, subject)
        last_day = format_day(until, "long", shop.config.shop.language) if until else ""
        say_beforehand(shop, subject, last_day, _)
        if not yes and not confirmed(_("Erase now?"), _, err=True):
            say(_("Nothing was erased."), err=True)
            raise typer.Exit(_STOPPED)
        order = forgetting.Order(operator_of(operator), because)
        done = forgetting.erase(shop, subject, order, system_clock())
        if as_json:
            print_json({**asdict(done), "evidence_until": until, "backups": str(shop.config.privacy.backups)})
            return
        say_erased(shop, done, last_day, _)


def restrict(
    ctx: typer.Context,
    who: _Who,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="What the person said.")] = "",
    lift: _Lift = False,
    operator: _Operator = "",
) -> None:
    """Keep somebody's data and use it for nothing, until the restriction is lifted."""
    from engine.clock import system_clock
    from engine.steps.privacy import correcting

    if not lift and not because:
        raise UsageError(
            "--because is missing.", "Say what the person disputes, for example: the amount of invoice 17."
        )
    with opened_premises(ctx) as shop:
        _, now = spoken(shop.config), system_clock()
        if lift:
            subject = correcting.unrestrict(shop, who, operator_of(operator), now)
            say(_("The data of %(who)s may be used again. Tell the person beforehand.", who=subject.name))
            return
        subject = correcting.restrict(shop, who, because, operator_of(operator), now)
        say(_("The data of %(who)s is kept and used for nothing, from this moment on.", who=subject.name))


def correct(
    ctx: typer.Context,
    who: _Who,
    values: Annotated[list[str], typer.Option("--set", metavar="FIELD=VALUE", help="What is right; repeat it.")],
    operator: _Operator = "",
    as_json: _Json = False,
) -> None:
    """Correct what is wrong about a customer. Your own customer list must be corrected as well."""
    from engine.clock import system_clock
    from engine.steps.privacy import correcting

    given = dict(_pair(text) for text in values)
    with opened_premises(ctx) as shop:
        done = correcting.correct(shop, who, given, operator_of(operator), system_clock())
        if as_json:
            print_json({"customer": done.subject.customer_id, "changed": done.changed, "new_address": done.new_address})
            return
        _ = spoken(shop.config)
        say(
            _("Corrected: %(fields)s.", fields=", ".join(given))
            if done.changed
            else _("That is what was there already.")
        )
        if done.new_address:
            say(_("The new address has no consent: it was given at the old one. Ask for it anew."))
        if shop.config.source:
            say(_("Correct it in your source as well, or the next import brings the old value back."))


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise UsageError(f'--set "{text}" has no "=".', 'Write it like --set last_name="Meyer".')
    return name.strip(), value.strip()


def hold(
    ctx: typer.Context,
    who: _Who,
    case: Annotated[str, typer.Option("--case", metavar="REF", help="The case: a file number, a letter's date.")] = "",
    lift: _Lift = False,
    operator: _Operator = "",
) -> None:
    """Keep somebody's data for a case: nothing is mailed, erased or purged while it stands."""
    from engine.clock import system_clock
    from engine.steps.privacy import correcting

    if not lift and not case:
        raise UsageError("--case is missing.", "Give the case a reference, for example the lawyer's file number.")
    with opened_premises(ctx) as shop:
        _, now = spoken(shop.config), system_clock()
        if lift:
            ended = correcting.release(shop, who, case, operator_of(operator), now)
            say(_("Ended: %(cases)s.", cases=", ".join(ended)))
            return
        subject = correcting.hold(shop, who, case, operator_of(operator), now)
        say(_("Nothing of %(who)s is mailed, erased or purged while this case stands.", who=subject.name or shown(who)))


def purge(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would go.")] = False,
    operator: _Operator = "",
    as_json: _Json = False,
) -> None:
    """Delete what was kept as long as it may be. The daemon does it every day."""
    from engine.clock import system_clock
    from engine.steps.privacy import retaining

    with opened_premises(ctx) as shop:
        done = retaining.purge(shop, system_clock(), operator_of(operator), dry_run=dry_run)
        if as_json:
            print_json({**asdict(done), "dry_run": dry_run})
            return
        _ = spoken(shop.config)
        for name, count in asdict(done).items():
            if count:
                say(f"{count:>8}  {_(PURGED[name])}")
        if not done.total:
            say(_("Nothing is too old."))
        elif dry_run:
            say(_("Nothing was deleted: this was a dry run."))


PURGED = {
    "refusals": "mails nobody got: now only counted",
    "bodies": "texts of mails; their hash stays",
    "news": "words of the provider about a mail",
    "mails": "mails with their whole history",
    "consents": "consents' personal details",
    "addresses": "addresses that are nobody's any more",
    "occasions": "occasions",
    "remains": "purchases, service items and visits of erased people",
    "erasures": "erasures that had waited for a mail",
    "kept": "people left out: a case, or a restriction",
}


def record(
    ctx: typer.Context,
    html: Annotated[bool, typer.Option("--html", help="Print a page instead of text.")] = False,
    as_json: _Json = False,
) -> None:
    """Print the record of processing activities (Art. 30 GDPR), from your config."""
    from engine.cli.privacy_files import as_text
    from engine.rendering.dossier import Page
    from engine.steps.privacy import processing

    config = read_config(ctx)
    document = processing.record(config)
    if as_json:
        print_json(document)
    elif html:
        page = Page(config.shop.language, config.shop.zone)
        say(page.render("Record of processing activities", document))
    else:
        say(as_text(document, spoken(config)))


def breach(
    ctx: typer.Context,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="From when on (RFC 3339).")],
    as_json: _Json = False,
) -> None:
    """Say what was done with people's data since then, and until when a breach must be reported (Art. 33 GDPR)."""
    from datetime import timedelta

    from engine.cli.opening import clock_at
    from engine.clock import system_clock
    from engine.domain.calendar import local_time
    from engine.store import privacy_events

    with opened_premises(ctx) as shop:
        zone = shop.config.shop.zone
        begun = clock_at(since, zone, "--since")()
        with shop.database.read() as session:
            deeds = privacy_events.since(session, begun)
        due = system_clock() + timedelta(hours=72)
        if as_json:
            print_json({"since": begun, "report_until": due, "deeds": [asdict(deed) for deed in deeds]})
            return
        _ = spoken(shop.config)
        for deed in deeds:
            who = f"{deed.operator:<12}  {deed.action:<16}  {deed.subject[:8]:<8}"
            say(f"{local_time(deed.at, zone)}  {who}  {deed.detail}".rstrip())
        say(
            _(
                "If you learnt of it just now, tell the authority before %(time)s (72 hours).",
                time=local_time(due, zone),
            )
        )
