"""`treuepost tick`, `run`, `worker`, `pause`, `resume`: one pass for cron, the daemon, and the owner's brake."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import opened, opened_store, spoken
from engine.cli.output import print_json, say
from engine.domain.calendar import local_time
from engine.errors import ConfigError, NothingFound, ProviderRefused, StoreError, UsageError

if TYPE_CHECKING:
    from engine.app import App
    from engine.config.loading import Config
    from engine.steps.passing import PassReport

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_At = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="Act as if it were TIME (only with provider outbox).")
]
_Campaign = Annotated[str | None, typer.Argument(help="The campaign's id.")]
_All = Annotated[bool, typer.Option("--all", help="All campaigns.")]


def register(app: typer.Typer) -> None:
    """Add the commands that let mails go, and stop them."""
    app.command("tick")(tick)
    app.command("run")(run)
    app.command("worker")(worker)
    app.command("pause")(pause)
    app.command("resume")(resume)


def tick(ctx: typer.Context, at: _At = None, as_json: _Json = False) -> None:
    """Make one pass and exit, for cron: pull, plan, recover, send what is due."""
    from engine.steps import passing
    from engine.store import ownership

    with opened(ctx, at) as app:
        if at:
            _refuse_time_travel(app)
        with ownership.sole_sender(app.database):
            report = passing.one_pass(app, imagined=bool(at))
        if as_json:
            print_json(asdict(report))
        else:
            _show(app, report)
        if report.credentials_refused:
            raise ProviderRefused(
                f"{app.provider.name} refused the credentials.",
                "Put the right key into api_key_file or TREUEPOST_PROVIDER__API_KEY, then `treuepost resume --all`.",
            )
        if report.guarded:
            _say_guarded(app)
            raise typer.Exit(StoreError.exit_code)


def _say_guarded(app: App) -> None:
    """Say why nothing was planned and sent, and what the owner can answer."""
    from engine.steps import guarding
    from engine.steps.watching import telling

    for line in telling.guarded(guarding.look(app, app.clock()), app.config):
        say(line, err=True)


def _say_unready(app: App) -> None:
    """Say what keeps every mail waiting, each thing with its place and remedy."""
    from engine.steps.watching import readying

    _ = spoken(app.config)
    say(_("warning: nothing may leave through %(name)s yet; it waits:", name=app.provider.name), err=True)
    for one in readying.told(app.config, readying.look(app, app.clock())):
        say(f"  {one.line}", err=True)


def _refuse_time_travel(app: App) -> None:
    """Refuse another time for a provider that really mails; warn where the store has already seen later."""
    from engine.store import reports

    if not app.rehearsal:
        raise UsageError(
            f'--at is only for rehearsing; the provider is "{app.provider.name}".', 'Set [provider] use = "outbox".'
        )
    with app.database.read() as session:
        latest = reports.latest_planned(session)
    if latest and latest > app.clock():
        _ = spoken(app.config)
        when = local_time(latest, app.config.shop.zone)
        say(_("warning: the store already holds rows from %(when)s, later than --at.", when=when), err=True)


def _show(app: App, report: PassReport) -> None:
    _ = spoken(app.config)
    text = "Planned %(planned)s, sent %(sent)s, skipped %(skipped)s, expired %(expired)s, still waiting %(waiting)s."
    facts = asdict(report)
    say(_(text, **facts))
    if report.held:
        say(_("%(count)s mails wait for your word: treuepost messages list", count=report.held))
    if report.not_ready:
        _say_unready(app)
    for refused in report.refused_sources:
        say(_("warning: source not read: %(what)s", what=refused), err=True)
    if report.provider_stopped:
        say(_("warning: the provider is stopped: %(why)s", why=report.provider_stopped), err=True)
    if app.rehearsal:
        say(_("Rehearsal: the mails lie in %(folder)s; nobody was written to.", folder=app.home / "outbox"))


def run(
    ctx: typer.Context,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="How many processes send; the daemon is one of them.")
    ] = 1,
) -> None:
    """Run the daemon: it plans, sends and watches the files until it is told to stop."""
    from engine.daemon import logging_setup
    from engine.daemon.children import Children
    from engine.daemon.running import Daemon
    from engine.daemon.working import send_beside_parent

    logging_setup.set_up()
    with opened(ctx) as app:
        Daemon(app, Children(workers - 1, send_beside_parent, app.config.file)).run()


def worker(ctx: typer.Context) -> None:
    """Send beside a daemon that runs elsewhere: for more machines, with the store on PostgreSQL."""
    from engine.daemon import logging_setup
    from engine.daemon.working import Worker

    logging_setup.set_up()
    with opened(ctx) as app:
        if app.database.sqlite:
            raise UsageError(
                "A worker of its own needs PostgreSQL; this store is one SQLite file.",
                "On this machine: `treuepost run --workers 2`. For more: `treuepost db move` (docs/scaling.md).",
            )
        Worker(app).run()


def pause(ctx: typer.Context, campaign: _Campaign = None, everything: _All = False, as_json: _Json = False) -> None:
    """Stop a campaign's mails, or all of them, until `resume`. What is under way is finished."""
    from engine.clock import system_clock
    from engine.store import pauses

    with opened_store(ctx) as (config, database):
        name = _meant(config, campaign, everything=everything)
        with database.write() as session:
            changed = pauses.pause(session, name, system_clock())
    _answer(config, {"paused": name, "changed": changed}, as_json=as_json)


def resume(ctx: typer.Context, campaign: _Campaign = None, everything: _All = False, as_json: _Json = False) -> None:
    """Let a paused campaign go on, or all of them; with --all a stopped provider is tried again too."""
    from engine.store import breakers, budgets, pauses

    with opened_store(ctx) as (config, database):
        name = _meant(config, campaign, everything=everything)
        with database.write() as session:
            changed = bool(pauses.resume_all(session)) if everything else pauses.resume(session, name)
            if everything:
                budgets.lift_stop(session, config.provider.use)
                breakers.close(session, config.provider.use)
    _answer(config, {"resumed": name, "changed": changed}, as_json=as_json)


def _meant(config: Config, campaign: str | None, *, everything: bool) -> str:
    """Return the campaign's id, or the word for all of them."""
    from engine.store.pauses import ALL
    from engine.toml.source import suggest

    names = _campaign_ids(config)
    there_are = f"There are: {', '.join(names)}."
    if (campaign is None) != everything:
        raise UsageError("Name one campaign, or say --all.", there_are)
    if campaign is None:
        return ALL
    if names and campaign not in names:
        raise NothingFound(f'There is no campaign "{campaign}".', suggest(campaign, names) or there_are)
    return campaign


def _campaign_ids(config: Config) -> list[str]:
    """Return the campaigns there are; none where a file is broken: the brake must work even then."""
    from engine.campaigns.loading import load_campaigns

    try:
        return [campaign.id for campaign in load_campaigns(config.home / "campaigns", config)]
    except ConfigError:
        return []


def _answer(config: Config, facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
        return
    _ = spoken(config)
    name = next(iter(facts.values()))
    what = _("All campaigns") if name == "*" else str(name)
    if "paused" in facts:
        say(_("%(what)s: paused. `treuepost resume` lets it go on.", what=what))
    else:
        say(_("%(what)s: goes on.", what=what))
