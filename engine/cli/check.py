"""`treuepost check`: everything wrong or doubtful in config, campaigns and templates, at file:line:column."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import Options, clock_at
from engine.cli.output import print_json, say, show_error, show_finding
from engine.errors import ConfigError, Finding, Invalid, StoreError

if TYPE_CHECKING:
    from engine.campaigns.model import Campaign
    from engine.config.loading import Config
    from engine.steps.foresight.checking import Outlook

_INVALID = 4


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found."""

    files: int
    config: Config | None
    campaigns: Sequence[Campaign]
    findings: Sequence[Finding]
    outlook: Outlook | None

    def count(self, level: str) -> int:
        """Return how many findings have this level."""
        return sum(finding.level == level for finding in self.findings)


def register(app: typer.Typer) -> None:
    """Add `check`."""
    app.command("check")(check)


def check(
    ctx: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say every campaign back in words.")] = False,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="Count as of this instant (RFC 3339).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check config, campaigns and templates; nothing is written or sent."""
    checked = examine(_config_file(ctx), at)
    for finding in checked.findings:
        show_finding(finding)
    if as_json:
        print_json(_document(checked))
    else:
        _tell(checked, verbose=verbose)
    if checked.count("error"):
        raise typer.Exit(_INVALID)


def _config_file(ctx: typer.Context) -> Path:
    from engine.config.loading import find_config

    return find_config(ctx.obj.config if isinstance(ctx.obj, Options) else None, os.environ)


def examine(path: Path, at: str | None) -> Checked:
    """Look at the config, at every campaign, at every template, and at the store where there is one."""
    from engine.campaigns.loading import campaign_files, examine_campaigns
    from engine.config.loading import examine_config

    config, findings = examine_config(path, os.environ)
    if config is None:
        return Checked(1, None, (), findings, None)
    folder = config.home / "campaigns"
    campaigns, more = examine_campaigns(folder, config)
    findings += [*more, *_templates(config, campaigns), *_confirmations(config)]
    outlook = None
    if not any(finding.level == "error" for finding in findings):
        outlook = _outlook(config, campaigns, at)
        findings += outlook.findings if outlook else ()
    return Checked(1 + len(campaign_files(folder)), config, campaigns, findings, outlook)


def _templates(config: Config, campaigns: Sequence[Campaign]) -> list[Finding]:
    """Compile every mail; return what is wrong with the templates and what may go wrong."""
    from engine.rendering.renderer import Renderer

    try:
        return Renderer(config, config.home / "templates", tuple(campaigns)).warnings
    except Invalid as invalid:
        return invalid.findings
    except ConfigError as error:
        return [Finding("templates", 0, 0, "T100", error.message, error.hint)]


def _confirmations(config: Config) -> list[Finding]:
    """Write the confirmation mail of each wording; return what would keep one from being sent."""
    from engine.language import Language
    from engine.rendering.replies import sample_faults
    from engine.toml.source import shown_path

    _ = Language(config.shop.language).gettext
    message = _("the mail that asks for confirmation would not be bare, and is not sent")
    help_ = _("change product_scope: a confirmation mail that advertises is forbidden")
    return [
        Finding(shown_path(config.file), 0, 0, "L505", f"[wording.{name}]: {message} ({'; '.join(wrong)})", help_)
        for name, wrong in sample_faults(config).items()
    ]


def _outlook(config: Config, campaigns: Sequence[Campaign], at: str | None) -> Outlook | None:
    """Ask the store, where there is one; a store that cannot be opened is told and is no fault of the files."""
    from engine.app import open_premises
    from engine.steps.foresight.checking import look_out

    if config.store.file is not None and not config.store.file.exists():
        return None
    clock = clock_at(at, config.shop.zone)
    try:
        shop = open_premises(config, clock)
    except StoreError as error:
        show_error(error)
        return None
    try:
        return look_out(shop, campaigns, clock())
    finally:
        shop.database.close()


def _tell(checked: Checked, *, verbose: bool) -> None:
    from engine.language import Language

    language = Language(checked.config.shop.language if checked.config else "de")
    if checked.config and verbose:
        for campaign in checked.campaigns:
            _tell_campaign(campaign, checked, language.code)
    if checked.config and checked.config.rehearsal:
        say(language.gettext("Rehearsal: nothing leaves this machine."))
    files = language.ngettext("%(number)s file checked", "%(number)s files checked", checked.files)
    errors = language.ngettext("%(number)s error", "%(number)s errors", checked.count("error"))
    warnings = language.ngettext("%(number)s warning", "%(number)s warnings", checked.count("warning"))
    say(f"{files}, {errors}, {warnings}.")


def _tell_campaign(campaign: Campaign, checked: Checked, code: str) -> None:
    from engine.campaigns.words import describe
    from engine.language import Language

    _ = Language(code).gettext
    off = "" if campaign.enabled else f" ({_('switched off')})"
    say(f"{campaign.id}: {campaign.name}{off}")
    lines = describe(campaign, code)
    reached = _reached(campaign, checked)
    if reached:
        permitted, customers = reached
        told = _("%(permitted)s of %(customers)s customers may get it", permitted=permitted, customers=customers)
        lines.append((_("Today"), told))
    width = max(len(heading) for heading, _told in lines)
    for heading, told in lines:
        say(f"  {heading:<{width}}  {told}")
    say()


def _reached(campaign: Campaign, checked: Checked) -> tuple[int, int] | None:
    reached = checked.outlook.reach if checked.outlook else ()
    found = next((one for one in reached if one.target.name == campaign.id), None)
    return (found.permitted.total(), found.customers) if found else None


def _document(checked: Checked) -> dict[str, object]:
    return {
        "files": checked.files,
        "errors": checked.count("error"),
        "warnings": checked.count("warning"),
        "findings": [asdict(finding) for finding in checked.findings],
        "campaigns": [_campaign(campaign, checked) for campaign in checked.campaigns],
    }


def _campaign(campaign: Campaign, checked: Checked) -> dict[str, object]:
    from engine.campaigns.words import describe

    reached = _reached(campaign, checked)
    return {
        "id": campaign.id,
        "file": campaign.file,
        "enabled": campaign.enabled,
        "kind": campaign.kind,
        "hash": campaign.hash,
        "words": dict(describe(campaign, checked.config.shop.language if checked.config else "de")),
        "permitted": reached[0] if reached else None,
        "customers": reached[1] if reached else None,
    }
