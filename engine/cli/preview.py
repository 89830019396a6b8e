"""`treuepost preview`: a campaign's mails as somebody would read them, before anybody gets one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import clock_at, opened, read_config, spoken
from engine.cli.output import print_json, say

if TYPE_CHECKING:
    from engine.config.loading import Config


@dataclass(frozen=True, slots=True)
class Preview:
    """One mail to look at."""

    campaign: str
    step: str
    language: str
    subject: str
    preview: str
    html: str
    text: str

    @property
    def name(self) -> str:
        """Return what its files are called."""
        return "-".join(filter(None, (self.campaign, self.step, self.language)))


def register(app: typer.Typer) -> None:
    """Add `preview`."""
    app.command("preview")(preview)


def preview(
    ctx: typer.Context,
    campaign: Annotated[str, typer.Argument(help="The campaign's id.")],
    who: Annotated[str | None, typer.Option("--as", metavar="WHO", help="A customer; else somebody invented.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the mails as files there.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="The instant to look from.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show a campaign's mails: subject, preview line and text; with --out also the HTML, to open in a browser."""
    config = read_config(ctx)
    mails = [_for_customer(ctx, campaign, who, at)] if who else list(_for_nobody(config, campaign, at))
    files = {mail.name: _written(mail, out) for mail in mails} if out else {}
    if as_json:
        print_json([asdict(mail) | {"files": files.get(mail.name, [])} for mail in mails])
        return
    for mail in mails:
        _show(config, mail, files.get(mail.name, []))


def _for_customer(ctx: typer.Context, campaign: str, who: str, at: str | None) -> Preview:
    """Return the mail a customer would get at their nearest occasion; it is planned nowhere and counts for nothing."""
    from engine.steps.foresight.trying import compose_as

    with opened(ctx, at) as app:
        mail = compose_as(app, campaign, who, app.clock())
    return Preview(campaign, "", "", mail.subject, "", mail.html, mail.text)


def _for_nobody(config: Config, campaign_id: str, at: str | None) -> Iterator[Preview]:
    """Return every mail of a campaign as an invented customer would get it, in each language it has."""
    from engine.app import read_campaigns
    from engine.campaigns.loading import find_campaign
    from engine.domain.calendar import local_day
    from engine.rendering import samples

    campaigns, renderer = read_campaigns(config)
    campaign = find_campaign(campaigns, campaign_id)
    today = local_day(clock_at(at, config.shop.zone)(), config.shop.zone)
    for step in campaign.steps:
        for language in renderer.languages(campaign, step):
            mail = renderer.render(campaign, step, samples.on(campaign.trigger.on, language, today), language)
            yield Preview(campaign.id, step.id, mail.language, mail.subject, mail.preview, mail.html, mail.text)


def _written(mail: Preview, folder: Path) -> list[str]:
    """Write a mail as two files; return their paths."""
    from engine.errors import UsageError

    paths = {folder / f"{mail.name}.html": mail.html, folder / f"{mail.name}.txt": f"{mail.subject}\n\n{mail.text}"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot be written: {error.strerror}", "Name another folder.") from error
    return [str(path) for path in paths]


def _show(config: Config, mail: Preview, files: list[str]) -> None:
    _ = spoken(config)
    say(f"── {mail.name} " + "─" * max(0, 60 - len(mail.name)))
    say(_("Subject: %(subject)s", subject=mail.subject))
    if mail.preview:
        say(_("Preview: %(preview)s", preview=mail.preview))
    say()
    say(mail.text)
    for path in files:
        say(_("Written: %(file)s", file=path))
